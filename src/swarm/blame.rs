//! Who did wrong, how often, and who is banned for it.
//!
//! Blame falls on addresses, which are proven, not on connections or IP addresses, which change.
//! Invariants: an address is banned only for [`BAD_CHUNKS_MAX`] strikes that were its own fault, none
//! of them [`BAN`] or longer after the one before; each strike says what it is for, so a manifest
//! that turns out to be wrong takes its strikes back, and with them the bans that rest on them.

use std::collections::{BTreeMap, VecDeque};

use super::planted::{Bug, is_planted};
use crate::digest::{Address, ManifestId};
use crate::limits::{BAD_CHUNKS_MAX, BAN, BLAMED_MAX};
use crate::moment::Moment;

/// Wrong manifests kept in mind for answers that are still under way; more are not tried at once.
const WRONG_MAX: usize = 64;

/// An address that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub address: Address,
    /// When the ban ends.
    pub until: Moment,
    /// What for, the oldest first. Empty where that is not known any more.
    pub strikes: Vec<Strike>,
}

/// One thing that an address did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// It sent bytes that are not the chunk, by this manifest.
    BadChunk {
        /// The container's manifest.
        id: ManifestId,
    },
    /// Its answer broke the protocol, whatever the manifest.
    Protocol,
}

/// What a peer did to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    /// It sent bytes that are not the chunk.
    BadChunk,
    /// It broke the protocol.
    Protocol,
    /// Its address is banned.
    Banned,
    /// It asks for more than it may.
    Rate,
}

/// Strikes and bans by address.
#[derive(Debug, Default)]
pub(super) struct Blame {
    strikes: BTreeMap<Address, Strikes>,
    bans: BTreeMap<Address, (Moment, Vec<Strike>)>,
    /// Manifests that turned out to be wrong lately, the latest last.
    wrong: VecDeque<ManifestId>,
}

/// Fewer than [`BAD_CHUNKS_MAX`] strikes, and when the last one came.
#[derive(Debug)]
struct Strikes {
    list: Vec<Strike>,
    last: Moment,
}

impl Blame {
    /// Starts with bans from an earlier run.
    pub(super) fn new(bans: impl IntoIterator<Item = Ban>) -> Self {
        let entry = |ban: Ban| (ban.address, (ban.until, ban.strikes));
        Self {
            strikes: BTreeMap::new(),
            bans: bans
                .into_iter()
                .filter(|_| !is_planted(Bug::ForgetsBans))
                .map(entry)
                .collect(),
            wrong: VecDeque::new(),
        }
    }

    /// Whether an address is refused now.
    pub(super) fn is_banned(&self, address: &Address, now: Moment) -> bool {
        self.bans
            .get(address)
            .is_some_and(|(until, _)| now < *until)
    }

    /// Bans that hold now.
    pub(super) fn bans(&self, now: Moment) -> impl Iterator<Item = Ban> + '_ {
        let current = self.bans.iter().filter(move |(_, (until, _))| now < *until);
        current.map(|(address, (until, strikes))| Ban {
            address: *address,
            until: *until,
            strikes: strikes.clone(),
        })
    }

    /// An address did wrong. Returns the ban, if this earned one.
    pub(super) fn on_strike(
        &mut self,
        address: Address,
        strike: Strike,
        now: Moment,
    ) -> Option<Ban> {
        if self.is_banned(&address, now) || self.is_excused(strike) {
            return None;
        }
        self.make_room(now);
        let strikes = self.strikes.entry(address).or_insert(Strikes {
            list: Vec::new(),
            last: now,
        });
        if now.since(strikes.last) >= BAN {
            strikes.list.clear();
        }
        strikes.list.push(strike);
        strikes.last = now;
        let strikes_max = match BAD_CHUNKS_MAX as usize {
            max if is_planted(Bug::BansTooLate) => max + 1,
            max if is_planted(Bug::BansTooSoon) => max - 1,
            max => max,
        };
        if strikes.list.len() < strikes_max {
            return None;
        }
        let strikes = self.strikes.remove(&address)?.list;
        let until = now + BAN;
        self.bans.insert(address, (until, strikes.clone()));
        Some(Ban {
            address,
            until,
            strikes,
        })
    }

    /// A manifest is wrong: nobody is to blame for what did not fit it. Returns whose bans are over
    /// for it, also from earlier runs.
    pub(super) fn on_manifest_wrong(&mut self, id: ManifestId, now: Moment) -> Vec<Address> {
        if !self.wrong.contains(&id) {
            self.wrong.push_back(id);
        }
        if self.wrong.len() > WRONG_MAX {
            self.wrong.pop_front();
        }
        let is_other = |strike: &Strike| *strike != Strike::BadChunk { id };
        self.strikes.retain(|_, strikes| {
            strikes.list.retain(is_other);
            !strikes.list.is_empty()
        });
        let rests_on_it = |list: &[Strike]| !list.iter().all(is_other);
        let theirs = self.bans.iter().filter(|(_, (_, list))| rests_on_it(list));
        let pardoned: Vec<Address> = theirs.map(|(address, _)| *address).collect();
        for address in &pardoned {
            let (_, mut list) = self.bans.remove(address).expect("it was just found");
            list.retain(is_other);
            if !list.is_empty() {
                self.strikes.insert(*address, Strikes { list, last: now });
            }
        }
        pardoned
    }

    /// A manifest that was thought wrong gets another chance.
    pub(super) fn on_manifest_tried(&mut self, id: &ManifestId) {
        self.wrong.retain(|wrong| wrong != id);
    }

    /// Whether what an address did is known to be the fault of a manifest: an answer may still be
    /// under way when its manifest is found out.
    pub(super) fn is_excused(&self, strike: Strike) -> bool {
        match strike {
            Strike::BadChunk { id } => self.wrong.contains(&id),
            Strike::Protocol => false,
        }
    }

    /// Somebody who knows better lifts a ban. True if there was one.
    pub(super) fn lift(&mut self, address: &Address) -> bool {
        self.strikes.remove(address);
        self.bans.remove(address).is_some()
    }

    /// Forgets what is over, and the oldest strikes where a flood of addresses fills the table.
    fn make_room(&mut self, now: Moment) {
        if self.bans.len() >= BLAMED_MAX {
            self.bans.retain(|_, (until, _)| now < *until);
        }
        if self.bans.len() >= BLAMED_MAX {
            let soonest = self.bans.iter().min_by_key(|(_, (until, _))| *until);
            let soonest = soonest.map(|(address, _)| *address);
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

    /// A bad chunk of a manifest by this number.
    fn bad_chunk(of: u32) -> Strike {
        Strike::BadChunk { id: manifest(of) }
    }

    fn manifest(of: u32) -> ManifestId {
        ManifestId::new(Digest::of(&of.to_le_bytes()))
    }

    /// Three bad chunks in a row, of manifests by these numbers.
    fn struck(blame: &mut Blame, who: Address, manifests: [u32; 3], now: Moment) -> Option<Ban> {
        let mut strike = |of: u32| blame.on_strike(who, bad_chunk(of), now);
        let [first, second, third] = manifests;
        assert_eq!((strike(first), strike(second)), (None, None));
        strike(third)
    }

    #[test]
    fn the_third_bad_chunk_bans_for_a_day() {
        let (mut blame, liar, now) = (Blame::default(), address(1), Moment::from_micros(9));
        let ban = struck(&mut blame, liar, [1, 1, 2], now).unwrap();
        assert_eq!((ban.address, ban.until), (liar, now + BAN));
        assert_eq!(ban.strikes, [1, 1, 2].map(bad_chunk));
        assert!(blame.is_banned(&liar, now + BAN - Duration::from_micros(1)));
        assert!(!blame.is_banned(&liar, now + BAN));
        assert_eq!(blame.bans(now).collect::<Vec<_>>(), [ban]);
    }

    #[test]
    fn bans_outlive_a_restart_and_can_be_lifted() {
        let (banned, now) = (address(1), Moment::ORIGIN);
        let mut blame = Blame::new([Ban {
            address: banned,
            until: now + BAN,
            strikes: Vec::new(),
        }]);
        assert!(blame.is_banned(&banned, now));
        assert!(blame.lift(&banned) && !blame.lift(&banned));
        assert!(!blame.is_banned(&banned, now));
    }

    #[test]
    fn a_wrong_manifest_takes_its_strikes_back_and_no_others() {
        let now = Moment::ORIGIN;
        let (honest, liar, mixed) = (address(1), address(2), address(3));
        let mut blame = Blame::default();
        struck(&mut blame, liar, [2, 2, 2], now).unwrap();
        struck(&mut blame, mixed, [2, 1, 2], now).unwrap();
        blame.on_strike(honest, bad_chunk(1), now);
        blame.on_strike(honest, bad_chunk(1), now);
        assert_eq!(blame.on_manifest_wrong(manifest(1), now), [mixed]);
        assert!(blame.is_banned(&liar, now) && !blame.is_banned(&mixed, now));
        let again = blame.on_strike(mixed, Strike::Protocol, now).unwrap();
        assert_eq!(
            again.strikes,
            [bad_chunk(2), bad_chunk(2), Strike::Protocol],
            "the others still count"
        );
        blame.on_strike(honest, bad_chunk(1), now);
        assert!(struck(&mut blame, honest, [3, 3, 3], now).is_some());
        blame.on_manifest_tried(&manifest(1));
        assert!(struck(&mut blame, address(4), [1, 1, 1], now).is_some());
    }

    #[test]
    fn a_ban_of_an_earlier_run_is_lifted_by_its_manifest_too() {
        let (victim, now) = (address(1), Moment::ORIGIN);
        let ban = Ban {
            address: victim,
            until: now + BAN,
            strikes: vec![bad_chunk(7); 3],
        };
        let mut blame = Blame::new([ban]);
        assert_eq!(blame.on_manifest_wrong(manifest(6), now), []);
        assert_eq!(blame.on_manifest_wrong(manifest(7), now), [victim]);
        assert!(!blame.is_banned(&victim, now));
    }

    #[test]
    fn old_strikes_are_forgotten() {
        let (mut blame, unlucky) = (Blame::default(), address(1));
        for day in 0..100 {
            let now = Moment::ORIGIN + BAN * day;
            let ban = blame.on_strike(unlucky, bad_chunk(1), now);
            assert_eq!(ban, None, "day {day}");
        }
    }

    #[test]
    fn a_flood_of_addresses_stays_bounded() {
        let mut blame = Blame::default();
        for of in 0..10_000 {
            let now = Moment::from_micros(u64::from(of));
            blame.on_strike(address(of), bad_chunk(of), now);
            if of < 1000 {
                (0..9).for_each(|_| drop(blame.on_strike(address(of), Strike::Protocol, now)));
            }
        }
        assert!(blame.strikes.len() <= BLAMED_MAX && blame.bans.len() <= BLAMED_MAX);
        assert!(
            blame
                .strikes
                .values()
                .all(|it| it.list.len() <= BAD_CHUNKS_MAX as usize)
        );
    }
}
