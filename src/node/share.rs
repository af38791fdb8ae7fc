//! Serving a container where it lies: at once under its manifest, under its program id once the whole
//! has been hashed.
//!
//! A manifest's chunks can be asked for by whoever knows the manifest, so serving them needs no more
//! than that each is as listed, which every read makes sure of. But to name a manifest to somebody who
//! asks for a program id is to vouch for it, and the flat hash of a container does not commit to a list
//! of chunks (DESIGN section 4): that waits until the whole was held against it, now or on an earlier
//! day (`verdicts`). One file is read at a time, in the background.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::catalog::Entry;
use super::command::Note;
use super::driver::Driver;
use super::error::ShareError;
use super::verdicts::signer;
use crate::chunk::ChunkIndex;
use crate::digest::{ManifestId, ProgramId};
use crate::manifest::Manifest;
use crate::store::{Content, FinishError};
use crate::swarm::{Input, Trust};

/// A container that is served. Dropped, it goes on being served.
#[derive(Debug)]
pub struct Share {
    proof: watch::Receiver<Proof>,
    manifest: Arc<Manifest>,
    path: PathBuf,
}

/// What is known of the manifest of a container that is served where it lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: other files are being read first.
    #[default]
    Unknown,
    /// The whole is being held against it.
    Checking {
        /// Bytes hashed.
        done: u64,
        /// Bytes of the container.
        size: u64,
    },
    /// It is right: the node names it to those who ask for its program id.
    Right,
    /// It is wrong, and the node has stopped serving it.
    Wrong {
        /// What the whole is.
        found: ProgramId,
    },
    /// Chunks of the file are others than it lists, so nothing is known of the whole. They are not
    /// served.
    Damaged {
        /// Chunks that are others.
        lost: u32,
        /// Chunks of the container.
        total: u32,
    },
    /// The file could not be read to its end, for this reason.
    Unreadable(String),
}

impl Share {
    pub(super) fn new(content: &Content, proof: watch::Receiver<Proof>) -> Self {
        Self {
            proof,
            manifest: Arc::clone(content.manifest()),
            path: content.path(),
        }
    }

    /// What is known of the manifest, as it changes.
    pub fn proof(&self) -> watch::Receiver<Proof> {
        self.proof.clone()
    }

    /// Waits until the whole has been held against the manifest: from then on the node names it to
    /// those who ask for its program id.
    pub async fn proven(&mut self) -> Result<(), ShareError> {
        loop {
            let proof = self.proof.borrow_and_update().clone();
            match proof {
                Proof::Right => return Ok(()),
                Proof::Wrong { found } => return Err(poisoned(&self.manifest, found)),
                Proof::Damaged { lost, total } => {
                    let path = self.path.clone();
                    return Err(ShareError::Damaged { path, lost, total });
                }
                Proof::Unreadable(why) => return Err(ShareError::Unreadable(why)),
                Proof::Checking { .. } | Proof::Unknown => {}
            }
            let changed = self.proof.changed().await;
            changed.map_err(|_| ShareError::Stopped)?;
        }
    }
}

fn poisoned(manifest: &Manifest, found: ProgramId) -> ShareError {
    let signer = signer(manifest);
    ShareError::Poisoned {
        manifest_id: manifest.id(),
        signer: signer.map_or_else(|| "nobody".to_owned(), |signer| signer.to_string()),
        claimed: manifest.program_id(),
        found,
    }
}

impl Driver {
    /// Serves a complete file, and finds out about its manifest unless that is known.
    pub(super) fn on_seed(
        &mut self,
        content: Arc<Content>,
        proof: watch::Sender<Proof>,
    ) -> Result<(), ShareError> {
        let id = content.manifest().id();
        self.let_sleep(&id);
        if self.catalog.get(&id).is_some() {
            return Err(ShareError::Already(id));
        }
        if let Some(wrong) = self.verdicts.wrong(&id) {
            return Err(poisoned(content.manifest(), wrong.found));
        }
        let (layout, have) = (content.manifest().layout(), content.have());
        let mut entry = Entry::new(Arc::clone(&content));
        entry.proven = self.verdicts.is_right(&id);
        entry.proof = Some(proof.clone());
        if entry.proven {
            proof.send_replace(Proof::Right);
        } else {
            self.prove(content, proof);
        }
        self.remember(&entry);
        self.catalog.insert(id, entry);
        let trust = Trust::Pinned;
        self.tell(Input::Add {
            id,
            layout,
            have,
            trust,
        });
        self.look_for_twins(id);
        Ok(())
    }

    /// Writes down, in the background, what is shared and where it lies.
    fn remember(&self, entry: &Entry) {
        let (library, manifest) = (self.library.clone(), Arc::clone(entry.manifest()));
        let path = entry.content.path();
        library.in_use.begin(manifest.id());
        tokio::task::spawn_blocking(move || {
            library.lock(manifest.id());
            if let Err(error) = library.admit(&manifest, Some(&path)) {
                tracing::warn!("what is shared is not written down: {error}");
            }
        });
    }

    /// Holds a file against its manifest in the background, when those before it are done.
    pub(super) fn prove(&self, content: Arc<Content>, proof: watch::Sender<Proof>) {
        let (turn, notes) = (Arc::clone(&self.proving), self.notes.clone());
        let runs = Arc::downgrade(&turn);
        let (id, size) = (content.manifest().id(), content.manifest().layout().size());
        tokio::spawn(async move {
            let Ok(turn) = turn.acquire_owned().await else {
                return;
            };
            tokio::task::spawn_blocking(move || {
                let outcome = content.prove(|done| {
                    proof.send_replace(Proof::Checking { done, size });
                    // The turn itself is one holder; without the node it is the only one.
                    runs.strong_count() > 1
                });
                drop(turn);
                // The driver is gone only when the node is.
                let _ = notes.send(Note::Proven { id, proof, outcome });
            });
        });
    }

    /// A file has been held against its manifest.
    pub(super) fn on_proven(
        &mut self,
        id: ManifestId,
        proof: &watch::Sender<Proof>,
        outcome: Result<(), FinishError>,
    ) {
        let Some(entry) = self.catalog.get_mut(&id) else {
            return;
        };
        let found = match outcome {
            Ok(()) => {
                entry.proven = true;
                self.verdicts.on_right(id);
                self.keep_verdicts();
                Proof::Right
            }
            Err(FinishError::WrongWhole { found, .. }) => {
                self.condemn(&id, found);
                // Its file is read by nobody for long.
                drop(self.take_out(&id));
                Proof::Wrong { found }
            }
            Err(FinishError::Rotten { lost, total, .. }) => {
                self.on_damaged(&id);
                Proof::Damaged { lost, total }
            }
            Err(error) => Proof::Unreadable(error.to_string()),
        };
        if found != Proof::Right {
            tracing::warn!(%id, ?found, "a container is not what its manifest says");
        }
        proof.send_replace(found);
    }

    /// Chunks that the core believes to be here are not, as far as the store knows.
    pub(super) fn on_damaged(&mut self, id: &ManifestId) {
        let (Some(entry), Some(believed)) = (self.catalog.get(id), self.swarm.have(id)) else {
            return;
        };
        let lost: Vec<ChunkIndex> = believed.difference(&entry.content.have()).collect();
        let log = Arc::clone(&entry.log);
        for chunk in lost {
            log.withdraw(chunk);
            self.tell(Input::Lost { id: *id, chunk });
        }
    }
}
