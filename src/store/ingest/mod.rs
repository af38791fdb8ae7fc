//! Hashing a file that is to become a container: each chunk, and the whole.
//!
//! The whole can only be hashed in order, by one thread; so one other thread is enough to hash the
//! chunks at the same pace, and more would only wait. The one of the two that is ahead reads on; where
//! there is a third core, another thread does that for both:
//!
//! ```text
//! read a block -+-> hash the whole  -+-> the block is free again
//!               +-> hash the chunks -+
//! ```
//!
//! Chunks are hashed two at a time, which takes a fifth less time than one after the other, so the one that
//! hashes them is ahead, reads, and leaves the other nothing to do but the hash of the whole. A chunk larger
//! than a block is hashed block by block, so memory is that of the blocks (`read_ahead`), 8 MiB, whatever
//! the size of the file and of its chunks; what is too large for two of them (8 MiB) is hashed alone.

mod chunks;
mod read_ahead;
mod source;

use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

use crate::digest::{Digest, Hasher, ProgramId};
use crate::manifest::{Layout, LayoutError, Recall};

use self::chunks::hash_chunks;
use self::read_ahead::{Blocks, User};
use self::source::Source;

/// A file, hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// How it is cut into chunks.
    pub layout: Layout,
    /// SHA-256 of the whole.
    pub program_id: ProgramId,
    /// SHA-256 of each chunk, in order.
    pub chunk_hashes: Vec<Digest>,
}

/// Why a file cannot become a container.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It is a folder, a FIFO, a device or the like.
    #[error("E-FILE: not a regular file: {path}")]
    NotRegular {
        /// What is not a file.
        path: PathBuf,
    },
    /// It is empty, or larger than a container can be.
    #[error("{}: {why}: {path}", why.code())]
    Size {
        /// The file.
        path: PathBuf,
        /// What is wrong with its size.
        why: LayoutError,
    },
    /// It does not have the size of the container that it should be.
    #[error("E-SIZE: {path} has {found} B, its manifest says {expected}")]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Bytes that the manifest says.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// It was changed while it was read, so the hashes belong to nothing that ever was.
    #[error("E-CHANGED: {path} changed while it was read, after {read} of {size} B")]
    Changed {
        /// The file.
        path: PathBuf,
        /// Bytes read until then.
        read: u64,
        /// Bytes that it had at first.
        size: u64,
    },
    /// The system refused to open or to read it.
    #[error("E-IO: cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl IngestError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRegular { .. } => "E-FILE",
            Self::Size { why, .. } => why.code(),
            Self::WrongSize { .. } => "E-SIZE",
            Self::Changed { .. } => "E-CHANGED",
            Self::Io { .. } => "E-IO",
        }
    }
}

/// Hashes a file. `progress` hears how many bytes of it are in the hash of the whole so far; it is
/// called on a thread of its own. With `recall`, chunks need not be hashed again when they are read.
pub fn ingest(
    path: &Path,
    recall: Option<&Recall>,
    progress: impl Fn(u64) + Sync,
) -> Result<Ingested, IngestError> {
    let source = Source::open(path)?;
    let layout = Layout::for_size(source.size()).map_err(|why| IngestError::Size {
        path: path.to_owned(),
        why,
    })?;
    hash(&source, layout, recall, progress)
}

/// Hashes a file cut in this way, whatever a writer would choose; its size must be the layout's. For
/// holding a container against its manifest. `progress` as in [`ingest`].
pub fn ingest_as(
    path: &Path,
    layout: Layout,
    progress: impl Fn(u64) + Sync,
) -> Result<Ingested, IngestError> {
    let source = Source::open(path)?;
    if source.size() != layout.size() {
        return Err(IngestError::WrongSize {
            path: path.to_owned(),
            expected: layout.size(),
            found: source.size(),
        });
    }
    hash(&source, layout, None, progress)
}

fn hash(
    source: &Source<'_>,
    layout: Layout,
    recall: Option<&Recall>,
    progress: impl Fn(u64) + Sync,
) -> Result<Ingested, IngestError> {
    let blocks = Blocks::of(source);
    let (all, progress) = (&blocks, &progress);
    let (program_id, chunk_hashes) = thread::scope(|scope| {
        let whole = thread::Builder::new().spawn_scoped(scope, move || hash_whole(all, progress));
        let whole = source.io(whole)?;
        if thread::available_parallelism().is_ok_and(|cores| cores.get() > 2) {
            // Without it the other two read for themselves.
            let _ = thread::Builder::new().spawn_scoped(scope, move || all.read_ahead());
        }
        let chunks = hash_chunks(layout, recall, all);
        Ok((joined(whole), chunks))
    })?;
    blocks.finish()?;
    Ok(Ingested {
        layout,
        program_id,
        chunk_hashes,
    })
}

fn hash_whole(blocks: &Blocks<'_>, progress: impl Fn(u64)) -> ProgramId {
    let mut hasher = Hasher::new();
    let mut done = 0;
    blocks.each(User::Whole, |block| {
        hasher.update(block);
        done += block.len() as u64;
        progress(done);
    });
    ProgramId::new(hasher.finish())
}

/// What a thread returned; if it panicked, so does this one.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::read_ahead::BLOCKS;
    use super::source::BLOCK_BYTES;
    use super::*;
    use crate::limits::MIB;

    /// Bytes that repeat nowhere near a block's or a chunk's length.
    fn content(len: usize) -> Vec<u8> {
        (0..len as u64)
            .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect()
    }

    fn ingest_bytes(bytes: &[u8]) -> Result<Ingested, IngestError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        ingest(file.path(), None, |_| {})
    }

    #[test]
    fn agrees_with_hashing_everything_in_one_go() {
        let block = BLOCK_BYTES;
        for len in [
            1,
            32_767,
            32_768,
            32_769,
            block - 1,
            block,
            block + 1,
            3 * block + 32_768,
            BLOCKS * block + 5,
        ] {
            let bytes = content(len);
            let layout = Layout::for_size(len as u64).unwrap();
            let chunks = bytes.chunks(layout.chunk_size() as usize);
            let expected = Ingested {
                layout,
                program_id: ProgramId::new(Digest::of(&bytes)),
                chunk_hashes: chunks.map(Digest::of).collect(),
            };
            assert_eq!(ingest_bytes(&bytes).unwrap(), expected, "{len} B");
        }
    }

    #[test]
    fn chunks_larger_than_a_block_are_hashed_piece_by_piece() {
        let bytes = content(21 * MIB + 3);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        for chunk_size in [1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20] {
            let layout = Layout::new(bytes.len() as u64, chunk_size).unwrap();
            let expected: Vec<_> = bytes.chunks(chunk_size as usize).map(Digest::of).collect();
            let (source, recall) = (Source::open(file.path()).unwrap(), Recall::new(&[5; 16]));
            let ingested = hash(&source, layout, Some(&recall), |_| {}).unwrap();
            assert_eq!(ingested.chunk_hashes, expected, "{chunk_size} B");
            let remembers = format!("Recall {{ chunks: {}, .. }}", expected.len());
            assert_eq!(format!("{recall:?}"), remembers, "every chunk");
        }
    }

    #[test]
    fn what_is_hashed_is_recalled_and_nothing_else_changes() {
        let bytes = content(3 * 32_768 + 9);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let recall = Recall::new(&[5; 16]);
        let ingested = ingest(file.path(), Some(&recall), |_| {}).unwrap();
        assert_eq!(ingested, ingest_bytes(&bytes).unwrap());
        assert_eq!(format!("{recall:?}"), "Recall { chunks: 4, .. }");
    }

    #[test]
    fn progress_ends_at_the_size_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content(3 * MIB + 1)).unwrap();
        let last = AtomicU64::new(0);
        ingest(file.path(), None, |done| {
            assert!(last.swap(done, Ordering::Relaxed) < done);
        })
        .unwrap();
        assert_eq!(last.into_inner(), 3 * MIB as u64 + 1);
    }

    #[test]
    fn what_cannot_be_a_container_says_why() {
        let error = ingest_bytes(b"").unwrap_err();
        assert_eq!(error.code(), "E-SIZE");
        let text = error.to_string();
        assert!(text.starts_with("E-SIZE: container is empty: "), "{text}");

        let folder = tempfile::tempdir().unwrap();
        let error = ingest(folder.path(), None, |_| {}).unwrap_err();
        let text = format!("E-FILE: not a regular file: {}", folder.path().display());
        assert_eq!((error.code(), error.to_string()), ("E-FILE", text));

        let huge = folder.path().join("huge");
        let too_large = crate::limits::CONTAINER_BYTES_MAX + 1;
        File::create(&huge).unwrap().set_len(too_large).unwrap();
        let error = ingest(&huge, None, |_| {}).unwrap_err();
        assert!(matches!(
            error,
            IngestError::Size { why: LayoutError::TooLarge { size, .. }, .. } if size == too_large
        ));
    }

    #[test]
    fn a_container_is_hashed_as_its_manifest_cuts_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = content(3 * MIB + 1);
        std::fs::write(file.path(), &bytes).unwrap();
        let layout = Layout::new(bytes.len() as u64, 1 << 20).unwrap();
        let ingested = ingest_as(file.path(), layout, |_| {}).unwrap();
        let expected: Vec<_> = bytes.chunks(1 << 20).map(Digest::of).collect();
        assert_eq!((ingested.layout, ingested.chunk_hashes), (layout, expected));

        let longer = Layout::new(bytes.len() as u64 + 1, 1 << 20).unwrap();
        let error = ingest_as(file.path(), longer, |_| {}).unwrap_err();
        let (path, size) = (file.path().display(), bytes.len());
        let text = format!(
            "E-SIZE: {path} has {size} B, its manifest says {}",
            size + 1
        );
        assert_eq!((error.code(), error.to_string()), ("E-SIZE", text));
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_refused() {
        for new_len in [0, 40 * MIB as u64] {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(20 * MIB as u64).unwrap();
            // the first progress comes while the reader still has blocks to wait for
            let error = ingest(file.path(), None, |_| {
                file.as_file().set_len(new_len).unwrap()
            });
            assert!(
                matches!(error, Err(IngestError::Changed { size, .. }) if size == 20 * MIB as u64),
                "{error:?}"
            );
        }
    }
}
