//! What is served or fetched now, by this process and by others in the same home: such containers are not
//! removed.
//!
//! The network thread says what this process uses; the lock that others see is taken by whoever opens
//! the files next, because it may wait for a removal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::library::{Library, LibraryError};
use crate::digest::ManifestId;
use crate::store::{Alone, ContainerRow, Using};

/// Containers that this process fetches or serves now. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct InUse(Arc<Mutex<BTreeMap<ManifestId, Option<Using>>>>);

impl InUse {
    /// It is used from now on.
    pub(super) fn begin(&self, id: ManifestId) {
        self.lock().entry(id).or_default();
    }

    /// It is not used any more.
    pub(super) fn end(&self, id: &ManifestId) {
        self.lock().remove(id);
    }

    pub(super) fn contains(&self, id: ManifestId) -> bool {
        self.lock().contains_key(&id)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ManifestId, Option<Using>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Library {
    /// Lets other processes know that this one uses a container, until it [ends](InUse::end) that. Where
    /// that is not possible it goes without. Blocks on the disk.
    pub(super) fn lock(&self, id: ManifestId) {
        match self.folders.begin_use(id) {
            Ok(using) => {
                // it may have ended already
                if let Some(held) = self.in_use.lock().get_mut(&id) {
                    *held = Some(using);
                }
            }
            Err(error) => tracing::warn!(%id, %error, "others do not see that it is in use"),
        }
    }

    /// Keeps everybody from using what is about to be removed; `None` if it, or other manifests for the
    /// same bytes, are used already. Blocks on the disk.
    pub(super) fn unused(&self, row: &ContainerRow) -> Result<Option<Vec<Alone>>, LibraryError> {
        let others = self.state.others_of(row.program_id, row.manifest_id)?;
        let others = others.iter().filter(|_| row.path.is_none());
        let ids = others.map(|other| other.manifest_id);
        let mut all = Vec::new();
        for id in std::iter::once(row.manifest_id).chain(ids) {
            let removing = self.folders.begin_removal(id);
            let removing = removing.map_err(|source| LibraryError::Io {
                path: self.folders.deluge(id),
                source,
            })?;
            match removing {
                Some(removing) => all.push(removing),
                None => return Ok(None),
            }
        }
        Ok(Some(all))
    }
}
