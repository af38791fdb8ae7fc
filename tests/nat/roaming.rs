//! What happens in the middle of a transfer: other addresses, and a master that is gone.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::scenes::share;
use crate::world::{Kind, Running, STREET, World};

/// Bytes of the container, and what a second of it may bring: some seconds of transfer.
const BYTES: usize = 8 << 20;
const RATE: &str = "2MiB";
/// What may come twice: what was under way when the path broke, which the window of a line without delay bounds.
const TWICE_MAX: u64 = 1 << 20;

/// A `get` that is under way.
struct Getting {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Getting {
    fn start(world: &World, place: &str, master: &str) -> Self {
        let mut command = world.swarmhold(place);
        command.args([
            "get", "app.tar", "-o", "copy", "--json", "-vv", "--down", RATE,
        ]);
        command.args(["--master", master]).stdout(Stdio::piped());
        let errors = fs::File::create(world.path(&format!("{place}.log"))).unwrap();
        let mut child = command.stderr(errors).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Waits until a part of it is there, and not all.
    fn until_midway(&mut self) {
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "it ended early"
            );
            let event: Value = serde_json::from_str(&line).unwrap();
            let bytes = event["bytes"].as_u64().unwrap_or(0);
            if bytes > 1 << 20 {
                assert!(bytes < 7 << 20, "too fast to be disturbed");
                return;
            }
        }
    }

    /// Waits for its end, which has to be a good one.
    fn finish(mut self, world: &World, place: &str) -> Value {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}", world.log(place));
        let shared = fs::read(world.path("shared/app.tar")).unwrap();
        assert!(fs::read(world.path("copy")).unwrap() == shared);
        let done: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
        let twice = done["duplicate_bytes"].as_u64().unwrap();
        assert!(twice <= TWICE_MAX, "{twice} bytes came twice");
        if std::env::var_os("SWARMHOLD_NAT_TABLE").is_some() {
            // past the test harness, which would keep it to itself
            let line = format!(
                "{place}: {} s in all, {twice} bytes twice\n",
                done["seconds"]
            );
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
        done
    }
}

fn scene(sharer: Kind, getter: Kind) -> Option<(World, Running, Running)> {
    let mut world = World::or_skip()?;
    world.house("alice", sharer, 10);
    world.house("bob", getter, 11);
    let master = world.master(STREET);
    let sharing = share(&world, "alice", BYTES, &["--master", &master.said]);
    Some((world, master, sharing))
}

/// Gives a router another outside address, and forgets what was known by the old one.
fn rebind(world: &World, router: &str, from: u8, to: u8) {
    world.run(router, &format!("ip addr del 1.2.3.{from}/24 dev wan"));
    world.run(router, &format!("ip addr add 1.2.3.{to}/24 dev wan"));
}

#[test]
fn a_router_that_gives_the_dialer_another_address_costs_nothing() {
    let Some((world, master, _sharing)) = scene(Kind::Open, Kind::PortRestricted) else {
        return;
    };
    let mut getting = Getting::start(&world, "bob", &master.said);
    getting.until_midway();
    rebind(&world, "bob-r", 11, 21);
    getting.finish(&world, "bob");
}

#[test]
fn a_getter_that_moves_goes_on() {
    let Some((world, master, _sharing)) = scene(Kind::Open, Kind::Open) else {
        return;
    };
    let mut getting = Getting::start(&world, "bob", &master.said);
    getting.until_midway();
    world.run("bob", "ip addr del 1.2.3.11/24 dev eth0");
    world.run("bob", "ip addr add 1.2.3.31/24 dev eth0");
    getting.finish(&world, "bob");
}

#[test]
fn a_sharer_that_moves_is_found_again() {
    let Some((world, master, _sharing)) = scene(Kind::Open, Kind::PortRestricted) else {
        return;
    };
    let mut getting = Getting::start(&world, "bob", &master.said);
    getting.until_midway();
    world.run("alice", "ip addr del 1.2.3.10/24 dev eth0");
    world.run("alice", "ip addr add 1.2.3.30/24 dev eth0");
    getting.finish(&world, "bob");
    let log = world.log("bob");
    assert!(log.contains("a peer is silent"), "how else? {log}");
}

#[test]
fn a_master_that_is_gone_is_not_missed() {
    let Some((world, master, _sharing)) = scene(Kind::PortRestricted, Kind::PortRestricted) else {
        return;
    };
    let mut getting = Getting::start(&world, "bob", &master.said);
    getting.until_midway();
    drop(master);
    getting.finish(&world, "bob");
}
