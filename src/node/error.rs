//! Why a node could not do what a surface asked.

use std::path::PathBuf;

use super::collect::RoomError;
use super::vault::VaultError;
use crate::chunk::ChunkIndex;
use crate::digest::{ManifestId, ProgramId};
use crate::manifest::ManifestError;
use crate::net::BindError;
use crate::store::{FinishError, FoldersError, IngestError, OpenError, ReadError};

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node's folder cannot be used.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The socket cannot be used.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A SwarmMaster's index cannot be opened.
    #[error(transparent)]
    Index(#[from] crate::store::index::IndexError),
    /// The system gave no thread or no randomness.
    #[error("E-SYSTEM: the node could not start: {0}")]
    System(#[from] std::io::Error),
}

/// Why a manifest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The container could not be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// What is known of it makes no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Why a container could not be shared.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The container could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The node takes part in this container's swarm already.
    #[error("E-BUSY: this node already has manifest {0}")]
    Already(ManifestId),
    /// Every chunk is as the manifest says, and the whole is not: the manifest is wrong, and is not
    /// served.
    #[error(
        "E-MANIFEST-POISONED: every chunk is as listed, yet the whole is {found}, not {claimed}; \
         manifest {manifest_id} signed by {signer} is wrong"
    )]
    Poisoned {
        /// The manifest.
        manifest_id: ManifestId,
        /// Who signed it, or `nobody`.
        signer: String,
        /// What it says that the whole is.
        claimed: ProgramId,
        /// What the whole is.
        found: ProgramId,
    },
    /// Chunks of the file are not what the manifest lists. The others go on being served.
    #[error("E-HASH: {lost} of {total} chunks of {} are not as its manifest lists them", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Chunks that are others.
        lost: u32,
        /// Chunks of the container.
        total: u32,
    },
    /// The file could not be read to its end.
    #[error("{0}")]
    Unreadable(String),
    /// The node has stopped.
    #[error("E-STOPPED: the node has stopped")]
    Stopped,
}

/// Why a container could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody could be reached, or nobody has it.
    #[error("E-NO-PEERS: no peer gave anything for {waited_s} s{}", listed(.tried))]
    NoPeers {
        /// Seconds since a peer was last of use.
        waited_s: u64,
        /// What became of each attempt, newest last.
        tried: Vec<String>,
    },
    /// There is nobody to ask.
    #[error("E-NO-PEERS: the link names no peer and none was given with --peer")]
    NobodyToAsk,
    /// Everybody who was reached is somebody else than expected.
    #[error("{0}")]
    Identity(String),
    /// The place for the bytes cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The quota has no room for it.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// Its place in the vault, or out of it, cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What an earlier fetch left cannot be read.
    #[error(transparent)]
    Resume(#[from] ReadError),
    /// A chunk could not be written.
    #[error("{reason}")]
    Write {
        /// What failed, and where.
        reason: String,
        /// Whether room on the disk is what is missing.
        disk_full: bool,
    },
    /// The bytes are all there, but cannot be made the container.
    #[error(transparent)]
    Finish(FinishError),
    /// Every chunk is as the manifest says, and the whole is not.
    #[error("E-MANIFEST-POISONED: {source}; manifest {manifest_id} signed by {signer} is wrong")]
    Poisoned {
        /// The manifest.
        manifest_id: ManifestId,
        /// Who signed it, or `nobody`.
        signer: String,
        /// What the whole is instead.
        source: FinishError,
    },
    /// Manifests were offered for the container, and none of those that were tried describes it.
    #[error(
        "E-MANIFEST-POISONED: none of {} manifests describes {program_id}{}",
        rejections.len(),
        listed(rejections)
    )]
    NoneRight {
        /// The container.
        program_id: ProgramId,
        /// What was wrong with each, in the order in which they were tried.
        rejections: Vec<Self>,
    },
    /// Nobody sends the chunks of a manifest that somebody offered.
    #[error("E-NO-PEERS: nobody sends the chunks of manifest {manifest_id}, signed by {signer}")]
    Stalled {
        /// The manifest.
        manifest_id: ManifestId,
        /// Who signed it, or `nobody`.
        signer: String,
    },
    /// Three different peers failed the same chunk.
    #[error(
        "E-CHUNK-HASH: chunk {chunk} failed from 3 peers; manifest {manifest_id} signed by {signer} \
         suspected"
    )]
    Suspected {
        /// The manifest.
        manifest_id: ManifestId,
        /// Who signed it, or `nobody`.
        signer: String,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The node takes part in this container's swarm already.
    #[error("E-BUSY: this node already has manifest {0}")]
    Already(ManifestId),
    /// The fetch was cancelled. What it has stays at this path for the next one.
    #[error("E-CANCELLED: stopped; {kept}")]
    Cancelled {
        /// What is kept, in words.
        kept: String,
    },
    /// The node has stopped.
    #[error("E-STOPPED: the node has stopped")]
    Stopped,
}

fn listed(attempts: &[impl std::fmt::Display]) -> String {
    let line = |attempt| format!("\n  {attempt}");
    attempts.iter().map(line).collect()
}

/// Where an interrupted fetch keeps what it has.
pub(super) fn kept(part: Option<PathBuf>) -> String {
    part.map_or_else(
        || "nothing had come yet".to_owned(),
        |path| format!("{} is kept and the same command resumes it", path.display()),
    )
}
