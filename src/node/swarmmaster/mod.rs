//! A SwarmMaster: an index of who holds what, and a place to meet. Helps, is never trusted, is never
//! required.
//!
//! ```text
//! nodes --QUIC--> driver     the network thread: sessions, meters, claims
//!                 |   ^
//!        jobs     v   |  what came of them
//!          desk: two threads that read the index, one that writes it in batches, one that checks
//!          signatures, manifests and chunks
//! ```
//!
//! A node that registers a container is asked for its manifest and for a chunk of it that the master
//! chooses; it is listed when both are right (`claims`). It is named to others while its connection is
//! up: the keep-alive of the connection, every five seconds, is its heartbeat. Queues are bounded, and
//! who finds one full is told when to come back.
//!
//! The network thread reads no file, checks no signature and parses no manifest.

mod calls;
mod claims;
mod desk;
mod driver;
mod gate;
mod meet;
mod recent;
mod relay;
mod told;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::clock::Clock;
use super::config::Listen;
use super::error::StartError;
use super::start::{bind_at, random_seed, reachable};
use super::thread;
use crate::digest::Address;
use crate::identity::Wallet;
use crate::index::{Freight, Random};
use crate::net::{Capacity, Carrying, EVENTS_MAX, Endpoint, Lookout, Migration, Throttle};
use crate::store::index::{IndexExtent, IndexPlace};

use self::desk::Desk;
use self::driver::{Driver, Ears};
use self::gate::Gate;
use self::meet::Introductions;
use self::relay::{Invitation, Relay};

pub use self::relay::RelayTotals;

/// The UDP port that SwarmMasters listen on unless told otherwise.
pub const MASTER_PORT: u16 = 7923;
/// Connections that a master keeps.
const CONNECTIONS_MAX: usize = 20_000;
/// Connections from one IPv4 address or one IPv6 /64: a household, or an office behind one address.
const PER_HOST_MAX: usize = 64;
/// Datagrams at the second port that may wait.
const VIEWS_MAX: usize = 256;
/// Bytes a second that are carried between nodes, unless told otherwise: 128 Mbit/s.
const RELAY_RATE: u64 = 16 * 1024 * 1024;
/// Bytes that one wallet may have carried in a day (A35).
const RELAY_KEY_DAY: u64 = 10 * 1024 * 1024 * 1024;
/// Wallets of one subnet that may all have as much.
const RELAY_DAY_WALLETS: u64 = 10;
/// Bytes a second that all samples together may take, unless told otherwise.
const SAMPLE_RATE: u64 = 32 * 1024 * 1024;

/// A SwarmMaster's configuration.
#[derive(Debug, Clone)]
pub struct MasterConfig {
    /// Where its index is. The folder of a file is made if there is none.
    pub index: IndexPlace,
    /// Who it is.
    pub wallet: Arc<Wallet>,
    /// Where it listens.
    pub listen: Listen,
    /// Bytes a second that samples of what nodes say they hold may take. Default: 32 MiB.
    pub sample_rate: u64,
    /// Bytes a second that are carried between nodes; none where nothing is carried. Default: 16 MiB.
    pub relay_rate: Option<u64>,
    /// Bytes that one wallet may have carried in a day. Default: 10 GiB. A subnet may have ten times that.
    pub relay_day: u64,
}

impl MasterConfig {
    /// A master with this identity that keeps its index in this folder and listens here.
    pub fn new(folder: impl Into<PathBuf>, wallet: Wallet, listen: Listen) -> Self {
        Self {
            index: IndexPlace::in_folder(&folder.into()),
            wallet: Arc::new(wallet),
            listen,
            sample_rate: SAMPLE_RATE,
            relay_rate: Some(RELAY_RATE),
            relay_day: RELAY_KEY_DAY,
        }
    }
}

/// A running SwarmMaster. Dropped, it stops as soon as it can; [`SwarmMaster::stop`] waits for that.
#[derive(Debug)]
pub struct SwarmMaster {
    stop: mpsc::Sender<oneshot::Sender<()>>,
    status: watch::Receiver<MasterStatus>,
    address: Address,
    listen: SocketAddr,
    announced: Vec<SocketAddr>,
}

/// What a master has done since it started, and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MasterStatus {
    /// Connections that are up.
    pub connections: usize,
    /// Nodes that have enlisted on them.
    pub enlisted: usize,
    /// What the index holds, as of a few seconds ago.
    pub index: IndexExtent,
    /// Registrations that were listed, or said again.
    pub registered: u64,
    /// Registrations that were not taken, for whatever reason.
    pub rejected: u64,
    /// Questions who holds something that were answered.
    pub lookups: u64,
    /// Searches that were answered.
    pub searches: u64,
    /// Searches that ran out of time and were answered in part.
    pub searches_cut: u64,
    /// Times that two nodes were told to meet.
    pub meetings: u64,
    /// Requests that were told to come back later.
    pub busy: u64,
    /// What was carried between nodes.
    pub relay: RelayTotals,
}

/// What the network thread hands back once it is up.
struct Up {
    listen: SocketAddr,
    announced: Vec<SocketAddr>,
    status: watch::Receiver<MasterStatus>,
}

impl SwarmMaster {
    /// Starts a master: opens its index and its socket, and begins to accept nodes.
    pub async fn start(config: MasterConfig) -> Result<Self, StartError> {
        let address = config.wallet.address();
        let (stop, inbox) = mpsc::channel(1);
        let build = move || {
            let (driver, ears, up) = build(&config, inbox)?;
            Ok((driver.run(ears), up))
        };
        let Up {
            listen,
            announced,
            status,
        } = thread::start(build).await?;
        Ok(Self {
            stop,
            status,
            address,
            listen,
            announced,
        })
    }

    /// Who it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Where its socket listens.
    pub fn listen_address(&self) -> SocketAddr {
        self.listen
    }

    /// Where others can reach it, as far as this machine knows.
    pub fn reachable_at(&self) -> &[SocketAddr] {
        &self.announced
    }

    /// What nodes are told to find it by, and to know it: its wallet address and where it is.
    pub fn hint(&self) -> String {
        let at = self.announced.first().unwrap_or(&self.listen);
        format!("{}@{at}", self.address)
    }

    /// What it does, once a second.
    pub fn status(&self) -> watch::Receiver<MasterStatus> {
        self.status.clone()
    }

    /// Stops it: nodes are told, and what they registered is written.
    pub async fn stop(self) {
        let (reply, stopped) = oneshot::channel();
        if self.stop.send(reply).await.is_ok() {
            // An error means that it has stopped already.
            let _ = stopped.await;
        }
    }
}

fn build(
    config: &MasterConfig,
    stop: mpsc::Receiver<oneshot::Sender<()>>,
) -> Result<(Driver, Ears, Up), StartError> {
    let clock = Clock::start();
    let (done_in, done) = mpsc::unbounded_channel();
    let desk = Desk::open(&config.index, clock, &done_in)?;
    let (events_in, events) = mpsc::channel(EVENTS_MAX);
    let capacity = Capacity {
        connections: CONNECTIONS_MAX,
        per_host: PER_HOST_MAX,
        migration: Migration::Refused,
        carrying: match config.relay_rate {
            Some(_) => Carrying::Taken,
            None => Carrying::Refused,
        },
    };
    let bind = |at| {
        let wallet = Arc::clone(&config.wallet);
        Endpoint::bind_for(at, wallet, events_in.clone(), capacity, reachable)
    };
    let endpoint = bind_at(config.listen, bind)?;
    let (listen, announced) = (endpoint.local_address()?, endpoint.announced().all());
    let (views_in, views) = mpsc::channel(VIEWS_MAX);
    let lookout = Lookout::open(listen, views_in)
        .inspect_err(|error| tracing::warn!(%error, "routers are not looked at"))
        .ok();
    let (status, seen) = watch::channel(MasterStatus::default());
    let (relay, invitations) = config
        .relay_rate
        .map(|rate| carrying(config, clock, rate))
        .unzip();
    let driver = Driver {
        clock,
        address: config.wallet.address(),
        endpoint,
        desk,
        gate: Gate::new(),
        sampling: Arc::new(Throttle::new(Some(config.sample_rate))),
        clients: Default::default(),
        relay,
        calls: Default::default(),
        next_call: 0,
        claims: Default::default(),
        introductions: Introductions::new(lookout.map(|it| it.port())),
        random: Random::new(random_seed()?),
        outbox: Default::default(),
        totals: MasterStatus::default(),
        status,
        ticks: 0,
    };
    let ears = Ears {
        stop,
        events,
        done,
        views,
        invitations,
    };
    let up = Up {
        listen,
        announced,
        status: seen,
    };
    Ok((driver, ears, up))
}

fn carrying(
    config: &MasterConfig,
    clock: Clock,
    per_second: u64,
) -> (Relay, mpsc::Receiver<Invitation>) {
    let freight = Freight {
        per_second,
        key_day: config.relay_day,
        subnet_day: config.relay_day.saturating_mul(RELAY_DAY_WALLETS),
    };
    Relay::new(clock, freight)
}
