//! What can go wrong between a container and the disk, one enum for each thing that can be done.
//!
//! None of these is a peer's fault: chunks are verified before they get here. Each text
//! starts with a stable code, for scripts.

use std::io;
use std::path::PathBuf;

use crate::chunk::ChunkIndex;
use crate::digest::{Digest, ProgramId};

/// Why a container's file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something that is not a regular file is there: a folder, FIFO, device, or, for a `.part`, a
    /// symbolic link.
    #[error("E-FILE: not a regular file: {path}")]
    NotRegular {
        /// What is not a file.
        path: PathBuf,
    },
    /// A file to be served does not have the manifest's size.
    #[error("E-SIZE: {path} has {found} B, its manifest says {expected}")]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Bytes that the manifest says.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// The destination of a download exists, and is never replaced.
    #[error("E-EXISTS: {path} is already there and is not replaced")]
    AlreadyThere {
        /// The destination.
        path: PathBuf,
    },
    /// The destination of a download does not end in a file's name.
    #[error("E-FILE: {path:?} does not name a file")]
    NoName {
        /// The destination.
        path: PathBuf,
    },
    /// The folder that a download is to be put into does not exist.
    #[error("E-FILE: there is no folder {path}")]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Another process is downloading to the same place.
    #[error("E-LOCKED: another process is writing {path}")]
    InUse {
        /// The `.part` file.
        path: PathBuf,
    },
    /// A file in the vault's place is not this vault's.
    #[error("E-VAULT: {path} was not written with this vault's key, or its beginning is damaged")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The disk does not have the space that the container takes.
    #[error("E-DISK-FULL: no space for {path}, {size} B{}", more(.missing))]
    DiskFull {
        /// The `.part` file.
        path: PathBuf,
        /// Size of the container, in bytes.
        size: u64,
        /// Bytes that have to be freed for it, if the system says.
        missing: Option<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused.
    #[error("E-IO: cannot open {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a verified chunk was not stored. Its bit is not set.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file belongs to its user again: it is served where it lies, or its download is finished.
    #[error("E-FILE: chunk {chunk} not written: {path} is complete and not ours to change")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The disk, or this user's quota on it, is full. Space may come back.
    #[error("E-DISK-FULL: no space for chunk {chunk}, {len} B, in {path}{}", more(.missing))]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
        /// Its length, in bytes.
        len: usize,
        /// Bytes that have to be freed for the whole container, if the system says.
        missing: Option<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// Twice the disk did not keep what it was given. Nothing more is written to this file until it is
    /// opened again.
    #[error("E-IO: chunk {chunk} not written: the disk failed twice to keep {path}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The system refused.
    #[error("E-IO: cannot write chunk {chunk} to {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
        /// What the system said.
        source: io::Error,
    },
}

/// Why the space for a download could not be claimed again.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The disk, or this user's quota on it, is full.
    #[error("E-DISK-FULL: no space for {path}{}", more(.missing))]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Bytes that have to be freed, if the system says.
        missing: Option<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused.
    #[error("E-IO: cannot write {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why what was written may not survive a loss of power. The bits of everything that was written since
/// the last sync are cleared: those chunks are needed again.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The disk, or this user's quota on it, had no room for what it had taken. Space may come back.
    #[error("E-DISK-FULL: no space to keep {path}{}", more(.missing))]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Bytes that have to be freed for the whole container, if the system says.
        missing: Option<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// The disk did not confirm it. After the second time nothing more is written.
    #[error("E-IO: the disk did not keep {path}")]
    NotKept {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a chunk, or any part of a container, was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes on disk are not the chunk any more: the file was edited, or the disk is rotting.
    /// The chunk's bit is cleared.
    #[error("E-HASH: chunk {chunk} of {path} has changed: SHA-256 is {found}, was {expected}")]
    Rotten {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
        /// The manifest's hash of the chunk.
        expected: Digest,
        /// The hash of what was read.
        found: Digest,
    },
    /// The file ends before the chunk does. The chunk's bit is cleared.
    #[error("E-SIZE: {path} ends within chunk {chunk}: read {found} of its {expected} B")]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
        /// Length of the chunk, in bytes.
        expected: usize,
        /// Bytes of it that are there.
        found: usize,
    },
    /// What lies in the vault cannot be decrypted: it was never written, somebody changed it, or the
    /// disk is rotting. The chunk's bit is cleared.
    #[error("E-HASH: chunk {chunk} of {path} is not what was encrypted there")]
    Forged {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The system refused. The chunk's bit stays.
    #[error("E-IO: cannot read chunk {chunk} of {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The chunk.
        chunk: ChunkIndex,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a download was not finished. Unless said otherwise its `.part` file is kept, and so are the
/// bits.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// Chunks are missing.
    #[error("E-INCOMPLETE: {path} has {held} of {total} chunks")]
    Incomplete {
        /// The `.part` file.
        path: PathBuf,
        /// Chunks that are there.
        held: u32,
        /// Chunks of the container.
        total: u32,
    },
    /// Chunks that had been verified are not on disk any more. Their bits are cleared.
    #[error("E-HASH: {lost} of {total} chunks of {path} have changed on disk and are needed again")]
    Rotten {
        /// The `.part` file.
        path: PathBuf,
        /// Chunks that have changed.
        lost: u32,
        /// Chunks of the container.
        total: u32,
    },
    /// Every chunk is as the manifest says, and together they are not the container: the manifest
    /// lies.
    #[error("E-TOTAL: every chunk of {path} is right, yet the whole is {found}, not {expected}")]
    WrongWhole {
        /// The `.part` file.
        path: PathBuf,
        /// The manifest's program id.
        expected: ProgramId,
        /// SHA-256 of the whole.
        found: ProgramId,
    },
    /// The caller gave up.
    #[error("E-CANCELLED: {path} was not read to its end")]
    GivenUp {
        /// The file.
        path: PathBuf,
    },
    /// Another file took the destination's name meanwhile.
    #[error("E-EXISTS: {path} is already there and is not replaced")]
    AlreadyThere {
        /// The destination.
        path: PathBuf,
    },
    /// A part of the whole could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk did not confirm what was written.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The system refused to give the file its final name, or to make that name durable.
    #[error("E-IO: cannot give {path} its final name")]
    Publish {
        /// Where the bytes are now.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRegular { .. } | Self::NoName { .. } | Self::NoFolder { .. } => "E-FILE",
            Self::WrongSize { .. } => "E-SIZE",
            Self::AlreadyThere { .. } => "E-EXISTS",
            Self::InUse { .. } => "E-LOCKED",
            Self::NotOurs { .. } => "E-VAULT",
            Self::DiskFull { .. } => "E-DISK-FULL",
            Self::Io { .. } => "E-IO",
        }
    }
}

impl WriteError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Sealed { .. } => "E-FILE",
            Self::DiskFull { .. } => "E-DISK-FULL",
            Self::Broken { .. } | Self::Io { .. } => "E-IO",
        }
    }
}

impl WriteError {
    /// Whether it may pass by itself, or by somebody's making room.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::DiskFull { .. } | Self::Io { .. } => true,
            Self::Sealed { .. } | Self::Broken { .. } => false,
        }
    }
}

impl SyncError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } => "E-DISK-FULL",
            Self::NotKept { .. } => "E-IO",
        }
    }
}

impl ReadError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rotten { .. } | Self::Forged { .. } => "E-HASH",
            Self::Shrunk { .. } => "E-SIZE",
            Self::Io { .. } => "E-IO",
        }
    }

    /// Whether the bytes are not the chunk. Otherwise nothing is known of them.
    pub const fn is_lost(&self) -> bool {
        match self {
            Self::Rotten { .. } | Self::Shrunk { .. } | Self::Forged { .. } => true,
            Self::Io { .. } => false,
        }
    }
}

impl FinishError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Incomplete { .. } => "E-INCOMPLETE",
            Self::Rotten { .. } => "E-HASH",
            Self::WrongWhole { .. } => "E-TOTAL",
            Self::GivenUp { .. } => "E-CANCELLED",
            Self::AlreadyThere { .. } => "E-EXISTS",
            Self::Read(read) => read.code(),
            Self::Sync(sync) => sync.code(),
            Self::Publish { .. } => "E-IO",
        }
    }
}

fn more(missing: &Option<u64>) -> String {
    missing.map_or_else(String::new, |bytes| format!("; {bytes} B more are needed"))
}
