//! The thread that owns the connection, and the queue before it.
//!
//! Jobs are done in the order in which they came. Those that wait together are one transaction, which
//! is as durable as the most demanding of them; one that fails is undone alone (a savepoint). Who waits
//! hears after the commit.

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};

use super::error::{StateError, Trouble};
use super::open::{Database, is_damage};

/// Jobs that may wait. Who brings one more waits too.
const QUEUE_MAX: usize = 256;
/// Jobs of one transaction, so that others get their turn.
const BATCH_MAX: usize = 64;

/// What a job needs of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// It only reads.
    Nothing,
    /// A loss of power may undo it, and what came after it, but never leave half of it.
    Ordered,
    /// When it is done a loss of power does not undo it.
    Full,
}

/// The thread. Dropped, it finishes what is queued and closes the file.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    state: Mutex<Health>,
}

/// Why the state is not in its file, and what nobody has asked for yet.
#[derive(Debug, Default)]
struct Health {
    not_kept: Option<Trouble>,
    untold: Vec<Trouble>,
}

struct Job {
    durability: Durability,
    work: Box<dyn FnOnce(&Connection) -> Outcome + Send>,
    /// Tells who waits, if anybody does.
    tell: Box<dyn FnOnce(Result<(), StateError>) + Send>,
}

/// What came of a job's own statements.
struct Outcome(Result<(), rusqlite::Error>);

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Writer").field(&self.shared.path).finish()
    }
}

impl Writer {
    /// Starts the thread. Without one, every call says that the state is closed.
    pub(super) fn start(database: Database, trouble: Option<Trouble>) -> Self {
        let shared = Arc::new(Shared {
            path: database.path.clone(),
            state: Mutex::default(),
        });
        shared.note(trouble);
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("swarmhold-state".to_owned())
            .spawn(move || work_off(database, &queue, &seen));
        Self {
            jobs: thread.is_ok().then_some(jobs),
            thread: thread.ok(),
            shared,
        }
    }

    /// Has a job done and waits for it.
    pub(super) fn call<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        let (reply, answer) = sync_channel(1);
        let found = Arc::new(Mutex::new(None));
        let found_here = Arc::clone(&found);
        self.submit(Job {
            durability,
            work: Box::new(move |connection| {
                let outcome = work(connection).map(|value| *lock(&found_here) = Some(value));
                Outcome(outcome)
            }),
            tell: Box::new(move |outcome| {
                // whoever asked waits for it
                let _ = reply.send(outcome);
            }),
        })?;
        answer.recv().map_err(|_| StateError::Closed)??;
        lock(&found).take().ok_or(StateError::Closed)
    }

    /// Has a job done in its turn and does not wait. That it failed is told with the troubles.
    pub(super) fn post(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        let job = Job {
            durability,
            work: Box::new(move |connection| Outcome(work(connection))),
            tell: Box::new(move |outcome| shared.on_lost(outcome)),
        };
        // a state that is closed keeps nothing
        let _ = self.submit(job);
    }

    pub(super) fn troubles(&self) -> Vec<Trouble> {
        std::mem::take(&mut self.shared.lock().untold)
    }

    pub(super) fn kept(&self) -> Result<(), StateError> {
        let not_kept = self.shared.lock().not_kept.clone();
        not_kept.map_or(Ok(()), |trouble| Err(StateError::NotKept(trouble)))
    }

    fn submit(&self, job: Job) -> Result<(), StateError> {
        let jobs = self.jobs.as_ref().ok_or(StateError::Closed)?;
        jobs.send(job).map_err(|_| StateError::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // one that panicked has printed why
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Health> {
        lock(&self.state)
    }

    fn note(&self, trouble: Option<Trouble>) {
        let Some(trouble) = trouble else {
            return;
        };
        let mut health = self.lock();
        health.not_kept = Some(trouble.clone()).filter(|trouble| !trouble.is_over());
        health.untold.push(trouble);
    }

    /// Something was not written that nobody waits for. Told once until somebody listens.
    fn on_lost(&self, outcome: Result<(), StateError>) {
        let Err(error) = outcome else {
            return;
        };
        let mut health = self.lock();
        if health.untold.is_empty() {
            let (path, why) = (self.path.clone(), error.to_string());
            health.untold.push(Trouble::Lost { path, why });
        }
    }
}

fn work_off(mut database: Database, queue: &Receiver<Job>, shared: &Shared) {
    while let Ok(first) = queue.recv() {
        let waiting = queue.try_iter().take(BATCH_MAX - 1);
        let batch: Vec<Job> = std::iter::once(first).chain(waiting).collect();
        let (told, damage) = commit(&database, batch);
        if let Some(why) = damage {
            let (reopened, trouble) = database.reopened(why);
            shared.note(trouble);
            database = reopened;
        }
        told.into_iter().for_each(Told::tell);
    }
    database.close();
}

/// What one job's owner is to be told.
struct Told {
    tell: Box<dyn FnOnce(Result<(), StateError>) + Send>,
    outcome: Result<(), StateError>,
}

impl Told {
    fn tell(self) {
        (self.tell)(self.outcome);
    }
}

/// Does jobs as one transaction. Returns what to say to whom, and what is wrong with the file, if it is
/// damaged.
fn commit(database: &Database, batch: Vec<Job>) -> (Vec<Told>, Option<String>) {
    let connection = &database.connection;
    let need = batch.iter().map(|job| job.durability).max();
    let need = need.unwrap_or(Durability::Nothing);
    let (mut damage, mut told) = (None, Vec::new());
    let mut failed = |error: rusqlite::Error| {
        if is_damage(&error) {
            damage = Some(error.to_string());
        }
        described(error, &database.path)
    };
    let mut whole = begin(connection, need).map_err(&mut failed);
    for Job { work, tell, .. } in batch {
        let outcome = match &whole {
            Ok(()) => alone(connection, work).map_err(&mut failed),
            Err(_) => Ok(()),
        };
        told.push(Told { tell, outcome });
    }
    if whole.is_ok() {
        whole = connection.execute_batch("COMMIT").map_err(&mut failed);
        if whole.is_err() {
            // the error that matters is the one before
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
    if let Err(error) = &whole {
        for Told { outcome, .. } in &mut told {
            *outcome = again(error);
        }
    }
    (told, damage)
}

/// The error of a transaction, once more, for each job of it.
fn again(error: &StateError) -> Result<(), StateError> {
    Err(match error {
        StateError::Busy { path } => StateError::Busy { path: path.clone() },
        StateError::Sqlite {
            path,
            source: rusqlite::Error::SqliteFailure(code, text),
        } => StateError::Sqlite {
            path: path.clone(),
            source: rusqlite::Error::SqliteFailure(*code, text.clone()),
        },
        StateError::NotKept(trouble) => StateError::NotKept(trouble.clone()),
        StateError::Sqlite { .. } | StateError::Closed => StateError::Closed,
    })
}

fn begin(connection: &Connection, need: Durability) -> rusqlite::Result<()> {
    connection.execute_batch(match need {
        Durability::Nothing => "BEGIN",
        Durability::Ordered => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
        Durability::Full => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
    })
}

/// Does one job of a transaction, or none of it.
fn alone(
    connection: &Connection,
    work: Box<dyn FnOnce(&Connection) -> Outcome + Send>,
) -> rusqlite::Result<()> {
    connection.execute_batch("SAVEPOINT job")?;
    let Outcome(outcome) = work(connection);
    if outcome.is_err() {
        connection.execute_batch("ROLLBACK TO job")?;
    }
    connection.execute_batch("RELEASE job")?;
    outcome
}

fn described(source: rusqlite::Error, path: &std::path::Path) -> StateError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StateError::Busy { path },
        _ => StateError::Sqlite { path, source },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // what is changed under it is replaced whole
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
