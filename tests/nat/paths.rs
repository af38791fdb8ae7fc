//! Whole downloads by each kind of path: dialed, met, and through a master.
//!
//! `SWARMHOLD_NAT_TABLE=1 cargo test --release --test nat paths` makes them large, over a line of 100 Mbit/s and 10 ms
//! each way, by turns, and prints how fast each was. What is asserted are paths and bytes, not times.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{succeeded, until};
use crate::line::Shape;
use crate::matrix::is_asked_for;
use crate::scenes::Got;
use crate::world::{Kind, Running, STREET, World};

/// Bytes a second of the line, in each direction.
const LINE: u32 = 12_500_000;
/// Bytes of a container, where it is to be quick, and where it is measured.
const BYTES: usize = 1_000_000;
const BYTES_MEASURED: usize = 64 << 20;
/// Rounds of which the table has the median.
const ROUNDS: usize = 5;

/// The kinds of paths, and the routers on both sides that lead to each.
const WAYS: [(&str, Kind); 3] = [
    ("dialed", Kind::Open),
    ("met", Kind::PortRestricted),
    ("relayed", Kind::Symmetric),
];

fn share(world: &World, how: &str, bytes: usize, seed: u64, master: &str) -> Running {
    fs::create_dir_all(world.path("shared")).unwrap();
    let file = format!("shared/{how}.tar");
    fs::write(world.path(&file), swarmhold::wire::fuzz::noise(bytes, seed)).unwrap();
    let (place, more) = (format!("s-{how}"), ["--no-port-mapping", "-v"]);
    let args = ["share", &file, "--master", master];
    let running = world.start(&place, &[&args[..], &more].concat());
    until("it is listed", || world.log(&place).contains(": listed "));
    running
}

/// Seconds of a whole `get` in a new home, and after how many of those its peer was reached.
fn get(world: &World, how: &str, round: usize, master: &str) -> (f64, f64) {
    let (name, copy) = (format!("{how}.tar"), format!("{how}-{round}"));
    let home = world.path(&format!("home-{how}-{round}"));
    let mut command = world.swarmhold(&format!("g-{how}"));
    command.env("SWARMHOLD_HOME", &home);
    command.args(["get", &name, "-o", &copy, "--json", "--master", master]);
    let got = Got::of(command.output().expect("it runs"));
    assert_eq!(got.path()["how"], how, "{}", got.stderr);
    let shared = fs::read(world.path("shared").join(&name)).unwrap();
    assert!(fs::read(world.path(&copy)).unwrap() == shared);
    let seconds = got.done.as_ref().and_then(|done| done["seconds"].as_f64());
    let told = world
        .swarmhold(&format!("g-{how}"))
        .env("SWARMHOLD_HOME", &home)
        .args(["peers", &name, "--json"])
        .output();
    let told: Value = serde_json::from_slice(&succeeded(told).stdout).unwrap();
    // a master that was shown a chunk is told of too
    let mut all = told["peers"].as_array().unwrap().iter();
    let gave = all.find(|peer| peer["gave_bytes"] == shared.len());
    let gave = gave.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(gave["how"], how, "{told}");
    let why = gave["why"].as_str().unwrap_or("");
    assert_eq!(why.contains("symmetric NAT"), how == "relayed", "{told}");
    let reached = got.path()["seconds"].as_f64().unwrap_or(0.0);
    for gone in [home, world.path(&copy)] {
        // what is left over is taken down with the laboratory
        let _ = fs::remove_dir_all(&gone).or_else(|_| fs::remove_file(&gone));
    }
    (seconds.unwrap(), reached)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[test]
fn a_container_comes_whole_by_each_kind_of_path() {
    let (bytes, rounds) = match is_asked_for() {
        true => (BYTES_MEASURED, ROUNDS),
        false => (BYTES, 1),
    };
    let line = is_asked_for().then_some(Shape {
        delay: Duration::from_millis(10),
        per_second: Some(LINE),
    });
    let Some(mut world) = World::with_line(line) else {
        return;
    };
    for (at, (how, kind)) in (0..).zip(WAYS) {
        world.house(&format!("s-{how}"), kind, 10 + at);
        world.house(&format!("g-{how}"), kind, 20 + at);
    }
    let master = world.master(STREET);
    let sharers = (1..).zip(WAYS);
    let _sharers: Vec<Running> = sharers
        .map(|(seed, (how, _))| share(&world, how, bytes, seed, &master.said))
        .collect();
    let mut took = WAYS.map(|_| (Vec::new(), Vec::new()));
    for round in 0..rounds {
        for ((how, _), (seconds, reached)) in WAYS.iter().zip(&mut took) {
            let (whole, after) = get(&world, how, round, &master.said);
            seconds.push(whole);
            reached.push(after);
        }
    }
    if is_asked_for() {
        let speeds =
            took.map(|(seconds, reached)| (bytes as f64 / 1e6 / median(seconds), median(reached)));
        let mut table = String::new();
        for ((how, _), (speed, after)) in WAYS.iter().zip(speeds) {
            let ratio = speed / speeds[0].0;
            writeln!(
                table,
                "{how:<8} {speed:>6.2} MB/s {ratio:>5.2} reached after {after:.3} s"
            )
            .unwrap();
        }
        // past the test harness, which would keep it to itself
        std::io::stderr().write_all(table.as_bytes()).unwrap();
    }
}
