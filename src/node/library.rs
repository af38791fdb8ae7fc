//! The containers that a node knows, and the room that they take: what is listed, removed, pinned and
//! collected.
//!
//! A container is known by a row in the state and a copy of its manifest. Its bytes are in the node's
//! own folder, or in a file of the user's, which is never removed here. The rows say what is where; the
//! disk is asked how much of it is there.
//!
//! All calls block on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::clock::unix_time;
use super::collect::RoomError;
use super::in_use::InUse;
use super::memory;
use super::similar::sketch;
use super::vault::VaultUse;
use crate::digest::{ManifestId, ProgramId};
use crate::manifest::{Link, Manifest};
use crate::store::{
    ContainerRow, Folders, Form, Holding, Ledger as _, Pin, RemoveError, State, StateError,
};

/// The setting that says how many bytes the node's own folder may hold.
pub const QUOTA: &str = "quota";
/// Digits by which a container can be named, at least.
const DIGITS_MIN: usize = 6;
/// Containers that are named where several are meant.
const NAMED_MAX: usize = 5;

/// What a home knows of containers. Clones share it.
#[derive(Debug, Clone)]
pub struct Library {
    pub(super) state: State,
    pub(super) folders: Arc<Folders>,
    pub(super) quota: Option<u64>,
    pub(super) in_use: InUse,
    pub(super) vault: VaultUse,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its manifest.
    pub manifest_id: ManifestId,
    /// The SHA-256 of all of it.
    pub program_id: ProgramId,
    /// What people are shown: somebody else's text.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// How much of it is here.
    pub condition: Condition,
    /// Whether it may be collected.
    pub pin: Pin,
    /// When it was last fetched or shared, in seconds since 1970.
    pub used: u64,
    /// Where its bytes are, or belong.
    pub path: PathBuf,
}

/// How much of a container is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// All of it, in the node's own folder.
    Complete,
    /// All of it, in the vault.
    Vault,
    /// Some of its chunks: so many are known to be safely on the disk.
    Partial {
        /// Chunks that are here.
        held: u32,
        /// Chunks of the container.
        chunks: u32,
    },
    /// All of it, in a file of the user's.
    InPlace,
    /// The user's file that was it is not there any more.
    Gone,
    /// Nothing but its manifest.
    Manifest,
}

impl Condition {
    /// Whether chunks of it are missing.
    pub const fn is_unfinished(self) -> bool {
        match self {
            Self::Partial { .. } | Self::Gone | Self::Manifest => true,
            Self::Complete | Self::Vault | Self::InPlace => false,
        }
    }
}

/// What the removal of a container did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// What is not known any more.
    pub known: Known,
    /// Bytes that are free now.
    pub freed: u64,
}

/// Why something could not be done with the library.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A container's files are in use, or the system refused.
    #[error(transparent)]
    Remove(#[from] RemoveError),
    /// A process serves or fetches it now.
    #[error("E-LOCKED: {name:?} is being served or fetched by a process and stays")]
    InUse {
        /// The container's name: somebody else's text.
        name: String,
    },
    /// The system refused.
    #[error("E-IO: cannot write to {path}")]
    Io {
        /// What cannot be written to.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No container that is known is meant by this.
    #[error("E-UNKNOWN: no container is known by {0:?}")]
    Unknown(String),
    /// Several are.
    #[error("E-AMBIGUOUS: {text:?} names {} containers{}", matches.len(), listed(matches))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Those that it may mean.
        matches: Vec<ManifestId>,
    },
}

fn listed(matches: &[ManifestId]) -> String {
    let line = |id: &ManifestId| format!("\n  {id}");
    matches.iter().take(NAMED_MAX).map(line).collect()
}

impl Library {
    /// The library of a home, and the most that its own folder may hold, in bytes; without that, what
    /// its settings say. Nothing is created where there is no home.
    pub fn open(home: &Path, quota: Option<u64>) -> Self {
        let library = Self::over(memory::open(home), Arc::new(Folders::within(home)), quota);
        library.adopt();
        library
    }

    /// The library in a state that is open.
    pub(super) fn over(state: State, folders: Arc<Folders>, quota: Option<u64>) -> Self {
        // one that makes no sense was not set by us
        let set = || state.settings().ok()?.get(QUOTA)?.parse().ok();
        Self {
            quota: quota.or_else(set),
            state,
            folders,
            in_use: InUse::default(),
            vault: VaultUse::default(),
        }
    }

    /// The most that the node's own folder may hold, in bytes.
    pub fn quota(&self) -> Option<u64> {
        self.quota.filter(|quota| *quota < u64::MAX)
    }

    /// What the containers take of the node's own folder, in bytes.
    pub fn taken(&self) -> Result<u64, LibraryError> {
        Ok(self.state.room_taken()?.1)
    }

    /// All containers, the one that was used last first.
    pub fn list(&self) -> Result<Vec<Known>, LibraryError> {
        let rows = self.state.containers()?.into_iter().rev();
        Ok(rows.map(|row| self.known(row)).collect())
    }

    /// The container that a text means: a manifest id or a program id, or at least the first six
    /// digits of one; a link; the path of the user's file; or a name.
    pub fn find(&self, text: &str) -> Result<Known, LibraryError> {
        let link: Option<Link> = text.parse().ok();
        let path = std::path::absolute(text).ok();
        let is_meant = |row: &ContainerRow| match &link {
            Some(link) => {
                row.program_id == link.program_id
                    && link.manifest_id.is_none_or(|id| id == row.manifest_id)
            }
            None => is_named(row, text) || (row.path.is_some() && row.path == path),
        };
        let mut rows = self.state.containers()?;
        rows.retain(is_meant);
        if rows.len() > 1 {
            let text = text.to_owned();
            let matches = rows.iter().map(|row| row.manifest_id).collect();
            return Err(LibraryError::Ambiguous { text, matches });
        }
        let row = rows
            .pop()
            .ok_or_else(|| LibraryError::Unknown(text.to_owned()))?;
        Ok(self.known(row))
    }

    /// Forgets a container, and removes what the node itself keeps of it. A file of the user's stays.
    pub fn remove(&self, known: &Known) -> Result<Removed, LibraryError> {
        self.state.kept()?;
        let Some(row) = self.state.container(known.manifest_id)? else {
            return Err(LibraryError::Unknown(known.manifest_id.to_string()));
        };
        let freed = self.discard(&row)?.ok_or_else(|| LibraryError::InUse {
            name: known.name.clone(),
        })?;
        Ok(Removed {
            known: known.clone(),
            freed,
        })
    }

    /// Keeps a container from being collected, or lets it be.
    pub fn pin(&self, known: &Known, pin: Pin) -> Result<(), LibraryError> {
        self.state.kept()?;
        Ok(self.state.pin_container(known.manifest_id, pin)?)
    }

    /// Writes down that a container is used, and keeps a copy of its manifest. Without a path its bytes
    /// are to be in the node's own folder. An error says that the quota has no room for them; that
    /// nothing could be written down is only logged.
    pub(super) fn admit(&self, manifest: &Manifest, path: Option<&Path>) -> Result<(), RoomError> {
        let needed = manifest.to_json().len() as u64;
        let path = path.and_then(|path| std::path::absolute(path).ok());
        let path = path.filter(|path| !self.is_own(path, manifest.program_id()));
        // what the node keeps itself is what it is known by, or nobody would ever collect it
        let path = path.filter(|_| !self.keeps(manifest));
        let kept = match path {
            Some(_) => 0,
            None => self.len_of(manifest),
        };
        let mut row = row(manifest, path, kept, unix_time());
        match self.make_room(manifest, needed + kept) {
            Ok(()) => match self.folders.save_manifest(manifest) {
                Ok(_) => row.manifest_bytes = needed,
                Err(error) => tracing::warn!(%error, "the manifest could not be kept"),
            },
            Err(error @ RoomError::Quota { .. }) if row.path.is_none() => return Err(error),
            // a file of the user's is served without a copy of its manifest
            Err(error) => tracing::info!("the manifest is not kept: {error}"),
        }
        let sketch = vec![(manifest.id(), sketch(manifest))];
        let written = self.state.keep_container(row);
        if let Err(error) = written.and_then(|()| self.state.keep_sketches(sketch)) {
            tracing::warn!("the container is not written down: {error}");
        }
        Ok(())
    }

    /// Whether the node's own folder has all of a container, by this manifest.
    fn keeps(&self, manifest: &Manifest) -> bool {
        let row = self.state.container(manifest.id()).ok().flatten();
        row.is_some_and(|row| row.path.is_none() && row.kept > 0)
            && matches!(
                self.folders.holding(manifest.program_id()),
                Holding::Whole(..)
            )
    }

    /// A manifest is wrong: it is not known any more. Bytes that it named stay for the next one.
    pub(super) fn forget(&self, id: ManifestId) {
        let removed = self.folders.remove_manifest(id);
        let dropped = self.state.drop_containers(vec![id]);
        if removed.is_err() || dropped.is_err() {
            tracing::warn!(%id, "a wrong manifest could not be removed");
        }
    }

    /// Removes what the node keeps of a container, and its row. Returns the bytes that are free now; `None`
    /// if somebody uses it, and nothing was removed.
    pub(super) fn discard(&self, row: &ContainerRow) -> Result<Option<u64>, LibraryError> {
        let Some(_removing) = self.unused(row)? else {
            return Ok(None);
        };
        let others = self.state.others_of(row.program_id, row.manifest_id)?;
        let is_ours = row.kept > 0 || others.iter().all(|other| other.kept == 0);
        let mut freed = 0;
        if row.path.is_none() && is_ours {
            // what it is called is told by what is there
            let part = self.part(row);
            freed += self.folders.remove_container(row.program_id)?;
            if let Some(part) = part {
                self.state.forget(&part);
            }
        }
        let removed = self.folders.remove_manifest(row.manifest_id);
        freed += removed.map_err(|source| LibraryError::Io {
            path: self.folders.deluge(row.manifest_id),
            source,
        })?;
        self.state.drop_containers(vec![row.manifest_id])?;
        Ok(Some(freed))
    }

    pub(super) fn known(&self, row: ContainerRow) -> Known {
        let holding = match row.path {
            Some(_) => Holding::Nothing,
            None => self.folders.holding(row.program_id),
        };
        let condition = self.condition(&row, holding);
        let ours = || self.folders.container_in(holding.form(), row.program_id);
        Known {
            manifest_id: row.manifest_id,
            program_id: row.program_id,
            name: row.name,
            size: row.size,
            condition,
            pin: row.pin,
            used: row.used,
            path: row.path.unwrap_or_else(ours),
        }
    }

    fn condition(&self, row: &ContainerRow, holding: Holding) -> Condition {
        let held = || {
            let claim = self.part(row).and_then(|part| self.state.claimed(&part));
            let of_this = claim.filter(|claim| claim.manifest == row.manifest_id);
            let (held, chunks) = (of_this.map_or(0, |claim| claim.have.count()), row.chunks);
            Condition::Partial { held, chunks }
        };
        match &row.path {
            Some(path) if path.exists() => Condition::InPlace,
            Some(_) if self.part(row).is_some_and(|part| part.exists()) => held(),
            Some(_) => Condition::Gone,
            None => match holding {
                Holding::Whole(Form::Open, _) => Condition::Complete,
                Holding::Whole(Form::Sealed, _) => Condition::Vault,
                Holding::Part(..) => held(),
                Holding::Nothing => Condition::Manifest,
            },
        }
    }
}

/// A container as it is written down.
pub(super) fn row(
    manifest: &Manifest,
    path: Option<PathBuf>,
    kept: u64,
    used: u64,
) -> ContainerRow {
    ContainerRow {
        manifest_id: manifest.id(),
        program_id: manifest.program_id(),
        name: manifest.name().to_owned(),
        size: manifest.layout().size(),
        chunks: manifest.layout().chunk_count(),
        path,
        pin: Pin::Loose,
        kept,
        manifest_bytes: 0,
        used,
    }
}

fn is_named(row: &ContainerRow, text: &str) -> bool {
    let begins = |id: String| text.len() >= DIGITS_MIN && id.starts_with(text);
    row.name == text || begins(row.manifest_id.to_string()) || begins(row.program_id.to_string())
}
