//! The moments at which something has to be looked at, each with its reason: what wakes the core, or
//! whom it looks at when it is awake.
//!
//! Invariant: `due` and `at` hold the same pairs, so a reason is armed at most once.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Reason;
use super::planted::{Bug, is_planted};
use crate::moment::Moment;

/// Armed reasons.
#[derive(Debug)]
pub(super) struct Timers<R = Reason> {
    due: BTreeSet<(Moment, R)>,
    at: BTreeMap<R, Moment>,
}

impl<R> Default for Timers<R> {
    fn default() -> Self {
        Self {
            due: BTreeSet::new(),
            at: BTreeMap::new(),
        }
    }
}

impl<R: Copy + Ord> Timers<R> {
    /// Arms a reason, at this moment and no other.
    pub(super) fn arm(&mut self, reason: R, at: Moment) {
        self.disarm(reason);
        self.at.insert(reason, at);
        self.due.insert((at, reason));
    }

    /// Arms a reason, unless it is due as early already.
    pub(super) fn arm_sooner(&mut self, reason: R, at: Moment) {
        if self.at.get(&reason).is_none_or(|armed| at < *armed) {
            self.arm(reason, at);
        }
    }

    /// Forgets a reason.
    pub(super) fn disarm(&mut self, reason: R) {
        if let Some(at) = self.at.remove(&reason) {
            self.due.remove(&(at, reason));
        }
    }

    /// Whether a reason is armed.
    pub(super) fn is_armed(&self, reason: R) -> bool {
        self.at.contains_key(&reason)
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<(Moment, R)> {
        self.due.first().copied()
    }

    /// Takes out everything that is due, so that none of it stays in the past.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<R> {
        let mut reasons = Vec::new();
        let is_due = |at: Moment| at < now || (at == now && !is_planted(Bug::StaysDue));
        while let Some((_, reason)) = self.due.first().filter(|(at, _)| is_due(*at)).copied() {
            self.disarm(reason);
            reasons.push(reason);
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::PeerKey;

    #[test]
    fn each_reason_is_due_once_at_its_latest_word() {
        let mut timers = Timers::default();
        let at = Moment::from_micros;
        let (patience, again) = (Reason::Patience(PeerKey(1)), Reason::Again(PeerKey(1)));
        timers.arm(patience, at(5));
        timers.arm(patience, at(9));
        timers.arm(again, at(7));
        timers.arm_sooner(again, at(8));
        timers.arm_sooner(Reason::Steal, at(6));
        assert_eq!(timers.next(), Some((at(6), Reason::Steal)));
        assert_eq!(timers.take_due(at(8)), [Reason::Steal, again]);
        assert!(timers.is_armed(patience) && !timers.is_armed(again));
        timers.disarm(patience);
        assert_eq!(timers.next(), None);
    }
}
