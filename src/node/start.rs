//! Starting a node: folder, socket, workers, and the network thread that everything hangs on.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{Semaphore, mpsc, watch};

use super::Node;
use super::catalog::Catalog;
use super::clock::Clock;
use super::command::Command;
use super::config::{Config, Listen};
use super::driver::{Driver, Ears};
use super::error::StartError;
use super::load::Load;
use super::masters::Masters;
use super::memory::Memory;
use super::pool::Pool;
use super::reach::Reach;
use super::relay::Relays;
use super::roster::Roster;
use super::status::Status;
use super::thread;
use super::verdicts::Verdicts;
use crate::limits::LISTEN_ADDRESSES_MAX;
use crate::manifest::Recall;
use crate::net::portmap::{Method, PortMap};
use crate::net::{Announced, BindError, EVENTS_MAX, Endpoint, Event, Throttle};
use crate::store::Folders;
use crate::swarm::{Ban, Credit, Input, Rates, Setup, Swarm};

/// Commands that may wait for the driver.
const COMMANDS_MAX: usize = 64;

/// What the network thread is given.
struct Given {
    config: Config,
    clock: Clock,
    memory: Memory,
}

/// What the network thread hands back once it is up.
struct Up {
    listen: SocketAddr,
    announced: Announced,
    verdicts: Verdicts,
    recall: Arc<Recall>,
    status: watch::Receiver<Arc<Status>>,
}

pub(super) async fn start(config: Config) -> Result<Node, StartError> {
    let (clock, given) = (Clock::start(), config.clone());
    let memory = tokio::task::spawn_blocking(move || {
        let folders = Folders::open(&given.home)?;
        Ok(Memory::load(&given, folders, clock))
    });
    let memory: Result<Memory, StartError> = memory.await.map_err(io::Error::other)?;
    let memory = memory?;
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let wallet = Arc::clone(&config.wallet);
    let masters = config.masters.clone();
    let methods = config.port_mapping.clone();
    let given = Given {
        config,
        clock,
        memory,
    };
    let build = move || {
        let (driver, ears, up) = build(given, inbox)?;
        Ok((driver.run(ears), up))
    };
    let Up {
        listen,
        announced,
        verdicts,
        recall,
        status,
    } = thread::start(build).await?;
    Ok(Node {
        port_map: port_map(listen, methods, &announced),
        commands,
        status,
        wallet,
        listen,
        announced,
        masters,
        verdicts,
        recall,
        fetches: AtomicU64::new(1),
    })
}

/// Has routers let others in, where they could and somebody may ask them.
fn port_map(listen: SocketAddr, methods: Vec<Method>, announced: &Announced) -> Option<PortMap> {
    let takes_ipv4 = listen.is_ipv4() || listen.ip().is_unspecified();
    if methods.is_empty() || listen.ip().is_loopback() || !takes_ipv4 {
        return None;
    }
    let started = PortMap::start(listen.port(), methods, announced.clone());
    started
        .inspect_err(|error| tracing::warn!(%error, "no router is asked to let others in"))
        .ok()
}

fn build(
    given: Given,
    commands: mpsc::Receiver<Command>,
) -> Result<(Driver, Ears, Up), StartError> {
    let Given {
        config,
        clock,
        memory,
    } = given;
    let (events_in, events) = mpsc::channel(EVENTS_MAX);
    let (done_in, done) = mpsc::unbounded_channel();
    let (notes_in, notes) = mpsc::unbounded_channel();
    let (endpoint, recall) = (bind(&config, &events_in)?, new_recall()?);
    let (status, seen) = watch::channel(Arc::new(Status::at_start(config.wallet.address())));
    let (listen, announced) = (endpoint.local_address()?, endpoint.announced().clone());
    let driver = Driver {
        clock,
        address: config.wallet.address(),
        wallet: Arc::clone(&config.wallet),
        discovery: config.discovery,
        serving: config.serving,
        idle: Default::default(),
        offer: Default::default(),
        contribution: config.contribution,
        masters: Masters::of(clock.now(), &config.masters).with_doubts(memory.doubts),
        meets: Default::default(),
        relays: Relays::new(config.relay),
        answering: Arc::new(Semaphore::new(1)),
        endpoint,
        up: Arc::new(Throttle::new(config.upload_rate_max)),
        down: Arc::new(Throttle::new(config.download_rate_max)),
        swarm: core(&config, clock, memory.bans.current(), memory.credit)?,
        pool: Pool::start(&done_in)?,
        ledger: Some(Arc::new(memory.library.state.clone())),
        library: memory.library,
        bans: memory.bans,
        verdicts: memory.verdicts.clone(),
        recall: Arc::clone(&recall),
        proving: Arc::new(Semaphore::new(1)),
        credit: memory.book,
        catalog: Catalog::default(),
        roster: Roster::default(),
        reach: Reach::default(),
        seen: Default::default(),
        quests: Default::default(),
        syncs: Default::default(),
        load: Load::new(clock.now()),
        rounds: Default::default(),
        requests: Default::default(),
        asks: Default::default(),
        faults: Default::default(),
        notes: notes_in,
        status,
        ticks: 0,
    };
    let ears = Ears {
        commands,
        events,
        done,
        notes,
    };
    let up = Up {
        listen,
        announced,
        verdicts: memory.verdicts,
        recall,
        status: seen,
    };
    Ok((driver, ears, up))
}

/// The core, with what it remembers and its limits.
fn core(
    config: &Config,
    clock: Clock,
    bans: Vec<Ban>,
    credit: Vec<Credit>,
) -> Result<Swarm, StartError> {
    let mut swarm = Swarm::new(Setup {
        seed: random_seed()?,
        upload_rate_max: config.upload_rate_max,
        bans,
        credit,
        contribution: config.contribution,
    });
    let rates = Rates {
        up: config.upload_rate_max,
        down: config.download_rate_max,
    };
    swarm.handle(clock.now(), Input::Limit { rates });
    Ok(swarm)
}

fn bind(config: &Config, events: &mpsc::Sender<Event>) -> Result<Endpoint, BindError> {
    let at = |address| {
        Endpoint::bind(
            address,
            Arc::clone(&config.wallet),
            events.clone(),
            reachable,
        )
    };
    bind_at(config.listen, at)
}

/// Binds where it is wanted.
pub(super) fn bind_at(
    listen: Listen,
    at: impl Fn(SocketAddr) -> Result<Endpoint, BindError>,
) -> Result<Endpoint, BindError> {
    match listen {
        Listen::At(address) => at(address),
        Listen::Prefer(address) => at(address).or_else(|error| {
            tracing::info!(%address, %error, "listening on another port");
            at(SocketAddr::new(address.ip(), 0))
        }),
    }
}

/// Where others can reach a socket, as far as this machine knows: at its own address, or at those
/// of all interfaces where it listens on all. Loopback is named only where there is nothing else.
pub(super) fn reachable(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let takes = |ip: &IpAddr| listen.is_ipv6() || ip.is_ipv4();
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let ips = interfaces.iter().map(if_addrs::Interface::ip).filter(takes);
    let (loopback, others): (Vec<_>, Vec<_>) = ips
        .filter(|ip| !is_link_local(ip))
        .partition(IpAddr::is_loopback);
    let best = if others.is_empty() { loopback } else { others };
    best.into_iter()
        .take(LISTEN_ADDRESSES_MAX)
        .map(|ip| SocketAddr::new(ip, listen.port()))
        .collect()
}

/// IPv6 addresses that mean nothing without naming an interface (RFC 4291 section 2.5.6).
fn is_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// What is hashed from now on is remembered under a key of its own.
fn new_recall() -> io::Result<Arc<Recall>> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Arc::new(Recall::new(&key)))
}

pub(super) fn random_seed() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(error.to_string()))
}
