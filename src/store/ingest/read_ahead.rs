//! Reading a file once, from one end to the other, for two that hash what was read.
//!
//! Whoever needs a block that nobody has read yet reads it, or the next one, instead of waiting: so the
//! one that is ahead does the reading, and the two stay together. On two cores that leaves nothing to
//! be desired but a third, where there is one: then another thread reads ahead of both.
//!
//! The file is read into a fixed number of blocks that go round, so memory is bounded whatever its size:
//! [`BLOCKS`] of [`BLOCK_BYTES`].
//!
//! Invariants: a block is in `ready` from when it was read until both are done with it; `next` is less
//! than [`BLOCKS`] ahead of whoever is behind; a user that has gone holds up nobody.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::IngestError;
use crate::limits::MIB;
use crate::store::os::{self, Links};
use crate::store::regular::open_regular;

/// What one read asks for, in bytes. Small enough to be still in the processor's cache when it is
/// hashed, large enough that passing it on costs nothing.
pub(super) const BLOCK_BYTES: usize = MIB;
/// Blocks that there are: how far one of the hashes can be ahead of the other.
pub(super) const BLOCKS: usize = 8;

/// The file that is read.
pub(super) struct Source<'a> {
    path: &'a Path,
    file: File,
    /// What the file was like when it was opened.
    before: Metadata,
}

/// Which of the two uses a block.
#[derive(Debug, Clone, Copy)]
pub(super) enum User {
    /// The hash of the whole.
    Whole,
    /// The hashes of the chunks.
    Chunks,
}

/// The blocks of a file, as they are read and used.
pub(super) struct Blocks<'a> {
    source: &'a Source<'a>,
    count: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The next block to be read.
    next: u64,
    ready: BTreeMap<u64, Arc<Vec<u8>>>,
    /// How many blocks each user is done with.
    used: [u64; 2],
    free: Vec<Vec<u8>>,
    failure: Option<IngestError>,
}

impl<'a> Source<'a> {
    /// Opens a regular file.
    pub(super) fn open(path: &'a Path) -> Result<Self, IngestError> {
        match open_regular(File::options().read(true), path, Links::Follow) {
            Ok(Some((file, before))) => Ok(Self { path, file, before }),
            Ok(None) => Err(IngestError::NotRegular {
                path: path.to_owned(),
            }),
            Err(source) => Err(IngestError::Io {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Its size when it was opened, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.before.len()
    }

    /// Says which file an error is about.
    pub(super) fn io<T>(&self, result: io::Result<T>) -> Result<T, IngestError> {
        result.map_err(|source| IngestError::Io {
            path: self.path.to_owned(),
            source,
        })
    }

    /// Reads a block, which is shorter only at the end of the file.
    fn read(&self, index: u64, block: &mut Vec<u8>) -> Result<(), IngestError> {
        let offset = index * BLOCK_BYTES as u64;
        let wanted = (self.size() - offset).min(BLOCK_BYTES as u64);
        block.resize(usize::try_from(wanted).expect("a block fits memory"), 0);
        let mut done = 0;
        while done < block.len() {
            match os::read_at(&self.file, &mut block[done..], offset + done as u64) {
                Ok(0) => return Err(self.changed(offset + done as u64)),
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.io(Err(error)),
            }
        }
        Ok(())
    }

    /// Whether the file is what it was when it was opened, now that all of it was read.
    fn check(&self) -> Result<(), IngestError> {
        let after = self.io(self.file.metadata())?;
        let same =
            after.len() == self.size() && after.modified().ok() == self.before.modified().ok();
        if same {
            Ok(())
        } else {
            Err(self.changed(self.size()))
        }
    }

    fn changed(&self, read: u64) -> IngestError {
        IngestError::Changed {
            path: self.path.to_owned(),
            read,
            size: self.size(),
        }
    }
}

impl<'a> Blocks<'a> {
    /// The blocks of a file, none of them read.
    pub(super) fn of(source: &'a Source<'a>) -> Self {
        Self {
            source,
            count: source.size().div_ceil(BLOCK_BYTES as u64),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Shows a user every block in turn, up to the last or until one cannot be read.
    pub(super) fn each(&self, user: User, mut show: impl FnMut(&[u8])) {
        let _leaves = Leaves { blocks: self, user };
        for index in 0..self.count {
            let Some(block) = self.get(index) else {
                return;
            };
            show(&block);
            drop(block);
            self.release(user, index);
        }
    }

    /// Reads ahead of both users, as far as there are blocks.
    pub(super) fn read_ahead(&self) {
        let mut state = self.lock();
        while state.failure.is_none() && state.next < self.count {
            state = self.read_or_wait(state);
        }
    }

    /// Whether every block was read, of a file that has not changed meanwhile.
    pub(super) fn finish(self) -> Result<(), IngestError> {
        let state = self.state.into_inner();
        match state.unwrap_or_else(PoisonError::into_inner).failure {
            Some(failure) => Err(failure),
            None => self.source.check(),
        }
    }

    /// A block, as soon as it has been read; none where one could not be.
    fn get(&self, index: u64) -> Option<Arc<Vec<u8>>> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(block) = state.ready.get(&index) {
                return Some(Arc::clone(block));
            }
            state = self.read_or_wait(state);
        }
    }

    /// Reads the next block if there is room for one, and otherwise waits until something changes.
    fn read_or_wait<'b>(&'b self, mut state: MutexGuard<'b, State>) -> MutexGuard<'b, State> {
        if state.next == self.count || !state.has_room() {
            let woken = self.changed.wait(state);
            return woken.unwrap_or_else(PoisonError::into_inner);
        }
        let index = state.next;
        state.next += 1;
        let mut block = state.free.pop().unwrap_or_default();
        drop(state);
        let read = self.source.read(index, &mut block);
        let mut state = self.lock();
        match read {
            Ok(()) => drop(state.ready.insert(index, Arc::new(block))),
            Err(failure) => state.failure = Some(failure),
        }
        self.changed.notify_all();
        state
    }

    fn release(&self, user: User, index: u64) {
        let mut state = self.lock();
        state.used[user as usize] = index + 1;
        if state.used.iter().all(|used| *used > index) {
            let block = state.ready.remove(&index).and_then(Arc::into_inner);
            state.free.extend(block);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more block may be read: the one that is behind needs those before it.
    fn has_room(&self) -> bool {
        let behind = self.used.iter().min().copied().unwrap_or_default();
        self.next < behind.saturating_add(BLOCKS as u64)
    }
}

/// A user at work: when it is done, or panics, nobody waits for it any more.
struct Leaves<'a> {
    blocks: &'a Blocks<'a>,
    user: User,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.blocks.lock().used[self.user as usize] = u64::MAX;
        self.blocks.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn file(blocks: usize) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file()
            .set_len((blocks * BLOCK_BYTES) as u64)
            .unwrap();
        file
    }

    #[test]
    fn nobody_reads_further_ahead_than_there_are_blocks() {
        let file = file(BLOCKS + 3);
        let source = Source::open(file.path()).unwrap();
        let blocks = Blocks::of(&source);
        for index in 0..BLOCKS as u64 {
            assert!(blocks.get(index).is_some());
        }
        assert!(!blocks.lock().has_room());
        blocks.release(User::Whole, 0);
        assert!(!blocks.lock().has_room(), "the other needs it yet");
        blocks.release(User::Chunks, 0);
        let state = blocks.lock();
        assert!(state.has_room() && state.ready.len() + state.free.len() == BLOCKS);
    }

    #[test]
    fn who_has_gone_holds_up_nobody() {
        let file = file(3 * BLOCKS);
        let source = Source::open(file.path()).unwrap();
        let blocks = Blocks::of(&source);
        let panics = || blocks.each(User::Whole, |_| panic!("on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        let mut seen = 0;
        blocks.each(User::Chunks, |block| seen += block.len());
        assert_eq!(seen, 3 * BLOCKS * BLOCK_BYTES);
        assert!(blocks.finish().is_ok());
    }

    #[test]
    fn a_file_that_ends_early_stops_both() {
        let file = file(4);
        let source = Source::open(file.path()).unwrap();
        file.as_file().set_len(BLOCK_BYTES as u64).unwrap();
        let blocks = Blocks::of(&source);
        blocks.each(User::Whole, |_| {});
        blocks.each(User::Chunks, |_| {});
        let failed = blocks.finish();
        assert!(matches!(failed, Err(IngestError::Changed { read, .. }) if read == 1 << 20));
    }
}
