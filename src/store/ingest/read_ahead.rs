//! Reading a file once, from one end to the other, for two that hash what was read.
//!
//! Whoever needs a block that nobody has read yet reads it, or the next one, instead of waiting: so the
//! one that is ahead does the reading, and the two stay together. On two cores that leaves nothing to
//! be desired but a third, where there is one: then another thread reads ahead of both.
//!
//! The file is read into a fixed number of blocks that go round, so memory is bounded whatever its size:
//! [`BLOCKS`] of [`BLOCK_BYTES`].
//!
//! Invariants: a block is in `ready` from when it was read until both are done with it; of blocks being
//! read, ready and free there are [`BLOCKS`] at most; a user that has gone holds up nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::IngestError;
use super::source::{BLOCK_BYTES, Source};

/// Blocks that there are: how far one of the hashes can be ahead of the other.
pub(super) const BLOCKS: usize = 8;
/// How far apart two blocks may be that are used at once. Those between them wait meanwhile, and the other
/// user needs a few as well.
pub(super) const APART_MAX: u64 = BLOCKS as u64 / 2;

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
    ready: BTreeMap<u64, Block>,
    /// Who will use no more blocks.
    gone: [bool; 2],
    free: Vec<Vec<u8>>,
    /// Blocks that have been made so far.
    made: usize,
    failure: Option<IngestError>,
}

/// A block that has been read.
struct Block {
    bytes: Arc<Vec<u8>>,
    /// Who is done with it.
    used: [bool; 2],
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
            if self.with(user, index, &mut show).is_none() {
                return;
            }
        }
    }

    /// Shows a user two blocks at a time, the second `apart` blocks after the first, each block once. What
    /// lies beyond the end of the file is empty.
    pub(super) fn each_two(&self, user: User, apart: u64, mut show: impl FnMut([&[u8]; 2])) {
        let _leaves = Leaves { blocks: self, user };
        let mut group = 0;
        while group < self.count {
            for first in group..(group + apart).min(self.count) {
                let second = first + apart;
                let shown = self.with(user, first, |one| {
                    if second < self.count {
                        self.with(user, second, |other| show([one, other]))
                    } else {
                        show([one, &[]]);
                        Some(())
                    }
                });
                if shown.flatten().is_none() {
                    return;
                }
            }
            group += 2 * apart;
        }
    }

    /// Shows a user a block that it is done with then; nothing where it could not be read.
    fn with<T>(&self, user: User, index: u64, show: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let block = self.get(index)?;
        let shown = show(&block);
        drop(block);
        self.release(user, index);
        Some(shown)
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
                return Some(Arc::clone(&block.bytes));
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
        let mut block = state.take_free();
        drop(state);
        let read = self.source.read(index, &mut block);
        let mut state = self.lock();
        match read {
            Ok(()) => state.on_read(index, block),
            Err(failure) => state.failure = Some(failure),
        }
        self.changed.notify_all();
        state
    }

    fn release(&self, user: User, index: u64) {
        let mut state = self.lock();
        if let Some(block) = state.ready.get_mut(&index) {
            block.used[user as usize] = true;
        }
        if state.reclaim(index) {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more block may be read.
    fn has_room(&self) -> bool {
        !self.free.is_empty() || self.made < BLOCKS
    }

    fn take_free(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_else(|| {
            self.made += 1;
            Vec::new()
        })
    }

    fn on_read(&mut self, index: u64, bytes: Vec<u8>) {
        let (bytes, used) = (Arc::new(bytes), self.gone);
        self.ready.insert(index, Block { bytes, used });
        self.reclaim(index);
    }

    /// Frees a block that both are done with.
    fn reclaim(&mut self, index: u64) -> bool {
        let is_done = self
            .ready
            .get(&index)
            .is_some_and(|block| block.used == [true; 2]);
        let block = is_done.then(|| self.ready.remove(&index)).flatten();
        self.free
            .extend(block.and_then(|block| Arc::into_inner(block.bytes)));
        is_done
    }

    /// A user will use no more blocks.
    fn on_gone(&mut self, user: User) {
        self.gone[user as usize] = true;
        for block in self.ready.values_mut() {
            block.used[user as usize] = true;
        }
        let ready: Vec<u64> = self.ready.keys().copied().collect();
        for index in ready {
            self.reclaim(index);
        }
    }
}

/// A user at work: when it is done, or panics, nobody waits for it any more.
struct Leaves<'a> {
    blocks: &'a Blocks<'a>,
    user: User,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.blocks.lock().on_gone(self.user);
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
    fn two_at_a_time_are_all_there_are_each_once() {
        for (count, apart) in [
            (1, 1),
            (7, 1),
            (8, 2),
            (13, 4),
            (21, APART_MAX),
            (4, 4),
            (5, 4),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let bytes: Vec<u8> = (0..count).flat_map(|n| vec![n; BLOCK_BYTES]).collect();
            std::fs::write(file.path(), &bytes[..bytes.len() - 5]).unwrap();
            let source = Source::open(file.path()).unwrap();
            let blocks = Blocks::of(&source);
            let mut seen = Vec::new();
            std::thread::scope(|scope| {
                scope.spawn(|| blocks.each(User::Whole, |_| {}));
                blocks.each_two(User::Chunks, apart, |[one, other]| {
                    let other_number = other.first().copied();
                    if let Some(number) = other_number {
                        assert_eq!(u64::from(number), u64::from(one[0]) + apart);
                    }
                    seen.extend([Some(one[0]), other_number].into_iter().flatten());
                });
            });
            blocks.finish().unwrap();
            seen.sort_unstable();
            let all: Vec<u8> = (0..count).collect();
            assert_eq!(seen, all, "{count} blocks, {apart} apart");
        }
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
