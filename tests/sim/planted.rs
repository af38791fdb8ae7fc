//! Whether the simulator notices mistakes: each of those that can be planted in the engine has to make
//! some seed fail, and for the reason that it should.
//!
//! Seeds are played in order, once each, until one fails. `SWARMHOLD_SIM_BUG=KeepsLoser` tries one bug
//! alone, and with `SWARMHOLD_SIM_LINES=1000` more of that seed's story is told.

use std::sync::Mutex;

use swarmhold::swarm::planted::{Bug, plant};

use crate::plan::Plan;
use crate::play;
use crate::waste::Waste;

/// Seeds in which a bug has to show.
const SEEDS: u64 = 1000;

/// Beside the invariants of `check`: a world that is not over in time, and one that costs too much.
const STUCK: &str = "no progress";
const WASTE: &str = "bytes for nothing";

/// Every bug, and what it makes fail. Those come first that take longest to show.
const BUGS: &[(Bug, &[&str])] = &[
    (Bug::ServesLost, &["I12: "]),
    (Bug::SuspectsPinned, &["I7: ", "I8: "]),
    (Bug::WastesFreely, &[WASTE]),
    (Bug::ServesChoked, &["I9: ", "I12: "]),
    (Bug::WithholdsForEver, &[STUCK]),
    (Bug::KeepsRoomOfWithdrawn, &[STUCK, "I9: ", "I13: "]),
    (Bug::StaysDue, &["I6: "]),
    (Bug::AnnouncesUnproven, &["I12: "]),
    (Bug::CountsUnproven, &["I1: ", "I2: ", "I12: "]),
    (Bug::CountsFalse, &["I1: ", "I2: ", "I12: "]),
    (Bug::KeepsLoser, &["I3: "]),
    (Bug::LeaksOnCancel, &[STUCK, "I13: "]),
    (Bug::LeaksOnGone, &[STUCK, "I13: "]),
    (Bug::KeepsFlightsOfGone, &[STUCK, "I13: "]),
    (Bug::KeepsFlightsOfRemoved, &["I10: "]),
    (Bug::NeverWatches, &["I3: ", STUCK]),
    (Bug::WatchesOnce, &["I3: ", STUCK]),
    (Bug::RestsForEver, &["I6: ", STUCK]),
    (Bug::OverhearsNotHeld, &["I5: "]),
    (Bug::LosesForGood, &[STUCK]),
    (Bug::WantsWhatIsOut, &["I3: "]),
    (Bug::OverdrawsBudget, &["I4: "]),
    (Bug::AsksWhoChokes, &["I5: "]),
    (Bug::AsksThoughStopped, &["I5: "]),
    (Bug::BansTooLate, &["I8: "]),
    (Bug::BansTooSoon, &["I7: "]),
    (Bug::ForgetsBans, &["I8: "]),
    (Bug::AdmitsBanned, &["I5: "]),
    (Bug::BlamesForFullDisk, &["I7: "]),
    (Bug::BlamesForNotHeld, &["I7: "]),
    (Bug::LeavesChokedUnanswered, &["I9: ", "I13: "]),
    (Bug::UnchokesInSilence, &["I12: ", STUCK]),
    (Bug::KeepsAsksOfGone, &["I13: "]),
];

/// What came of one bug.
struct Caught {
    bug: Bug,
    /// The first seed that failed, and why.
    by: Option<(u64, String)>,
    expected: &'static [&'static str],
}

impl Caught {
    fn is_right(&self) -> bool {
        let why = self.by.as_ref().map(|(_, why)| headline(why));
        why.is_some_and(|why| self.expected.iter().any(|it| why.contains(it)))
    }

    fn line(&self) -> String {
        let found = match &self.by {
            Some((seed, why)) => format!("seed {seed}: {}", headline(why)),
            None => format!("not one of {SEEDS} seeds fails"),
        };
        format!("{:?}: {found}\n", self.bug)
    }
}

fn headline(why: &str) -> &str {
    let line = why.lines().next().unwrap_or_default();
    line.char_indices()
        .nth(160)
        .map_or(line, |(end, _)| &line[..end])
}

/// Plays seeds until one fails.
fn catch(bug: Bug, expected: &'static [&'static str]) -> Caught {
    let _planted = plant(bug);
    let by = (0..SEEDS).find_map(|seed| {
        let plan = Plan::of_seed(seed);
        let played = play(plan.clone());
        let judged = played.and_then(|(report, _)| Waste::default().add(&plan, &report));
        judged.err().map(|why| (seed, why))
    });
    Caught { bug, by, expected }
}

fn tell(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}

/// Failures that are meant to happen are not told at length.
fn hush() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if swarmhold::swarm::planted::is_any() {
            return;
        }
        loud(info);
    }));
}

#[test]
fn every_planted_bug_is_caught() {
    hush();
    let only = std::env::var("SWARMHOLD_SIM_BUG").ok();
    let is_meant = |bug: Bug| only.as_ref().is_none_or(|it| *it == format!("{bug:?}"));
    let bugs = BUGS.iter().filter(|(bug, _)| is_meant(*bug));
    let left = Mutex::new(bugs);
    let next = || left.lock().expect("nothing panics while holding it").next();
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let all: Vec<Caught> = std::thread::scope(|scope| {
        let work = || {
            let mut all = Vec::new();
            while let Some((bug, expected)) = next() {
                let caught = catch(*bug, expected);
                tell(&caught.line());
                all.push(caught);
            }
            all
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = workers
            .into_iter()
            .map(|it| it.join().expect("it catches panics"));
        ended.flatten().collect()
    });
    assert!(!all.is_empty(), "no such bug: {only:?}");
    if let (Some(_), [caught]) = (&only, &all[..]) {
        tell(caught.by.as_ref().map_or("", |(_, why)| why));
        tell("\n");
    }
    let wrong = all.iter().filter(|it| !it.is_right());
    let wrong = wrong.map(|it| format!("{}should be {:?}\n", it.line(), it.expected));
    let wrong: String = wrong.collect();
    assert!(
        wrong.is_empty(),
        "not caught, or not for what they break:\n{wrong}"
    );
}
