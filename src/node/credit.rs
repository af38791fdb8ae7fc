//! Credit across restarts: one small JSON file of what each wallet address gave and got.
//!
//! Losing the file costs peers the place that they have earned and nothing else, so a damaged one is
//! set aside, and reported.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock::unix_time;
use crate::limits::{CREDIT_HALF_LIFE, CREDIT_MAX};
use crate::store::replace_file;
use crate::swarm::Credit;

/// The largest file that is read: 4096 entries of under 140 bytes.
const FILE_BYTES_MAX: u64 = 640 * 1024;

/// Where the credit of a node's peers is kept.
#[derive(Debug, Clone)]
pub(super) struct CreditFile {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
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

    /// What is left of what was saved, after the time since.
    pub(super) fn load(&self) -> Vec<Credit> {
        self.read().unwrap_or_else(|error| {
            let aside = self.path.with_extension("json.damaged");
            let moved = std::fs::rename(&self.path, &aside);
            let path = self.path.display();
            tracing::warn!(%path, error, ?moved, "credit could not be read and was set aside");
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
        let json = serde_json::to_vec_pretty(&saved).expect("texts and numbers are JSON");
        if let Err(error) = replace_file(&self.path, &json) {
            let path = self.path.display();
            tracing::warn!(%path, %error, "credit could not be written down");
        }
    }

    fn read(&self) -> Result<Vec<Credit>, String> {
        let size = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.to_string()),
        };
        if size > FILE_BYTES_MAX {
            return Err(format!("{size} B > limit {FILE_BYTES_MAX} B"));
        }
        let bytes = std::fs::read(&self.path).map_err(|error| error.to_string())?;
        let saved: Saved = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let halvings = unix_time().saturating_sub(saved.at) / CREDIT_HALF_LIFE.as_secs();
        let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
        let left = |bytes: u64| bytes.checked_shr(halvings).unwrap_or(0);
        let parse = |(text, (received, sent)): (String, (u64, u64))| {
            let address = text.parse().map_err(|error| format!("{text:?} {error}"))?;
            Ok(Credit {
                address,
                received: left(received),
                sent: left(sent),
            })
        };
        saved
            .accounts
            .into_iter()
            .take(CREDIT_MAX)
            .map(parse)
            .collect()
    }
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
}
