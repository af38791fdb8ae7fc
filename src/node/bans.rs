//! Bans across restarts: what a node knows of them, and what its home's state says.
//!
//! The home may be shared: other processes ban too, and the user lifts bans with the command line.
//! Invariant: after [`Bans::settle`], the state says what this node knows, less what was lifted
//! meanwhile, and more what others banned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ban_rows::{self, KeptBan};
use super::clock::{Clock, unix_time};
use super::memory::{self, tell};
use crate::digest::Address;
use crate::limits::BLAMED_MAX;
use crate::moment::Moment;
use crate::store::{BanRow, State, StateError};
use crate::swarm::Ban;

/// How often it is written down how much is left, for a wall clock that cannot tell how long ago that
/// was.
const REWRITE_EVERY: Duration = Duration::from_secs(10 * 60);

/// The bans of a node, and where they are kept. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Bans {
    state: State,
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    bans: BTreeMap<Address, Ban>,
    /// Whom the state named when it was last read or written.
    written: BTreeSet<Address>,
    written_at: Moment,
    /// Of which state that is.
    epoch: Option<i64>,
}

/// Whose bans to lift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lift<'a> {
    /// Everybody's.
    All,
    /// Those of these addresses.
    These(&'a [Address]),
}

/// The bans that a home holds, by address. Blocks on the disk.
pub fn kept_bans(home: &Path) -> Result<BTreeMap<Address, KeptBan>, StateError> {
    let rows = memory::open(home).bans()?;
    Ok(ban_rows::read(rows, unix_time()))
}

/// Lifts bans that a home holds; a node that runs there follows within seconds. Returns whose were
/// lifted. Blocks on the disk; an error says that nothing was lifted.
pub fn lift_bans(home: &Path, lift: Lift<'_>) -> Result<Vec<Address>, StateError> {
    let state = memory::open(home);
    state.kept()?;
    let these: Option<Vec<Address>> = match lift {
        Lift::All => None,
        Lift::These(these) => Some(these.to_vec()),
    };
    state.exchange_bans(move |_, bans| {
        let is_meant =
            |address: &Address| these.as_ref().is_none_or(|these| these.contains(address));
        let (lifted, left): (Vec<_>, Vec<_>) =
            bans.into_iter().partition(|ban| is_meant(&ban.address));
        let lifted = lifted.into_iter().map(|ban| ban.address).collect();
        (Some(left), lifted)
    })
}

impl Bans {
    /// Reads the bans that a state holds. Blocks on the disk.
    pub(super) fn load(state: State, clock: Clock) -> Self {
        let bans = Self {
            state,
            clock,
            known: Arc::default(),
        };
        let (rows, epoch) = (bans.state.bans(), bans.state.epoch());
        match rows {
            Ok(rows) => {
                let found = ban_rows::read(rows, unix_time());
                let mut known = bans.lock();
                known.epoch = epoch.ok();
                known.written = found.keys().copied().collect();
                let ban = |(address, kept)| (address, ban(address, kept, clock.now()));
                known.bans = found.into_iter().map(ban).collect();
            }
            Err(error) => tracing::warn!("bans cannot be read: {error}"),
        }
        bans
    }

    /// The bans that hold, in the core's time.
    pub(super) fn current(&self) -> Vec<Ban> {
        let now = self.clock.now();
        let state = self.lock();
        let current = state.bans.values().filter(|ban| ban.until > now);
        current.cloned().collect()
    }

    /// Adds a ban. Past [`BLAMED_MAX`] the one that ends soonest goes.
    pub(super) fn add(&self, ban: Ban) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.written.remove(&ban.address);
        state.bans.retain(|_, ban| ban.until > now);
        state.bans.insert(ban.address, ban);
        state.trim();
    }

    /// Forgets a ban.
    pub(super) fn remove(&self, address: &Address) {
        self.lock().bans.remove(address);
    }

    /// Brings the state and what is known into line, and writes down now and then how much is left of
    /// each ban. Returns whose bans somebody else has lifted. Blocks on the disk.
    pub(super) fn settle(&self) -> Vec<Address> {
        let (now, wall) = (self.clock.now(), unix_time());
        let known = Arc::clone(&self.known);
        let settled = self.state.exchange_bans(move |epoch, rows| {
            let found = ban_rows::read(rows, wall);
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.exchange(epoch, found, now, wall)
        });
        tell(&self.state);
        settled.unwrap_or_else(|error| {
            tracing::warn!("bans cannot be written down: {error}");
            Vec::new()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes in what the state says. Returns what it is to say instead, if that is different or was
    /// written long ago, and whose bans somebody else has lifted.
    fn exchange(
        &mut self,
        epoch: i64,
        found: BTreeMap<Address, KeptBan>,
        now: Moment,
        wall: u64,
    ) -> (Option<Vec<BanRow>>, Vec<Address>) {
        self.bans.retain(|_, ban| ban.until > now);
        let there: BTreeSet<Address> = found.keys().copied().collect();
        if self.epoch.replace(epoch) != Some(epoch) {
            // Another state, begun because the one before was damaged, says nothing of who was lifted.
            self.written.clear();
        }
        let lifted = self.merge(found, now);
        let bans = self.to_keep(now);
        let whom: BTreeSet<Address> = bans.keys().copied().collect();
        let is_old = !bans.is_empty() && now.since(self.written_at) >= REWRITE_EVERY;
        let rows = (is_old || whom != there).then(|| {
            self.written_at = now;
            ban_rows::write(&bans, wall)
        });
        self.written = whom;
        (rows, lifted)
    }

    /// Takes in what the state says: who is gone from it was lifted, who is new was banned by others.
    /// Who is gone from here was pardoned here.
    fn merge(&mut self, found: BTreeMap<Address, KeptBan>, now: Moment) -> Vec<Address> {
        let known: Vec<Address> = self.bans.keys().copied().collect();
        let is_lifted =
            |address: &Address| self.written.contains(address) && !found.contains_key(address);
        let lifted: Vec<Address> = known.into_iter().filter(is_lifted).collect();
        lifted.iter().for_each(|address| {
            self.bans.remove(address);
        });
        for (address, kept) in found {
            if !self.written.contains(&address) {
                self.bans
                    .entry(address)
                    .or_insert_with(|| ban(address, kept, now));
            }
        }
        self.trim();
        lifted
    }

    fn to_keep(&self, now: Moment) -> BTreeMap<Address, KeptBan> {
        let keep = |(address, ban): (&Address, &Ban)| {
            let kept = KeptBan {
                left: ban.until.since(now),
                strikes: ban.strikes.clone(),
            };
            (*address, kept)
        };
        self.bans.iter().map(keep).collect()
    }

    fn trim(&mut self) {
        while self.bans.len() > BLAMED_MAX {
            let soonest = self.bans.values().min_by_key(|ban| ban.until);
            let Some(address) = soonest.map(|ban| ban.address) else {
                return;
            };
            self.bans.remove(&address);
        }
    }
}

fn ban(address: Address, kept: KeptBan, now: Moment) -> Ban {
    let KeptBan { left, strikes } = kept;
    Ban {
        address,
        until: now + left,
        strikes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::limits::BAN;
    use crate::swarm::Strike;

    fn address(of: u32) -> Address {
        Address::new(Digest::of(&of.to_le_bytes()))
    }

    fn banned(bans: &Bans, who: Address) {
        bans.add(Ban {
            address: who,
            until: bans.clock.now() + BAN,
            strikes: vec![Strike::Protocol; 3],
        });
    }

    fn whom(bans: &Bans) -> Vec<Address> {
        let bans = bans.current();
        bans.into_iter().map(|ban| ban.address).collect()
    }

    fn open(home: &Path) -> Bans {
        Bans::load(State::open(home), Clock::start())
    }

    #[test]
    fn a_ban_outlives_the_process() {
        let home = tempfile::tempdir().unwrap();
        let bans = open(home.path());
        assert_eq!(bans.settle(), []);
        banned(&bans, address(1));
        bans.settle();
        drop(bans);
        let after = open(home.path()).current();
        assert_eq!(after[0].address, address(1));
        assert_eq!(after[0].strikes, [Strike::Protocol; 3]);
        assert!(after[0].until.since(Moment::ORIGIN) > BAN - Duration::from_secs(60));
    }

    #[test]
    fn two_processes_in_one_home_keep_each_others_bans() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (open(home.path()), open(home.path()));
        banned(&one, address(1));
        banned(&two, address(2));
        for bans in [&one, &two, &one, &two] {
            assert_eq!(bans.settle(), []);
        }
        for bans in [one, two, open(home.path())] {
            assert_eq!(whom(&bans).len(), 2);
        }
    }

    #[test]
    fn a_pardon_is_written_down_and_is_not_undone_by_others() {
        let home = tempfile::tempdir().unwrap();
        let one = open(home.path());
        banned(&one, address(1));
        one.settle();
        let two = open(home.path());
        one.remove(&address(1));
        assert_eq!(one.settle(), []);
        assert_eq!(kept_bans(home.path()).unwrap(), BTreeMap::new());
        assert_eq!(two.settle(), [address(1)], "two hears of it");
        assert_eq!(whom(&two), []);
    }

    #[test]
    fn who_is_lifted_by_the_user_stays_lifted_and_can_be_banned_again() {
        let home = tempfile::tempdir().unwrap();
        let bans = open(home.path());
        (1..=3).for_each(|of| banned(&bans, address(of)));
        bans.settle();
        let these = [address(2), address(9)];
        let lifted = lift_bans(home.path(), Lift::These(&these)).unwrap();
        assert_eq!(lifted, [address(2)]);
        assert_eq!(bans.settle(), [address(2)]);
        assert_eq!(kept_bans(home.path()).unwrap().len(), 2);
        banned(&bans, address(2));
        assert_eq!(bans.settle(), []);
        assert_eq!(lift_bans(home.path(), Lift::All).unwrap().len(), 3);
        assert_eq!(bans.settle().len(), 3);
        assert_eq!(lift_bans(home.path(), Lift::All).unwrap(), []);
    }

    #[test]
    fn a_state_that_is_begun_anew_lifts_nobody() {
        let known = |epoch, found: BTreeMap<_, _>| {
            let mut known = Known::default();
            let mine = ban(address(1), kept(), Moment::ORIGIN);
            known.bans.insert(mine.address, mine);
            known.exchange(7, BTreeMap::new(), Moment::ORIGIN, 0);
            known.exchange(epoch, found, Moment::ORIGIN, 0).1
        };
        assert_eq!(known(7, BTreeMap::new()), [address(1)]);
        assert_eq!(known(8, BTreeMap::new()), []);
        assert_eq!(known(7, BTreeMap::from([(address(1), kept())])), []);
    }

    fn kept() -> KeptBan {
        let (left, strikes) = (BAN, Vec::new());
        KeptBan { left, strikes }
    }

    #[test]
    fn bans_are_bounded() {
        let home = tempfile::tempdir().unwrap();
        let bans = open(home.path());
        (0..5000).for_each(|of| banned(&bans, address(of)));
        assert_eq!(bans.current().len(), BLAMED_MAX);
        bans.settle();
        assert_eq!(kept_bans(home.path()).unwrap().len(), BLAMED_MAX);
    }
}
