//! Why a node could not do what a surface asked.

use std::path::PathBuf;

use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
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
    /// Three different peers failed the same chunk.
    #[error("E-CHUNK-HASH: chunk {chunk} failed from 3 peers; manifest {manifest_id} suspected")]
    Suspected {
        /// The manifest.
        manifest_id: ManifestId,
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

fn listed(attempts: &[String]) -> String {
    attempts
        .iter()
        .map(|attempt| format!("\n  {attempt}"))
        .collect()
}

/// Where an interrupted fetch keeps what it has.
pub(super) fn kept(part: Option<PathBuf>) -> String {
    part.map_or_else(
        || "nothing had come yet".to_owned(),
        |path| format!("{} is kept and the same command resumes it", path.display()),
    )
}
