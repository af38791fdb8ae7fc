//! A disk in RAM that fails when a test tells it to.

use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::backend::Backend;
use super::ledger::FileStamp;

/// Granularity of holes, in bytes.
const PAGE: usize = 4096;

/// The disk. Tests keep a counted reference to it and break it while a container uses it.
#[derive(Default)]
pub(super) struct MemoryDisk {
    state: Mutex<State>,
    resumed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    faults: Vec<Fault>,
    published: bool,
    writes: usize,
    reads: usize,
    syncs: usize,
    reopened: usize,
    /// Syncs do not return.
    held_up: bool,
    /// When somebody else last wrote.
    touched: i64,
}

/// What the disk does wrong until it is [repaired](MemoryDisk::repair).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Writes stop halfway for want of space.
    Full,
    /// Reads fail.
    Unreadable,
    /// Writes are not confirmed.
    Unsynced,
    /// Writes are not confirmed for want of space.
    FullAtSync,
    /// The final name belongs to another file.
    NameTaken,
    /// The final name is not confirmed.
    NameUnsynced,
}

impl MemoryDisk {
    /// Starts to fail in one way.
    pub(super) fn break_with(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Lets no sync return from now on, or every one.
    pub(super) fn hold_up(&self, held_up: bool) {
        self.state().held_up = held_up;
        self.resumed.notify_all();
    }

    /// Works again.
    pub(super) fn repair(&self) {
        self.state().faults.clear();
    }

    /// Flips one bit.
    pub(super) fn flip(&self, at: usize) {
        self.state().bytes[at] ^= 1;
    }

    /// Cuts the end off.
    pub(super) fn truncate(&self, len: usize) {
        self.state().bytes.truncate(len);
    }

    /// What it holds.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// How many writes came, failed ones included.
    pub(super) fn writes(&self) -> usize {
        self.state().writes
    }

    /// Somebody else writes to it.
    pub(super) fn touch(&self) {
        self.state().touched += 1;
    }

    /// How many reads came.
    pub(super) fn reads(&self) -> usize {
        self.state().reads
    }

    /// How many syncs came, failed ones included.
    pub(super) fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// How often it was opened anew.
    pub(super) fn reopened(&self) -> usize {
        self.state().reopened
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, fault: Fault, kind: io::ErrorKind) -> io::Result<()> {
        if self.faults.contains(&fault) {
            Err(kind.into())
        } else {
            Ok(())
        }
    }
}

impl Backend for MemoryDisk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.reads += 1;
        state.check(Fault::Unreadable, io::ErrorKind::Other)?;
        let from = usize::try_from(offset).unwrap().min(state.bytes.len());
        let rest = &state.bytes[from..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        state.writes += 1;
        let full = state.check(Fault::Full, io::ErrorKind::StorageFull);
        let fits = if full.is_ok() {
            bytes.len()
        } else {
            bytes.len() / 2
        };
        let from = usize::try_from(offset).unwrap();
        if state.bytes.len() < from + fits {
            state.bytes.resize(from + fits, 0);
        }
        state.bytes[from..from + fits].copy_from_slice(&bytes[..fits]);
        full
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        let mut state = self.state();
        state.check(Fault::Full, io::ErrorKind::StorageFull)?;
        state.bytes.resize(usize::try_from(size).unwrap(), 0);
        Ok(())
    }

    fn missing_space(&self, _size: u64) -> Option<u64> {
        None
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        let from = usize::try_from(offset).unwrap();
        let state = self.state();
        let page = (from / PAGE * PAGE..state.bytes.len())
            .step_by(PAGE)
            .find(|&page| state.bytes[page..].iter().take(PAGE).any(|&byte| byte != 0));
        Ok(page.map(|page| page.max(from) as u64))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        let wait = self.resumed.wait_while(state, |state| state.held_up);
        let state = wait.unwrap_or_else(PoisonError::into_inner);
        state.check(Fault::FullAtSync, io::ErrorKind::QuotaExceeded)?;
        state.check(Fault::Unsynced, io::ErrorKind::Other)
    }

    fn reopen(&self) -> io::Result<()> {
        self.state().reopened += 1;
        Ok(())
    }

    fn stamp(&self) -> io::Result<FileStamp> {
        let state = self.state();
        Ok(FileStamp {
            size: state.bytes.len() as u64,
            modified_ns: state.writes as i64 + state.touched,
            inode: 1,
        })
    }

    fn publish(&self) -> io::Result<()> {
        let mut state = self.state();
        state.check(Fault::NameTaken, io::ErrorKind::AlreadyExists)?;
        state.published = true;
        Ok(())
    }

    fn sync_name(&self) -> io::Result<()> {
        self.state()
            .check(Fault::NameUnsynced, io::ErrorKind::Other)
    }

    fn path(&self) -> PathBuf {
        if self.state().published {
            self.destination()
        } else {
            PathBuf::from("memory.part")
        }
    }

    fn destination(&self) -> PathBuf {
        PathBuf::from("memory")
    }
}
