//! The threads that do a master's work, and the bounded queues before them.
//!
//! What is asked waits in a queue or is turned away at once: a queue that is full says that the master
//! has more to do than it can, and so does a question that has waited for a second. Changes are written in
//! batches: whatever comes within a few milliseconds is one transaction.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use super::claims::ClaimId;
use super::recent::Recent;
use super::told;
use crate::chunk::ChunkIndex;
use crate::digest::{Address, ManifestId};
use crate::index::{Facts, Query, Random, Seat, choose, is_signed};
use crate::limits::HOLDERS_TOLD_MAX;
use crate::manifest::{Manifest, VerifiedChunk};
use crate::moment::Moment;
use crate::net::{Answer, Responder};
use crate::node::clock::{Clock, unix_time};
use crate::node::error::StartError;
use crate::store::index::{Change, IndexError, IndexExtent, IndexPlace, IndexStore, Outcome, Stop};
use crate::wire::{Extent, Refusal, Registration, Rejection, Reply, Search, Wanted};

/// Threads that read the index.
const READERS: usize = 2;
/// Questions that may wait.
const QUESTIONS_MAX: usize = 512;
/// Signatures, manifests and chunks that may wait to be checked.
const CHECKS_MAX: usize = 1024;
/// Changes that may wait to be written.
const CHANGES_MAX: usize = 2048;
/// Changes of one transaction.
const BATCH_MAX: usize = 256;
/// How long a transaction waits for more.
const GATHER: Duration = Duration::from_millis(4);
/// How long a question may have waited and still be worth answering.
const STALE: Duration = Duration::from_secs(1);
/// How long one search may take.
const SEARCH_TIME_MAX: Duration = Duration::from_millis(50);

/// The threads. Dropped, they finish what is queued.
#[derive(Debug)]
pub(super) struct Desk {
    questions: Option<SyncSender<Question>>,
    checks: Option<SyncSender<Check>>,
    changes: Option<SyncSender<Written>>,
    threads: Vec<JoinHandle<()>>,
}

/// A question to the index.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) asker: Seat,
    pub(super) at: Moment,
    /// A random number.
    pub(super) seed: u64,
    pub(super) what: Asked,
    pub(super) responder: Responder,
}

/// What is asked.
#[derive(Debug)]
pub(super) enum Asked {
    Holders { wanted: Wanted, limit: u8 },
    Search(Search),
}

/// Something to check.
#[derive(Debug)]
pub(super) enum Check {
    Signature {
        claim: ClaimId,
        registration: Box<Registration>,
        who: Address,
    },
    Manifest {
        claim: ClaimId,
        id: ManifestId,
        bytes: Bytes,
    },
    Chunk {
        claim: ClaimId,
        manifest: Arc<Manifest>,
        index: ChunkIndex,
        bytes: Bytes,
    },
}

/// A change, and who waits for it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) change: Change,
    pub(super) waiting: Waiting,
}

/// Who waits for a change.
#[derive(Debug)]
pub(super) enum Waiting {
    Nobody,
    Claim(ClaimId),
    Withdrawal(Responder),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    /// Say this.
    Answer(Responder, Answer, Answered),
    /// A signature is good, or not.
    Signed(ClaimId, Result<(), Rejection>),
    /// A manifest is the one that was asked for, or not.
    Parsed(ClaimId, Result<Arc<Manifest>, Rejection>),
    /// A chunk is right, or not.
    Proven(ClaimId, Result<(), Rejection>),
    /// What was to be listed is written, or could not be.
    Listed(ClaimId, Option<Outcome>),
    /// How much the index holds.
    Extent(IndexExtent),
}

/// How a question went, for the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    Holders,
    Search(Extent),
    Busy,
    Other,
}

impl Desk {
    /// Opens the index and starts the threads.
    pub(super) fn open(
        place: &IndexPlace,
        clock: Clock,
        done: &UnboundedSender<Done>,
    ) -> Result<Self, StartError> {
        let mut writer = on_a_thread(|| place.open_to_write())?;
        on_a_thread(|| writer.write(unix_time(), &[Change::Revive]))?;
        let (questions, asked) = sync_channel(QUESTIONS_MAX);
        let (checks, unchecked) = sync_channel(CHECKS_MAX);
        let (changes, unwritten) = sync_channel(CHANGES_MAX);
        let (asked, recent) = (Arc::new(Mutex::new(asked)), Arc::new(Recent::new()));
        let mut threads = Vec::new();
        let mut spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(format!("swarmhold-{name}"));
            thread.spawn(work).map(|thread| threads.push(thread))
        };
        for reader in 0..READERS {
            let (index, asked) = (on_a_thread(|| place.open_to_read())?, Arc::clone(&asked));
            let (recent, done) = (Arc::clone(&recent), done.clone());
            let work = move || answer_all(index, &asked, &recent, clock, &done);
            spawn(&format!("index-{reader}"), Box::new(work))?;
        }
        let told = done.clone();
        spawn(
            "index-w",
            Box::new(move || write_all(writer, &unwritten, &told)),
        )?;
        let told = done.clone();
        spawn("check", Box::new(move || check_all(&unchecked, &told)))?;
        Ok(Self {
            questions: Some(questions),
            checks: Some(checks),
            changes: Some(changes),
            threads,
        })
    }

    /// Takes a question, or gives it back.
    pub(super) fn ask(&self, question: Question) -> Result<(), Box<Question>> {
        hand_in(self.questions.as_ref(), question)
    }

    /// Takes something to check, or gives it back.
    pub(super) fn check(&self, check: Check) -> Result<(), Box<Check>> {
        hand_in(self.checks.as_ref(), check)
    }

    /// Takes a change, or gives it back.
    pub(super) fn write(&self, change: Written) -> Result<(), Box<Written>> {
        hand_in(self.changes.as_ref(), change)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        (self.questions, self.checks, self.changes) = (None, None, None);
        for thread in self.threads.drain(..) {
            // one that panicked has printed why
            let _ = thread.join();
        }
    }
}

/// Does something on another thread and waits for it: an engine may have a runtime of its own, which cannot run
/// within this one.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn hand_in<T>(queue: Option<&SyncSender<T>>, item: T) -> Result<(), Box<T>> {
    let Some(queue) = queue else {
        return Err(Box::new(item));
    };
    queue.try_send(item).map_err(|error| match error {
        TrySendError::Full(item) | TrySendError::Disconnected(item) => Box::new(item),
    })
}

fn answer_all(
    mut index: Box<dyn IndexStore>,
    asked: &Mutex<Receiver<Question>>,
    recent: &Recent,
    clock: Clock,
    done: &UnboundedSender<Done>,
) {
    loop {
        let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(question) = next else {
            return;
        };
        let (answer, answered) = match clock.now().since(question.at) > STALE {
            true => (busy(question.seed), Answered::Busy),
            false => answer(index.as_mut(), recent, clock, &question),
        };
        // The driver is gone only when the master is.
        let _ = done.send(Done::Answer(question.responder, answer, answered));
    }
}

/// "Not now": come back in half a second to a second and a half, not all at once.
pub(super) fn busy(seed: u64) -> Answer {
    let spread = u32::try_from(seed % 1000).unwrap_or(0);
    Answer::Header(Reply::Busy {
        retry_after_ms: 500 + spread,
    })
}

fn answer(
    index: &mut dyn IndexStore,
    recent: &Recent,
    clock: Clock,
    question: &Question,
) -> (Answer, Answered) {
    let outcome = match &question.what {
        Asked::Holders { wanted, limit } => name_holders(index, question, *wanted, *limit),
        Asked::Search(search) => find(index, recent, clock, search),
    };
    outcome.unwrap_or_else(|error| {
        tracing::warn!(%error, "a question could not be answered");
        (Answer::Refuse(Refusal::Unavailable), Answered::Other)
    })
}

fn name_holders(
    index: &mut dyn IndexStore,
    question: &Question,
    wanted: Wanted,
    limit: u8,
) -> Result<(Answer, Answered), IndexError> {
    let mut random = Random::new(question.seed);
    let mut listed = index.holders(unix_time(), wanted, random.draw())?;
    listed.retain(|it| it.seat != question.asker);
    let candidates: Vec<_> = listed.iter().map(|it| it.candidate).collect();
    let count = usize::from(limit).clamp(1, HOLDERS_TOLD_MAX);
    let chosen = choose(&candidates, count, || random.draw());
    let told = |at: usize| told::holder(listed.get(at)?, question.asker.remote);
    let holders = chosen.into_iter().filter_map(told).collect();
    Ok((Answer::Header(Reply::Holders(holders)), Answered::Holders))
}

fn find(
    index: &mut dyn IndexStore,
    recent: &Recent,
    clock: Clock,
    search: &Search,
) -> Result<(Answer, Answered), IndexError> {
    let began = clock.now();
    if let Some(listing) = recent.get(began, search) {
        let extent = Extent::Whole;
        return Ok((Answer::Found(extent, listing), Answered::Search(extent)));
    }
    let Ok(query) = Query::read(search) else {
        let reply = Reply::Rejected(Rejection::Query);
        return Ok((Answer::Header(reply), Answered::Other));
    };
    let stop = Stop::when(move || clock.now().since(began) > SEARCH_TIME_MAX);
    let (extent, hits) = index.search(&query, stop)?;
    let answer = Answer::found(extent, hits);
    // what ran out of time is asked again
    if let Answer::Found(Extent::Whole, listing) = &answer {
        recent.put(clock.now(), search, listing.clone());
    }
    Ok((answer, Answered::Search(extent)))
}

fn check_all(unchecked: &Receiver<Check>, done: &UnboundedSender<Done>) {
    while let Ok(check) = unchecked.recv() {
        let checked = match check {
            Check::Signature {
                claim,
                registration,
                who,
            } => Done::Signed(claim, is_signed(&registration, who)),
            Check::Manifest { claim, id, bytes } => {
                let manifest = Manifest::parse(&bytes).ok().filter(|it| it.id() == id);
                Done::Parsed(claim, manifest.map(Arc::new).ok_or(Rejection::Manifest))
            }
            Check::Chunk {
                claim,
                manifest,
                index,
                bytes,
            } => {
                let verified = VerifiedChunk::verify(&manifest, index, bytes);
                let outcome = verified.map(|_| ()).map_err(|_| Rejection::Unproven);
                Done::Proven(claim, outcome)
            }
        };
        // As above.
        let _ = done.send(checked);
    }
}

fn write_all(
    mut index: Box<dyn IndexStore>,
    unwritten: &Receiver<Written>,
    done: &UnboundedSender<Done>,
) {
    while let Ok(first) = unwritten.recv() {
        let batch = gather(first, unwritten);
        let (changes, waiting): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|it| (it.change, it.waiting)).unzip();
        let sweeps = changes.iter().any(|it| matches!(it, Change::Sweep { .. }));
        let now = unix_time();
        let outcomes = match index.write(now, &changes) {
            Ok(outcomes) => outcomes.into_iter().map(Some).collect(),
            Err(error) => {
                tracing::warn!(%error, "changes could not be written");
                vec![None; changes.len()]
            }
        };
        for (waiting, outcome) in waiting.into_iter().zip(outcomes) {
            tell(waiting, outcome, done);
        }
        if let Some(extent) = sweeps.then(|| index.extent(now).ok()).flatten() {
            let _ = done.send(Done::Extent(extent));
        }
    }
}

/// Whatever comes within a few milliseconds.
fn gather(first: Written, unwritten: &Receiver<Written>) -> Vec<Written> {
    let mut batch = vec![first];
    let mut has_waited = false;
    while batch.len() < BATCH_MAX {
        match unwritten.try_recv() {
            Ok(next) => batch.push(next),
            Err(TryRecvError::Empty) if !has_waited => {
                has_waited = true;
                std::thread::sleep(GATHER);
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    batch
}

fn tell(waiting: Waiting, outcome: Option<Outcome>, done: &UnboundedSender<Done>) {
    // As above.
    let _ = match waiting {
        Waiting::Nobody => Ok(()),
        Waiting::Claim(claim) => done.send(Done::Listed(claim, outcome)),
        Waiting::Withdrawal(responder) => {
            let answer = match outcome {
                Some(_) => Answer::Header(Reply::Withdrawn),
                None => Answer::Refuse(Refusal::Unavailable),
            };
            done.send(Done::Answer(responder, answer, Answered::Other))
        }
    };
}

/// The facts of a manifest, for the change that lists it.
pub(super) fn facts(manifest: &Manifest) -> Arc<Facts> {
    Arc::new(Facts::of(manifest))
}
