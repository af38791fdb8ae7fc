//! Whether cutting the power notices mistakes: each of those that can be planted in the store has to make an
//! image fail, and for the reason that it should.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::store::planted::{Bug, plant};

/// Images of each operation in which a mistake may show.
const SEEDS: u64 = 12;

/// Every mistake, and what it makes fail.
const BUGS: [(Bug, &str); 5] = [
    (Bug::ConfirmsUnsynced, "a claim was false"),
    (Bug::ClaimsFoundUnsynced, "a claim was false"),
    (Bug::NeverWaits, "chunks lost"),
    (Bug::NamesUnsynced, "a final name is the whole"),
    (Bug::ForgetsFolder, "what is finished has its name"),
];

/// Cuts the power until something fails, and says what.
fn first_failure() -> Option<String> {
    let trial = Trial::new(Form::Open);
    let cuts = trial.log.len() + 1;
    let mut images = (0..SEEDS).flat_map(|round| (0..cuts).map(move |at| (at, round)));
    images.find_map(|(at, round)| {
        let seed = at as u64 + round * cuts as u64;
        let checked = catch_unwind(AssertUnwindSafe(|| trial.check(at, [seed])));
        let why = checked.err()?;
        let text = why.downcast_ref::<String>().cloned();
        text.or_else(|| Some((*why.downcast_ref::<&str>()?).to_owned()))
    })
}

#[test]
fn every_mistake_is_noticed_when_the_power_goes() {
    assert_eq!(first_failure(), None, "without a mistake");
    for (bug, expected) in BUGS {
        let planted = plant(bug);
        let found = first_failure();
        drop(planted);
        let why = found.unwrap_or_else(|| panic!("{bug:?} is not noticed"));
        assert!(
            why.contains(expected),
            "{bug:?} fails with {why:?} instead of {expected:?}"
        );
    }
}
