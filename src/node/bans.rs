//! Bans across restarts: one small JSON file of wallet addresses and the second each ban ends.
//!
//! Losing the file loses bans and nothing else, so a damaged one is reported and replaced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::{Clock, unix_time};
use crate::digest::Address;
use crate::limits::{BAN, BLAMED_MAX};
use crate::moment::Moment;
use crate::store::replace_file;

/// The largest file that is read: 4096 entries of under 90 bytes.
const FILE_BYTES_MAX: u64 = 512 * 1024;

/// The bans of a node, on disk.
#[derive(Debug, Clone)]
pub(super) struct Bans {
    path: Arc<PathBuf>,
    until: Arc<Mutex<BTreeMap<Address, u64>>>,
    /// Held while the file is written, so that the last to write has the latest.
    writing: Arc<Mutex<()>>,
}

impl Bans {
    /// Reads the bans that a folder holds.
    pub(super) fn load(home: &Path) -> Self {
        let path = home.join("bans.json");
        let until = match read(&path) {
            Ok(until) => until,
            Err(error) => {
                tracing::warn!(path = %path.display(), error, "bans could not be read and are forgotten");
                BTreeMap::new()
            }
        };
        let until = Arc::new(Mutex::new(until));
        Self {
            path: Arc::new(path),
            until,
            writing: Arc::default(),
        }
    }

    /// The bans that still hold, in the core's time.
    pub(super) fn current(&self, clock: &Clock) -> Vec<(Address, Moment)> {
        let (now, unix) = (clock.now(), unix_time());
        let rest = |until: u64| Duration::from_secs(until.saturating_sub(unix)).min(BAN);
        let bans = lock(&self.until);
        let current = bans.iter().filter(|(_, until)| **until > unix);
        current
            .map(|(address, until)| (*address, now + rest(*until)))
            .collect()
    }

    /// Adds a ban. Past [`BLAMED_MAX`] the one that ends soonest goes.
    pub(super) fn add(&self, address: Address, rest: Duration) {
        let unix = unix_time();
        let mut bans = lock(&self.until);
        bans.retain(|_, until| *until > unix);
        bans.insert(address, unix + rest.as_secs());
        if bans.len() > BLAMED_MAX {
            let soonest = bans
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(a, _)| *a);
            soonest.map(|address| bans.remove(&address));
        }
    }

    /// Writes the file. Blocks on the disk.
    pub(super) fn write(&self) {
        let _turn = lock(&self.writing);
        let entries: BTreeMap<String, u64> = {
            let bans = lock(&self.until);
            bans.iter()
                .map(|(address, until)| (address.to_string(), *until))
                .collect()
        };
        let json = serde_json::to_vec_pretty(&entries).expect("a map of texts to numbers is JSON");
        if let Err(error) = replace_file(&self.path, &json) {
            tracing::warn!(path = %self.path.display(), %error, "a ban could not be written down");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(path: &Path) -> Result<BTreeMap<Address, u64>, String> {
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.to_string()),
    };
    if size > FILE_BYTES_MAX {
        return Err(format!("{size} B > limit {FILE_BYTES_MAX} B"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let entries: BTreeMap<String, u64> =
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let parse = |(text, until): (String, u64)| {
        text.parse()
            .map(|address| (address, until))
            .map_err(|error| format!("{text:?} {error}"))
    };
    entries.into_iter().take(BLAMED_MAX).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn a_ban_outlives_the_process_and_a_damaged_file_does_not_stop_it() {
        let home = tempfile::tempdir().unwrap();
        let (clock, liar) = (Clock::start(), Address::new(Digest::of(b"liar")));
        let bans = Bans::load(home.path());
        bans.add(liar, BAN);
        bans.write();
        let bans = Bans::load(home.path()).current(&clock);
        assert!(matches!(bans[..], [(address, _)] if address == liar));
        assert!(bans[0].1.since(clock.now()) > BAN - Duration::from_secs(60));
        std::fs::write(home.path().join("bans.json"), b"{\"x\": 1}").unwrap();
        assert!(Bans::load(home.path()).current(&clock).is_empty());
    }
}
