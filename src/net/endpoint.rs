//! One UDP socket: dials out, and lets peers in under limits.
//!
//! Admission happens before any TLS work: above its [`Capacity`] or the share of one host a
//! handshake is ignored without an answer, and while many handshakes are under way unproven
//! addresses must first answer a Retry (RFC 9000 section 8.1), so that we are no reflector.

use std::collections::BTreeMap;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, Incoming, ServerConfig, ValidationTokenConfig, VarInt};
use tokio::sync::mpsc;

use super::announced::Announced;
use super::bursts::Bursts;
use super::guard::{Guard, Guarded};
use super::handshake::{Accepted, Target};
use super::mtu::{DATAGRAM_BYTES_MAX, discovery, discovery_towards};
use super::place::Place;
use super::punch::Puncher;
use super::relay::Path;
use super::session::SessionKey;
use super::system::{has_fine_timers, open_socket, runtime, warm_up};
use super::transport::{Purpose, Role, transport};
use super::{Event, Origin};
use super::{handshake, relay};
use crate::digest::Address;
use crate::host::Host;
use crate::identity::{Wallet, tls};
use crate::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_HOST_MAX, HANDSHAKE_TIMEOUT, HANDSHAKES_UNVALIDATED_MAX,
    INCOMING_BUFFER_BYTES, INCOMING_BUFFER_BYTES_TOTAL, INCOMING_MAX,
};
use crate::wire::relay::RELAY_ALPN;
use crate::wire::{ALPN, CloseCode};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is in use, not ours, or not allowed.
    #[error("E-BIND: cannot listen on UDP {address}")]
    Socket {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The identity makes no TLS configuration.
    #[error("E-TLS: the identity makes no usable certificate")]
    Tls(#[from] tls::TlsError),
    /// The TLS configuration lacks what QUIC needs.
    #[error("E-TLS: the TLS configuration does not suit QUIC")]
    Quic(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
}

/// How many peers an endpoint takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one IPv4 address or one IPv6 /64. Loopback is exempt.
    pub per_host: usize,
    /// Whether a peer may go on from another address.
    pub migration: Migration,
    /// Whether nodes may have the packets of others carried.
    pub carrying: Carrying,
}

/// Whether an endpoint takes connections that carry the packets of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrying {
    /// It does: they arrive as [`Event::Line`].
    Taken,
    /// It does not.
    Refused,
}

/// Whether a connection outlives a change of the peer's address (RFC 9000 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migration {
    /// It does.
    Allowed,
    /// It does not: whoever moves dials again, and nobody has us probe addresses for it.
    Refused,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            per_host: CONNECTIONS_PER_HOST_MAX,
            migration: Migration::Allowed,
            carrying: Carrying::Refused,
        }
    }
}

/// The node's socket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endpoint {
    quic: quinn::Endpoint,
    socket: Arc<Bursts>,
    puncher: Arc<Puncher>,
    shared: Arc<Shared>,
}

/// What all connections of one endpoint share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) wallet: Arc<Wallet>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) announced: Announced,
    /// Looks after what leaves by the endpoint's own socket.
    pub(super) guard: Arc<Guard>,
    /// The runtime of all endpoints of this node.
    pub(super) runtime: Arc<dyn quinn::Runtime>,
    pub(super) capacity: Capacity,
    /// How peers are let in, wherever they are.
    server: ServerConfig,
    sessions: AtomicU64,
    asks: AtomicU64,
    pub(super) connections: AtomicUsize,
    handshakes: AtomicUsize,
    pub(super) hosts: Mutex<BTreeMap<Host, usize>>,
}

impl Endpoint {
    /// Opens the socket and begins to accept. Must run inside a tokio runtime, whose thread is the
    /// network thread from then on.
    ///
    /// `listen` with port 0 takes any free port; `[::]` also takes IPv4 where the system allows it.
    /// `reachable` turns the socket's own address into those at which peers are told we listen.
    pub fn bind(
        listen: SocketAddr,
        wallet: Arc<Wallet>,
        events: mpsc::Sender<Event>,
        reachable: impl FnOnce(SocketAddr) -> Vec<SocketAddr>,
    ) -> Result<Self, BindError> {
        Self::bind_for(listen, wallet, events, Capacity::default(), reachable)
    }

    /// As [`bind`](Self::bind), for as many peers as this.
    pub fn bind_for(
        listen: SocketAddr,
        wallet: Arc<Wallet>,
        events: mpsc::Sender<Event>,
        capacity: Capacity,
        reachable: impl FnOnce(SocketAddr) -> Vec<SocketAddr>,
    ) -> Result<Self, BindError> {
        let failed = |source| BindError::Socket {
            address: listen,
            source,
        };
        let socket = open_socket(listen).map_err(failed)?;
        let puncher = Arc::new(Puncher::of(&socket).map_err(failed)?);
        let guard = Arc::new(Guard::default());
        let mut server = server_config(&wallet, capacity.carrying.purpose(), &guard)?;
        server.migration(capacity.migration == Migration::Allowed);
        warm_up();
        let runtime = runtime().map_err(failed)?;
        let socket = runtime.wrap_udp_socket(socket).map_err(failed)?;
        let socket = Arc::new(Bursts::new(socket, DATAGRAM_BYTES_MAX));
        let timers = has_fine_timers().then(|| Arc::clone(&runtime));
        let guarded = Guarded::new(Arc::clone(&socket) as _, Arc::clone(&guard), timers);
        let quic = quinn::Endpoint::new_with_abstract_socket(
            endpoint_config(),
            Some(server.clone()),
            Arc::new(guarded),
            Arc::clone(&runtime),
        )
        .map_err(failed)?;
        let shared = Shared {
            wallet,
            events,
            announced: Announced::new(reachable(quic.local_addr().map_err(failed)?)),
            guard,
            runtime,
            capacity,
            server,
            sessions: AtomicU64::new(1),
            asks: AtomicU64::new(1),
            connections: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
            hosts: Mutex::new(BTreeMap::new()),
        };
        let endpoint = Self {
            quic,
            socket,
            puncher,
            shared: Arc::new(shared),
        };
        tokio::spawn(accept(endpoint.clone()));
        Ok(endpoint)
    }

    /// Where the socket listens.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.quic.local_addr()
    }

    /// Where peers are told that we listen.
    pub fn announced(&self) -> &Announced {
        &self.shared.announced
    }

    /// Bytes of datagrams that have left so far.
    pub fn sent_bytes(&self) -> u64 {
        self.socket.sent_bytes()
    }

    /// Begins to dial. Ends as [`Event::Connected`] or [`Event::DialFailed`].
    ///
    /// Where `expected` is given, any other identity is refused during the handshake.
    pub fn dial(&self, remote: SocketAddr, expected: Option<Address>) {
        let target = Target {
            remote,
            expected,
            purpose: Purpose::Requests,
            patience: HANDSHAKE_TIMEOUT,
        };
        self.begin(target, Origin::Dialed(remote));
    }

    /// Begins to dial somebody who opens their router for it at the same time, for so long. Ends as
    /// [`dial`](Self::dial) does, with [`Origin::Met`].
    pub fn dial_met(&self, remote: SocketAddr, expected: Address, patience: Duration) {
        let target = Target {
            remote,
            expected: Some(expected),
            purpose: Purpose::Requests,
            patience,
        };
        self.begin(target, Origin::Met(remote));
    }

    /// Begins to connect to the SwarmMaster there, for it to carry packets. Ends as [`Event::Carrying`],
    /// and in any case as [`Event::NotCarrying`].
    pub fn carry(&self, remote: SocketAddr, master: Address) {
        let (quic, shared) = (self.quic.clone(), Arc::clone(&self.shared));
        tokio::spawn(relay::carry(quic, shared, remote, master));
    }

    /// Opens a router towards this place, by eight bytes that nobody answers.
    pub fn punch(&self, remote: SocketAddr, number: [u8; 4]) {
        self.puncher.punch(remote, number);
    }

    /// Shows a master's second port where this socket's datagrams come from.
    pub fn look(&self, remote: SocketAddr, token: [u8; 8]) {
        self.puncher.look(remote, token);
    }

    fn begin(&self, target: Target, origin: Origin) {
        let (quic, shared) = (self.quic.clone(), Arc::clone(&self.shared));
        tokio::spawn(handshake::dial(quic, shared, target, origin));
    }

    /// Closes every connection and takes no more.
    pub fn close(&self) {
        self.quic
            .close(VarInt::from_u32(CloseCode::Done.code()), b"stopping");
    }

    /// Waits, after [`close`](Self::close), until the peers have been told. A dial that nobody
    /// answers takes its time over that too.
    pub async fn farewell(&self) {
        self.quic.wait_idle().await;
    }
}

impl Shared {
    pub(super) fn next_session(&self) -> SessionKey {
        SessionKey(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// How a peer is let in that is there.
    pub(super) fn server_towards(&self, remote: SocketAddr) -> ServerConfig {
        let (purpose, mtu) = (self.capacity.carrying.purpose(), discovery_towards(remote));
        let mut config = self.server.clone();
        config.transport_config(transport(Role::Acceptor, purpose, &self.guard, mtu));
        config
    }

    /// Whether an address that has not proven itself must do so first: many handshakes are under way,
    /// or somebody who may be an impostor is about to use up that host's places.
    fn is_doubtful(&self, remote: SocketAddr) -> bool {
        let hosts = self.hosts.lock().expect("nothing panics while holding it");
        let host = Host::elsewhere(remote.ip());
        let has_places = host.is_some_and(|host| hosts.contains_key(&host));
        has_places || self.handshakes.load(Ordering::Relaxed) > HANDSHAKES_UNVALIDATED_MAX
    }

    pub(super) fn next_ask(&self) -> u64 {
        self.asks.fetch_add(1, Ordering::Relaxed)
    }
}

async fn accept(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.quic.accept().await {
        admit(&endpoint, incoming);
    }
}

fn admit(endpoint: &Endpoint, incoming: Incoming) {
    let is_doubtful = endpoint.shared.is_doubtful(incoming.remote_address());
    if !incoming.remote_address_validated() && is_doubtful && incoming.may_retry() {
        // An incoming that may retry is not validated yet, so this cannot fail.
        let _ = incoming.retry();
        return;
    }
    match Place::theirs(&endpoint.shared, incoming.remote_address()) {
        Some(place) => {
            let shared = Arc::clone(&endpoint.shared);
            tokio::spawn(async move {
                shared.handshakes.fetch_add(1, Ordering::Relaxed);
                let path = Path::Direct;
                let accepted = handshake::accept(incoming, Arc::clone(&shared), place, path).await;
                shared.handshakes.fetch_sub(1, Ordering::Relaxed);
                match accepted {
                    Some(Accepted::Peer(session)) => {
                        if shared.capacity.carrying == Carrying::Taken {
                            tokio::spawn(handshake::forbid_datagrams(session.connection().clone()));
                        }
                        session.begin(Origin::Accepted, ready(Ok(()))).await;
                    }
                    Some(Accepted::Line(line)) => {
                        // The driver is gone only when the master is.
                        let _ = shared.events.send(Event::Line { line }).await;
                    }
                    None => {}
                }
            });
        }
        None => incoming.ignore(),
    }
}

/// Takes packets of up to [`DATAGRAM_BYTES_MAX`] in, so that peers may find out that they pass.
fn endpoint_config() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config
        .max_udp_payload_size(DATAGRAM_BYTES_MAX)
        .expect("more than the 1200 bytes that every path must carry");
    config
}

impl Carrying {
    const fn purpose(self) -> Purpose {
        match self {
            Self::Taken => Purpose::Either,
            Self::Refused => Purpose::Requests,
        }
    }
}

pub(super) fn server_config(
    wallet: &Wallet,
    purpose: Purpose,
    guard: &Arc<Guard>,
) -> Result<ServerConfig, BindError> {
    let mut crypto = tls::server_config(wallet, ALPN)?;
    if purpose == Purpose::Either {
        crypto.alpn_protocols.push(RELAY_ALPN.to_vec());
    }
    let crypto = QuicServerConfig::try_from(crypto)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    // A token would let an observer link connections, and saves nothing between strangers.
    let mut tokens = ValidationTokenConfig::default();
    tokens.sent(0);
    config
        .transport_config(transport(Role::Acceptor, purpose, guard, discovery()))
        .validation_token_config(tokens)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_BYTES_TOTAL);
    Ok(config)
}
