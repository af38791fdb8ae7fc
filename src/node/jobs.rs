//! Downloads that are not done, of this process and of others: what was asked for is written down when a
//! fetch begins, and goes when it has been fetched. So one that was interrupted can be gone on with by who
//! remembers nothing of it.
//!
//! Whether a download is under way is told by a lock, which dies with its process. Of one container to one
//! place there is one job; a second process that tries the same leaves the row to the first.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::unix_time;
use super::config::PeerHint;
use super::error::FetchError;
use super::library::{Known, Library, LibraryError};
use super::quest::{Fetched, Source};
use super::steer::Course;
use crate::digest::{Digest, ManifestId, ProgramId};
use crate::manifest::{Link, Manifest};
use crate::store::{Alone, Form, JobRow, OpenError, State};
use crate::swarm::{Order, Rates};

/// How often a lock is tried that somebody may just be looking at.
const LOOKS: usize = 5;
/// How long it is waited in between.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A download that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    id: Digest,
    /// What is fetched.
    pub link: Link,
    /// Where to; without it into the node's own folder.
    pub output: Option<PathBuf>,
    /// More peers to ask.
    pub peers: Vec<PeerHint>,
    /// How long to go on while no peer is of any use.
    pub patience: Duration,
    /// In which order to ask for its chunks.
    pub order: Order,
    /// Its own limits in bytes per second.
    pub rates: Rates,
    /// Whether it is kept in the open or in the vault.
    pub form: Form,
    /// When it was asked for first, in seconds since 1970.
    pub begun: u64,
    /// How it stands.
    pub state: JobState,
}

/// How a download stands that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// A process is fetching it.
    Running,
    /// A process waits to go on with it, for this reason.
    Waiting(String),
    /// Nobody fetches it: whoever did was stopped.
    Interrupted,
    /// Nobody fetches it, for this reason.
    Failed(String),
}

/// What a fetch has written down of itself.
#[derive(Debug, Clone)]
pub(super) struct OwnJob {
    id: Digest,
    state: State,
    held: Arc<Mutex<Held>>,
}

/// Whether the job is this fetch's.
#[derive(Debug)]
enum Held {
    NotYet,
    /// It is, for as long as this is there.
    Ours {
        _lock: Option<Alone>,
    },
    Anothers,
    Ended,
}

impl Job {
    /// The manifest that was named, if the node has kept a copy of it: so that nobody needs to be asked
    /// for it.
    pub fn manifest(&self, library: &Library) -> Option<Manifest> {
        library.folders.load_manifest(self.link.manifest_id?).ok()?
    }

    fn of(row: JobRow, is_running: bool) -> Option<Self> {
        let state = match (is_running, row.why) {
            (true, None) => JobState::Running,
            (true, Some(why)) => JobState::Waiting(why),
            (false, None) => JobState::Interrupted,
            (false, Some(why)) => JobState::Failed(why),
        };
        let peers = row.peers.split_whitespace().map(str::parse);
        Some(Self {
            id: row.id,
            link: row.link.parse().ok()?,
            output: row.output,
            peers: peers.collect::<Result<_, _>>().ok()?,
            patience: Duration::from_secs(row.patience_s),
            order: ORDERS.iter().find(|it| it.1 == row.chunk_order)?.0,
            rates: Rates {
                up: row.up,
                down: row.down,
            },
            form: if row.sealed { Form::Sealed } else { Form::Open },
            begun: row.begun,
            state,
        })
    }

    /// Whether somebody is at it.
    pub const fn is_running(&self) -> bool {
        match self.state {
            JobState::Running | JobState::Waiting(_) => true,
            JobState::Interrupted | JobState::Failed(_) => false,
        }
    }

    /// Whether it is a download of this container, to where the library has it.
    pub fn is_of(&self, known: &Known) -> bool {
        self.link.program_id == known.program_id
            && self
                .link
                .manifest_id
                .is_none_or(|id| id == known.manifest_id)
    }
}

/// How orders are written down.
const ORDERS: [(Order, &str); 3] = [
    (Order::Rarest, "rarest"),
    (Order::Sequential, "sequential"),
    (Order::Sections, "sections"),
];

impl Library {
    /// Downloads that are not done, the one that was begun first first. What this version cannot read is
    /// left out.
    pub fn jobs(&self) -> Result<Vec<Job>, LibraryError> {
        let rows = self.state.jobs()?.into_iter();
        let jobs = rows.filter_map(|row| {
            let is_running = self.folders.is_alone(row.id);
            Job::of(row, is_running)
        });
        Ok(jobs.collect())
    }

    /// Forgets a download that nobody is at. What it has fetched stays.
    pub fn forget_job(&self, job: &Job) -> Result<(), LibraryError> {
        self.state.kept()?;
        if job.is_running() {
            let name = job.link.name.clone().unwrap_or_default();
            return Err(LibraryError::InUse { name });
        }
        self.state.drop_job(job.id);
        Ok(())
    }
}

impl OwnJob {
    /// Writes down a fetch, in the background.
    pub(super) fn begin(library: &Library, asked: JobRow) -> Self {
        let job = Self {
            id: asked.id,
            state: library.state.clone(),
            held: Arc::new(Mutex::new(Held::NotYet)),
        };
        let (own, library) = (job.clone(), library.clone());
        tokio::task::spawn_blocking(move || {
            let mut held = own.held();
            if matches!(*held, Held::NotYet) {
                *held = lock(&library, own.id);
                if let Held::Ours { .. } = *held {
                    own.state.keep_job(asked);
                }
            }
        });
        job
    }

    /// Says what it waits for, in the background.
    pub(super) fn note(&self, why: Option<String>) {
        let own = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Held::Ours { .. } = *own.held() {
                own.state.note_job(own.id, why);
            }
        });
    }

    /// The fetch has ended. Blocks for a moment.
    pub(super) fn end(&self, outcome: &Result<Fetched, FetchError>) {
        let mut held = self.held();
        if let Held::Ours { .. } = *held {
            match outcome {
                Ok(_) => self.state.drop_job(self.id),
                Err(error) if is_for_good(error) => self.state.drop_job(self.id),
                Err(FetchError::Cancelled { .. } | FetchError::Stopped) => {
                    self.state.note_job(self.id, None);
                }
                Err(error) => self.state.note_job(self.id, Some(error.to_string())),
            }
        }
        *held = Held::Ended;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // it is replaced whole
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked for, as it is written down.
pub(super) fn asked(
    source: &Source,
    output: Option<&Path>,
    (peers, patience): (&[PeerHint], Duration),
    course: &Course,
    form: Form,
) -> JobRow {
    let link = match source {
        Source::Link(link) => link.clone(),
        Source::Manifest(manifest) => Link::of(manifest, []),
    };
    let output = output.and_then(|path| std::path::absolute(path).ok());
    let (order, rates) = (course.order(), course.rates());
    let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
    let order = ORDERS.iter().find(|it| it.0 == order);
    JobRow {
        id: id_of(link.program_id, link.manifest_id, output.as_deref()),
        link: link.to_string(),
        peers: peers.join(" "),
        chunk_order: order.map_or(ORDERS[0].1, |it| it.1).to_owned(),
        up: rates.up,
        down: rates.down,
        patience_s: patience.as_secs(),
        sealed: form == Form::Sealed && output.is_none(),
        output,
        begun: unix_time(),
        why: None,
    }
}

/// By which a job is known: what is fetched, and where to.
fn id_of(program_id: ProgramId, manifest_id: Option<ManifestId>, output: Option<&Path>) -> Digest {
    let manifest = manifest_id.map_or_else(String::new, |id| id.to_string());
    let mut text = format!("job {program_id} {manifest} ").into_bytes();
    text.extend(output.map_or(&[][..], |path| path.as_os_str().as_encoded_bytes()));
    Digest::of(&text)
}

fn lock(library: &Library, id: Digest) -> Held {
    for _ in 0..LOOKS {
        match library.folders.alone(id) {
            Ok(Some(alone)) => return Held::Ours { _lock: Some(alone) },
            Ok(None) => std::thread::sleep(LOOK_AGAIN),
            Err(error) => {
                tracing::warn!(%error, "others do not see that it is being fetched");
                return Held::Ours { _lock: None };
            }
        }
    }
    Held::Anothers
}

/// Whether going on would come to the same.
fn is_for_good(error: &FetchError) -> bool {
    matches!(
        error,
        FetchError::Poisoned { .. }
            | FetchError::NoneRight { .. }
            | FetchError::NobodyToAsk
            | FetchError::Already(_)
            | FetchError::Room(_)
            | FetchError::Open(OpenError::AlreadyThere { .. } | OpenError::InUse { .. })
    )
}
