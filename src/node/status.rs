//! What a surface can see of a node: snapshots, never the thing itself.

use std::net::SocketAddr;
use std::time::Duration;

use super::masters::MasterView;
use crate::digest::{Address, ManifestId, ProgramId};
use crate::manifest::Manifest;
use crate::swarm::{Strike, Tally};

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Who the node is.
    pub address: Address,
    /// Connections that are up.
    pub connections: usize,
    /// The SwarmMasters that it announces to and asks.
    pub masters: Vec<MasterView>,
    /// The containers that take part.
    pub containers: Vec<ContainerStatus>,
    /// Addresses that are refused.
    pub banned: Vec<Banned>,
}

impl Status {
    /// A node that does nothing yet.
    pub(super) const fn at_start(address: Address) -> Self {
        Self {
            address,
            connections: 0,
            masters: Vec::new(),
            containers: Vec::new(),
            banned: Vec::new(),
        }
    }
}

/// An address that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banned {
    /// Who.
    pub address: Address,
    /// For how much longer, unless the ban is lifted.
    pub left: Duration,
    /// What for, the oldest first. Empty where that is not known any more.
    pub strikes: Vec<Strike>,
}

/// Whether it is this address that is refused.
impl PartialEq<Address> for Banned {
    fn eq(&self, address: &Address) -> bool {
        self.address == *address
    }
}

/// One container at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Its manifest.
    pub manifest_id: ManifestId,
    /// The SHA-256 of its bytes.
    pub program_id: ProgramId,
    /// What its publisher calls it. For showing only.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// How many chunks it has.
    pub chunks: u32,
    /// How many of them are here and proven.
    pub held: u32,
    /// Who gave and took how much.
    pub tally: Tally,
    /// The peers of its swarm that are connected.
    pub peers: Vec<PeerStatus>,
}

impl ContainerStatus {
    /// A container of which nothing is known to be here yet.
    pub(super) fn at_start(manifest: &Manifest) -> Self {
        Self {
            manifest_id: manifest.id(),
            program_id: manifest.program_id(),
            name: manifest.name().to_owned(),
            size: manifest.layout().size(),
            chunks: manifest.layout().chunk_count(),
            held: 0,
            tally: Tally::default(),
            peers: Vec::new(),
        }
    }
}

/// How a connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerPath {
    /// We dialed it.
    Dialed,
    /// It dialed us.
    Accepted,
    /// A SwarmMaster carries it, encrypted end to end.
    Relayed {
        /// Which.
        master: Address,
        /// How long it took, from the request for a direct way or from when we heard of it; none where nobody
        /// asked for one.
        after: Option<Duration>,
    },
    /// A SwarmMaster had both sides open their routers at the same time.
    Met {
        /// How long that took, from the request or from when we heard of it.
        after: Duration,
    },
}

/// How somebody who gave chunks was reached at last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Who.
    pub address: Address,
    /// By which way.
    pub path: PeerPath,
    /// As [`PeerStatus::why`].
    pub why: Option<String>,
}

/// One peer of one container's swarm at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whose it is.
    pub address: Address,
    /// Where it speaks from; a made-up address where a SwarmMaster carries.
    pub remote: SocketAddr,
    /// How the connection came about.
    pub path: PeerPath,
    /// Why there is no direct way and what would help, where a SwarmMaster carries and that is known.
    pub why: Option<String>,
    /// Chunks that it holds.
    pub held: u32,
    /// Its measured delivery rate in bytes per second.
    pub rate: u64,
    /// Chunks that it has been asked for.
    pub in_flight: usize,
}

/// How far a fetch has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchStatus {
    /// No peer has given the manifest yet.
    FindingManifest {
        /// Peers that are connected for this fetch.
        peers: usize,
    },
    /// What an earlier fetch left is being hashed.
    Checking {
        /// Bytes hashed.
        done: u64,
        /// Bytes of the container.
        size: u64,
    },
    /// Chunks are coming in.
    Downloading(ContainerStatus),
    /// No chunks are asked for, by its owner's wish. What is here is served.
    Paused(ContainerStatus),
    /// The disk does not take its chunks: it is full, read-only, or failing. What is here is served, and
    /// it goes on by itself.
    Blocked {
        /// How far it is.
        container: ContainerStatus,
        /// What is wrong, and how much is missing where that is known.
        why: String,
    },
    /// The whole is being checked and named.
    Finishing(ContainerStatus),
}
