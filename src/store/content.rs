//! One container's bytes on disk, and which of its chunks are proven.
//!
//! A bit of the bitfield says: these bytes were verified, and written or found on disk since this
//! [`Content`] was opened (or, for a file that is served where it lies: the manifest says that they
//! should be there). A disk may forget, so no bit is taken at its word: [`Content::read`] verifies what
//! it read before it hands it out, by its SHA-256 or as bytes that this process has hashed before
//! ([`Recall`]), and clears the bit if they are others. A lost bit costs one chunk; a false one cannot be
//! acted upon.
//!
//! What [`Content::finish`] promises: every chunk was verified against the manifest; the disk confirmed
//! that it holds everything written; and the SHA-256 over all chunks, in order, is the program id. Each
//! byte of that hash was taken from memory after it was written, or read back from the file; it is not
//! read a second time from the medium, so a disk that changes a byte afterwards is left for
//! `read` to notice. If the whole is wrong, every chunk is read and verified again before anyone is
//! blamed.
//!
//! What survives a loss of power, and when, is `journal`'s to say.
//!
//! All calls block. Several threads may call at once; none waits for another's disk IO, except that
//! `finish` is alone with the hash of the whole.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::chunk::{Bitfield, ChunkIndex};
use crate::limits::MIB;
use crate::manifest::{BadChunk, Layout, Manifest, Recall, VerifiedChunk};
use crate::yielding::give_way;

use super::backend::Backend;
use super::error::{OpenError, ReadError, ReserveError, WriteError};
use super::files::{FileDisk, is_disk_full};
use super::journal::{Journal, Record};
use super::ledger::FileStamp;
use super::scrub::Owner;
use super::vault::{SealedDisk, Vault, sealed_len};
use super::whole::{Span, Whole};

/// How many bytes of the whole are hashed after a write, at most; one chunk if that is longer. Many times what one write
/// brings, so that the hash catches up although only one worker is at it: four chunks were too few where several
/// workers write. Few, so that the worker soon takes the next job: some milliseconds.
const HASH_AHEAD_BYTES: usize = 8 * MIB;

/// The content of one container.
pub struct Content {
    pub(super) manifest: Arc<Manifest>,
    pub(super) disk: Arc<dyn Backend>,
    state: Mutex<State>,
    /// Locked before `state` where both are.
    whole: Mutex<Whole>,
    /// What need not be hashed again; without it, everything is.
    recall: Option<Arc<Recall>>,
    /// Locked before `state`, by whoever syncs.
    pub(super) sync_turn: Mutex<()>,
    pub(super) record: Option<Record>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, have) = (self.path(), self.have());
        f.debug_struct("Content")
            .field("path", &path)
            .field("have", &have)
            .finish_non_exhaustive()
    }
}

/// Locked only for a look or a change, never during IO.
pub(super) struct State {
    pub(super) have: Bitfield,
    /// The file is its user's and is not written to: it was complete when opened, or is finished.
    pub(super) sealed: bool,
    pub(super) journal: Journal,
    /// Who may write to it once it is sealed.
    pub(super) owner: Owner,
    /// What a complete file was like when it was last looked at.
    pub(super) seen: Option<FileStamp>,
}

impl Content {
    /// Serves a complete file where it lies. Its size must be the manifest's; its bytes are believed
    /// until they are read.
    pub fn seed(manifest: Arc<Manifest>, path: &Path) -> Result<Self, OpenError> {
        let disk = FileDisk::complete(path, manifest.layout().size())?;
        let have = Bitfield::full(manifest.layout().chunk_count());
        let content = Self::over(manifest, Arc::new(disk), have);
        content.state().seen = content.disk.stamp().ok();
        Ok(content)
    }

    /// Serves a complete file of the node's own, which must be in a folder of its own. Chunks that turn
    /// out to be others can be put again.
    pub fn keep(manifest: Arc<Manifest>, path: &Path) -> Result<Self, OpenError> {
        let disk = FileDisk::kept(path, manifest.layout().size())?;
        let have = Bitfield::full(manifest.layout().chunk_count());
        let content = Self::over(manifest, Arc::new(disk), have);
        content.own();
        Ok(content)
    }

    /// Downloads to `path`, which must be free, by way of `path` with `.part` appended, which is
    /// created or taken over, locked, and given all the space that the container takes.
    ///
    /// No bit is set yet: [`resume`](Self::resume) finds what an earlier download left.
    pub fn download(manifest: Arc<Manifest>, path: &Path) -> Result<Self, OpenError> {
        let disk = FileDisk::part(path, manifest.layout().size())?;
        Ok(Self::empty(manifest, Arc::new(disk)))
    }

    /// As [`download`](Self::download), into a vault: nothing of the container is on the disk but
    /// encrypted.
    pub fn download_sealed(
        manifest: Arc<Manifest>,
        path: &Path,
        vault: &Vault,
    ) -> Result<Self, OpenError> {
        let (id, size) = (manifest.program_id(), manifest.layout().size());
        let file = Arc::new(FileDisk::part(path, sealed_len(size))?);
        let disk = SealedDisk::begin(file.clone(), vault, id, size);
        let disk = disk.map_err(|source| OpenError::Io {
            path: file.path(),
            source,
        })?;
        Ok(Self::empty(manifest, Arc::new(disk)))
    }

    /// As [`keep`](Self::keep), from a vault; where it may not be written to, it is served as it is.
    pub fn keep_sealed(
        manifest: Arc<Manifest>,
        path: &Path,
        vault: &Vault,
    ) -> Result<Self, OpenError> {
        let (id, size) = (manifest.program_id(), manifest.layout().size());
        let kept = FileDisk::kept(path, sealed_len(size));
        let (file, is_ours) = match kept {
            Err(OpenError::Io { .. }) => (FileDisk::complete(path, sealed_len(size))?, false),
            kept => (kept?, true),
        };
        let file: Arc<dyn Backend> = Arc::new(file);
        let path = path.to_owned();
        let disk = match SealedDisk::open(&file, vault, id, size) {
            Ok(Some(disk)) => disk,
            Ok(None) => return Err(OpenError::NotOurs { path }),
            Err(source) => return Err(OpenError::Io { path, source }),
        };
        let have = Bitfield::full(manifest.layout().chunk_count());
        let content = Self::over(manifest, Arc::new(disk), have);
        match is_ours {
            true => content.own(),
            false => content.state().seen = content.disk.stamp().ok(),
        }
        Ok(content)
    }

    /// A download into any backend.
    pub(super) fn empty(manifest: Arc<Manifest>, disk: Arc<dyn Backend>) -> Self {
        let have = Bitfield::empty(manifest.layout().chunk_count());
        Self::over(manifest, disk, have)
    }

    /// What is complete from the start is its user's.
    fn over(manifest: Arc<Manifest>, disk: Arc<dyn Backend>, have: Bitfield) -> Self {
        let state = State {
            sealed: have.is_full(),
            journal: Journal::new(manifest.layout()),
            owner: Owner::User,
            seen: None,
            have,
        };
        Self {
            manifest,
            disk,
            state: Mutex::new(state),
            whole: Mutex::new(Whole::new()),
            recall: None,
            sync_turn: Mutex::new(()),
            record: None,
        }
    }

    /// Recognises chunks that were hashed before, and has those recognised that it hashes.
    pub fn recalling(self, recall: Arc<Recall>) -> Self {
        Self {
            recall: Some(recall),
            ..self
        }
    }

    /// Writes a chunk and sets its bit. A chunk that is already there is left alone. Where too much
    /// waits for a sync already, this waits for that first, or does it.
    ///
    /// Returns how many bytes a loss of power may take now: [`sync`](Self::sync) makes them safe.
    ///
    /// # Panics
    ///
    /// If the chunk was verified against another manifest that does not share it.
    pub fn put(&self, chunk: &VerifiedChunk) -> Result<u64, WriteError> {
        let index = chunk.index();
        assert_eq!(
            self.manifest.chunk_hash(index),
            Some(chunk.digest()),
            "chunk {index} belongs to another container"
        );
        let span = Span::of(self.layout(), index).expect("a chunk with a hash has a place");
        if self.holds(index) {
            return Ok(self.unsynced_bytes());
        }
        let sealed = self.state().sealed;
        let unsynced = match sealed {
            true => self.mend(chunk, span)?,
            false => {
                self.make_room(index, span.len)?;
                self.write_until_kept(chunk, span)?
            }
        };
        if let Some(recall) = &self.recall {
            recall.learn(chunk);
        }
        self.hash_ahead(chunk);
        Ok(unsynced)
    }

    /// Claims the space of a download again, after chunks could not be written.
    pub fn claim_room(&self) -> Result<(), ReserveError> {
        let (size, path) = (self.layout().size(), self.path());
        match self.disk.reserve(size) {
            Ok(()) => Ok(()),
            Err(source) if is_disk_full(&source) => Err(ReserveError::DiskFull {
                path,
                missing: self.disk.missing_space(size),
                source,
            }),
            Err(source) => Err(ReserveError::Io { path, source }),
        }
    }

    /// Reads a chunk and verifies it; `None` if its bit is not set.
    pub fn read(&self, index: ChunkIndex) -> Result<Option<VerifiedChunk>, ReadError> {
        if !self.holds(index) {
            return Ok(None);
        }
        self.read_anyway(index).map(Some).inspect_err(|error| {
            if error.is_lost() {
                self.state().have.remove(index);
            }
        })
    }

    /// Which chunks are there.
    pub fn have(&self) -> Bitfield {
        self.state().have.clone()
    }

    /// Whether all chunks are there.
    pub fn is_complete(&self) -> bool {
        self.state().have.is_full()
    }

    /// What the bytes should be.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Where the bytes are now: the `.part` until the download is finished.
    pub fn path(&self) -> PathBuf {
        self.disk.path()
    }

    /// Reads and verifies a chunk that exists, whatever its bit says.
    pub(super) fn read_anyway(&self, index: ChunkIndex) -> Result<VerifiedChunk, ReadError> {
        let span = Span::of(self.layout(), index).expect("callers ask only for chunks that exist");
        let bytes = span.read_all(&self.disk)?;
        let bytes = Bytes::from(bytes);
        let verified = match &self.recall {
            Some(recall) => {
                VerifiedChunk::verify_with(&self.manifest, index, bytes, recall, give_way)
            }
            None => VerifiedChunk::verify_pausing(&self.manifest, index, bytes, give_way),
        };
        verified.map_err(|bad| match bad {
            BadChunk::Hash {
                expected, found, ..
            } => ReadError::Rotten {
                path: self.path(),
                chunk: index,
                expected,
                found,
            },
            BadChunk::NoSuchChunk { .. } | BadChunk::Length { .. } => {
                unreachable!("the chunk exists and was read at its full length: {bad}")
            }
        })
    }

    /// Writes a chunk, again if a sync has failed meanwhile, and sets its bit.
    fn write_until_kept(&self, chunk: &VerifiedChunk, span: Span) -> Result<u64, WriteError> {
        let index = chunk.index();
        loop {
            let epoch = self.epoch_to_write_in(index)?;
            self.write(chunk, span.offset)?;
            let state = &mut *self.state();
            if state.journal.epoch() == epoch {
                if state.have.insert(index) {
                    state.journal.on_written(index, span.len as u64);
                }
                return Ok(state.journal.unsynced_bytes());
            }
        }
    }

    /// Writes a chunk to a file that is complete but for it, if that is this node's to do. One at a
    /// time, because each changes what the file is known by.
    fn mend(&self, chunk: &VerifiedChunk, span: Span) -> Result<u64, WriteError> {
        let _turn = self.turn();
        if !self.may_mend() {
            let (path, chunk) = (self.path(), chunk.index());
            return Err(WriteError::Sealed { path, chunk });
        }
        let written = self.write_until_kept(chunk, span);
        self.own();
        written
    }

    /// The epoch of the journal, if anything may be written in it.
    fn epoch_to_write_in(&self, chunk: ChunkIndex) -> Result<u32, WriteError> {
        let state = self.state();
        if state.journal.is_broken() {
            let path = self.path();
            return Err(WriteError::Broken { path, chunk });
        }
        Ok(state.journal.epoch())
    }

    fn write(&self, chunk: &VerifiedChunk, offset: u64) -> Result<(), WriteError> {
        let bytes: &Bytes = chunk.bytes();
        let (path, chunk) = (|| self.path(), chunk.index());
        match self.disk.write_at(bytes, offset) {
            Ok(()) => Ok(()),
            Err(source) if is_disk_full(&source) => Err(WriteError::DiskFull {
                path: path(),
                chunk,
                len: bytes.len(),
                missing: self.disk.missing_space(self.layout().size()),
                source,
            }),
            Err(source) => Err(WriteError::Io {
                path: path(),
                chunk,
                source,
            }),
        }
    }

    /// Carries the hash of the whole a little further, unless another thread is at it.
    fn hash_ahead(&self, chunk: &VerifiedChunk) {
        let Ok(mut whole) = self.whole.try_lock() else {
            return;
        };
        whole.on_chunk(chunk);
        let chunk_bytes = self.layout().chunk_size() as usize;
        for _ in 0..(HASH_AHEAD_BYTES / chunk_bytes).max(1) {
            // an error shows again in `finish`, which can report it
            if !self.holds(whole.next()) || whole.read_next(self.layout(), &self.disk).is_err() {
                return;
            }
        }
    }

    pub(super) fn holds(&self, index: ChunkIndex) -> bool {
        self.state().have.contains(index)
    }

    pub(super) fn layout(&self) -> Layout {
        self.manifest.layout()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // nothing that changes it panics halfway
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn whole(&self) -> MutexGuard<'_, Whole> {
        // a hash that a panic cut short is found wrong by `finish`, which then starts over
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
