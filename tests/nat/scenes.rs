//! Houses that are not one router each: neighbours, IPv6, firewalls, routers that forget soon.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::lab::until;
use crate::world::{Kind, Running, STREET, World};

/// What a `get --json` printed last, and what it said.
pub(crate) struct Got {
    pub(crate) done: Option<Value>,
    pub(crate) stderr: String,
}

impl Got {
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let events: Vec<Value> = stdout
            .lines()
            .filter_map(|it| serde_json::from_str(it).ok())
            .collect();
        let done = events.last().cloned().filter(|_| output.status.success());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { done, stderr }
    }

    /// How the one who gave was reached.
    pub(crate) fn path(&self) -> &Value {
        let done = self
            .done
            .as_ref()
            .unwrap_or_else(|| panic!("{}", self.stderr));
        &done["paths"][0]
    }
}

/// Shares a file of `bytes` bytes as `app.tar`, and waits until a master has listed it.
pub(crate) fn share(world: &World, place: &str, bytes: usize, more: &[&str]) -> Running {
    // what is called like a file beside one is taken for that file
    fs::create_dir_all(world.path("shared")).unwrap();
    let content = swarmhold::wire::fuzz::noise(bytes, 7);
    fs::write(world.path("shared/app.tar"), content).unwrap();
    let args = ["share", "shared/app.tar", "--no-port-mapping", "-vv"];
    let running = world.start(place, &[&args[..], more].concat());
    until("it is listed", || world.log(place).contains(": listed "));
    running
}

fn get(world: &World, place: &str, more: &[&str]) -> Got {
    let mut command = world.swarmhold(place);
    command
        .args(["get", "app.tar", "-o", "copy", "--json", "-vv"])
        .args(more);
    let got = Got::of(command.output().expect("it runs"));
    if got.done.is_some() {
        let shared = fs::read(world.path("shared/app.tar")).unwrap();
        assert!(fs::read(world.path("copy")).unwrap() == shared);
    }
    got
}

#[test]
fn neighbours_meet_inside_their_house() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::PortRestricted, 10);
    world.neighbour("bob", "alice", 10);
    let master = world.master(STREET);
    let _sharing = share(&world, "alice", 100_000, &["--master", &master.said]);
    let got = get(&world, "bob", &["--master", &master.said]);
    assert_eq!(got.path()["path"], "direct");
    let inside = "a peer is connected";
    let met = got.stderr.lines().filter(|line| line.contains(inside));
    let is_right =
        |line: &str| line.contains("remote=10.10.0.2:7922") || line.contains("remote=1.2.3.9:");
    assert!(
        met.clone().any(|line| line.contains("10.10.0.2")),
        "{}",
        got.stderr
    );
    assert!(met.clone().all(is_right), "{}", got.stderr);
}

#[test]
fn firewalls_of_ipv6_are_opened_from_both_sides() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::PortRestricted, 10);
    world.house("bob", Kind::PortRestricted, 11);
    world.ipv6([("alice", 10), ("bob", 11)]);
    let master = world.master("[2a00:1::9]:7923");
    let _sharing = share(&world, "alice", 100_000, &["--master", &master.said]);
    let got = get(&world, "bob", &["--master", &master.said]);
    let path = got.path();
    assert_eq!(
        (&path["path"], &path["how"]),
        (&"direct".into(), &"met".into())
    );
}

#[test]
fn who_cannot_send_udp_is_told_so() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::Open, 10);
    world.house("bob", Kind::PortRestricted, 11);
    world.rules(
        "bob-r",
        "table ip filter {\n chain through { type filter hook forward priority 0; meta l4proto udp drop\n }\n}\n",
    );
    let master = world.master(STREET);
    let sharing = share(&world, "alice", 1000, &["--master", &master.said]);
    let by_name = get(&world, "bob", &["--master", &master.said]);
    assert!(by_name.done.is_none());
    let by_link = world
        .swarmhold("bob")
        .args(["get", &sharing.said, "-o", "copy", "--timeout", "11s"])
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&by_link.stderr);
    assert!(!by_link.status.success());
    assert!(why.contains("1.2.3.10:7922 did not answer"), "{why}");
    assert!(
        why.contains("no SwarmMaster answers") && why.contains("UDP"),
        "{why}"
    );
}

#[test]
fn routers_that_forget_within_seconds_are_kept_awake() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::PortRestricted, 10);
    world.house("bob", Kind::Symmetric, 11);
    for what in ["udp_timeout", "udp_timeout_stream"] {
        world.run(
            "alice-r",
            &format!("sysctl -qw net.netfilter.nf_conntrack_{what}=7"),
        );
    }
    // of the two, the one who waits is the one whose router forgets
    world.rules(
        "bob-r",
        &crate::world::rules(Kind::AddressRestricted, "1.2.3.11"),
    );
    let master = world.master(STREET);
    let _sharing = share(&world, "alice", 100_000, &["--master", &master.said]);
    std::thread::sleep(std::time::Duration::from_secs(12));
    let got = get(&world, "bob", &["--master", &master.said]);
    assert_eq!(
        (&got.path()["path"], &got.path()["how"]),
        (&"direct".into(), &"met".into())
    );
}
