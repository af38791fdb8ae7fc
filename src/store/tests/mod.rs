//! A container's life on disk: from a `.part` to a name, and what may go wrong on the way.
//!
//! Here is the container that the tests store; `faults` breaks a disk in RAM, `injection` does so at every call,
//! `files` uses a real one, `moves` takes over what another manifest brought, `safety` is about what is synced
//! and written down, `power` cuts the power, `rot` flips bits,
//! `vault` encrypts; `hostile` has names and links that are meant to lead elsewhere.

mod faults;
mod files;
mod hostile;
mod injection;
mod moves;
mod power;
mod rot;
mod safety;
mod vault;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::memory::MemoryDisk;
use super::{Content, FinishError, OpenError, ReadError, WriteError};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, Digest, ProgramId};
use crate::manifest::{Draft, Layout, Manifest, VerifiedChunk};

const CHUNK: usize = 32_768;

/// A container in memory, to be stored.
struct Sample {
    manifest: Arc<Manifest>,
    bytes: Vec<u8>,
}

impl Sample {
    fn of_size(len: usize) -> Self {
        let bytes = (0..len as u64)
            .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        Self::of(bytes)
    }

    fn of(bytes: Vec<u8>) -> Self {
        let program_id = ProgramId::new(Digest::of(&bytes));
        Self::claiming(bytes, program_id)
    }

    /// A container whose manifest may lie about the whole.
    fn claiming(bytes: Vec<u8>, program_id: ProgramId) -> Self {
        let layout = Layout::for_size(bytes.len() as u64).unwrap();
        let draft = Draft {
            name: "sample".into(),
            layout,
            program_id,
            chunk_hashes: bytes
                .chunks(layout.chunk_size() as usize)
                .map(Digest::of)
                .collect(),
            reach: None,
            time: 0,
            peers: vec![],
        };
        let manifest = draft.unsigned(Address::new(Digest::of(b"key"))).unwrap();
        Self {
            manifest: Arc::new(manifest),
            bytes,
        }
    }

    fn chunk(&self, index: u32) -> VerifiedChunk {
        let index = ChunkIndex::new(index);
        let from = index.as_usize() * CHUNK;
        let to = self.bytes.len().min(from + CHUNK);
        let bytes = Bytes::copy_from_slice(&self.bytes[from..to]);
        VerifiedChunk::verify(&self.manifest, index, bytes).unwrap()
    }

    fn chunks(&self) -> impl DoubleEndedIterator<Item = VerifiedChunk> {
        (0..self.manifest.layout().chunk_count()).map(|index| self.chunk(index))
    }

    fn in_memory(&self) -> (Arc<MemoryDisk>, Content) {
        let disk = Arc::new(MemoryDisk::default());
        let content = Content::empty(Arc::clone(&self.manifest), disk.clone());
        (disk, content)
    }

    fn download(&self, path: &Path) -> Result<Content, OpenError> {
        Content::download(Arc::clone(&self.manifest), path)
    }

    fn seed(&self, path: &Path) -> Result<Content, OpenError> {
        Content::seed(Arc::clone(&self.manifest), path)
    }
}

fn put(content: &Content, chunk: &VerifiedChunk) {
    content.put(chunk).unwrap();
}

fn put_all(content: &Content, sample: &Sample) {
    sample.chunks().for_each(|chunk| put(content, &chunk));
}

fn read(content: &Content, index: u32) -> Result<Option<Bytes>, ReadError> {
    let chunk = content.read(ChunkIndex::new(index))?;
    Ok(chunk.map(VerifiedChunk::into_bytes))
}

fn held(content: &Content) -> Vec<u32> {
    content.have().iter().map(ChunkIndex::get).collect()
}
