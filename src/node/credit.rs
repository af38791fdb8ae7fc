//! Credit across restarts: one small JSON file of what each wallet address gave and got.
//!
//! Losing the file costs peers the place that they have earned and nothing else, so a damaged one is
//! set aside, and reported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock::unix_time;
use super::kept::{self, Kept};
use crate::limits::{CREDIT_HALF_LIFE, CREDIT_MAX};
use crate::swarm::Credit;

/// The largest file that is read: 4096 entries of under 140 bytes.
const FILE_BYTES_MAX: u64 = 640 * 1024;

/// Where the credit of a node's peers is kept.
#[derive(Debug, Clone)]
pub(super) struct CreditFile {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    /// Seconds since 1970.
    at: u64,
    /// Bytes received and sent, by wallet address.
    accounts: BTreeMap<String, (u64, u64)>,
}

impl CreditFile {
    /// The file in this folder.
    pub(super) fn new(home: &Path) -> Self {
        Self {
            path: home.join("credit.json"),
        }
    }

    /// What is left of what was saved, after the time since. Blocks on the disk.
    pub(super) fn load(&self) -> Vec<Credit> {
        let Kept::Found(saved) = kept::read::<Saved>(&self.path, FILE_BYTES_MAX) else {
            return Vec::new();
        };
        parse(saved).unwrap_or_else(|why| {
            kept::set_aside(&self.path, &why);
            Vec::new()
        })
    }

    /// Replaces the file. Blocks on the disk.
    pub(super) fn write(&self, credit: &[Credit]) {
        let entry = |credit: &Credit| (credit.address.to_string(), (credit.received, credit.sent));
        let saved = Saved {
            at: unix_time(),
            accounts: credit.iter().map(entry).collect(),
        };
        match kept::turn(&self.path) {
            Ok(turn) => kept::write(&turn, &self.path, &saved),
            Err(error) => tracing::warn!(%error, "credit cannot be written down"),
        }
    }
}

fn parse(saved: Saved) -> Result<Vec<Credit>, String> {
    let away = kept::away(saved.at, unix_time());
    let halvings = away.as_secs() / CREDIT_HALF_LIFE.as_secs();
    let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
    let left = |bytes: u64| bytes.checked_shr(halvings).unwrap_or(0);
    let account = |(text, (received, sent)): (String, (u64, u64))| {
        let address = text.parse().map_err(|error| format!("{text:?} {error}"))?;
        Ok(Credit {
            address,
            received: left(received),
            sent: left(sent),
        })
    };
    let accounts = saved.accounts.into_iter().take(CREDIT_MAX);
    accounts.map(account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, Digest};

    #[test]
    fn credit_outlives_the_process_and_a_damaged_file_is_set_aside() {
        let home = tempfile::tempdir().unwrap();
        let file = CreditFile::new(home.path());
        assert!(file.load().is_empty(), "there is no file yet");
        let credit = Credit {
            address: Address::new(Digest::of(b"alice")),
            received: 7 << 30,
            sent: 5,
        };
        file.write(&[credit]);
        assert_eq!(CreditFile::new(home.path()).load(), [credit]);
        std::fs::write(home.path().join("credit.json"), b"{\"at\": 1").unwrap();
        assert!(file.load().is_empty());
        let aside = std::fs::read(home.path().join("credit.json.damaged")).unwrap();
        assert_eq!(aside, b"{\"at\": 1");
        file.write(&[credit]);
        assert_eq!(file.load(), [credit]);
    }

    #[test]
    fn credit_fades_while_the_node_does_not_run() {
        let home = tempfile::tempdir().unwrap();
        let address = Address::new(Digest::of(b"alice"));
        let at = unix_time() - 2 * CREDIT_HALF_LIFE.as_secs();
        let json = format!("{{\"at\": {at}, \"accounts\": {{\"{address}\": [4000, 400]}}}}");
        std::fs::write(home.path().join("credit.json"), json).unwrap();
        let [credit] = CreditFile::new(home.path()).load()[..] else {
            panic!("one account");
        };
        assert_eq!((credit.received, credit.sent), (1000, 100));
    }

    /// A38.
    #[test]
    fn a_clock_that_jumps_wipes_no_credit() {
        let home = tempfile::tempdir().unwrap();
        let address = Address::new(Digest::of(b"alice"));
        for at in [0, u64::MAX] {
            let json = format!("{{\"at\": {at}, \"accounts\": {{\"{address}\": [4000, 400]}}}}");
            std::fs::write(home.path().join("credit.json"), json).unwrap();
            let left = CreditFile::new(home.path()).load();
            let left: Vec<_> = left.iter().map(|it| (it.received, it.sent)).collect();
            assert_eq!(left, [(4000, 400)], "written at {at}");
        }
    }
}
