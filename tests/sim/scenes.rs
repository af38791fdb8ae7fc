//! Worlds made by hand, one question each. Time is simulated, so what is asserted is exact.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use swarmhold::moment::Moment;

use crate::faults::{Role, Turn};
use crate::plan::Plan;
use crate::play;
use crate::world::{Dealing, Report, What};

const CHUNK: u32 = 64 * 1024;
/// The node that everybody watches.
const LEECHER: usize = 0;

/// What happened at the leecher, and how long everything took.
struct Scene {
    report: Report,
}

impl Scene {
    fn of(plan: Plan) -> Self {
        let (report, _) = play(plan).unwrap_or_else(|why| panic!("{why}"));
        Self { report }
    }

    fn took(&self) -> Duration {
        let done = self.report.done_at[LEECHER].expect("it is done");
        done.since(Moment::ORIGIN)
    }

    fn dealings(&self) -> impl DoubleEndedIterator<Item = &Dealing> {
        self.report.dealings.iter().filter(|it| it.node == LEECHER)
    }

    /// When the leecher first did this with a node.
    fn first(&self, other: usize, what: impl Fn(What) -> bool) -> Moment {
        let mut with = self.dealings().filter(|it| it.other == other);
        with.find(|it| what(it.what)).expect("it happened").at
    }

    fn arrivals(&self) -> impl DoubleEndedIterator<Item = &Dealing> {
        self.dealings()
            .filter(|it| matches!(it.what, What::Got(..)))
    }

    /// Bytes that the leecher got of a node.
    fn got_of(&self, other: usize) -> u64 {
        let of = self.arrivals().filter(|it| it.other == other);
        of.map(|it| bytes(it.what)).sum()
    }
}

fn bytes(what: What) -> u64 {
    match what {
        What::Got(_, bytes) => bytes,
        What::Asked(_) | What::Told => 0,
    }
}

/// A leecher, a way of 20 ms from anybody to anybody.
fn leecher(chunks: u64) -> Plan {
    Plan::calm(chunks, CHUNK).node(0, 10_000, 5)
}

fn seconds(chunks: u64, kb_per_second: u64) -> Duration {
    Duration::from_micros(chunks * u64::from(CHUNK) * 1000 / kb_per_second)
}

#[test]
fn four_seeders_give_the_sum_of_what_each_can() {
    let plan = (0..4).fold(leecher(1280), |plan, _| plan.node(100, 5_000, 5));
    let took = Scene::of(plan).took();
    let ideal = seconds(1280, 20_000);
    assert!(took <= ideal * 100 / 97, "{took:?}, ideally {ideal:?}");
}

#[test]
fn a_peer_of_one_percent_of_the_speed_costs_three_percent_at_most() {
    let fast = || (0..3).fold(leecher(1280), |plan, _| plan.node(100, 5_000, 5));
    let without = Scene::of(fast()).took();
    let with = Scene::of(fast().node(100, 50, 5)).took();
    assert!(with <= without * 103 / 100, "{with:?}, without {without:?}");
}

#[test]
fn a_seeder_may_die_half_way_and_another_come_later() {
    // Who dies need not end with everything.
    let dies = leecher(640).node(100, 5_000, 5).who(Role::AllOnes);
    let plan = dies.node(100, 5_000, 5);
    let whole = Scene::of(plan.clone()).took();
    let (half, later) = (whole / 2, whole * 6 / 10);
    let ms = |at: Duration| u64::try_from(at.as_millis()).expect("short");
    let plan = plan.node(100, 5_000, 5).joins_at(ms(later));
    let scene = Scene::of(plan.at(ms(half), Turn::Leaves(1)));
    let times: Vec<_> = scene.arrivals().map(|it| it.at).collect();
    let stall = times.windows(2).map(|pair| pair[1].since(pair[0])).max();
    let most = Duration::from_millis(2 * 20 + 200);
    assert!(stall < Some(most), "nothing came for {stall:?}");
    let chunks: BTreeSet<_> = scene
        .arrivals()
        .map(|it| format!("{:?}", it.what))
        .collect();
    let twice = scene.arrivals().count() - chunks.len();
    assert!(twice <= 1, "{twice} chunks came twice");
    assert!(scene.got_of(3) > 0, "the newcomer was not used");
}

#[test]
fn a_newcomer_gets_work_within_a_round_trip() {
    let plan = leecher(1280).node(100, 5_000, 5);
    let scene = Scene::of(plan.node(100, 5_000, 5).joins_at(1_000));
    let told = scene.first(2, |what| what == What::Told);
    let asked = scene.first(2, |what| matches!(what, What::Asked(_)));
    assert!(
        asked.since(told) <= Duration::from_millis(20),
        "{told:?}, {asked:?}"
    );
}

#[test]
fn who_is_done_takes_over_from_the_largest_backlog() {
    // Both are slow; the second has twice as much left.
    let plan = leecher(400).node(100, 10_000, 5);
    let scene = Scene::of(plan.node(100, 400, 5).node(100, 200, 5));
    let mut asked = BTreeMap::new();
    let taken_from = scene.dealings().find_map(|it| match it.what {
        What::Asked(chunk) if it.other == 1 => asked.get(&chunk).copied(),
        What::Asked(chunk) => {
            asked.insert(chunk, it.other);
            None
        }
        What::Told | What::Got(..) => None,
    });
    assert_eq!(taken_from, Some(3));
    let ideal = seconds(400, 10_600);
    let took = scene.took();
    assert!(took <= ideal * 105 / 100, "{took:?}, ideally {ideal:?}");
}

#[test]
fn who_is_done_takes_over_from_one_that_stopped_answering() {
    let plan = leecher(400).node(100, 5_000, 5).node(100, 5_000, 5);
    let scene = Scene::of(plan.at(1_000, Turn::Becomes(2, Role::Silent)));
    let ideal = Duration::from_secs(1) + seconds(400, 5_000) - seconds(153, 5_000);
    let took = scene.took();
    // What was out at the silent one is fetched again; nobody waits until patience ends.
    assert!(
        took <= ideal + Duration::from_millis(300),
        "{took:?}, ideally {ideal:?}"
    );
}

#[test]
fn who_lacks_a_chunk_is_asked_for_what_it_has() {
    let plan = leecher(400).node(50, 5_000, 5).who(Role::AllOnes);
    let scene = Scene::of(plan.node(100, 1_000, 5));
    let total = 400 * u64::from(CHUNK);
    let share = scene.got_of(1) * 100 / total;
    assert!(share >= 40, "{share} % of one that has 50 %");
}

#[test]
fn nobody_can_hold_back_the_last_chunk() {
    let plan = leecher(400).node(100, 5_000, 5).who(Role::HoldsLast);
    let scene = Scene::of(plan.node(100, 5_000, 5));
    let mut last = scene.arrivals().rev().map(|it| it.at);
    let (last, before) = (last.next().expect("some"), last.next().expect("more"));
    let waited = last.since(before);
    assert!(
        waited <= Duration::from_millis(200),
        "{waited:?} for the last chunk"
    );
}

#[test]
fn a_lone_seeder_sends_two_copies_at_most_to_a_crowd() {
    let alone = Scene::of(leecher(640).node(100, 5_000, 5)).took();
    let crowd = Plan::calm(640, CHUNK).node(100, 5_000, 5);
    let crowd = (0..16).fold(crowd, |plan, _| plan.node(0, 5_000, 5));
    let Scene { report } = Scene::of(crowd);
    let of_seeder = report.dealings.iter().filter(|it| it.other == 0);
    let sent: u64 = of_seeder.map(|it| bytes(it.what)).sum();
    assert!(sent <= 2 * 640 * u64::from(CHUNK), "{sent} bytes");
    let last = report
        .done_at
        .iter()
        .flatten()
        .max()
        .expect("they are done");
    let took = last.since(Moment::ORIGIN);
    assert!(took <= alone * 5 / 2, "{took:?}, one alone {alone:?}");
    let wasted: u64 = report.wasted.iter().sum();
    assert!(
        wasted <= 16 * 640 * u64::from(CHUNK) / 50,
        "{wasted} bytes for nothing"
    );
}
