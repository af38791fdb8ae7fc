//! Taking in what the node's folder holds and its state knows nothing of.

use std::collections::BTreeMap;
use std::fs;

use super::clock::unix_time;
use super::library::{Library, row};
use super::similar::sketch;
use crate::digest::ManifestId;

/// What stands among the settings once a state knows what the node's folder holds.
const ADOPTED: &str = "library adopted";
/// Containers that are taken in at once.
const ADOPTED_AT_ONCE: usize = 256;

impl Library {
    /// Takes in what the node's folder holds and the state knows nothing of, once for each state: the one
    /// before was lost, or is that of an earlier version.
    pub(super) fn adopt(&self) {
        let is_done = |settings: &BTreeMap<_, _>| settings.contains_key(ADOPTED);
        if self.state.settings().as_ref().is_ok_and(is_done) {
            return;
        }
        let mut ids = self.folders.manifest_ids().unwrap_or_default();
        ids.retain(|id| matches!(self.state.container(*id), Ok(None)));
        let now = unix_time();
        let adopted = |id: ManifestId| {
            let manifest = self.folders.load_manifest(id).ok()??;
            let kept = self.folders.holding(manifest.program_id()).bytes();
            let mut row = row(&manifest, None, kept, now);
            row.manifest_bytes = fs::metadata(self.folders.deluge(id)).ok()?.len();
            Some((row, (id, sketch(&manifest))))
        };
        let written = ids.chunks(ADOPTED_AT_ONCE).try_for_each(|ids| {
            let found = ids.iter().copied().filter_map(adopted);
            let (rows, sketches): (Vec<_>, Vec<_>) = found.unzip();
            self.state.adopt_containers(rows)?;
            self.state.keep_sketches(sketches)
        });
        match written.and_then(|()| self.state.set(ADOPTED, Some("yes"))) {
            Ok(()) if ids.is_empty() => {}
            Ok(()) => {
                let count = ids.len();
                tracing::info!(count, "containers were found in the node's folder");
            }
            Err(error) => {
                tracing::warn!("what the node's folder holds is not written down: {error}")
            }
        }
    }
}
