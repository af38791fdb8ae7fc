//! The engine in a simulated network: many nodes, each with the production core, under a virtual
//! clock, from one seed.
//!
//! Every seed draws a world with its faults (`faults`), runs it twice, compares the two traces, and
//! checks after every step what must always hold (`check`). When the faults have stopped, every
//! honest node must get everything within a bound. `scenes` has worlds made by hand for one
//! question each.
//!
//! `SWARMHOLD_SIM_SEED=7 cargo test --test sim` runs one seed, `SWARMHOLD_SIM_SEEDS=5000` that many;
//! with `SWARMHOLD_SIM_LINES=1000` more of a failing seed's story is told.

mod check;
mod drive;
mod epilogue;
mod faults;
mod net;
mod node;
mod rng;
mod scenes;
mod serve;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use swarmhold::digest::Digest;

use faults::Plan;
use trace::Trace;
use world::{Report, World};

/// Seeds in an ordinary run.
const SEEDS: u64 = 200;

/// Runs a world; what went wrong comes with the end of its story.
fn play(plan: Plan) -> Result<(Report, Digest), String> {
    let trace = Trace::new();
    let world = World::new(plan, trace.clone());
    match catch_unwind(AssertUnwindSafe(|| world.run())) {
        Ok(report) => Ok((report, trace.hash())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!(
                "{}\n{}",
                text.unwrap_or_default(),
                trace.narrative()
            ))
        }
    }
}

/// Runs one seed twice.
fn play_seed(seed: u64) -> Result<Report, String> {
    let plan = Plan::of_seed(seed);
    let (report, hash) = play(plan.clone())?;
    let (_, again) = play(plan.clone())?;
    if hash != again {
        return Err(format!("two runs differ: {hash} and {again}"));
    }
    if plan.is_pure() {
        let size: u64 = plan.containers.iter().map(|layout| layout.size()).sum();
        let chunk = plan
            .containers
            .iter()
            .map(|layout| layout.chunk_size())
            .max();
        let allowed = size / 20 + 2 * u64::from(chunk.unwrap_or(0));
        for (node, wasted) in report.wasted.iter().enumerate() {
            if *wasted > allowed {
                return Err(format!("n{node} got {wasted} bytes for nothing, of {size}"));
            }
        }
    }
    Ok(report)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn every_seed_is_safe_and_live() {
    let seeds = match number("SWARMHOLD_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SWARMHOLD_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let (next, first_bad) = (AtomicU64::new(seeds.start), AtomicU64::new(u64::MAX));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let failures = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end || seed > first_bad.load(Ordering::Relaxed) {
                    return failures;
                }
                if let Err(why) = play_seed(seed) {
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
}
