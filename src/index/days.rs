//! What a wallet, or a subnet, has had carried in a day, to the byte.
//!
//! Invariant: what is kept is bounded by [`KNOWN_MAX`]; those who had least are forgotten first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::moment::Moment;

/// A day, as far as what is carried is counted.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Wallets, and subnets, whose day is remembered.
const KNOWN_MAX: usize = 65_536;

/// What each has had since its day began, which is with its first byte.
#[derive(Debug)]
pub(super) struct Days<K> {
    most: u64,
    all: BTreeMap<K, (Moment, u64)>,
}

impl<K: Ord + Copy> Days<K> {
    pub(super) const fn new(most: u64) -> Self {
        let all = BTreeMap::new();
        Self { most, all }
    }

    pub(super) fn used(&self, now: Moment, who: K) -> u64 {
        let today = self.all.get(&who);
        today
            .filter(|(began, _)| now.since(*began) < DAY)
            .map_or(0, |(_, used)| *used)
    }

    pub(super) fn has_left(&self, now: Moment, who: K, bytes: u64) -> bool {
        self.used(now, who).saturating_add(bytes) <= self.most
    }

    pub(super) fn charge(&mut self, now: Moment, who: K, bytes: u64) {
        if self.all.len() >= KNOWN_MAX && !self.all.contains_key(&who) {
            self.forget(now);
        }
        let today = self.all.entry(who).or_insert((now, 0));
        if now.since(today.0) >= DAY {
            *today = (now, 0);
        }
        today.1 = today.1.saturating_add(bytes);
    }

    /// Forgets whose day is over, and the half that had least.
    fn forget(&mut self, now: Moment) {
        self.all.retain(|_, (began, _)| now.since(*began) < DAY);
        let mut used: Vec<u64> = self.all.values().map(|(_, used)| *used).collect();
        let half = used.len() / 2;
        if let Some((_, median, _)) = (half > 0).then(|| used.select_nth_unstable(half)) {
            let median = *median;
            let mut room = half;
            self.all.retain(|_, (_, used)| {
                let goes = *used <= median && room > 0;
                room -= usize::from(goes);
                !goes
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(ms)
    }

    #[test]
    fn a_crowd_of_wallets_is_bounded_and_those_who_had_most_are_remembered() {
        let mut days = Days::new(1000);
        days.charge(at(0), u32::MAX, 900);
        for who in 0..200_000u32 {
            days.charge(at(1), who, 1);
        }
        assert!(days.all.len() <= KNOWN_MAX);
        assert_eq!(days.used(at(1), u32::MAX), 900);
    }
}
