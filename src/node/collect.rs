//! Making room in the node's own folder: what goes, and in which order.
//!
//! Only what a quota demands goes, the container that was not used for longest first. What the node
//! keeps itself comes before the copies of manifests of files that are the user's. Never taken are
//! pinned containers, what any process fetches or serves, and anything outside the node's folder.

use std::collections::BTreeSet;

use super::library::{Known, Library, LibraryError};
use crate::digest::ManifestId;
use crate::manifest::Manifest;
use crate::store::{ContainerRow, Pin, RemoveError};

/// Beyond what a copy of a manifest needs, one part in so many of the quota is made free with it: so
/// that the next few need not look again.
const AHEAD: u64 = 64;

/// What was collected, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// What goes.
    pub containers: Vec<Known>,
    /// Bytes that this frees.
    pub freed: u64,
    /// What would go, and stays because a process uses it.
    pub in_use: Vec<Known>,
}

/// Whether to remove anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collecting {
    /// Only say what would go.
    Planning,
    /// Remove it.
    Removing,
}

/// Why there is no room for a container.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// The quota does not allow it, whatever else goes.
    #[error(
        "E-QUOTA: {name:?} takes {needed} B; of the quota of {quota} B, {taken} B are pinned or in use"
    )]
    Quota {
        /// The container's name: somebody else's text.
        name: String,
        /// What it takes, in bytes.
        needed: u64,
        /// The quota, in bytes.
        quota: u64,
        /// What is taken and cannot be collected, in bytes.
        taken: u64,
    },
    /// It cannot be told, or nothing can be removed.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

impl Library {
    /// Removes as much as it takes to be within the quota.
    pub fn collect(&self, how: Collecting) -> Result<Collected, LibraryError> {
        let Some(quota) = self.quota() else {
            return Ok(Collected::default());
        };
        if how == Collecting::Removing {
            self.state.kept()?;
        }
        self.collect_down_to(quota, how, &BTreeSet::new())
    }

    /// Sees to it that a container with its manifest, or the manifest alone, fits the quota in place of
    /// what there is of it already.
    pub(super) fn make_room(&self, manifest: &Manifest, needed: u64) -> Result<(), RoomError> {
        let Some(quota) = self.quota() else {
            return Ok(());
        };
        let own = self.state.container(manifest.id());
        let own = own.map_err(LibraryError::State)?;
        let own = own.map_or(0, |row| row.kept + row.manifest_bytes);
        let fits = |taken: u64| (taken - own.min(taken)).saturating_add(needed) <= quota;
        if fits(self.taken()?) {
            return Ok(());
        }
        let ahead = if needed < quota / AHEAD {
            quota / AHEAD
        } else {
            0
        };
        let target = (quota + own).saturating_sub(needed + ahead);
        let spared = BTreeSet::from([manifest.id()]);
        if needed <= quota {
            self.collect_down_to(target, Collecting::Removing, &spared)?;
        }
        let taken = self.taken()?;
        match fits(taken) {
            true => Ok(()),
            false => Err(RoomError::Quota {
                name: manifest.name().to_owned(),
                needed,
                quota,
                taken: taken - own.min(taken),
            }),
        }
    }

    fn collect_down_to(
        &self,
        target: u64,
        how: Collecting,
        spared: &BTreeSet<ManifestId>,
    ) -> Result<Collected, LibraryError> {
        let (mut taken, mut collected) = (self.taken()?, Collected::default());
        if taken <= target {
            return Ok(collected);
        }
        let mut rows = self.state.containers()?;
        let may_go = |row: &ContainerRow| {
            row.pin == Pin::Loose
                && row.kept + row.manifest_bytes > 0
                && !spared.contains(&row.manifest_id)
        };
        rows.retain(may_go);
        // stable: among those the oldest use comes first
        rows.sort_by_key(|row| row.path.is_some());
        for row in rows {
            if taken <= target {
                break;
            }
            let frees = row.kept + row.manifest_bytes;
            let known = self.known(row.clone());
            if !self.is_let_go(&row, how)? {
                collected.in_use.push(known);
                continue;
            }
            taken = taken.saturating_sub(frees);
            collected.freed += frees;
            collected.containers.push(known);
        }
        Ok(collected)
    }

    /// Removes it, or would, unless a process uses it.
    fn is_let_go(&self, row: &ContainerRow, how: Collecting) -> Result<bool, LibraryError> {
        if self.in_use.contains(row.manifest_id)
            || row.path.is_none() && self.folders.is_being_written(row.program_id)
        {
            return Ok(false);
        }
        if how == Collecting::Planning {
            return Ok(self.unused(row)?.is_some());
        }
        match self.discard(row) {
            Ok(Some(_)) => {
                tracing::info!(id = %row.manifest_id, "collected");
                Ok(true)
            }
            // a download of an earlier version of the program has begun meanwhile
            Ok(None) | Err(LibraryError::Remove(RemoveError::InUse(_))) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
