//! When what was written is synced: two megabytes of a container at a time, or after two seconds.
//!
//! The network thread only decides; the sync blocks a thread of its own, and the workers go on
//! writing meanwhile, as far as the store lets them.
//!
//! Invariant: a container is kept here exactly while something of it may wait for a sync, and at most
//! one sync of it is under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::block::with_source;
use super::command::Note;
use super::driver::Driver;
use crate::digest::ManifestId;
use crate::limits::{SYNC_AFTER, SYNC_BATCH_BYTES};
use crate::moment::Moment;
use crate::store::SyncError;

/// Which containers wait for a sync.
#[derive(Debug, Default)]
pub(super) struct Syncs(BTreeMap<ManifestId, Wait>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Something was written then.
    Since(Moment),
    UnderWay,
}

impl Syncs {
    /// So much of a container waits for a sync. Says whether to begin one.
    fn on_written(&mut self, now: Moment, id: ManifestId, unsynced: u64) -> bool {
        let wait = self.0.entry(id).or_insert(Wait::Since(now));
        let begins = unsynced >= SYNC_BATCH_BYTES && *wait != Wait::UnderWay;
        if begins {
            *wait = Wait::UnderWay;
        }
        begins
    }

    /// The containers that have waited long enough: a sync of each is to begin.
    fn due(&mut self, now: Moment) -> Vec<ManifestId> {
        let due = |wait: &Wait| matches!(wait, Wait::Since(at) if now.since(*at) >= SYNC_AFTER);
        let waits = self.0.iter_mut().filter(|(_, wait)| due(wait));
        let begin = |(id, wait): (&ManifestId, &mut Wait)| {
            *wait = Wait::UnderWay;
            *id
        };
        waits.map(begin).collect()
    }

    /// A sync has ended. Says whether to begin the next.
    fn on_ended(&mut self, now: Moment, id: ManifestId, unsynced: u64) -> bool {
        self.0.remove(&id);
        unsynced > 0 && self.on_written(now, id, unsynced)
    }
}

impl Driver {
    /// A chunk was written, and so much of its container waits for a sync now.
    pub(super) fn on_written(&mut self, id: ManifestId, unsynced: u64) {
        if self.syncs.on_written(self.clock.now(), id, unsynced) {
            self.sync(id);
        }
    }

    /// Syncs what has waited long enough.
    pub(super) fn sync_due(&mut self) {
        for id in self.syncs.due(self.clock.now()) {
            self.sync(id);
        }
    }

    /// A sync has ended. What the disk did not keep is fetched again.
    pub(super) fn on_synced(&mut self, id: ManifestId, outcome: Result<(), SyncError>) {
        if outcome.is_ok() {
            let mut quests = self.quests.values_mut();
            if let Some(quest) = quests.find(|quest| quest.manifest_id() == Some(id)) {
                quest.block.on_safe();
            }
        }
        if let Err(error) = outcome {
            let why = with_source(&error);
            tracing::error!(%id, why, "what was written since the last sync is fetched again");
            if let SyncError::DiskFull { .. } = error {
                self.on_full_at_sync(id, &error);
            }
            self.on_damaged(&id);
        }
        let entry = self.catalog.get(&id);
        let unsynced = entry.map_or(0, |entry| entry.content.unsynced_bytes());
        if self.syncs.on_ended(self.clock.now(), id, unsynced) {
            self.sync(id);
        }
    }

    fn sync(&self, id: ManifestId) {
        let content = self.catalog.get(&id).map(|it| Arc::clone(&it.content));
        let notes = self.notes.clone();
        tokio::task::spawn_blocking(move || {
            let outcome = content.map_or(Ok(()), |content| content.sync());
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Synced { id, outcome });
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::digest::Digest;

    const NOW: Moment = Moment::ORIGIN;

    fn id(of: u8) -> ManifestId {
        ManifestId::new(Digest::of(&[of]))
    }

    #[test]
    fn a_batch_is_synced_at_once_and_less_after_two_seconds() {
        let mut syncs = Syncs::default();
        assert!(!syncs.on_written(NOW, id(1), SYNC_BATCH_BYTES - 1));
        assert!(syncs.on_written(NOW, id(1), SYNC_BATCH_BYTES));
        assert!(!syncs.on_written(NOW, id(2), 1));
        let later = NOW + Duration::from_secs(1);
        assert!(!syncs.on_written(later, id(2), 2), "it waits since then");
        assert_eq!(syncs.due(later), []);
        assert_eq!(syncs.due(NOW + SYNC_AFTER), [id(2)]);
        assert_eq!(syncs.due(NOW + SYNC_AFTER), [], "it is under way");
    }

    #[test]
    fn one_sync_of_a_container_runs_at_a_time() {
        let mut syncs = Syncs::default();
        assert!(syncs.on_written(NOW, id(1), SYNC_BATCH_BYTES));
        assert!(!syncs.on_written(NOW, id(1), 2 * SYNC_BATCH_BYTES));
        assert!(syncs.on_ended(NOW, id(1), SYNC_BATCH_BYTES));
        assert!(!syncs.on_ended(NOW, id(1), 1));
        assert_eq!(syncs.due(NOW + SYNC_AFTER), [id(1)]);
        assert!(!syncs.on_ended(NOW, id(1), 0));
        assert!(syncs.0.is_empty());
    }
}
