//! What a container's content asks of the thing that holds its bytes.
//!
//! Small enough to fake a disk: [`files`](super::files) is a real file, `memory` (tests only) is a
//! disk in RAM that fails when it is told to, and forgets what was not synced; [`vault`](super::vault) encrypts
//! on the way to another one. Every call names its own position, so several
//! threads use one backend at once and none of them waits for another's IO.

use std::io;
use std::path::PathBuf;

use super::ledger::FileStamp;

/// Bytes at positions, that can be made durable and given their final name.
pub(super) trait Backend: Send + Sync {
    /// Fills `buffer` from `offset` on; short only where the bytes end. `InvalidData` if what is there was
    /// never written through a backend that can tell.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The bytes from `offset` on, `len` of them; fewer only where they end.
    fn read_new(&self, len: usize, offset: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let found = self.read_at(&mut bytes, offset)?;
        bytes.truncate(found);
        Ok(bytes)
    }

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes it exactly `size` bytes long and, where the file system can, claims the space.
    fn reserve(&self, size: u64) -> io::Result<()>;

    /// How many bytes have to be freed for it to become `size` bytes long, if the system says and any
    /// have to.
    fn missing_space(&self, size: u64) -> Option<u64>;

    /// The first position at or after `offset` that may hold something other than zeros, or `None`
    /// when only a hole follows. A backend that cannot tell answers `offset`.
    fn data_from(&self, offset: u64) -> io::Result<Option<u64>>;

    /// Returns when everything written so far, and the [stamp](Self::stamp) of it, survives a loss of
    /// power.
    fn sync(&self) -> io::Result<()>;

    /// Opens the same bytes anew: what comes after is written through a handle that has no part in
    /// earlier failures.
    fn reopen(&self) -> io::Result<()>;

    /// By what a change from outside is told.
    fn stamp(&self) -> io::Result<FileStamp>;

    /// Gives the bytes their final name, which must be free (`AlreadyExists` if it is not). Bytes that
    /// already have it stay where they are.
    fn publish(&self) -> io::Result<()>;

    /// Returns when the final name survives a loss of power.
    fn sync_name(&self) -> io::Result<()>;

    /// Where the bytes are now.
    fn path(&self) -> PathBuf;

    /// Where the bytes are, or are to be, in the end.
    fn destination(&self) -> PathBuf;
}
