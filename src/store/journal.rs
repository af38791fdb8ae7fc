//! What was written to a `.part` and is not yet known to survive a loss of power.
//!
//! ```text
//! put: verify -> write -> have -> unsynced ... sync -> confirmed -> claimed in the ledger
//! ```
//!
//! A sync takes what was written before it began. At most [`UNSYNCED_BYTES_MAX`] wait, or two
//! chunks where those are larger: a `put` beyond that waits for the sync under way, or is the sync.
//!
//! **A sync that fails is never tried again.** The system may have dropped what it could not write and
//! report success the next time, so nothing that was written since the last good sync counts any
//! more, whatever the page cache shows. The chunks are to be put again, and go through a file that is
//! opened anew. After a second failure nothing more is written.
//!
//! Invariants: a chunk that is written and not confirmed is in exactly one of `unsynced` and the
//! batch of the sync under way; `epoch` counts failed syncs, so that a write that began before one is
//! done again. A disk that was full is no failure of its own: it may fail as often as it is full.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::chunk::{Bitfield, ChunkIndex};
use crate::limits::UNSYNCED_BYTES_MAX;
use crate::manifest::Layout;

use super::content::{Content, State};
use super::error::{SyncError, WriteError};
use super::files::is_disk_full;
use super::ledger::{Claim, FileStamp, Ledger};
use super::planted::{Bug, is_planted};

/// Failed syncs after which nothing more is written.
const FAILURES_MAX: u32 = 2;

/// What a download knows of its bytes' safety. Part of [`State`].
pub(super) struct Journal {
    /// Chunks written since the sync under way began, or since the last one.
    unsynced: Vec<ChunkIndex>,
    /// Bytes of those, and of the batch that is being synced.
    unsynced_bytes: u64,
    /// What those may come to.
    pub(super) unsynced_bytes_max: u64,
    confirmed: Bitfield,
    /// Syncs that came to nothing.
    epoch: u32,
    /// Those of them that no room on the disk would have helped.
    failures: u32,
    /// A failure that only a `put` has seen so far.
    untold: Option<io::Error>,
}

/// Where a download's claims go.
pub(super) struct Record {
    ledger: Arc<dyn Ledger>,
    part: PathBuf,
}

impl Journal {
    pub(super) fn new(layout: Layout) -> Self {
        let chunk_size = u64::from(layout.chunk_size());
        Self {
            unsynced: Vec::new(),
            unsynced_bytes: 0,
            unsynced_bytes_max: UNSYNCED_BYTES_MAX.max(2 * chunk_size),
            confirmed: Bitfield::empty(layout.chunk_count()),
            epoch: 0,
            failures: 0,
            untold: None,
        }
    }

    /// Syncs that came to nothing so far.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether nothing more is to be written.
    pub(super) fn is_broken(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// How many of the chunks that are there survive a loss of power.
    pub(super) fn kept(&self, have: &Bitfield) -> u32 {
        have.intersection_count(&self.confirmed)
    }

    /// Bytes that a loss of power may take.
    pub(super) fn unsynced_bytes(&self) -> u64 {
        self.unsynced_bytes
    }

    /// A chunk was written.
    pub(super) fn on_written(&mut self, chunk: ChunkIndex, len: u64) {
        self.confirmed.remove(chunk);
        self.unsynced.push(chunk);
        self.unsynced_bytes += len;
    }

    /// Chunks were safely there before this process.
    pub(super) fn on_found(&mut self, chunks: &Bitfield) {
        self.confirmed = chunks.clone();
    }
}

impl Content {
    /// Has a ledger keep what is safe. To be called first.
    pub fn recorded_in(mut self, ledger: Arc<dyn Ledger>) -> Self {
        let part = self.path();
        let part = std::path::absolute(&part).unwrap_or(part);
        self.record = Some(Record { ledger, part });
        self
    }

    /// Makes what was written safe from a loss of power, and then writes it down. Without anything
    /// to sync it does nothing. One sync runs at a time; another waits for it.
    pub fn sync(&self) -> Result<(), SyncError> {
        let _turn = self.turn();
        self.sync_in_turn()
    }

    /// How many bytes a loss of power may take.
    pub fn unsynced_bytes(&self) -> u64 {
        self.state().journal.unsynced_bytes()
    }

    /// Ends a download for now: what it has is made safe and written down as left at rest, so that the
    /// next one need not hash it. To be called when nobody puts chunks any more.
    pub fn rest(&self) -> Result<(), SyncError> {
        let _turn = self.turn();
        self.sync_in_turn()?;
        if !self.state().sealed {
            self.write_down(self.disk.stamp().ok());
        }
        Ok(())
    }

    /// Waits until `len` bytes more may be written, of this chunk. An error says that the disk is full.
    pub(super) fn make_room(&self, chunk: ChunkIndex, len: usize) -> Result<(), WriteError> {
        let is_full = |state: &State| {
            let Journal {
                unsynced_bytes: unsynced,
                unsynced_bytes_max: most,
                ..
            } = state.journal;
            unsynced > 0 && unsynced + len as u64 > most
        };
        if !is_full(&self.state()) || is_planted(Bug::NeverWaits) {
            return Ok(());
        }
        let _turn = self.turn();
        if !is_full(&self.state()) {
            return Ok(());
        }
        // the next sync tells of the chunks that are lost
        match self.sync_in_turn() {
            Ok(()) => Ok(()),
            // the one at hand is not: it is written after this
            Err(SyncError::NotKept { source, .. }) => {
                self.state().journal.untold = Some(source);
                Ok(())
            }
            Err(SyncError::DiskFull {
                path,
                missing,
                source,
            }) => {
                self.state().journal.untold = Some(source.kind().into());
                Err(WriteError::DiskFull {
                    path,
                    chunk,
                    len,
                    missing,
                    source,
                })
            }
        }
    }

    /// The file has become the container.
    pub(super) fn strike_out(&self) {
        if let Some(record) = &self.record {
            record.ledger.forget(&record.part);
        }
    }

    /// What an earlier download left at rest, if the file is as that left it. From now on it is
    /// not at rest.
    pub(super) fn take_up(&self) -> Option<Bitfield> {
        let record = self.record.as_ref()?;
        let mut claim = record.ledger.claimed(&record.part)?;
        let is_ours =
            claim.manifest == self.manifest.id() && claim.have.len() == self.layout().chunk_count();
        let rest = claim.rest.take()?;
        if !is_ours || self.disk.stamp().ok() != Some(rest) {
            return None;
        }
        record.ledger.claim(&record.part, &claim);
        Some(claim.have)
    }

    /// Makes safe what was found. Where the disk does not confirm it, it is needed again.
    pub(super) fn make_safe(&self) {
        let _turn = self.turn();
        let found = self.have();
        if found.is_empty() {
            return;
        }
        match self.sync_unless(Bug::ClaimsFoundUnsynced) {
            Ok(()) => {
                self.state().journal.on_found(&found);
                self.write_down(None);
            }
            Err(why) => self.give_up(&found.iter().collect::<Vec<_>>(), &why),
        }
    }

    fn sync_in_turn(&self) -> Result<(), SyncError> {
        let (batch, untold) = {
            let journal = &mut self.state().journal;
            (std::mem::take(&mut journal.unsynced), journal.untold.take())
        };
        if batch.is_empty() {
            return untold.map_or(Ok(()), |source| Err(self.not_kept(source)));
        }
        let batch_bytes = self.bytes_of(&batch);
        if let Err(source) = self.sync_unless(Bug::ConfirmsUnsynced) {
            self.give_up(&batch, &source);
            return Err(self.not_kept(source));
        }
        {
            let state = &mut *self.state();
            state.journal.unsynced_bytes -= batch_bytes;
            // what was lost meanwhile, or is being written anew, is not confirmed by this
            let kept = batch.iter().filter(|chunk| state.have.contains(**chunk));
            for chunk in kept.filter(|chunk| !state.journal.unsynced.contains(chunk)) {
                state.journal.confirmed.insert(*chunk);
            }
        }
        self.write_down(None);
        untold.map_or(Ok(()), |source| Err(self.not_kept(source)))
    }

    fn sync_unless(&self, bug: Bug) -> io::Result<()> {
        match is_planted(bug) {
            true => Ok(()),
            false => self.disk.sync(),
        }
    }

    /// Nothing counts that was written since the last good sync.
    fn give_up(&self, batch: &[ChunkIndex], why: &io::Error) {
        // A file that cannot be opened anew is as good as one that failed twice.
        let reopened = self.disk.reopen();
        let state = &mut *self.state();
        let later = std::mem::take(&mut state.journal.unsynced);
        for chunk in batch.iter().chain(&later) {
            state.have.remove(*chunk);
        }
        state.journal.unsynced_bytes = 0;
        state.journal.epoch += 1;
        state.journal.failures += match reopened {
            Ok(()) if is_disk_full(why) => 0,
            Ok(()) => 1,
            Err(_) => FAILURES_MAX,
        };
    }

    fn write_down(&self, rest: Option<FileStamp>) {
        // what is finished is not claimed
        let Some(record) = self.record.as_ref().filter(|_| !self.state().sealed) else {
            return;
        };
        let mut have = Bitfield::empty(self.layout().chunk_count());
        {
            let state = self.state();
            for chunk in state.have.intersection(&state.journal.confirmed) {
                have.insert(chunk);
            }
        }
        let manifest = self.manifest.id();
        let claim = Claim {
            manifest,
            have,
            rest,
        };
        record.ledger.claim(&record.part, &claim);
    }

    fn bytes_of(&self, chunks: &[ChunkIndex]) -> u64 {
        let lens = chunks
            .iter()
            .filter_map(|chunk| self.layout().chunk_len(*chunk));
        lens.map(u64::from).sum()
    }

    fn not_kept(&self, source: io::Error) -> SyncError {
        let path = self.path();
        match is_disk_full(&source) {
            true => SyncError::DiskFull {
                path,
                missing: self.disk.missing_space(self.layout().size()),
                source,
            },
            false => SyncError::NotKept { path, source },
        }
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        // it guards no data
        self.sync_turn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
