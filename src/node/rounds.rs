//! Looking after the files that are complete: who has changed, and what rots.
//!
//! Each second a node looks at the size, time and number of up to [`LOOKS_MAX`] files, in turn. One that
//! somebody wrote to is held against its manifest again; one that is another file now is not served
//! any more. And it reads everything it holds, a piece at a time, with pauses between that leave the
//! disk and the processor to others; all over again after a week, or when a surface asks.
//!
//! What is found to be others is not held any more, so the core fetches it again where the store may
//! write it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::catalog::Entry;
use super::clock::Stopwatch;
use super::command::Note;
use super::driver::Driver;
use super::share::Proof;
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::store::{Content, Look, Scrubbed};

/// Files that are looked at in a second: ten thousand take less than three minutes.
const LOOKS_MAX: usize = 64;

/// What is read at once, in bytes.
const PIECE_BYTES: u64 = 4 << 20;

/// The pause after a piece, as often as what it took: a hundredth of one disk and one core.
const PAUSE: u32 = 99;

/// From one reading of everything to the next.
const ROUND_EVERY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a node leaves its disk alone after its start.
const FIRST_AFTER: Duration = Duration::from_secs(10 * 60);

/// What a reading of everything has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrub {
    /// Chunks that were read.
    pub read: u64,
    /// Chunks that are others than they were. They are not served, and are fetched again where the
    /// file is the node's own.
    pub rotten: u64,
    /// Chunks that the disk did not let be read.
    pub unreadable: u64,
}

/// How far the rounds are.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The file that was looked at last.
    looked: Option<ManifestId>,
    /// The container that is being read, and the chunk to go on from. Without one, the round begins
    /// with the first.
    at: Option<(ManifestId, ChunkIndex)>,
    /// When to read on.
    next: Moment,
    began: Moment,
    /// The piece that is being read.
    reading: Option<(ManifestId, ChunkIndex)>,
    found: Scrub,
    /// Who waits for the end of this round, without pauses.
    waiting: Vec<oneshot::Sender<Scrub>>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            looked: None,
            at: None,
            next: Moment::ORIGIN + FIRST_AFTER,
            began: Moment::ORIGIN,
            reading: None,
            found: Scrub::default(),
            waiting: Vec::new(),
        }
    }
}

impl Driver {
    /// A surface wants everything to be read now.
    pub(super) fn on_scrub(&mut self, reply: oneshot::Sender<Scrub>) {
        self.rounds.waiting.push(reply);
        self.begin_round();
        self.read_on();
    }

    /// Once a second: looks at some files.
    pub(super) fn look_around(&mut self) {
        let after = |id: &ManifestId| self.rounds.looked.is_none_or(|last| *id > last);
        let entries = self.catalog.iter().filter(|(id, _)| after(id));
        let some = entries.map(|(id, entry)| (id, Arc::clone(&entry.content)));
        let some: Vec<(ManifestId, Arc<Content>)> = some.take(LOOKS_MAX).collect();
        let is_last = some.len() < LOOKS_MAX;
        self.rounds.looked = some.last().map(|(id, _)| *id).filter(|_| !is_last);
        if some.is_empty() {
            return;
        }
        let notes = self.notes.clone();
        tokio::task::spawn_blocking(move || {
            for (id, content) in some {
                match content.look() {
                    Look::Same => {}
                    look @ (Look::Changed | Look::Replaced) => {
                        // The driver is gone only when the node is.
                        let _ = notes.send(Note::Looked { id, look });
                    }
                }
            }
        });
    }

    /// A file is not what it was.
    pub(super) fn on_looked(&mut self, id: ManifestId, look: Look) {
        let Some(entry) = self.catalog.get(&id) else {
            return;
        };
        let (content, proof) = (Arc::clone(&entry.content), entry.proof.clone());
        let path = content.path();
        match look {
            Look::Same => {}
            Look::Changed => {
                tracing::warn!(path = %path.display(), "somebody has written to it; reading it again");
                let nobody = || watch::channel(Proof::default()).0;
                self.prove(content, proof.unwrap_or_else(nobody));
            }
            Look::Replaced => {
                tracing::warn!(path = %path.display(), "it is another file now, and is not served any more");
                content.forsake();
                self.on_damaged(&id);
                self.show_damage(&id);
            }
        }
    }

    /// Reads on, if it is time.
    pub(super) fn scrub_due(&mut self) {
        let now = self.clock.now();
        if now >= self.rounds.next && self.rounds.reading.is_none() {
            if self.rounds.at.is_none() {
                self.begin_round();
            }
            self.read_on();
        }
    }

    /// A piece was read.
    pub(super) fn on_scrubbed(&mut self, id: ManifestId, scrubbed: Scrubbed, took: Duration) {
        let rounds = &mut self.rounds;
        let piece = rounds.reading.take();
        rounds.next = self.clock.now() + took.saturating_mul(PAUSE);
        // unless another round has begun meanwhile
        if rounds.at == piece {
            let next = scrubbed.next.unwrap_or(ChunkIndex::new(u32::MAX));
            rounds.at = Some((id, next));
            rounds.found.read += u64::from(scrubbed.read);
        }
        for (chunk, error) in scrubbed.errors {
            if !error.is_lost() {
                self.rounds.found.unreadable += 1;
                tracing::warn!(%id, %chunk, %error, "a chunk cannot be read");
            } else {
                self.rounds.found.rotten += 1;
                self.on_lost(id, chunk, &error);
            }
        }
        if !self.rounds.waiting.is_empty() {
            self.read_on();
        }
    }

    /// Tells who shares a container how much of it is not served.
    pub(super) fn show_damage(&self, id: &ManifestId) {
        let Some(entry) = self.catalog.get(id) else {
            return;
        };
        let have = entry.content.have();
        let (lost, total) = (have.len() - have.count(), have.len());
        if let Some(proof) = entry.proof.as_ref().filter(|_| lost > 0) {
            let now = Proof::Damaged { lost, total };
            proof.send_if_modified(|shown| std::mem::replace(shown, now.clone()) != now);
        }
    }

    fn begin_round(&mut self) {
        let first = self.catalog.iter().next().map(|(id, _)| id);
        self.rounds.at = first.map(|id| (id, ChunkIndex::new(0)));
        self.rounds.found = Scrub::default();
        self.rounds.began = self.clock.now();
    }

    /// Reads the next piece, or ends the round.
    fn read_on(&mut self) {
        if self.rounds.reading.is_some() {
            return;
        }
        let Some((id, chunk, content)) = self.next_piece() else {
            return self.end_round();
        };
        self.rounds.at = Some((id, chunk));
        self.rounds.reading = self.rounds.at;
        let notes = self.notes.clone();
        tokio::task::spawn_blocking(move || {
            let stopwatch = Stopwatch::start();
            let scrubbed = content.scrub(chunk, PIECE_BYTES);
            let took = stopwatch.elapsed();
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Scrubbed { id, scrubbed, took });
        });
    }

    /// Where to go on: in the container at hand, or the next one that has chunks.
    fn next_piece(&self) -> Option<(ManifestId, ChunkIndex, Arc<Content>)> {
        let (at, chunk) = self.rounds.at?;
        let entries = self.catalog.iter().filter(|(id, _)| *id >= at);
        let mut places = entries.map(|(id, entry)| match id == at {
            true => (id, chunk, entry),
            false => (id, ChunkIndex::new(0), entry),
        });
        let has_more = |(_, chunk, entry): &(ManifestId, ChunkIndex, &Entry)| {
            chunk.get() < entry.manifest().layout().chunk_count()
        };
        let (id, chunk, entry) = places.find(has_more)?;
        Some((id, chunk, Arc::clone(&entry.content)))
    }

    fn end_round(&mut self) {
        let rounds = &mut self.rounds;
        rounds.at = None;
        rounds.next = rounds.began + ROUND_EVERY;
        for reply in rounds.waiting.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(rounds.found);
        }
    }
}
