//! What surfaces and background jobs tell the driver.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::collect::RoomError;
use super::config::PeerHint;
use super::error::{FetchError, ShareError};
use super::idle::Wanted;
use super::masters::{MasterId, SearchOutcome, Whom};
use super::quest::{FetchId, Fetched, Leftover, Source};
use super::rounds::Scrub;
use super::share::Proof;
use super::status::FetchStatus;
use super::steer::{Change, Course};
use super::vault::VaultError;
use crate::digest::{Address, ManifestId};
use crate::manifest::{Manifest, ManifestError};
use crate::net::SessionKey;
use crate::store::{
    Content, FinishError, Look, OpenError, ReadError, ReserveError, Scrubbed, SyncError, WriteError,
};
use crate::swarm::Rates;
use crate::wire::Search;

/// What a surface tells a node.
#[derive(Debug)]
pub(super) enum Command {
    /// Serve a complete container.
    Seed {
        content: Arc<Content>,
        proof: watch::Sender<Proof>,
        reply: oneshot::Sender<Result<(), ShareError>>,
    },
    /// Fetch a container.
    Fetch {
        id: FetchId,
        source: Source,
        output: Option<PathBuf>,
        peers: Vec<PeerHint>,
        patience: Duration,
        course: Course,
        status: watch::Sender<FetchStatus>,
        done: oneshot::Sender<Result<Fetched, FetchError>>,
    },
    /// More peers for a fetch.
    AddPeers { id: FetchId, peers: Vec<PeerHint> },
    /// Go on with a fetch in another way.
    Steer { id: FetchId, change: Change },
    /// Limit a container, or all of them together.
    Limit {
        id: Option<ManifestId>,
        rates: Rates,
    },
    /// End a fetch; what it has is kept.
    Cancel { id: FetchId },
    /// Lift a ban.
    Lift { address: Address },
    /// Find containers by name.
    Search {
        search: Search,
        whom: Whom,
        peers: Vec<PeerHint>,
        reply: oneshot::Sender<SearchOutcome>,
    },
    /// Read everything that is complete, and say what that found.
    Scrub { reply: oneshot::Sender<Scrub> },
    /// Stop, and say when that is done.
    Stop { reply: oneshot::Sender<()> },
}

/// What a background job of the driver's has found out.
#[derive(Debug)]
pub(super) enum Note {
    /// A manifest from a peer has been parsed.
    Parsed {
        session: SessionKey,
        id: ManifestId,
        outcome: Result<Manifest, ManifestError>,
    },
    /// The place for a fetch's bytes is open and what lay there is hashed.
    Opened {
        fetch: FetchId,
        id: ManifestId,
        outcome: Result<Content, OpenFailure>,
    },
    /// Peers that were of use to fetches of the same manifest.
    Recalled {
        fetch: FetchId,
        peers: Vec<PeerHint>,
    },
    /// Containers that nobody uses now and that may share chunks with one that is about to be fetched.
    Similar {
        id: ManifestId,
        contents: Vec<Content>,
    },
    /// The whole of a fetch has been hashed, and named if it is right.
    Finished {
        fetch: FetchId,
        outcome: Result<PathBuf, FinishError>,
    },
    /// What was written of a container is safe, or lost.
    Synced {
        id: ManifestId,
        outcome: Result<(), SyncError>,
    },
    /// The space of a fetch was claimed again.
    Room {
        fetch: FetchId,
        outcome: Result<(), ReserveError>,
    },
    /// A complete file is not what it was.
    Looked { id: ManifestId, look: Look },
    /// A piece of a complete container was read, in this time.
    Scrubbed {
        id: ManifestId,
        scrubbed: Scrubbed,
        took: Duration,
    },
    /// The file of a fetch whose manifest was wrong is closed.
    Rejected {
        fetch: FetchId,
        leftover: Option<Leftover>,
    },
    /// A file that is served where it lies has been held against its manifest.
    Proven {
        id: ManifestId,
        proof: watch::Sender<Proof>,
        outcome: Result<(), FinishError>,
    },
    /// The name of a SwarmMaster was looked up.
    Resolved {
        id: MasterId,
        outcome: Result<Vec<SocketAddr>, String>,
    },
    /// Containers of the library that a peer asked for were looked for.
    Found {
        wanted: Wanted,
        contents: Vec<Content>,
    },
    /// Whole containers of the library, each with its number of chunks.
    Offered(BTreeMap<ManifestId, u32>),
    /// Somebody else has lifted bans.
    Lifted { addresses: Vec<Address> },
}

/// Why the place for a fetch's bytes could not be used.
#[derive(Debug)]
pub(super) enum OpenFailure {
    Open(OpenError),
    Room(RoomError),
    Vault(VaultError),
    Resume(ReadError),
    TakeOver(WriteError),
}
