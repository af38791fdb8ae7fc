//! The engine in a simulated network: many nodes, each with the production core, under a virtual
//! clock, from one seed.
//!
//! Every seed draws a world with its faults (`faults`), runs it twice, compares the two traces, and
//! checks after every step what must always hold (`check`). When the faults have stopped, every
//! honest node must get everything within a bound. `scenes` has worlds made by hand for one
//! question each.
//!
//! `SWARMHOLD_SIM_SEED=7 cargo test --test sim` runs one seed, `SWARMHOLD_SIM_SEEDS=5000` that many;
//! with `SWARMHOLD_SIM_LINES=1000` more of a failing seed's story is told, and with
//! `SWARMHOLD_SIM_TELL=1` (and `--nocapture`) a line for each world.

mod check;
mod draw;
mod drive;
mod epilogue;
mod fairness;
mod faults;
mod land;
mod lies;
mod life;
mod links;
mod net;
mod node;
mod plan;
#[cfg(feature = "planted-bugs")]
mod planted;
mod rng;
mod scenes;
mod serve;
mod shares;
#[path = "../support/splitmix.rs"]
mod splitmix;
mod trace;
mod wake;
mod waste;
mod whims;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use plan::Plan;
use trace::Trace;
use waste::Waste;
use world::{Report, World};

/// Seeds in an ordinary run.
const SEEDS: u64 = 1_000;

/// Runs a world; what went wrong comes with the end of its story.
fn play(plan: Plan) -> Result<(Report, Trace), String> {
    let trace = Trace::new();
    let world = World::new(plan, trace.clone());
    match catch_unwind(AssertUnwindSafe(|| world.run())) {
        Ok(report) => Ok((report, trace)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!("{}\n{}", text.unwrap_or_default(), trace.story()))
        }
    }
}

/// Runs one seed twice.
fn play_seed(seed: u64, waste: &Waste) -> Result<(), String> {
    let plan = Plan::of_seed(seed);
    let (report, trace) = play(plan.clone())?;
    if number("SWARMHOLD_SIM_TELL").is_some() {
        tell(&plan, &report);
    }
    let (_, again) = play(plan.clone())?;
    let (hash, again) = (trace.hash(), again.hash());
    if hash != again {
        return Err(format!("two runs differ: {hash} and {again}"));
    }
    waste.add(&plan, &report)
}

fn tell(plan: &Plan, report: &Report) {
    let (nodes, ended_at) = (plan.nodes.len(), report.ended_at.as_micros() / 1_000_000);
    let [lacked, wasted] = [&report.lacked, &report.wasted].map(|it| it.iter().sum::<u64>());
    let kind = if plan.is_pure() { ", pure" } else { "" };
    let line = format!(
        "seed {seed}: {nodes} nodes{kind}, {events} events, all done after {ended_at} s, {wasted} bytes for nothing of {lacked}\n",
        seed = plan.seed,
        events = report.events,
    );
    let _ = std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes());
}

/// Seeds that failed once, each before the reason why.
fn regressions() -> impl Iterator<Item = u64> {
    let lines = include_str!("regressions.txt").lines();
    let seeds = lines.filter(|line| !line.starts_with('#'));
    seeds.filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn seeds_that_failed_once_are_safe_and_live() {
    for seed in regressions() {
        if let Err(why) = play_seed(seed, &Waste::default()) {
            panic!(
                "seed {seed}: {why}\nto see it again: SWARMHOLD_SIM_SEED={seed} cargo test --test sim every_seed"
            );
        }
    }
}

#[test]
fn every_seed_is_safe_and_live() {
    let seeds = match number("SWARMHOLD_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SWARMHOLD_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let (next, first_bad) = (AtomicU64::new(seeds.start), AtomicU64::new(u64::MAX));
    let waste = Waste::default();
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let failures = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end || seed > first_bad.load(Ordering::Relaxed) {
                    return failures;
                }
                if let Err(why) = play_seed(seed, &waste) {
                    first_bad.fetch_min(seed, Ordering::Relaxed);
                    failures.push((seed, why));
                }
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = workers
            .into_iter()
            .map(|it| it.join().expect("it catches panics"));
        ended.flatten().min_by_key(|(seed, _)| *seed)
    });
    if let Some((seed, why)) = failures {
        panic!(
            "seed {seed}: {why}\nto see it again: SWARMHOLD_SIM_SEED={seed} cargo test --test sim every_seed"
        );
    }
    if let Err(why) = waste.check() {
        panic!("{why}");
    }
}
