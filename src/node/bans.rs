//! Bans across restarts: what a node knows of them, and what its folder says.
//!
//! The folder may be shared: other processes ban too, and the user lifts bans with the command line
//! or by removing the file. Invariant: after [`Bans::settle`], the file says what this node knows, less
//! what was lifted meanwhile, and more what others banned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ban_file::{BanFile, KeptBan};
use super::clock::{Clock, unix_time};
use super::kept::Kept;
use crate::digest::Address;
use crate::limits::BLAMED_MAX;
use crate::moment::Moment;
use crate::swarm::Ban;

/// How often it is written down how much is left, for a wall clock that cannot tell how long ago that
/// was.
const REWRITE_EVERY: Duration = Duration::from_secs(10 * 60);

/// The bans of a node, and where they are kept. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Bans {
    file: Arc<BanFile>,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bans: BTreeMap<Address, Ban>,
    /// Whom the file named when it was last read or written.
    in_file: BTreeSet<Address>,
    written_at: Moment,
}

/// Whose bans to lift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lift<'a> {
    /// Everybody's.
    All,
    /// Those of these addresses.
    These(&'a [Address]),
}

/// The bans that a folder holds, by address. A file that makes no sense is set aside and counts as
/// none. Blocks on the disk.
pub fn kept_bans(home: &Path) -> BTreeMap<Address, KeptBan> {
    match BanFile::of(home).read(unix_time()) {
        Kept::Found(bans) => bans,
        Kept::Missing | Kept::Damaged => BTreeMap::new(),
    }
}

/// Lifts bans that a folder holds; a node that runs there follows within seconds. Returns whose were
/// lifted. Blocks on the disk; an error says that the folder cannot be written to.
pub fn lift_bans(home: &Path, lift: Lift<'_>) -> std::io::Result<Vec<Address>> {
    let (file, wall) = (BanFile::of(home), unix_time());
    let turn = file.turn()?;
    let Kept::Found(mut bans) = file.read(wall) else {
        return Ok(Vec::new());
    };
    let is_meant = |address: &Address| match lift {
        Lift::All => true,
        Lift::These(these) => these.contains(address),
    };
    let lifted: Vec<Address> = bans.keys().copied().filter(is_meant).collect();
    bans.retain(|address, _| !is_meant(address));
    file.write(&turn, wall, &bans);
    Ok(lifted)
}

impl Bans {
    /// Reads the bans that a folder holds.
    pub(super) fn load(home: &Path, clock: Clock) -> Self {
        let bans = Self {
            file: Arc::new(BanFile::of(home)),
            clock,
            state: Arc::default(),
        };
        if let Kept::Found(found) = bans.file.read(unix_time()) {
            let mut state = bans.lock();
            state.in_file = found.keys().copied().collect();
            let ban = |(address, kept)| (address, ban(address, kept, clock.now()));
            state.bans = found.into_iter().map(ban).collect();
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
        state.in_file.remove(&ban.address);
        state.bans.retain(|_, ban| ban.until > now);
        state.bans.insert(ban.address, ban);
        state.trim();
    }

    /// Forgets a ban.
    pub(super) fn remove(&self, address: &Address) {
        self.lock().bans.remove(address);
    }

    /// Brings the file and what is known into line, and writes down now and then how much is left of
    /// each ban. Returns whose bans somebody else has lifted. Blocks on the disk.
    pub(super) fn settle(&self) -> Vec<Address> {
        let turn = match self.file.turn() {
            Ok(turn) => turn,
            Err(error) => {
                tracing::warn!(%error, "bans cannot be written down");
                return Vec::new();
            }
        };
        let (now, wall) = (self.clock.now(), unix_time());
        let found = self.file.read(wall);
        let mut state = self.lock();
        state.bans.retain(|_, ban| ban.until > now);
        let in_file: BTreeSet<Address> = match &found {
            Kept::Found(found) => found.keys().copied().collect(),
            Kept::Missing | Kept::Damaged => BTreeSet::new(),
        };
        let lifted = match found {
            Kept::Found(found) => state.merge(found, now),
            Kept::Missing => state.merge(BTreeMap::new(), now),
            // It told nothing: what is known stands.
            Kept::Damaged => Vec::new(),
        };
        let bans = state.to_keep(now);
        let whom: BTreeSet<Address> = bans.keys().copied().collect();
        let is_old = !bans.is_empty() && now.since(state.written_at) >= REWRITE_EVERY;
        if is_old || whom != in_file {
            self.file.write(&turn, wall, &bans);
            state.written_at = now;
        }
        state.in_file = whom;
        lifted
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes in what the file says: who is gone from it was lifted, who is new was banned by others.
    /// Who is gone from here was pardoned here.
    fn merge(&mut self, found: BTreeMap<Address, KeptBan>, now: Moment) -> Vec<Address> {
        let known: Vec<Address> = self.bans.keys().copied().collect();
        let is_lifted =
            |address: &Address| self.in_file.contains(address) && !found.contains_key(address);
        let lifted: Vec<Address> = known.into_iter().filter(is_lifted).collect();
        lifted.iter().for_each(|address| {
            self.bans.remove(address);
        });
        for (address, kept) in found {
            if !self.in_file.contains(&address) {
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

    #[test]
    fn a_ban_outlives_the_process() {
        let home = tempfile::tempdir().unwrap();
        let bans = Bans::load(home.path(), Clock::start());
        assert_eq!(bans.settle(), []);
        assert!(
            !home.path().join("bans.json").exists(),
            "there is nothing to say"
        );
        banned(&bans, address(1));
        bans.settle();
        let after = Bans::load(home.path(), Clock::start()).current();
        assert_eq!(after[0].address, address(1));
        assert_eq!(after[0].strikes, [Strike::Protocol; 3]);
        assert!(after[0].until.since(Moment::ORIGIN) > BAN - Duration::from_secs(60));
    }

    #[test]
    fn two_processes_in_one_folder_keep_each_others_bans() {
        let home = tempfile::tempdir().unwrap();
        let one = Bans::load(home.path(), Clock::start());
        let two = Bans::load(home.path(), Clock::start());
        banned(&one, address(1));
        banned(&two, address(2));
        for bans in [&one, &two, &one, &two] {
            assert_eq!(bans.settle(), []);
        }
        for bans in [one, two, Bans::load(home.path(), Clock::start())] {
            assert_eq!(whom(&bans).len(), 2);
        }
    }

    #[test]
    fn a_pardon_is_written_down_and_is_not_undone_by_others() {
        let home = tempfile::tempdir().unwrap();
        let one = Bans::load(home.path(), Clock::start());
        banned(&one, address(1));
        one.settle();
        let two = Bans::load(home.path(), Clock::start());
        one.remove(&address(1));
        assert_eq!(one.settle(), []);
        assert_eq!(kept_bans(home.path()), BTreeMap::new());
        assert_eq!(two.settle(), [address(1)], "two hears of it");
        assert_eq!(whom(&two), []);
    }

    #[test]
    fn who_is_lifted_by_the_user_stays_lifted_and_can_be_banned_again() {
        let home = tempfile::tempdir().unwrap();
        let bans = Bans::load(home.path(), Clock::start());
        (1..=3).for_each(|of| banned(&bans, address(of)));
        bans.settle();
        let these = [address(2), address(9)];
        let lifted = lift_bans(home.path(), Lift::These(&these)).unwrap();
        assert_eq!(lifted, [address(2)]);
        assert_eq!(bans.settle(), [address(2)]);
        assert_eq!(kept_bans(home.path()).len(), 2);
        banned(&bans, address(2));
        assert_eq!(bans.settle(), []);
        assert_eq!(lift_bans(home.path(), Lift::All).unwrap().len(), 3);
        assert_eq!(bans.settle().len(), 3);
        std::fs::remove_file(home.path().join("bans.json")).unwrap();
        assert_eq!(lift_bans(home.path(), Lift::All).unwrap(), []);
    }

    #[test]
    fn a_damaged_file_forgets_nothing_that_is_known() {
        let home = tempfile::tempdir().unwrap();
        let bans = Bans::load(home.path(), Clock::start());
        banned(&bans, address(1));
        bans.settle();
        std::fs::write(home.path().join("bans.json"), b"{\"x\": 1}").unwrap();
        assert_eq!(Bans::load(home.path(), Clock::start()).current(), []);
        std::fs::write(home.path().join("bans.json"), b"garbage").unwrap();
        assert_eq!(bans.settle(), []);
        assert_eq!(kept_bans(home.path()).len(), 1);
    }

    #[test]
    fn bans_are_bounded() {
        let home = tempfile::tempdir().unwrap();
        let bans = Bans::load(home.path(), Clock::start());
        (0..5000).for_each(|of| banned(&bans, address(of)));
        assert_eq!(bans.current().len(), BLAMED_MAX);
        bans.settle();
        assert_eq!(kept_bans(home.path()).len(), BLAMED_MAX);
    }
}
