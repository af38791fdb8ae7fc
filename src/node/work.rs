//! What a worker does with a chunk: prove and store one that came, or read and pack one to send.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::clock::Stopwatch;
use super::outflow::Outflow;
use super::squeeze::Squeeze;
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::manifest::{BadChunk, VerifiedChunk};
use crate::net::Responder;
use crate::store::{Content, ReadError, WriteError};
use crate::swarm::Ticket;
use crate::wire::compress::{Compressor, DecompressError, Decompressor, Effort, Verdict};
use crate::wire::payload::Payload;
use crate::wire::{Accept, Encoding};
use crate::yielding::give_way;

/// One job for a worker.
#[derive(Debug)]
pub(super) enum Job {
    /// Prove an answer to be the chunk it claims to be, and store it.
    Verify {
        ticket: Ticket,
        id: ManifestId,
        content: Arc<Content>,
        chunk: ChunkIndex,
        payload: Payload,
    },
    /// Copy a chunk from one of these places.
    Copy {
        ticket: Ticket,
        id: ManifestId,
        content: Arc<Content>,
        chunk: ChunkIndex,
        places: Vec<Place>,
    },
    /// Read a chunk, prove it, and pack it for its asker.
    Read {
        responder: Responder,
        content: Arc<Content>,
        squeeze: Arc<Squeeze>,
        id: ManifestId,
        chunk: ChunkIndex,
        accept: Accept,
    },
}

/// Where bytes are said to be.
#[derive(Debug)]
pub(super) struct Place {
    /// The container that takes part whose chunk it is. Where there is none, nobody has to be told that it
    /// is lost.
    pub(super) of: Option<ManifestId>,
    pub(super) chunk: ChunkIndex,
    pub(super) content: Arc<Content>,
}

/// What came of a job.
#[derive(Debug)]
pub(super) enum Done {
    /// Of a `Verify`.
    Verified {
        ticket: Ticket,
        id: ManifestId,
        outcome: Result<Stored, VerifyError>,
    },
    /// Of a `Copy`. Chunks that were not where they were said to be are lost.
    Copied {
        ticket: Ticket,
        id: ManifestId,
        outcome: Result<Stored, CopyError>,
        lost: Vec<(ManifestId, ChunkIndex)>,
    },
    /// Of a `Read`.
    Read {
        responder: Responder,
        id: ManifestId,
        chunk: ChunkIndex,
        outcome: Result<(Encoding, Bytes), ReadFailure>,
    },
}

/// A chunk is in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    /// Bytes of its container that wait for a sync now.
    pub(super) unsynced: u64,
}

/// Why an answer did not become a stored chunk.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyError {
    #[error(transparent)]
    Compressed(#[from] DecompressError),
    #[error(transparent)]
    Chunk(#[from] BadChunk),
    #[error(transparent)]
    Store(#[from] WriteError),
}

/// Why a chunk was not copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error("its bytes are nowhere on this node any more")]
    Nowhere,
    #[error(transparent)]
    Store(#[from] WriteError),
}

/// Why a chunk could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadFailure {
    #[error("the chunk is not here any more")]
    Gone,
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What one worker keeps between jobs.
pub(super) struct Tools {
    compressor: Compressor,
    decompressor: Decompressor,
    outflow: Arc<Outflow>,
}

impl Tools {
    pub(super) fn new(outflow: Arc<Outflow>) -> io::Result<Self> {
        Ok(Self {
            outflow,
            compressor: Compressor::new()?,
            decompressor: Decompressor::new()?,
        })
    }
}

impl Job {
    /// Does the job. Blocks on the disk.
    pub(super) fn run(self, tools: &mut Tools) -> Done {
        match self {
            Self::Verify {
                ticket,
                id,
                content,
                chunk,
                payload,
            } => {
                let outcome = verify(&content, chunk, payload, &mut tools.decompressor);
                Done::Verified {
                    ticket,
                    id,
                    outcome,
                }
            }
            Self::Copy {
                ticket,
                id,
                content,
                chunk,
                places,
            } => {
                let (outcome, lost) = copy(&content, chunk, places);
                Done::Copied {
                    ticket,
                    id,
                    outcome,
                    lost,
                }
            }
            Self::Read {
                responder,
                content,
                squeeze,
                id,
                chunk,
                accept,
            } => {
                let outcome = read(&content, &squeeze, chunk, accept, tools);
                Done::Read {
                    responder,
                    id,
                    chunk,
                    outcome,
                }
            }
        }
    }
}

fn verify(
    content: &Content,
    chunk: ChunkIndex,
    payload: Payload,
    decompressor: &mut Decompressor,
) -> Result<Stored, VerifyError> {
    let manifest = content.manifest();
    let len = manifest
        .layout()
        .chunk_len(chunk)
        .expect("the core asks for chunks that exist");
    let bytes = match payload.encoding() {
        Encoding::Raw => payload.into_contiguous(),
        Encoding::Zstd => decompressor
            .decompress(&payload.into_contiguous(), len as usize)?
            .into(),
    };
    let proven = VerifiedChunk::verify_pausing(manifest, chunk, bytes, give_way)?;
    let unsynced = content.put(&proven)?;
    Ok(Stored { unsynced })
}

/// Copies from the first place that has the bytes; each is proven as it is read.
fn copy(
    content: &Content,
    chunk: ChunkIndex,
    places: Vec<Place>,
) -> (Result<Stored, CopyError>, Vec<(ManifestId, ChunkIndex)>) {
    let mut lost = Vec::new();
    for place in places {
        match place.content.read(place.chunk) {
            Ok(Some(found)) => {
                if let Some(same) = found.also_at(content.manifest(), chunk) {
                    let put = content.put(&same);
                    let stored = put.map(|unsynced| Stored { unsynced });
                    return (stored.map_err(CopyError::from), lost);
                }
            }
            Ok(None) | Err(_) => lost.extend(place.of.map(|id| (id, place.chunk))),
        }
    }
    (Err(CopyError::Nowhere), lost)
}

fn read(
    content: &Content,
    squeeze: &Squeeze,
    chunk: ChunkIndex,
    accept: Accept,
    tools: &mut Tools,
) -> Result<(Encoding, Bytes), ReadFailure> {
    let may_compress = accept == Accept::Zstd;
    if let Some(packed) = may_compress.then(|| squeeze.cached(chunk)).flatten() {
        return Ok((Encoding::Zstd, packed));
    }
    let bytes = content.read(chunk)?.ok_or(ReadFailure::Gone)?.into_bytes();
    let effort = may_compress.then(|| tools.outflow.effort()).flatten();
    let Some(effort) = effort.filter(|it| squeeze.is_worth_a_look(chunk, *it)) else {
        return Ok((Encoding::Raw, bytes));
    };
    let packed = pack(&bytes, effort, tools);
    squeeze.on_tried(chunk, packed.as_ref());
    Ok(packed.map_or((Encoding::Raw, bytes), |packed| (Encoding::Zstd, packed)))
}

/// The compressed form of a chunk, if it shrinks.
fn pack(bytes: &[u8], effort: Effort, tools: &mut Tools) -> Option<Bytes> {
    if tools.compressor.probe(bytes) == Verdict::Incompressible {
        return None;
    }
    let stopwatch = Stopwatch::start();
    let packed = tools.compressor.compress(bytes, effort)?;
    let (len, took) = (packed.len(), stopwatch.elapsed());
    tools.outflow.on_packed(bytes.len(), len, effort, took);
    Some(packed.into())
}
