//! Worlds about who is served: those that give nothing, those that are many, those that gave before.

use std::time::Duration;

use swarmhold::moment::Moment;

use crate::faults::{Excuse, Role, Turn};
use crate::plan::Plan;
use crate::play;
use crate::world::{Report, What};

const CHUNK: u32 = 64 * 1024;
const SEEDER: usize = 0;

fn run(plan: Plan) -> Report {
    let (report, _) = play(plan).unwrap_or_else(|why| panic!("{why}"));
    report
}

/// How long nodes took, the fastest first; those that were not done when all had to be come last.
fn times(report: &Report, nodes: impl Iterator<Item = usize>) -> Vec<Duration> {
    let took = |node: usize| report.done_at[node].unwrap_or(report.ended_at);
    let mut times: Vec<_> = nodes.map(|it| took(it).since(Moment::ORIGIN)).collect();
    times.sort();
    times
}

fn median(times: &[Duration]) -> Duration {
    times[times.len() / 2]
}

/// What a node has got of another one until then, in bytes.
fn got(report: &Report, node: usize, of: usize, until: Moment) -> u64 {
    let theirs = report.dealings.iter();
    let theirs = theirs.filter(|it| it.node == node && it.other == of && it.at <= until);
    let bytes = theirs.map(|it| match it.what {
        What::Got(_, bytes) => bytes,
        What::Asked(_) | What::Told => 0,
    });
    bytes.sum()
}

/// A swarm in which sending is scarce.
struct Crowd {
    seed: u64,
    honest: usize,
    /// Kilobytes per second that the first sends, and those after it in turn.
    seeder_kb: u64,
    lines_kb: &'static [u64],
    latency_ms: u64,
    /// Whom each knows of those before it, beside the seeder: one in so many.
    knows_each: usize,
    /// How many milliseconds pass until the next comes.
    apart_ms: u64,
}

const CROWDS: [Crowd; 3] = [
    Crowd {
        seed: 1,
        honest: 40,
        seeder_kb: 500,
        lines_kb: &[250],
        latency_ms: 5,
        knows_each: 1,
        apart_ms: 0,
    },
    Crowd {
        seed: 2,
        honest: 36,
        seeder_kb: 1_000,
        lines_kb: &[200],
        latency_ms: 40,
        knows_each: 2,
        apart_ms: 0,
    },
    Crowd {
        seed: 3,
        honest: 30,
        seeder_kb: 600,
        lines_kb: &[150, 200],
        latency_ms: 15,
        knows_each: 1,
        apart_ms: 100,
    },
];

const EXCUSES: [Excuse; 3] = [Excuse::Denies, Excuse::Busy, Excuse::Hides];

impl Crowd {
    /// So many more take part, and give nothing.
    fn with_freeriders(&self, more: usize) -> Plan {
        let seeder = Plan::calm(96, CHUNK).node(100, self.seeder_kb, self.latency_ms);
        let mut plan = seeder.limited();
        plan.seed = self.seed;
        for node in 1..=self.honest + more {
            let line = self.lines_kb[node % self.lines_kb.len()];
            let known = (1..node).filter(|other| (node + other).is_multiple_of(self.knows_each));
            let known: Vec<_> = std::iter::once(SEEDER).chain(known).collect();
            // Whoever comes on top comes among the others.
            let (role, nth) = match node.checked_sub(self.honest + 1) {
                Some(nth) => {
                    let role = Role::Freerider(EXCUSES[nth % EXCUSES.len()]);
                    (role, (nth + 1) * self.honest / (more + 1))
                }
                None => (Role::Honest, node),
            };
            let next = plan.node(0, line, self.latency_ms).limited().who(role);
            plan = next.knows_only(&known).joins_at(nth as u64 * self.apart_ms);
        }
        plan
    }

    fn honest(&self, report: &Report) -> Vec<Duration> {
        times(report, 1..=self.honest)
    }

    fn freeriders(&self, count: usize, report: &Report) -> Vec<Duration> {
        let first = self.honest + 1;
        times(report, first..first + count)
    }
}

#[test]
fn ten_percent_of_freeriders_cost_the_others_ten_percent_at_most() {
    for crowd in &CROWDS {
        let few = crowd.honest.div_ceil(9);
        let without = median(&crowd.honest(&run(crowd.with_freeriders(0))));
        let report = run(crowd.with_freeriders(few));
        let with = median(&crowd.honest(&report));
        let theirs = median(&crowd.freeriders(few, &report));
        assert!(
            with <= without * 110 / 100,
            "{with:?}, without them {without:?}"
        );
        assert!(with < theirs, "{with:?}, freeriders {theirs:?}");
    }
}

#[test]
fn where_three_in_ten_are_freeriders_the_others_are_done_in_one_and_a_half_times() {
    for crowd in &CROWDS {
        let without = median(&crowd.honest(&run(crowd.with_freeriders(0))));
        // The world ends when all that are honest are done, and fails where one never is.
        let report = run(crowd.with_freeriders(crowd.honest * 3 / 7));
        let with = median(&crowd.honest(&report));
        assert!(
            with <= without * 3 / 2,
            "{with:?}, without them {without:?}"
        );
    }
}

/// Bytes per second of a seeder that has a slot for each 64 KiB of them, and so many slots.
const SCARCE_KB: u64 = 1_000;
const SLOTS: u64 = 15;
const HONEST: usize = 20;
/// The subnet of those that are many.
const SYBILS: u64 = 10_000;

/// A seeder, another one that only the first knows, so that nobody is alone in having it all, and
/// askers that know the seeder only: honest ones, then so many of one subnet.
fn askers(sybils: usize) -> Plan {
    let seeder = Plan::calm(96, CHUNK).node(100, SCARCE_KB, 5).limited();
    let mut plan = seeder.node(100, SCARCE_KB, 5);
    for _ in 0..sybils {
        let sybil = plan.node(0, 1_000, 5).knows_only(&[SEEDER]);
        let role = Role::Freerider(Excuse::Hides);
        plan = sybil.who(role).in_subnet(SYBILS);
    }
    for _ in 0..HONEST {
        plan = plan.node(0, 1_000, 5).knows_only(&[SEEDER]).joins_at(2_000);
    }
    plan
}

#[test]
fn forty_wallets_of_one_subnet_get_what_one_would() {
    let [one, forty] = [1, 40].map(|sybils| {
        let report = run(askers(sybils));
        let first = 2 + sybils;
        let honest = times(&report, first..first + HONEST);
        let half = Moment::ORIGIN + median(&honest);
        let theirs = (2..first)
            .map(|it| got(&report, it, SEEDER, half))
            .sum::<u64>();
        let of_all = (2..first + HONEST).map(|it| got(&report, it, SEEDER, half));
        (honest, theirs, of_all.sum::<u64>())
    });
    let (honest, theirs, all) = forty;
    // A fair share is one of those of 21 subnets; what they have at most is one slot of 15, beside
    // what they took while they were alone.
    let before = 2 * SCARCE_KB * 1000;
    assert!(theirs <= before + all / SLOTS, "{theirs} of {all}");
    for (with, without) in honest.iter().zip(&one.0) {
        assert!(
            *with <= *without * 11 / 10,
            "{with:?}, {without:?} with one"
        );
    }
}

/// When a server is started anew, and the strangers come.
const ANEW_MS: u64 = 20_000;
/// Askers that the server has nothing to thank for.
const STRANGERS: usize = 20;

/// A server gets what it has of a node that holds part and of one that holds all, is started anew,
/// and serves the first of them and strangers that hold nothing. Says how long those took, and half
/// of the strangers. The two come at these times: who comes when all is there has given nothing.
fn served_after_a_restart([giver_ms, other_ms]: [u64; 2]) -> (Duration, Duration) {
    const GIVER: usize = 1;
    let server = Plan::calm(128, CHUNK).node(0, 300, 5).limited();
    let giver = server.node(60, 5_000, 5).joins_at(giver_ms);
    let other = giver.node(100, 10_000, 5).knows_only(&[SEEDER]);
    let mut plan = other.joins_at(other_ms);
    for _ in 0..STRANGERS {
        let stranger = plan.node(0, 5_000, 5).knows_only(&[SEEDER]);
        plan = stranger.joins_at(ANEW_MS);
    }
    let report = run(plan.at(ANEW_MS, Turn::Restarts(SEEDER)));
    let strangers = times(&report, 3..3 + STRANGERS);
    (times(&report, GIVER..=GIVER)[0], median(&strangers))
}

#[test]
fn who_gave_before_a_restart_is_served_before_strangers_after_it() {
    let (giver, strangers) = served_after_a_restart([0, ANEW_MS]);
    let (stranger, _) = served_after_a_restart([ANEW_MS, 0]);
    assert!(giver < strangers / 2, "{giver:?}, strangers {strangers:?}");
    assert!(
        stranger > giver * 2,
        "{stranger:?} as a stranger, else {giver:?}"
    );
}
