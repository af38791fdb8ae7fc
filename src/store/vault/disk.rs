//! A container's bytes, sealed on their way to another backend and opened on their way back.
//!
//! Invariant: `header` is what the file begins with, or will after the next sync.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::backend::Backend;
use super::super::ledger::FileStamp;
use super::Vault;
use super::header::{HEADER_BYTES, Header};
use super::slots::{SLOT_BYTES, Slots, offset_at, place_of, sealed_len};
use crate::digest::ProgramId;

/// A file of a vault.
pub(in crate::store) struct SealedDisk {
    file: Arc<dyn Backend>,
    header: Header,
    /// The container's size, in bytes.
    size: AtomicU64,
}

impl SealedDisk {
    /// A file that holds some of a container, or nothing. What is in it and not this vault's is as good
    /// as nothing.
    pub(in crate::store) fn begin(
        file: Arc<dyn Backend>,
        vault: &Vault,
        id: ProgramId,
        size: u64,
    ) -> io::Result<Self> {
        if let Some(found) = Self::open(&file, vault, id, size)? {
            return Ok(found);
        }
        let header = Header::new(vault, id)?;
        file.write_at(&header.bytes, 0)?;
        Ok(Self::over(file, header, size))
    }

    /// A file that holds a container; `None` if it is not this vault's, or holds another.
    pub(in crate::store) fn open(
        file: &Arc<dyn Backend>,
        vault: &Vault,
        id: ProgramId,
        size: u64,
    ) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEADER_BYTES];
        let found = file.read_at(&mut bytes, 0)?;
        let header = Header::read(vault, id, &bytes[..found]);
        Ok(header.map(|header| Self::over(Arc::clone(file), header, size)))
    }

    fn over(file: Arc<dyn Backend>, header: Header, size: u64) -> Self {
        Self {
            file,
            header,
            size: AtomicU64::new(size),
        }
    }

    fn size(&self) -> u64 {
        // it changes before anybody reads or writes, or not at all
        self.size.load(Ordering::Relaxed)
    }
}

impl Backend for SealedDisk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.read_new(buffer.len(), offset)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// `InvalidData` where what lies there was not written through this vault.
    fn read_new(&self, len: usize, offset: u64) -> io::Result<Vec<u8>> {
        let slots = Slots::covering(offset, len, self.size());
        let mut bytes = self.header.key.read(&slots, &*self.file)?;
        let before = usize::try_from(offset.saturating_sub(slots.offset()));
        let before = before.unwrap_or(usize::MAX).min(bytes.len());
        if before > 0 {
            bytes.drain(..before);
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Takes whole slots only, which chunks are.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if !offset.is_multiple_of(SLOT_BYTES as u64) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let slots = Slots::covering(offset, bytes.len(), self.size());
        let sealed = self.header.key.seal(&slots, bytes)?;
        self.file.write_at(&sealed, slots.place())
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        self.file.reserve(sealed_len(size))?;
        self.size.store(size, Ordering::Relaxed);
        Ok(())
    }

    fn missing_space(&self, size: u64) -> Option<u64> {
        self.file.missing_space(sealed_len(size))
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        let place = self.file.data_from(place_of(offset))?;
        Ok(place.map(|place| offset_at(place).max(offset)))
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn reopen(&self) -> io::Result<()> {
        self.file.reopen()?;
        // it may be among what the failed sync has lost
        self.file.write_at(&self.header.bytes, 0)
    }

    fn stamp(&self) -> io::Result<FileStamp> {
        self.file.stamp()
    }

    fn publish(&self) -> io::Result<()> {
        self.file.publish()
    }

    fn sync_name(&self) -> io::Result<()> {
        self.file.sync_name()
    }

    fn path(&self) -> PathBuf {
        self.file.path()
    }

    fn destination(&self) -> PathBuf {
        self.file.destination()
    }
}
