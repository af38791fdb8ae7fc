//! Who did wrong, how often, and who is banned for it.
//!
//! Blame falls on addresses, which are proven, not on connections or IP addresses, which change.
//! Invariant: an address is banned only after [`BAD_CHUNKS_MAX`] bad chunks that were its own
//! fault, none of them [`BAN`] or longer after the one before; a manifest that turns out to be wrong
//! takes its strikes back.

use std::collections::BTreeMap;

use crate::digest::Address;
use crate::limits::{BAD_CHUNKS_MAX, BAN, BLAMED_MAX};
use crate::moment::Moment;

/// Strikes and bans by address.
#[derive(Debug, Default)]
pub(super) struct Blame {
    strikes: BTreeMap<Address, Strikes>,
    bans: BTreeMap<Address, Moment>,
}

#[derive(Debug)]
struct Strikes {
    bad_chunks: u32,
    last: Moment,
}

impl Blame {
    /// Starts with bans from an earlier run.
    pub(super) fn new(bans: impl IntoIterator<Item = (Address, Moment)>) -> Self {
        Self {
            strikes: BTreeMap::new(),
            bans: bans.into_iter().collect(),
        }
    }

    /// Whether an address is refused now.
    pub(super) fn is_banned(&self, address: &Address, now: Moment) -> bool {
        self.bans.get(address).is_some_and(|until| now < *until)
    }

    /// Bans that hold now, and when they end.
    pub(super) fn bans(&self, now: Moment) -> impl Iterator<Item = (Address, Moment)> + '_ {
        self.bans
            .iter()
            .filter(move |(_, until)| now < **until)
            .map(|(a, until)| (*a, *until))
    }

    /// A bad chunk. Returns when the ban ends, if this one earned a ban.
    pub(super) fn on_bad_chunk(&mut self, address: Address, now: Moment) -> Option<Moment> {
        self.make_room(now);
        let strikes = self.strikes.entry(address).or_insert(Strikes {
            bad_chunks: 0,
            last: now,
        });
        if now.since(strikes.last) >= BAN {
            strikes.bad_chunks = 0;
        }
        strikes.bad_chunks += 1;
        strikes.last = now;
        if strikes.bad_chunks < BAD_CHUNKS_MAX || self.is_banned(&address, now) {
            return None;
        }
        self.strikes.remove(&address);
        let until = now + BAN;
        self.bans.insert(address, until);
        Some(until)
    }

    /// Takes back a strike that was the manifest's fault.
    pub(super) fn forgive(&mut self, address: &Address) {
        if let Some(strikes) = self.strikes.get_mut(address) {
            strikes.bad_chunks = strikes.bad_chunks.saturating_sub(1);
        }
    }

    /// Forgets what is over, and the oldest strikes where a flood of addresses fills the table.
    fn make_room(&mut self, now: Moment) {
        if self.bans.len() >= BLAMED_MAX {
            self.bans.retain(|_, until| now < *until);
        }
        if self.bans.len() >= BLAMED_MAX {
            let soonest = self
                .bans
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(a, _)| *a);
            soonest.map(|address| self.bans.remove(&address));
        }
        if self.strikes.len() >= BLAMED_MAX {
            let oldest = self
                .strikes
                .iter()
                .min_by_key(|(_, s)| s.last)
                .map(|(a, _)| *a);
            oldest.map(|address| self.strikes.remove(&address));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::digest::Digest;

    fn address(of: u32) -> Address {
        Address::new(Digest::of(&of.to_le_bytes()))
    }

    #[test]
    fn the_third_bad_chunk_bans_for_a_day() {
        let (mut blame, liar, now) = (Blame::default(), address(1), Moment::from_micros(9));
        assert_eq!(blame.on_bad_chunk(liar, now), None);
        assert_eq!(blame.on_bad_chunk(liar, now), None);
        assert_eq!(blame.on_bad_chunk(liar, now), Some(now + BAN));
        assert!(blame.is_banned(&liar, now + BAN - Duration::from_micros(1)));
        assert!(!blame.is_banned(&liar, now + BAN));
        assert_eq!(blame.bans(now).collect::<Vec<_>>(), [(liar, now + BAN)]);
    }

    #[test]
    fn bans_outlive_a_restart_and_strikes_can_be_forgiven() {
        let (banned, honest, now) = (address(1), address(2), Moment::ORIGIN);
        let mut blame = Blame::new([(banned, now + BAN)]);
        assert!(blame.is_banned(&banned, now));
        blame.on_bad_chunk(honest, now);
        blame.on_bad_chunk(honest, now);
        blame.forgive(&honest);
        assert_eq!(blame.on_bad_chunk(honest, now), None);
    }

    #[test]
    fn old_strikes_are_forgotten() {
        let (mut blame, unlucky) = (Blame::default(), address(1));
        for day in 0..100 {
            let now = Moment::ORIGIN + BAN * day;
            assert_eq!(blame.on_bad_chunk(unlucky, now), None, "day {day}");
        }
    }

    #[test]
    fn a_flood_of_addresses_stays_bounded() {
        let mut blame = Blame::default();
        for of in 0..10_000 {
            blame.on_bad_chunk(address(of), Moment::from_micros(u64::from(of)));
        }
        assert!(blame.strikes.len() <= BLAMED_MAX);
    }
}
