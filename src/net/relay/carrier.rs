//! A node's side of a relay: the connection to the master that carries, and the peers behind it.
//!
//! A carrier serves dials of ours and offers of others alike. It ends when its connection does, and all
//! connections through it end with it at once; and when no channel was open for [`LINGER`].

use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::{Connection, EndpointConfig, RecvStream, SendStream, VarInt};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Path;
use super::outer::{self, Outer};
use super::socket::RelaySocket;
use crate::digest::Address;
use crate::limits::{HANDSHAKE_TIMEOUT, REQUEST_TIMEOUT};
use crate::net::endpoint::{Shared, server_config};
use crate::net::handshake::{self, Accepted, Target};
use crate::net::place::Place;
use crate::net::transport::Purpose;
use crate::net::{DialError, Event, Fault, Origin};
use crate::wire::relay::{ChannelId, RELAY_ALPN, RelayCall, RelayRefusal, RelayReply};
use crate::wire::{CloseCode, frame};

/// How long a carrier without channels is kept.
const LINGER: Duration = Duration::from_secs(60);
/// Datagrams that are taken in before others on this thread have their turn.
const BATCH: u32 = 32;

/// Why a dial through a master came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The master gives no channel.
    #[error(transparent)]
    Refused(#[from] RelayRefusal),
    /// The master did not answer as it should, or not at all.
    #[error("E-RELAY-LINK: {0}")]
    Link(String),
    /// There is a channel, and nobody behind it with whom to connect.
    #[error("through a SwarmMaster: {0}")]
    Dial(#[from] DialError),
}

/// A connection to a master that carries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Carrier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    outer: Connection,
    master: Address,
    quic: quinn::Endpoint,
    socket: Arc<RelaySocket>,
    shared: Arc<Shared>,
    /// Connections that came through channels which others opened.
    taken: Mutex<BTreeMap<SocketAddr, Connection>>,
}

/// Connects to a master for carrying, and carries until that ends. Reports both.
pub(in crate::net) async fn carry(
    quic: quinn::Endpoint,
    shared: Arc<Shared>,
    at: SocketAddr,
    master: Address,
) {
    let events = shared.events.clone();
    let reason = match connect(&quic, shared, at, master).await {
        Ok(carrier) => carrier.run().await,
        Err(why) => why,
    };
    // The driver is gone only when the node is.
    let _ = events.send(Event::NotCarrying { master, reason }).await;
}

async fn connect(
    quic: &quinn::Endpoint,
    shared: Arc<Shared>,
    at: SocketAddr,
    master: Address,
) -> Result<Carrier, String> {
    let target = Target {
        remote: at,
        expected: Some(master),
        purpose: Purpose::Carrying,
        patience: HANDSHAKE_TIMEOUT,
    };
    let outer = handshake::connect(quic, &shared, &target, RELAY_ALPN)
        .await
        .map_err(|error| error.to_string())?;
    let socket = RelaySocket::new(Arc::new(Outer(outer.clone())));
    let socket = Arc::new(socket.map_err(|error| error.to_string())?);
    let config = server_config(&shared.wallet, Purpose::Relayed, &shared.guard);
    let config = config.map_err(|error| error.to_string())?;
    let quic = quinn::Endpoint::new_with_abstract_socket(
        EndpointConfig::default(),
        Some(config),
        Arc::clone(&socket) as _,
        Arc::clone(&shared.runtime),
    );
    let inner = Inner {
        outer,
        master,
        quic: quic.map_err(|error| error.to_string())?,
        socket,
        shared,
        taken: Mutex::default(),
    };
    let inner = Arc::new(inner);
    Ok(Carrier { inner })
}

impl Carrier {
    /// The master whose it is.
    pub fn master(&self) -> Address {
        self.inner.master
    }

    /// Begins to dial somebody through the master. Ends as [`Event::Connected`] or
    /// [`Event::RelayFailed`]. Any other identity than this is refused during the handshake.
    pub fn dial(&self, to: Address) {
        tokio::spawn(dial(Arc::clone(&self.inner), to));
    }

    /// Ends it, and with it all connections through it.
    pub fn close(&self) {
        self.inner.close("DONE");
    }

    async fn run(self) -> String {
        let inner = self.inner.clone();
        let carrying = Event::Carrying { carrier: self };
        if inner.shared.events.send(carrying).await.is_err() {
            return "the node stops".to_owned();
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(read(Arc::clone(&inner)));
        tasks.spawn(write(Arc::clone(&inner)));
        tasks.spawn(take_offers(Arc::clone(&inner)));
        tasks.spawn(take_peers(Arc::clone(&inner)));
        let reason = tokio::select! {
            error = inner.outer.closed() => error.to_string(),
            () = unused(&inner.socket) => "nobody used it".to_owned(),
        };
        inner.close(&reason);
        reason
    }
}

impl Inner {
    fn path(&self) -> Path {
        Path::Relayed {
            master: self.master,
        }
    }

    fn close(&self, reason: &str) {
        let code = VarInt::from_u32(CloseCode::Done.code());
        self.quic
            .close(code, RelayRefusal::Gone.to_string().as_bytes());
        self.outer.close(code, reason.as_bytes());
    }

    /// Somebody has come through a channel, with which the connection is to end. Of a channel that is over
    /// already, it ends now.
    fn on_taken(&self, connection: &Connection) {
        let remote = connection.remote_address();
        // locked before the look: whoever closes the channel after it takes the connection out again
        let mut taken = self.taken.lock().expect("nothing panics while holding it");
        if self.socket.is_open(remote) {
            taken.insert(remote, connection.clone());
            return;
        }
        drop(taken);
        let code = VarInt::from_u32(CloseCode::Done.code());
        connection.close(code, RelayRefusal::Gone.to_string().as_bytes());
    }
}

/// Waits until no channel was open for a while.
async fn unused(socket: &RelaySocket) {
    let mut was_unused = false;
    loop {
        sleep(LINGER / 2).await;
        let is_unused = socket.channels() == 0;
        if was_unused && is_unused {
            return;
        }
        was_unused = is_unused;
    }
}

async fn read(inner: Arc<Inner>) {
    let mut count = 0u32;
    while let Ok(datagram) = inner.outer.read_datagram().await {
        if let Err(why) = inner.socket.handle(datagram) {
            tracing::trace!(%why, "a datagram was dropped");
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(BATCH) {
            tokio::task::yield_now().await;
        }
    }
}

async fn write(inner: Arc<Inner>) {
    loop {
        inner.socket.blocked().await;
        while let Some(datagram) = inner.socket.next_waiting() {
            match inner.outer.send_datagram_wait(datagram).await {
                // The path carries less than it did: QUIC sends it again, in halves.
                Ok(()) | Err(quinn::SendDatagramError::TooLarge) => {}
                Err(_) => return,
            }
        }
    }
}

/// A channel, for as long as it is open. Dropped, it closes.
struct Channel {
    inner: Arc<Inner>,
    id: ChannelId,
    address: SocketAddr,
    /// Ends when dropped, which tells the master.
    send: SendStream,
    recv: RecvStream,
}

impl Channel {
    fn open(
        inner: &Arc<Inner>,
        id: ChannelId,
        streams: (SendStream, RecvStream),
    ) -> Result<Self, String> {
        let address = inner.socket.open(id).map_err(|error| error.to_string())?;
        Ok(Self {
            inner: Arc::clone(inner),
            id,
            address,
            send: streams.0,
            recv: streams.1,
        })
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.inner.socket.close(self.id);
        let mut taken = self.inner.taken.lock();
        let taken = taken.as_mut().expect("nothing panics while holding it");
        taken.remove(&self.address);
    }
}

async fn dial(inner: Arc<Inner>, to: Address) {
    let error = match try_dial(&inner, to).await {
        Ok((session, hello, channel)) => {
            let (remote, connection) = (channel.address, session.connection().clone());
            tokio::spawn(hold(channel, connection));
            let hello = handshake::hear(session.clone(), hello, remote);
            return session.begin(Origin::Dialed(remote), hello).await;
        }
        Err(error) => error,
    };
    let master = inner.master;
    // The driver is gone only when the node is.
    let failed = Event::RelayFailed { to, master, error };
    let _ = inner.shared.events.send(failed).await;
}

async fn try_dial(
    inner: &Arc<Inner>,
    to: Address,
) -> Result<(crate::net::Session, RecvStream, Channel), RelayError> {
    let asked = timeout(HANDSHAKE_TIMEOUT, ask_for_channel(inner, to)).await;
    let late = || RelayError::Link("the SwarmMaster did not answer".to_owned());
    let channel = asked.map_err(|_| late())??;
    let target = Target {
        remote: channel.address,
        expected: Some(to),
        purpose: Purpose::Relayed,
        patience: HANDSHAKE_TIMEOUT,
    };
    let (session, hello) =
        handshake::try_dial(&inner.quic, &inner.shared, &target, inner.path()).await?;
    Ok((session, hello, channel))
}

async fn ask_for_channel(inner: &Arc<Inner>, to: Address) -> Result<Channel, RelayError> {
    let link = |why: String| RelayError::Link(why);
    let (mut send, mut recv) = inner
        .outer
        .open_bi()
        .await
        .map_err(|e| link(e.to_string()))?;
    let call = frame::encode_relay_call(&RelayCall::Open { to });
    send.write_all(&call)
        .await
        .map_err(|e| link(e.to_string()))?;
    let reply = outer::message(&mut recv)
        .await
        .map_err(|e| link(e.to_string()))?;
    match frame::decode_relay_reply(&reply).map_err(|e| link(e.to_string()))? {
        RelayReply::Opened { channel } => Channel::open(inner, channel, (send, recv)).map_err(link),
        RelayReply::Refused(why) => Err(why.into()),
        RelayReply::Accepted => Err(link("it accepts what nobody offered".to_owned())),
    }
}

/// Keeps a channel for as long as its connection, and ends the connection with it.
async fn hold(mut channel: Channel, connection: Connection) {
    tokio::select! {
        why = outer::ended(&mut channel.recv) => {
            let code = VarInt::from_u32(CloseCode::Done.code());
            connection.close(code, why.to_string().as_bytes());
        }
        _ = connection.closed() => {}
    }
}

/// Takes offers of channels; how many at once, the connection's streams bound.
async fn take_offers(inner: Arc<Inner>) {
    let mut offers = JoinSet::new();
    while let Ok((send, recv)) = inner.outer.accept_bi().await {
        offers.spawn(take_offer(Arc::clone(&inner), send, recv));
        while offers.try_join_next().is_some() {}
    }
}

async fn take_offer(inner: Arc<Inner>, send: SendStream, recv: RecvStream) {
    match accept_offer(&inner, send, recv).await {
        Ok(mut channel) => {
            let why = outer::ended(&mut channel.recv).await;
            let taken = inner.taken.lock().expect("nothing panics while holding it");
            if let Some(connection) = taken.get(&channel.address) {
                let code = VarInt::from_u32(CloseCode::Done.code());
                connection.close(code, why.to_string().as_bytes());
            }
        }
        Err(fault) => tracing::debug!(%fault, "an offer of a channel came to nothing"),
    }
}

async fn accept_offer(
    inner: &Arc<Inner>,
    send: SendStream,
    mut recv: RecvStream,
) -> Result<Channel, Fault> {
    let lost = |why: String| Fault::Lost(why);
    let call = timeout(REQUEST_TIMEOUT, outer::message(&mut recv)).await;
    let call = call.map_err(|_| Fault::TooSlow(REQUEST_TIMEOUT))??;
    let call = frame::decode_relay_call(&call).map_err(|e| Fault::Protocol(e.to_string()))?;
    let RelayCall::Offer { channel, from } = call else {
        return Err(Fault::Protocol("a node gives no channels".to_owned()));
    };
    tracing::debug!(%from, %channel, "a channel is open");
    // open before it is accepted: what comes next is for it
    let mut channel = Channel::open(inner, channel, (send, recv)).map_err(lost)?;
    let accepted = frame::encode_relay_reply(&RelayReply::Accepted);
    let written = channel.send.write_all(&accepted).await;
    written.map_err(|e| lost(e.to_string()))?;
    Ok(channel)
}

/// Lets those in who came through channels that they opened.
async fn take_peers(inner: Arc<Inner>) {
    let mut peers = JoinSet::new();
    while let Some(incoming) = inner.quic.accept().await {
        while peers.try_join_next().is_some() {}
        match Place::theirs(&inner.shared, incoming.remote_address()) {
            Some(place) => {
                peers.spawn(take_peer(Arc::clone(&inner), incoming, place));
            }
            None => incoming.ignore(),
        }
    }
    peers.detach_all();
}

async fn take_peer(inner: Arc<Inner>, incoming: quinn::Incoming, place: Place) {
    let shared = Arc::clone(&inner.shared);
    let accepted = handshake::accept(incoming, shared, place, inner.path()).await;
    if let Some(Accepted::Peer(session)) = accepted {
        inner.on_taken(session.connection());
        session.begin(Origin::Accepted, ready(Ok(()))).await;
    }
}
