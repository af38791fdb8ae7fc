//! Every kind of router against every other: the real program shares behind one and fetches by name
//! behind the other, and knows nobody but a SwarmMaster.
//!
//! `SWARMHOLD_NAT_TABLE=1` prints how long each pair took; what is asserted are paths, not times.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Output;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::lab::until;
use crate::line::Shape;
use crate::world::{KINDS, Kind, Running, STREET, World};

/// What came of one pair.
#[derive(Debug)]
struct Row {
    sharer: Kind,
    getter: Kind,
    /// The last object that `get` printed; none where it failed.
    done: Option<Value>,
    stderr: String,
}

/// Attempts of a pair that is to be direct. On a busy machine a relay may be there before the punches that a router
/// asks for, and a short `get` is over before there is the better way.
const ATTEMPTS: u32 = 3;

/// The pairs that no punch can join: a port that nobody can know, and a router that lets in only ports that
/// it knows.
fn needs_relay(one: Kind, other: Kind) -> bool {
    let is_strict = |kind| matches!(kind, Kind::PortRestricted | Kind::Symmetric);
    [one, other].contains(&Kind::Symmetric) && is_strict(one) && is_strict(other)
}

fn expected(one: Kind, other: Kind) -> &'static str {
    match needs_relay(one, other) {
        true => "relayed",
        false => "direct",
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Open => "open",
        Kind::FullCone => "cone",
        Kind::AddressRestricted => "addr",
        Kind::PortRestricted => "port",
        Kind::Symmetric => "sym",
    }
}

fn share(world: &World, kind: Kind, master: &str) -> Running {
    let place = format!("s-{}", name(kind));
    // what is called like a file beside one is taken for that file
    let file = format!("shared/{}.tar", name(kind));
    let bytes: Vec<u8> = file.bytes().cycle().take(200_000).collect();
    fs::create_dir_all(world.path("shared")).expect("the folder takes folders");
    fs::write(world.path(&file), bytes).expect("the folder takes files");
    let args = [
        "share",
        &file,
        "--master",
        master,
        "--no-port-mapping",
        "--json",
        "-v",
    ];
    world.start(&place, &args)
}

fn get(world: &World, sharer: Kind, getter: Kind, master: &str) -> Row {
    let mut row = get_once(world, sharer, getter, master, 0);
    let expected = expected(sharer, getter);
    for attempt in 1..ATTEMPTS {
        let is_other = |path: &Value| expected == "direct" && path["path"] != expected;
        if !row.path().is_some_and(is_other) {
            break;
        }
        row = get_once(world, sharer, getter, master, attempt);
    }
    row
}

fn get_once(world: &World, sharer: Kind, getter: Kind, master: &str, attempt: u32) -> Row {
    let file = format!("{}.tar", name(sharer));
    let copy = format!("{}-{}-{attempt}", name(sharer), name(getter));
    let place = format!("g-{}", name(getter));
    let output = world
        .swarmhold(&place)
        // what was fetched before is not to be found there
        .env("SWARMHOLD_HOME", world.path(&format!("home-{copy}")))
        .args(["get", &file, "-o", &copy, "--master", master, "--json"])
        .args(["--timeout", "8s"])
        .output()
        .expect("it runs");
    let Output {
        stdout,
        stderr,
        status,
    } = output;
    let last = String::from_utf8_lossy(&stdout);
    let last = last.lines().last().map(serde_json::from_str);
    let done = last.and_then(Result::ok).filter(|_| status.success());
    if done.is_some() {
        let same =
            fs::read(world.path(&copy)).ok() == fs::read(world.path("shared").join(&file)).ok();
        assert!(same, "{copy} is not what was shared");
    }
    Row {
        sharer,
        getter,
        done,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

impl Row {
    fn path(&self) -> Option<&Value> {
        self.done.as_ref()?["paths"].as_array()?.first()
    }

    fn text(&self) -> String {
        let path = self
            .path()
            .map_or("none", |path| path["path"].as_str().unwrap_or("?"));
        let how = self
            .path()
            .map_or("", |path| path["how"].as_str().unwrap_or("?"));
        let after = self.path().and_then(|path| path["seconds"].as_f64());
        let after = after.map_or_else(|| "-".to_owned(), |it| format!("{:.0} ms", it * 1000.0));
        let all = self.done.as_ref().and_then(|done| done["seconds"].as_f64());
        let all = all.map_or_else(|| "-".to_owned(), |it| format!("{it:.2} s"));
        let pair = format!("{} <- {}", name(self.getter), name(self.sharer));
        format!("{pair:<14} {path:<8} {how:<9} {after:>8} {all:>8}")
    }
}

pub(crate) fn is_asked_for() -> bool {
    std::env::var_os("SWARMHOLD_NAT_TABLE").is_some()
}

#[test]
fn all_pairs_connect_and_only_those_that_need_it_by_a_relay() {
    // the table is of houses that are 20 ms from each other, and the getters so far from the master
    let line = is_asked_for().then_some(Shape {
        delay: Duration::from_millis(10),
        per_second: None,
    });
    let Some(mut world) = World::with_line(line) else {
        return;
    };
    for (at, kind) in (0..).zip(KINDS) {
        world.house(&format!("s-{}", name(kind)), kind, 10 + at);
        world.house(&format!("g-{}", name(kind)), kind, 20 + at);
    }
    let master = world.master(STREET);
    let sharers = KINDS.map(|kind| share(&world, kind, &master.said));
    for kind in KINDS {
        let place = format!("s-{}", name(kind));
        until(&format!("{} is listed", name(kind)), || {
            world.log(&place).contains(": listed ")
        });
    }
    let rows = thread::scope(|scope| {
        let (world, master) = (&world, &master.said);
        let column = |getter: Kind| KINDS.map(|sharer| get(world, sharer, getter, master));
        let columns = KINDS.map(|getter| scope.spawn(move || column(getter)));
        columns.map(|it| it.join().expect("it did not panic"))
    });
    drop(sharers);
    let mut table = String::new();
    for row in rows.iter().flatten() {
        writeln!(table, "{}", row.text()).expect("a String takes everything");
    }
    if is_asked_for() {
        // past the test harness, which would keep it to itself
        write!(std::io::stderr(), "{table}").expect("stderr is open");
    }
    for row in rows.iter().flatten() {
        let (one, other) = (row.sharer, row.getter);
        let expected = expected(one, other);
        let is_so = row.path().is_some_and(|path| path["path"] == expected);
        assert!(
            is_so,
            "{one:?} {other:?}: not {expected}; {}\n{table}",
            row.stderr
        );
    }
}
