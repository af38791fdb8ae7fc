//! What a node that serves its library could serve: masters are told of it, though nobody uses it yet.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::Note;
use super::config::Serving;
use super::driver::Driver;
use super::library::{Condition, Library};
use super::vault::VaultUse;
use super::verdicts::Verdicts;
use crate::digest::ManifestId;
use crate::index::FILES_PER_KEY;
use crate::moment::Moment;

/// How often the library is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Whole containers of the library, each with its number of chunks.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) all: BTreeMap<ManifestId, u32>,
    look: Look,
}

/// When the library is looked at.
#[derive(Debug)]
enum Look {
    /// From this moment on.
    Due(Moment),
    UnderWay,
}

impl Default for Look {
    fn default() -> Self {
        Self::Due(Moment::ORIGIN)
    }
}

impl Driver {
    /// Once a second: looks at the library, if there is anybody to be told of it.
    pub(super) fn review_offer(&mut self) {
        let is_told = self.serving == Serving::Library && !self.masters.is_empty();
        let is_due = match self.offer.look {
            Look::Due(at) => at <= self.clock.now(),
            Look::UnderWay => false,
        };
        if !is_told || !is_due {
            return;
        }
        self.offer.look = Look::UnderWay;
        let (library, verdicts) = (self.library.clone(), self.verdicts.clone());
        let notes = self.notes.clone();
        tokio::task::spawn_blocking(move || {
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Offered(library.offer(&verdicts)));
        });
    }

    /// What the library has.
    pub(super) fn on_offered(&mut self, all: BTreeMap<ManifestId, u32>) {
        self.offer.all = all;
        self.offer.look = Look::Due(self.clock.now() + LOOK_EVERY);
    }
}

impl Library {
    /// What can be served, what was used last first, and no more than a master lists of one wallet. Blocks on
    /// the disk.
    fn offer(&self, verdicts: &Verdicts) -> BTreeMap<ManifestId, u32> {
        let rows = self.state.containers().unwrap_or_else(|error| {
            tracing::warn!("what the library has is not known: {error}");
            Vec::new()
        });
        let whole = rows.into_iter().rev().filter_map(|row| {
            let (id, chunks) = (row.manifest_id, row.chunks);
            let is_here = match self.known(row).condition {
                Condition::Complete | Condition::InPlace => true,
                Condition::Vault => !matches!(self.vault, VaultUse::Shut),
                Condition::Partial { .. } | Condition::Gone | Condition::Manifest => false,
            };
            (is_here && !verdicts.is_wrong(&id)).then_some((id, chunks))
        });
        whole.take(FILES_PER_KEY as usize).collect()
    }
}
