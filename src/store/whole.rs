//! The running hash of a whole container, chunk by chunk in order.
//!
//! SHA-256 cannot be put together from pieces, so the hash of the whole has to see every byte once
//! more, in order. Most of that is done while chunks arrive, where their bytes are in memory or in
//! the page cache anyway.
//!
//! Invariant: the hasher has seen exactly the chunks before `next`. It never needs to go back: a chunk
//! that is lost and comes again is verified against the same hash, so its bytes are the same.

use std::io;
use std::sync::Arc;

use crate::chunk::ChunkIndex;
use crate::digest::{Hasher, PAUSE_BYTES, ProgramId};
use crate::manifest::{Layout, VerifiedChunk};
use crate::yielding::give_way;

use super::backend::Backend;
use super::error::ReadError;

/// A hash on its way through a container.
pub(super) struct Whole {
    hasher: Hasher,
    next: u32,
    piece: Vec<u8>,
    /// The container is finished: everything that can be checked and made durable is.
    proven: bool,
}

impl Whole {
    /// A hash that has seen nothing.
    pub(super) fn new() -> Self {
        Self {
            hasher: Hasher::new(),
            next: 0,
            piece: Vec::new(),
            proven: false,
        }
    }

    /// The chunk that the hash needs next; past the last one when it has seen all.
    pub(super) fn next(&self) -> ChunkIndex {
        ChunkIndex::new(self.next)
    }

    /// Takes a chunk from memory, if it is the next.
    pub(super) fn on_chunk(&mut self, chunk: &VerifiedChunk) {
        if chunk.index() == self.next() {
            self.hasher.update(chunk.bytes());
            self.next += 1;
        }
    }

    /// Takes the next chunk, which must exist, from disk. On an error the hash stays as it was.
    pub(super) fn read_next(
        &mut self,
        layout: Layout,
        disk: &Arc<dyn Backend>,
    ) -> Result<(), ReadError> {
        let chunk = self.next();
        let span = Span::of(layout, chunk).expect("callers ask only for chunks that exist");
        let mut hasher = self.hasher.clone();
        // fits the processor's cache
        self.piece.resize(PAUSE_BYTES.min(span.len), 0);
        let mut done = 0;
        while done < span.len {
            let len = self.piece.len().min(span.len - done);
            let piece = &mut self.piece[..len];
            let found = span.read(disk, done, piece)?;
            hasher.update(piece);
            done += found;
            give_way();
        }
        self.hasher = hasher;
        self.next += 1;
        Ok(())
    }

    /// The container is finished.
    pub(super) fn on_proven(&mut self) {
        self.proven = true;
    }

    /// Whether the container is finished.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// The digest of what the hash has seen.
    pub(super) fn digest(&self) -> ProgramId {
        ProgramId::new(self.hasher.clone().finish())
    }
}

/// Where a chunk lies.
#[derive(Clone, Copy)]
pub(super) struct Span {
    chunk: ChunkIndex,
    /// Position of its first byte in the container.
    pub(super) offset: u64,
    /// Its length, in bytes.
    pub(super) len: usize,
}

impl Span {
    /// The place of a chunk; `None` if there is no such chunk.
    pub(super) fn of(layout: Layout, chunk: ChunkIndex) -> Option<Self> {
        Some(Self {
            chunk,
            offset: layout.offset(chunk)?,
            len: layout.chunk_len(chunk)? as usize,
        })
    }

    /// All of the chunk's bytes, which must be there.
    pub(super) fn read_all(self, disk: &Arc<dyn Backend>) -> Result<Vec<u8>, ReadError> {
        let bytes = disk.read_new(self.len, self.offset);
        let bytes = bytes.map_err(|source| self.unreadable(disk, source))?;
        if bytes.len() == self.len {
            return Ok(bytes);
        }
        Err(self.shrunk(disk, bytes.len()))
    }

    /// Fills `piece` with the chunk's bytes from `start` on, where they must be. Returns its length.
    pub(super) fn read(
        self,
        disk: &Arc<dyn Backend>,
        start: usize,
        piece: &mut [u8],
    ) -> Result<usize, ReadError> {
        match disk.read_at(piece, self.offset + start as u64) {
            Ok(found) if found == piece.len() => Ok(found),
            Ok(found) => Err(self.shrunk(disk, start + found)),
            Err(source) => Err(self.unreadable(disk, source)),
        }
    }

    fn shrunk(self, disk: &Arc<dyn Backend>, found: usize) -> ReadError {
        ReadError::Shrunk {
            path: disk.path(),
            chunk: self.chunk,
            expected: self.len,
            found,
        }
    }

    fn unreadable(self, disk: &Arc<dyn Backend>, source: io::Error) -> ReadError {
        let (path, chunk) = (disk.path(), self.chunk);
        if source.kind() == io::ErrorKind::InvalidData {
            return ReadError::Forged { path, chunk };
        }
        ReadError::Io {
            path,
            chunk,
            source,
        }
    }
}
