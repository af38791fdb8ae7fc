//! How far a master is believed, and what is remembered of that from one run to the next.
//!
//! It goes by the wallet that a master proves to be, not by where it is. Only what makes a master doubted, or
//! ends that, is written down; it counts half after a week, and so is forgotten in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Master, MasterId, Masters};
use crate::digest::Address;
use crate::node::clock::unix_time;
use crate::node::driver::Driver;
use crate::store::DoubtRow;

/// After so long what a master did counts half.
const HALVING_S: u64 = 7 * 24 * 3600;

/// How far a master is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Peers that it named and that were there.
    good: u32,
    /// Peers that it named and that were not.
    bad: u32,
    /// Things that it said and that were proven false.
    lies: u32,
    /// Since when they count as they do, in seconds since 1970.
    since: u64,
}

/// Whether a peer was where a master said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Presence {
    There,
    NotThere,
}

/// What is known of masters that this node has met, by who they are.
#[derive(Debug, Default)]
pub(super) struct Reputations {
    known: BTreeMap<Address, Standing>,
    /// Those that are not written down as they are.
    unsaved: BTreeSet<Address>,
}

impl Standing {
    /// Whether it is asked for less. Peers that are behind address translation are often not there, so that
    /// alone has to be much.
    pub(super) const fn is_doubted(self) -> bool {
        self.lies > 0 || self.bad >= 8 && self.bad / 10 >= self.good
    }

    /// The same at another time. A clock that was wrong makes nobody suspect for longer.
    fn at(self, now: u64) -> Self {
        let halvings = now.abs_diff(self.since) / HALVING_S;
        if halvings == 0 {
            return self;
        }
        let half = |count: u32| count.checked_shr(u32::try_from(halvings).unwrap_or(u32::MAX));
        Self {
            good: half(self.good).unwrap_or(0),
            bad: half(self.bad).unwrap_or(0),
            lies: half(self.lies).unwrap_or(0),
            since: now,
        }
    }
}

impl Reputations {
    /// What was written down.
    fn of(rows: Vec<DoubtRow>) -> Self {
        let standing = |row: DoubtRow| Standing {
            good: row.good,
            bad: row.bad,
            lies: row.lies,
            since: row.written,
        };
        let known = rows.into_iter().map(|row| (row.address, standing(row)));
        Self {
            known: known.collect(),
            unsaved: BTreeSet::new(),
        }
    }

    fn keep(&mut self, who: Address, standing: Standing) {
        self.known.insert(who, standing);
        self.unsaved.insert(who);
    }

    /// What is to be written down.
    fn unsaved(&mut self) -> Vec<DoubtRow> {
        let unsaved = std::mem::take(&mut self.unsaved).into_iter();
        let row = |address| {
            let standing = *self.known.get(&address)?;
            Some(DoubtRow {
                address,
                good: standing.good,
                bad: standing.bad,
                lies: standing.lies,
                written: standing.since,
            })
        };
        unsaved.filter_map(row).collect()
    }
}

impl Masters {
    /// The same masters, and what is remembered of any.
    pub(in crate::node) fn with_doubts(self, rows: Vec<DoubtRow>) -> Self {
        let reputations = Reputations::of(rows);
        Self {
            reputations,
            ..self
        }
    }

    /// A master has proven who it is.
    pub(super) fn on_known(&mut self, id: MasterId, who: Address, now: u64) {
        let Some(master) = self.all.get_mut(&id).filter(|it| it.who != Some(who)) else {
            return;
        };
        master.who = Some(who);
        let fresh = Standing {
            since: now,
            ..Standing::default()
        };
        let known = self.reputations.known.get(&who);
        master.standing = known.map_or(fresh, |it| it.at(now));
        if master.standing.is_doubted() {
            tracing::warn!(master = %master.hint, "is doubted for what it said before");
        }
    }

    /// A peer that these masters named was there, or was not.
    pub(in crate::node) fn on_named(&mut self, by: &BTreeSet<MasterId>, was_there: Presence) {
        for id in by {
            let standing = |master: &mut Master| match was_there {
                Presence::There => master.standing.good += 1,
                Presence::NotThere => master.standing.bad += 1,
            };
            let was_doubted = self.change(*id, standing);
            let master = self.all.get(id);
            let is_new = was_doubted == Some(false);
            if let Some(master) = master.filter(|it| is_new && it.standing.is_doubted()) {
                tracing::warn!(master = %master.hint, "names peers that are not there");
            }
        }
    }

    /// A master said something that is provably false.
    pub(super) fn on_lie(&mut self, id: MasterId, what: &str, now: u64) {
        self.change(id, |master| {
            master.standing.lies += 1;
            master.standing.since = now;
        });
        if let Some(master) = self.all.get(&id) {
            tracing::warn!(master = %master.hint, what, "a master lied");
        }
    }

    /// Changes what a master is held for, and remembers what makes a difference to the next run. Answers whether it
    /// was doubted before.
    fn change(&mut self, id: MasterId, how: impl FnOnce(&mut Master)) -> Option<bool> {
        let master = self.all.get_mut(&id)?;
        let before = master.standing;
        how(master);
        let after = master.standing;
        let is_different = before.is_doubted() != after.is_doubted() || before.lies != after.lies;
        if let Some(who) = master.who.filter(|_| is_different) {
            self.reputations.keep(who, after);
        }
        Some(before.is_doubted())
    }

    /// Time goes by.
    fn age(&mut self, now: u64) {
        for master in self.all.values_mut() {
            master.standing = master.standing.at(now);
        }
    }
}

impl Driver {
    /// Writes down who is doubted, away from the network thread.
    pub(in crate::node) fn keep_doubts(&mut self) {
        self.masters.age(unix_time());
        let rows = self.masters.reputations.unsaved();
        if !rows.is_empty() {
            let state = self.library.state.clone();
            tokio::task::spawn_blocking(move || state.keep_doubts(rows));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::moment::Moment;

    const NOW: u64 = 1_790_000_000;

    fn standing(good: u32, bad: u32, lies: u32) -> Standing {
        Standing {
            good,
            bad,
            lies,
            since: NOW,
        }
    }

    #[test]
    fn a_master_is_doubted_for_one_lie_and_for_many_peers_that_are_not_there() {
        let of = |good, bad, lies| standing(good, bad, lies).is_doubted();
        assert!(!of(0, 0, 0) && !of(0, 7, 0) && of(0, 8, 0));
        assert!(!of(1, 8, 0) && of(4, 40, 0) && of(1, 10, 0));
        assert!(of(100, 0, 1));
        assert!(
            !of(10, 50, 0),
            "half of them behind address translation is usual"
        );
    }

    #[test]
    fn doubt_counts_half_after_a_week() {
        let is_doubted =
            |lies, weeks: u64| standing(0, 0, lies).at(NOW + weeks * HALVING_S).lies > 0;
        assert!(is_doubted(1, 0) && !is_doubted(1, 1));
        assert!(is_doubted(5, 2) && !is_doubted(5, 3));
        assert!(!is_doubted(u32::MAX, 1000));
        assert_eq!(standing(3, 9, 1).at(NOW + HALVING_S - 1), standing(3, 9, 1));
        assert_eq!(standing(0, 0, 1).at(NOW - HALVING_S).lies, 0);
    }

    /// One master, who proves to be this.
    fn met(rows: Vec<DoubtRow>, who: Address, now: u64) -> (Masters, MasterId) {
        let hints = ["master.example".parse().unwrap()];
        let mut masters = Masters::of(Moment::ORIGIN, &hints).with_doubts(rows);
        let id = *masters.all.keys().next().unwrap();
        masters.on_known(id, who, now);
        (masters, id)
    }

    #[test]
    fn who_lied_is_doubted_in_the_next_run_wherever_it_is_and_not_for_ever() {
        let (liar, other) = (Digest::of(b"liar"), Digest::of(b"other"));
        let (liar, other) = (Address::new(liar), Address::new(other));
        let (mut masters, id) = met(Vec::new(), liar, NOW);
        masters.on_named(&[id].into(), Presence::There);
        assert_eq!(masters.reputations.unsaved(), []);
        masters.on_lie(id, "something", NOW);
        let rows = masters.reputations.unsaved();
        assert_eq!((rows.len(), rows[0].lies), (1, 1));
        assert_eq!(masters.reputations.unsaved(), []);
        let is_doubted = |who, now| met(rows.clone(), who, now).0.status()[0].is_doubted;
        assert!(is_doubted(liar, NOW + 60) && !is_doubted(other, NOW + 60));
        assert!(!is_doubted(liar, NOW + HALVING_S));
    }

    #[test]
    fn peers_that_are_not_there_are_remembered_as_soon_as_they_are_too_many() {
        let who = Address::new(Digest::of(b"liar"));
        let (mut masters, id) = met(Vec::new(), who, NOW);
        for _ in 0..7 {
            masters.on_named(&[id].into(), Presence::NotThere);
        }
        assert_eq!(masters.reputations.unsaved(), []);
        masters.on_named(&[id].into(), Presence::NotThere);
        let rows = masters.reputations.unsaved();
        let (mut masters, id) = met(rows, who, NOW);
        assert!(masters.status()[0].is_doubted);
        // it has been right since
        masters.on_named(&[id].into(), Presence::There);
        let rows = masters.reputations.unsaved();
        assert!(!met(rows, who, NOW).0.status()[0].is_doubted);
    }
}
