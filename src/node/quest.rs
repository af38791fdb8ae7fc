//! One fetch, from a link or a manifest to a finished file: what it wants and how far it is.
//!
//! ```text
//! Finding -> Opening -> Downloading <-> Finishing -> done
//! ```
//!
//! Invariant: while Downloading and Finishing the manifest is known; a quest ends exactly once, with
//! one answer. A manifest that turns out to be wrong leads back to Finding, by way of Opening.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::error::FetchError;
use super::status::FetchStatus;
use super::steer::Course;
use crate::digest::{Address, ManifestId, ProgramId};
use crate::manifest::{Link, Manifest, SignatureState};
use crate::moment::Moment;
use crate::net::SessionKey;
use crate::swarm::{Tally, Trust};

/// What became of attempts, kept for the message when all fail.
const TRIED_MAX: usize = 8;

/// One fetch of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FetchId(pub(super) u64);

/// A container that has been fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Where its bytes are.
    pub path: PathBuf,
    /// What they should be, and are.
    pub manifest: Arc<Manifest>,
    /// Who gave how much of it.
    pub tally: Tally,
}

/// What a fetch is given.
#[derive(Debug)]
pub(super) enum Source {
    /// What the bytes should be.
    Manifest(Arc<Manifest>),
    /// What the manifest should be.
    Link(Link),
}

/// What a manifest must say to be the one that a fetch wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) program_id: ProgramId,
    pub(super) manifest_id: Option<ManifestId>,
    pub(super) address: Option<Address>,
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Finding,
    Opening,
    Downloading,
    Finishing,
}

/// One fetch.
#[derive(Debug)]
pub(super) struct Quest {
    pub(super) want: Want,
    pub(super) manifest: Option<Arc<Manifest>>,
    pub(super) stage: Stage,
    pub(super) output: Option<PathBuf>,
    /// How long to go on while no peer is of any use.
    pub(super) patience: Duration,
    /// How to go about it.
    pub(super) course: Course,
    /// When a peer was last of use.
    pub(super) useful_at: Moment,
    /// Sessions that have been asked for a manifest and may still answer.
    pub(super) asked: BTreeSet<SessionKey>,
    /// Manifests that turned out not to be what is wanted.
    pub(super) rejected: BTreeSet<ManifestId>,
    /// Why the store stopped the download, in words, and whether the disk is full.
    pub(super) write_error: Option<(String, bool)>,
    pub(super) status: watch::Sender<FetchStatus>,
    tried: VecDeque<String>,
    refusals: u32,
    /// Why the last manifest was rejected, if one was.
    rejection: Option<FetchError>,
    done: oneshot::Sender<Result<Fetched, FetchError>>,
}

impl Want {
    /// What a source pins down.
    pub(super) fn of(source: &Source) -> Self {
        match source {
            Source::Manifest(manifest) => Self {
                program_id: manifest.program_id(),
                manifest_id: Some(manifest.id()),
                address: Some(manifest.address()),
            },
            Source::Link(link) => Self {
                program_id: link.program_id,
                manifest_id: link.manifest_id,
                address: link.address,
            },
        }
    }

    /// What is known of a manifest that passed [`check`](Self::check).
    pub(super) fn trust(&self) -> Trust {
        if self.manifest_id.is_some() || self.address.is_some() {
            Trust::Pinned
        } else {
            Trust::Claimed
        }
    }

    /// Whether this manifest is the one. Where the link does not name it, the owner's signature has
    /// to vouch for the list of chunks (DESIGN section 4).
    pub(super) fn check(&self, manifest: &Manifest) -> Result<(), String> {
        if manifest.program_id() != self.program_id {
            return Err(format!("it describes container {}", manifest.program_id()));
        }
        if self.manifest_id.is_some_and(|id| id != manifest.id()) {
            return Err(format!("it is manifest {}", manifest.id()));
        }
        let Some(address) = self.address else {
            return Ok(());
        };
        if manifest.address() != address {
            return Err(format!(
                "its owner is {}, expected {address}",
                manifest.address()
            ));
        }
        let unsigned = matches!(manifest.signature(), SignatureState::Unsigned);
        if self.manifest_id.is_none() && unsigned {
            return Err("it is not signed by its owner".to_owned());
        }
        Ok(())
    }
}

impl Quest {
    pub(super) fn new(
        now: Moment,
        want: Want,
        output: Option<PathBuf>,
        patience: Duration,
        course: Course,
        status: watch::Sender<FetchStatus>,
        done: oneshot::Sender<Result<Fetched, FetchError>>,
    ) -> Self {
        Self {
            want,
            manifest: None,
            stage: Stage::Finding,
            output,
            patience,
            course,
            useful_at: now,
            asked: BTreeSet::new(),
            rejected: BTreeSet::new(),
            write_error: None,
            status,
            tried: VecDeque::new(),
            refusals: 0,
            rejection: None,
            done,
        }
    }

    /// The manifest that the fetch is about, once known.
    pub(super) fn manifest_id(&self) -> Option<ManifestId> {
        self.manifest
            .as_ref()
            .map(|manifest| manifest.id())
            .or(self.want.manifest_id)
    }

    /// Whether there is a place for its bytes, and a container in the catalog for them.
    pub(super) fn has_bytes(&self) -> bool {
        matches!(self.stage, Stage::Downloading | Stage::Finishing)
    }

    /// Its manifest is wrong and it has to find another, once its file is closed.
    pub(super) fn on_rejected(&mut self, id: ManifestId, why: FetchError) {
        self.stage = Stage::Opening;
        self.manifest = None;
        self.rejected.insert(id);
        self.asked.clear();
        self.rejection = Some(why);
    }

    /// An attempt came to nothing.
    pub(super) fn on_failed_attempt(&mut self, what: String) {
        if self.tried.back() != Some(&what) {
            self.tried.push_back(what);
        }
        if self.tried.len() > TRIED_MAX {
            self.tried.pop_front();
        }
    }

    /// A peer was somebody else than expected.
    pub(super) fn on_refused_identity(&mut self, what: String) {
        self.refusals += 1;
        self.on_failed_attempt(what);
    }

    /// Why to give up, if it is time: nobody is left but impostors, or nobody was of use for long.
    /// A manifest that was rejected says more than that no better one was found.
    pub(super) fn verdict(&mut self, now: Moment, all_failed: bool) -> Option<FetchError> {
        let waited = now.since(self.useful_at);
        if all_failed && self.refusals > 0 && self.refusals as usize >= self.tried.len() {
            return self.tried.back().cloned().map(FetchError::Identity);
        }
        let nobody = || FetchError::NoPeers {
            waited_s: waited.as_secs(),
            tried: self.tried.iter().cloned().collect(),
        };
        (waited >= self.patience).then(|| self.rejection.take().unwrap_or_else(nobody))
    }

    /// Whether the one who waits for the fetch has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.done.is_closed()
    }

    /// Ends the fetch.
    pub(super) fn finish(self, outcome: Result<Fetched, FetchError>) {
        // Whoever waited may have gone; then nobody minds.
        let _ = self.done.send(outcome);
    }
}
