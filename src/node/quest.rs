//! One fetch, from a link or a manifest to a finished file: what it wants and how far it is.
//!
//! ```text
//! Finding -> Opening -> Downloading <-> Finishing -> done
//! ```
//!
//! Invariant: while Downloading and Finishing the manifest is known; a quest ends exactly once, with
//! one answer. A manifest that turns out to be wrong leads back to Finding, by way of Opening, until
//! [`ATTEMPTS_MAX`] have cost something.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::ballot::Ballot;
use super::block::Block;
use super::error::FetchError;
use super::jobs::OwnJob;
use super::status::{FetchStatus, Reached};
use super::steer::Course;
use crate::chunk::Bitfield;
use crate::digest::{Address, ManifestId, ProgramId};
use crate::manifest::{Link, Manifest, SignatureState};
use crate::moment::Moment;
use crate::net::SessionKey;
use crate::store::Form;
use crate::swarm::{Tally, Trust};

/// What became of attempts, kept for the message when all fail.
const TRIED_MAX: usize = 8;
/// Manifests of which chunks were fetched and that came to nothing, before a fetch gives up: poisoned
/// manifests waste at most this many times the container's size.
const ATTEMPTS_MAX: usize = 3;
/// How long a manifest that may be a lie may bring nothing while there is another to try; less where
/// the fetch has less than twice this patience.
const STALL_MAX: Duration = Duration::from_secs(15);

/// One fetch of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FetchId(pub(super) u64);

/// A container that has been fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Where its bytes are.
    pub path: PathBuf,
    /// In which form they are there.
    pub form: Form,
    /// What they should be, and are.
    pub manifest: Arc<Manifest>,
    /// Who gave how much of it.
    pub tally: Tally,
    /// How those who gave of it, and are still connected, were reached.
    pub paths: Vec<Reached>,
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

/// What the download of a manifest brought that came to nothing.
#[derive(Debug, Clone)]
pub(super) struct Leftover {
    pub(super) manifest: Arc<Manifest>,
    pub(super) held: Bitfield,
}

/// What a manifest cost that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    Nothing,
    /// Chunks were fetched for it.
    Chunks,
}

/// Why a chunk was not written.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// In words.
    pub(super) reason: String,
    /// Whether room on the disk is what is missing.
    pub(super) disk_full: bool,
    /// Whether it may pass.
    pub(super) may_pass: bool,
}

impl Unwritten {
    /// Nobody said why.
    pub(super) fn unknown() -> Self {
        Self {
            reason: "E-IO: a chunk could not be stored".to_owned(),
            disk_full: false,
            may_pass: false,
        }
    }
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
    /// Manifests that others offer, where the link does not name the one.
    pub(super) ballot: Ballot,
    /// What earlier manifests brought, for the next one to take over; the latest last.
    pub(super) leftovers: Vec<Leftover>,
    /// When bytes of a chunk last came in.
    pub(super) progress_at: Moment,
    /// Why the store stopped the download.
    pub(super) write_error: Option<Unwritten>,
    /// Whether its bytes can be written.
    pub(super) block: Block,
    pub(super) status: watch::Sender<FetchStatus>,
    /// What is written down of it.
    pub(super) job: Option<OwnJob>,
    tried: VecDeque<String>,
    refusals: u32,
    /// Why manifests were rejected, and how many of them cost something.
    rejections: Vec<FetchError>,
    attempts: usize,
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
            block: Block::new(course.disk_retry()),
            course,
            useful_at: now,
            asked: BTreeSet::new(),
            ballot: Ballot::default(),
            leftovers: Vec::new(),
            progress_at: now,
            write_error: None,
            status,
            job: None,
            tried: VecDeque::new(),
            refusals: 0,
            rejections: Vec::new(),
            attempts: 0,
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

    /// Its manifest came to nothing and it has to find another, once its file is closed. `cost` says
    /// whether chunks were fetched for it. Returns why to give up instead, if it is time.
    pub(super) fn on_rejected(&mut self, why: FetchError, cost: Cost) -> Option<FetchError> {
        self.stage = Stage::Opening;
        self.manifest = None;
        self.asked.clear();
        self.attempts += usize::from(cost == Cost::Chunks);
        self.rejections.push(why);
        if self.rejections.len() > TRIED_MAX {
            self.rejections.remove(0);
        }
        (self.attempts >= ATTEMPTS_MAX)
            .then(|| self.why_rejected())
            .flatten()
    }

    /// What to say of the manifests that were rejected, if there were any.
    fn why_rejected(&mut self) -> Option<FetchError> {
        let stalled = |error: &FetchError| matches!(error, FetchError::Stalled { .. });
        if self.rejections.iter().all(stalled) {
            return None;
        }
        let mut rejections = std::mem::take(&mut self.rejections);
        match rejections.len() {
            1 => rejections.pop(),
            _ => Some(FetchError::NoneRight {
                program_id: self.want.program_id,
                rejections,
            }),
        }
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
        let tried = self.tried.iter().cloned().collect();
        let nobody = || FetchError::NoPeers {
            waited_s: waited.as_secs(),
            tried,
        };
        (waited >= self.patience).then(|| self.why_rejected().unwrap_or_else(nobody))
    }

    /// Whether a manifest that may be a lie brings nothing while there is another to try.
    pub(super) fn is_stalled(&self, now: Moment) -> bool {
        let patience = STALL_MAX.min(self.patience / 2);
        let other = |id| self.ballot.has_other(&id);
        self.stage == Stage::Downloading
            && self.want.trust() == Trust::Claimed
            && now.since(self.progress_at) >= patience
            && self.manifest_id().is_some_and(other)
    }

    /// Whether the one who waits for the fetch has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.done.is_closed()
    }

    /// Ends the fetch, away from the network thread.
    pub(super) fn finish_aside(self, outcome: Result<Fetched, FetchError>) {
        tokio::task::spawn_blocking(move || self.finish(outcome));
    }

    /// Ends the fetch. Blocks for a moment.
    pub(super) fn finish(self, outcome: Result<Fetched, FetchError>) {
        if let Some(job) = &self.job {
            job.end(&outcome);
        }
        // Whoever waited may have gone; then nobody minds.
        let _ = self.done.send(outcome);
    }
}
