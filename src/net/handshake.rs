//! A fresh QUIC connection becomes a [`Session`]: TLS proves both addresses, then hellos are said.
//!
//! Whoever dialed does not wait for the other's hello: what it asks follows its own in the same flight,
//! so the first answers are there two round trips after the dial. A hello that is no good ends the
//! session. Whoever accepted waits: it serves nobody who has not said hello.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig};
use quinn::{ClientConfig, Connecting, Connection, Incoming, NoneTokenStore, RecvStream, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use super::endpoint::Shared;
use super::mtu::{discovery, discovery_towards};
use super::place::Place;
use super::relay::{Line, Path};
use super::session::Session;
use super::transport::{Purpose, Role, transport};
use super::{Event, Origin, answer, ask};
use crate::digest::Address;
use crate::identity::{tls, verify};
use crate::limits::{HANDSHAKE_TIMEOUT, LISTEN_ADDRESSES_MAX, REQUEST_TIMEOUT};
use crate::wire::relay::RELAY_ALPN;
use crate::wire::{ALPN, CloseCode, Hello, Reply, Request, VERSION, frame};

/// Why a dial came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nothing answered in time.
    #[error("E-TIMEOUT: {0} did not answer within {limit} s", limit = HANDSHAKE_TIMEOUT.as_secs())]
    Timeout(SocketAddr),
    /// The peer's certificate was refused by us.
    #[error("{0}")]
    Identity(#[from] verify::CertificateRefused),
    /// The two sides did not agree on TLS or QUIC, or the peer refused us.
    #[error("E-HANDSHAKE: {remote}: {reason}")]
    Handshake {
        /// Where to.
        remote: SocketAddr,
        /// In words.
        reason: String,
    },
    /// The peer does not speak this protocol.
    #[error("E-HELLO: {remote}: {reason}")]
    Hello {
        /// Where to.
        remote: SocketAddr,
        /// In words.
        reason: String,
    },
    /// The address cannot be dialed from this socket.
    #[error("E-DIAL: {remote}: {reason}")]
    Unreachable {
        /// Where to.
        remote: SocketAddr,
        /// In words.
        reason: String,
    },
}

/// Whom to dial, what for, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) remote: SocketAddr,
    pub(super) expected: Option<Address>,
    pub(super) purpose: Purpose,
    /// How long until nobody is there.
    pub(super) patience: Duration,
}

/// What an accepted connection turns out to be.
pub(super) enum Accepted {
    /// A peer that asks and answers.
    Peer(Session),
    /// A node that has the packets of others carried.
    Line(Line),
}

/// Dials, and reports how it went.
pub(super) async fn dial(
    quic: quinn::Endpoint,
    shared: Arc<Shared>,
    target: Target,
    origin: Origin,
) {
    let remote = target.remote;
    let event = match try_dial(&quic, &shared, &target, Path::Direct).await {
        Ok((session, hello)) => {
            let hello = hear(session.clone(), hello, remote);
            return session.begin(origin, hello).await;
        }
        Err(error) => Event::DialFailed { origin, error },
    };
    // The driver is gone only when the node is.
    let _ = shared.events.send(event).await;
}

/// Dials and says hello; answers the session, and the stream on which its hello is to be heard.
pub(super) async fn try_dial(
    quic: &quinn::Endpoint,
    shared: &Arc<Shared>,
    target: &Target,
    path: Path,
) -> Result<(Session, RecvStream), DialError> {
    let remote = target.remote;
    let connection = connect(quic, shared, target, ALPN).await?;
    let address = address_of(&connection)?;
    // The first stream, whatever is asked next.
    let hello = hello(shared, &connection, path);
    let said = ask::send_request(&connection, &Request::Hello(hello)).await;
    let heard = said.map_err(|fault| refused_by_peer(&connection, remote, &fault.to_string()))?;
    let place = Place::ours(shared);
    let session = Session::new(connection, shared, address, Vec::new(), place, path);
    Ok((session, heard))
}

/// Connects over this protocol, to whom is expected.
pub(super) async fn connect(
    quic: &quinn::Endpoint,
    shared: &Shared,
    target: &Target,
    alpn: &[u8],
) -> Result<Connection, DialError> {
    let remote = target.remote;
    let unreachable = |reason: String| DialError::Unreachable { remote, reason };
    let config = client_config(shared, target, alpn).map_err(unreachable)?;
    let there = reachable_from(quic, remote);
    let dial = || quic.connect_with(config, there, tls::SERVER_NAME);
    let (connecting, proof) = shared.guard.first(dial);
    let connecting = connecting.map_err(|error| unreachable(error.to_string()))?;
    let connection = establish(connecting, remote, target.patience).await?;
    proof.iter().for_each(|proof| proof.on_shaken_hands());
    Ok(connection)
}

/// Ends a connection that sends a datagram although it is not for that.
pub(super) async fn forbid_datagrams(connection: Connection) {
    if connection.read_datagram().await.is_ok() {
        close(&connection, CloseCode::Protocol, "PROTOCOL datagram");
    }
}

/// Hears the answer to our hello, and ends the session if it is no good.
pub(super) async fn hear(
    session: Session,
    mut answer: RecvStream,
    remote: SocketAddr,
) -> Result<(), DialError> {
    let heard = timeout(REQUEST_TIMEOUT, ask::hello(&mut answer)).await;
    let outcome = match heard {
        Ok(Ok(heard)) => {
            return check(session.connection(), &heard)
                .map_err(|reason| DialError::Hello { remote, reason });
        }
        Ok(Err(fault)) => Err(refused_by_peer(
            session.connection(),
            remote,
            &fault.to_string(),
        )),
        Err(_) => Err(DialError::Timeout(remote)),
    };
    close(session.connection(), CloseCode::Protocol, "PROTOCOL hello");
    outcome
}

/// Accepts: a session, if the other side proves who it is and says hello properly in time.
pub(super) async fn accept(
    incoming: Incoming,
    shared: Arc<Shared>,
    place: Place,
    path: Path,
) -> Option<Accepted> {
    let remote = incoming.remote_address();
    match timeout(HANDSHAKE_TIMEOUT, try_accept(incoming, &shared, path)).await {
        Ok(Ok((connection, address, Some(listen)))) => {
            let session = Session::new(connection, &shared, address, listen, place, path);
            return Some(Accepted::Peer(session));
        }
        Ok(Ok((connection, address, None))) => {
            return Some(Accepted::Line(Line::new(connection, address, place)));
        }
        Ok(Err(reason)) => tracing::debug!(%remote, reason, "a peer did not get in"),
        Err(_) => tracing::debug!(%remote, "a peer took too long to say hello"),
    }
    None
}

/// The connection, who is there, and where they listen; that is none where they say no hello, because they
/// are to be carried for.
async fn try_accept(
    incoming: Incoming,
    shared: &Shared,
    path: Path,
) -> Result<(Connection, Address, Option<Vec<SocketAddr>>), String> {
    let remote = incoming.remote_address();
    let (connecting, proof) = shared.guard.first(|| match path {
        Path::Direct => incoming.accept_with(Arc::new(shared.server_towards(remote))),
        Path::Relayed { .. } => incoming.accept(),
    });
    let connecting = connecting.map_err(|error| error.to_string())?;
    let connection = connecting.await.map_err(|error| error.to_string())?;
    proof.iter().for_each(|proof| proof.on_shaken_hands());
    let address = address_of(&connection).map_err(|error| error.to_string())?;
    if is_line(&connection) {
        return Ok((connection, address, None));
    }
    let (mut send, recv) = connection
        .accept_bi()
        .await
        .map_err(|error| error.to_string())?;
    let heard = match answer::read_request(recv).await {
        Ok(Request::Hello(hello)) => hello,
        Ok(_) => {
            close(&connection, CloseCode::Protocol, "PROTOCOL hello");
            return Err("spoke before hello".to_owned());
        }
        Err(refusal) => {
            close(&connection, CloseCode::Protocol, "PROTOCOL hello");
            return Err(refusal.to_string());
        }
    };
    check(&connection, &heard)?;
    let reply = frame::encode_reply(&Reply::Hello(hello(shared, &connection, path)));
    send.write_all(&reply)
        .await
        .map_err(|error| error.to_string())?;
    // The stream was just written to, so it can be finished.
    let _ = send.finish();
    Ok((connection, address, Some(heard.listen)))
}

async fn establish(
    connecting: Connecting,
    remote: SocketAddr,
    patience: Duration,
) -> Result<Connection, DialError> {
    match timeout(patience, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(quinn::ConnectionError::TimedOut)) | Err(_) => Err(DialError::Timeout(remote)),
        Ok(Err(error)) => Err(match tls::refusal_in(&error) {
            Some(refused) => DialError::Identity(refused),
            None => DialError::Handshake {
                remote,
                reason: error.to_string(),
            },
        }),
    }
}

/// With TLS 1.3 the acceptor judges our certificate after we think that the handshake is over, so
/// its refusal shows up at the first stream.
fn refused_by_peer(connection: &Connection, remote: SocketAddr, fault: &str) -> DialError {
    match connection.close_reason() {
        Some(error) => DialError::Handshake {
            remote,
            reason: error.to_string(),
        },
        None => DialError::Hello {
            remote,
            reason: fault.to_owned(),
        },
    }
}

/// The address that the peer proved during the TLS handshake.
fn address_of(connection: &Connection) -> Result<Address, verify::CertificateRefused> {
    let identity = connection.peer_identity();
    let chain =
        identity.and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    verify::peer_address(chain.as_deref().map_or(&[], Vec::as_slice))
}

/// Whether what was agreed on is carrying.
fn is_line(connection: &Connection) -> bool {
    let agreed = connection.handshake_data();
    let agreed = agreed.and_then(|it| it.downcast::<HandshakeData>().ok());
    agreed.is_some_and(|it| it.protocol.as_deref() == Some(RELAY_ALPN))
}

/// What to say. Where somebody is seen who is carried to us is for nobody to know.
fn hello(shared: &Shared, connection: &Connection, path: Path) -> Hello {
    let observed = match path {
        Path::Direct => canonical(connection.remote_address()),
        Path::Relayed { .. } => SocketAddr::from(([0, 0, 0, 0], 0)),
    };
    let mut listen = shared.announced.all();
    listen.truncate(LISTEN_ADDRESSES_MAX);
    Hello {
        version: VERSION,
        features: 0,
        listen,
        observed,
    }
}

fn check(connection: &Connection, heard: &Hello) -> Result<(), String> {
    if heard.version == VERSION {
        return Ok(());
    }
    let reason = format!(
        "PROTOCOL hello: version {}, expected {VERSION}",
        heard.version
    );
    close(connection, CloseCode::Protocol, &reason);
    Err(reason)
}

fn close(connection: &Connection, code: CloseCode, reason: &str) {
    connection.close(VarInt::from_u32(code.code()), reason.as_bytes());
}

fn client_config(shared: &Shared, target: &Target, alpn: &[u8]) -> Result<ClientConfig, String> {
    let crypto = tls::client_config(&shared.wallet, alpn, target.expected);
    let crypto = crypto.map_err(|error| error.to_string())?;
    let crypto = QuicClientConfig::try_from(crypto).map_err(|error| error.to_string())?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    // a place at a master is none that routes lead to
    let mtu = match target.purpose {
        Purpose::Relayed => discovery(),
        Purpose::Requests | Purpose::Carrying | Purpose::Either => discovery_towards(target.remote),
    };
    config
        .transport_config(transport(Role::Dialer, target.purpose, &shared.guard, mtu))
        .token_store(Arc::new(NoneTokenStore));
    Ok(config)
}

/// An IPv4 address as a dual-stack socket has to be given it (RFC 4291 section 2.5.5.2).
fn reachable_from(quic: &quinn::Endpoint, remote: SocketAddr) -> SocketAddr {
    match (quic.local_addr(), remote) {
        (Ok(SocketAddr::V6(_)), SocketAddr::V4(_)) => mapped(remote),
        (Ok(_) | Err(_), _) => remote,
    }
}

/// An address as an IPv6 socket takes it.
pub(super) fn mapped(remote: SocketAddr) -> SocketAddr {
    match remote {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        SocketAddr::V6(_) => remote,
    }
}

/// An address as people and other hosts know it: IPv4 even where the socket is dual-stack.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
