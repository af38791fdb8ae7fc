//! One peer: a proven connection, the requests we make on it, and those that come in.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::{Connection, VarInt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::endpoint::Shared;
use super::feed::Sated;
use super::gaps::Gaps;
use super::handshake::{DialError, canonical};
use super::meter::{Meter, Resets};
use super::place::Place;
use super::relay::Path;
use super::throttle::Lane;
use super::{Event, Origin, answer, ask, follow};
use crate::digest::{Address, ManifestId, ProgramId};
use crate::limits::{
    RECEIVE_WINDOW_DOWNLOAD, RECEIVE_WINDOW_DOWNLOAD_MIN, RECEIVE_WINDOWS_TOTAL, SEND_WINDOW_START,
    SEND_WINDOW_UPLOAD, SEND_WINDOWS_TOTAL, STREAMS_INBOUND_MAX,
};
use crate::wire::{ChunkRequest, CloseCode, Request};

/// The number of a connection, unique for the life of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(pub u64);

/// A connection to a peer that has proven who it is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) key: SessionKey,
    pub(super) connection: Connection,
    pub(super) events: mpsc::Sender<Event>,
    shared: Arc<Shared>,
    address: Address,
    /// Where the peer says that it listens, where it dialed us.
    listen: Vec<SocketAddr>,
    path: Path,
    resets: Mutex<Resets>,
    pub(super) gaps: Gaps,
    pub(super) sated: Sated,
    _place: Place,
}

impl Session {
    pub(super) fn new(
        connection: Connection,
        shared: &Arc<Shared>,
        address: Address,
        listen: Vec<SocketAddr>,
        place: Place,
        path: Path,
    ) -> Self {
        let inner = Inner {
            key: shared.next_session(),
            connection,
            events: shared.events.clone(),
            shared: Arc::clone(shared),
            address,
            listen,
            path,
            resets: Mutex::new(Resets::new()),
            gaps: Gaps::default(),
            sated: Sated::default(),
            _place: place,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The connection's number.
    pub fn key(&self) -> SessionKey {
        self.inner.key
    }

    /// The peer's address, as its certificate proved it.
    pub fn address(&self) -> Address {
        self.inner.address
    }

    /// The IP address and port that the peer speaks from.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.inner.connection.remote_address())
    }

    /// Where the peer says that it listens, where it dialed us; nothing where we dialed it.
    pub fn listen(&self) -> &[SocketAddr] {
        &self.inner.listen
    }

    /// Which way it goes.
    pub fn path(&self) -> Path {
        self.inner.path
    }

    /// Datagrams that have come on it so far.
    pub fn heard(&self) -> u64 {
        self.inner.connection.stats().udp_rx.datagrams
    }

    /// The path's round-trip time now.
    pub fn rtt(&self) -> Duration {
        self.inner.connection.rtt()
    }

    /// Lets the peer send as much as its path can carry: for peers that we download from, of which
    /// there are `sources`. Many share what one alone may pin.
    pub fn expect_downloads(&self, sources: usize) {
        let sources = u32::try_from(sources).unwrap_or(u32::MAX).max(1);
        let share = RECEIVE_WINDOWS_TOTAL / sources;
        let window = share.clamp(RECEIVE_WINDOW_DOWNLOAD_MIN, RECEIVE_WINDOW_DOWNLOAD);
        let window = VarInt::from_u32(window);
        self.inner.connection.set_receive_window(window);
    }

    /// Lets the peer have many requests open, and its share of what may wait to be acknowledged: for
    /// peers that we serve, of which there are so many.
    pub fn expect_requests(&self, served: usize) {
        let share = SEND_WINDOWS_TOTAL / u64::try_from(served).unwrap_or(u64::MAX).max(1);
        let window = share.clamp(SEND_WINDOW_START, SEND_WINDOW_UPLOAD);
        let connection = &self.inner.connection;
        connection.set_send_window(window);
        connection.set_max_concurrent_bi_streams(VarInt::from_u32(STREAMS_INBOUND_MAX));
    }

    /// Asks for a chunk of `chunk_len` bytes, and takes it in at the pace of the lane. Ends as
    /// [`Event::Chunk`], unless the handle is aborted, which takes the request back.
    pub fn ask_chunk(
        &self,
        ticket: u64,
        id: ManifestId,
        request: ChunkRequest,
        chunk_len: u32,
        lane: Lane,
    ) -> AbortHandle {
        let inner = Arc::clone(&self.inner);
        let task = ask::chunk(inner, ticket, id, request, chunk_len, lane);
        tokio::spawn(task).abort_handle()
    }

    /// Asks for a manifest. Ends as [`Event::Manifest`].
    pub fn ask_manifest(&self, id: ManifestId) {
        tokio::spawn(ask::manifest(Arc::clone(&self.inner), id));
    }

    /// Asks which manifests the peer has. Ends as [`Event::Deluges`].
    pub fn ask_deluges(&self, program_id: Option<ProgramId>) {
        tokio::spawn(ask::deluges(Arc::clone(&self.inner), program_id));
    }

    /// Asks what is answered with a header or a listing, and waits this long. Ends as
    /// [`Event::Replied`].
    pub fn ask(&self, ticket: u64, request: Request, patience: Duration) {
        tokio::spawn(ask::plain(
            Arc::clone(&self.inner),
            ticket,
            request,
            patience,
        ));
    }

    /// Asks what the peer holds of a container, now and as it changes: [`Event::Update`] until
    /// [`Event::Unsubscribed`], or until the handle is aborted.
    pub fn subscribe(&self, id: ManifestId, chunk_count: u32) -> AbortHandle {
        tokio::spawn(follow::subscription(
            Arc::clone(&self.inner),
            id,
            chunk_count,
        ))
        .abort_handle()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    /// Ends the connection.
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.inner
            .connection
            .close(VarInt::from_u32(code.code()), reason.as_bytes());
    }

    /// Reports the session, then takes in the peer's requests until the connection ends, or until it
    /// turns out that its hello is no good.
    pub(super) async fn begin(
        self,
        origin: Origin,
        hello: impl Future<Output = Result<(), DialError>>,
    ) {
        let inner = Arc::clone(&self.inner);
        if inner
            .events
            .send(Event::Connected {
                session: self,
                origin,
            })
            .await
            .is_err()
        {
            return;
        }
        let reason = tokio::select! {
            reason = take_requests(&inner) => reason,
            error = failure_of(hello) => error.to_string(),
        };
        // The driver is gone only when the node is.
        let _ = inner
            .events
            .send(Event::Closed {
                session: inner.key,
                reason,
            })
            .await;
    }
}

/// Why a hello is no good; never, where it is.
async fn failure_of(hello: impl Future<Output = Result<(), DialError>>) -> DialError {
    match hello.await {
        Ok(()) => pending().await,
        Err(error) => error,
    }
}

/// Accepts request streams; QUIC's stream limit bounds how many are under way at once.
async fn take_requests(inner: &Arc<Inner>) -> String {
    let mut meter = Meter::new();
    loop {
        let (send, recv) = match inner.connection.accept_bi().await {
            Ok(streams) => streams,
            Err(error) => return error.to_string(),
        };
        if !meter.admits() {
            let code = VarInt::from_u32(CloseCode::Rate.code());
            inner.connection.close(code, b"RATE: too many requests");
            return "asked for too much too fast".to_owned();
        }
        tokio::spawn(answer::request(Arc::clone(inner), send, recv));
    }
}

impl Inner {
    pub(super) fn next_ask(&self) -> u64 {
        self.shared.next_ask()
    }

    /// The peer has reset a request before it was whole.
    pub(super) fn on_reset(&self) {
        let mut resets = self.resets.lock().expect("nothing panics while holding it");
        if resets.is_over() {
            let code = VarInt::from_u32(CloseCode::Rate.code());
            self.connection.close(code, b"RATE: too many resets");
        }
    }
}
