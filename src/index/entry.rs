//! What is known of a container and of who holds it.

use std::net::SocketAddr;

use crate::digest::{Address, ManifestId, ProgramId};
use crate::manifest::{Manifest, SignatureState};

/// What a manifest says that people search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The manifest.
    pub manifest_id: ManifestId,
    /// SHA-256 of the container.
    pub program_id: ProgramId,
    /// Whose it says it is.
    pub owner: Address,
    /// What it is called.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Chunks.
    pub chunks: u32,
    /// When it was signed, in seconds since 1970; 0 where it is not.
    pub time: u64,
}

impl Facts {
    /// What this manifest says.
    pub fn of(manifest: &Manifest) -> Self {
        let time = match manifest.signature() {
            SignatureState::Signed { time, .. } => time,
            SignatureState::Unsigned => 0,
        };
        Self {
            manifest_id: manifest.id(),
            program_id: manifest.program_id(),
            owner: manifest.address(),
            name: manifest.name().to_owned(),
            size: manifest.layout().size(),
            chunks: manifest.layout().chunk_count(),
            time,
        }
    }
}

/// A running node: a wallet, and where it speaks from. One wallet may run several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// Who.
    pub address: Address,
    /// Where it speaks from, as the master sees it.
    pub remote: SocketAddr,
}

/// A node that is connected to a master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub seat: Seat,
    /// Where it says that it listens.
    pub listen: Vec<SocketAddr>,
    /// What it shares an owner with, as far as can be told.
    pub subnet: u64,
    /// Whether where it speaks from is where it listens: no network address translation is between.
    pub is_open: bool,
}
