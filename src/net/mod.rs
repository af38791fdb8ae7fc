//! Sockets: QUIC connections to peers, and the requests and answers on them.
//!
//! Everything here runs on the network thread. What happens becomes an [`Event`] on one bounded
//! channel; nothing here decides what to ask or whom to serve.
//!
//! ```text
//! endpoint   one UDP socket, dials and accepts
//! place      how many connections it takes, and of whom
//! bursts     how long a burst may be
//! guard      what leaves for places that have not proven to be somebody's
//! pace       how large its bursts are on a fast path
//! system     its socket, timers and randomness
//! buffers    what the system keeps of bursts, in both directions
//! alarm      timers that pace finely
//! punch      what opens a router, and shows how it maps
//! lookout    a master's second port
//! handshake  a fresh QUIC connection becomes a Session by saying hello
//! session    one peer: opens streams for our requests, takes in the peer's
//! aside      what one subscriber alone is told
//! ask        our request and its answer, one stream
//! fault      why a request of ours got no answer
//! answer     the peer's request and our answer, one stream
//! meter      how much a peer may ask, and take back
//! follow     our subscriptions
//! feed       the long answer to a subscription
//! body       what comes in for our request
//! gaps       how long that waits for what was lost
//! relay      connections that a SwarmMaster carries, and its side of that
//! way        which of our addresses leads to another, and how long packets on the way may be
//! mtu        how the largest datagram that reaches it is looked for
//! throttle   limits, each shared by many transfers
//! congestion how much may be in flight on a path
//! ```

#[cfg(target_os = "linux")]
mod alarm;
mod announced;
mod answer;
mod aside;
mod ask;
mod body;
mod buffers;
mod bursts;
pub mod congestion;
mod endpoint;
mod fault;
mod feed;
mod follow;
mod gaps;
mod guard;
mod handshake;
mod lookout;
mod meter;
mod mtu;
mod pace;
mod place;
pub mod portmap;
mod punch;
#[cfg(test)]
mod recording;
mod relay;
mod session;
mod system;
mod throttle;
mod transport;
mod way;

pub use announced::Announced;
pub use answer::{Answer, Responder};
pub use aside::{Aside, Standing};
pub use ask::{Answered, ChunkAnswer};
pub use bursts::Bursts;
pub use endpoint::{BindError, Capacity, Carrying, Endpoint, Migration};
pub use fault::Fault;
pub use feed::{HaveLog, feed_pause};
pub use handshake::DialError;
pub use lookout::{Lookout, View};
pub use relay::{Call, Carrier, Held, Line, Path, RelayError, Room};
pub use session::{Session, SessionKey};
pub use throttle::{Lane, Throttle};
pub use way::own_towards;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::digest::{Address, ManifestId, ProgramId};
use crate::wire::{Deluge, Request, Update};

/// What happened on the network.
#[derive(Debug)]
pub enum Event {
    /// A connection is up and both sides are proven. Whoever accepted has heard a hello; whoever dialed
    /// has said one, and [`Event::Closed`] follows if the answer is no good.
    Connected {
        /// The connection.
        session: Session,
        /// How it came about.
        origin: Origin,
    },
    /// A dial came to nothing.
    DialFailed {
        /// What would have come of it.
        origin: Origin,
        /// Why.
        error: DialError,
    },
    /// A connection has ended; nothing more comes of it.
    Closed {
        /// The connection.
        session: SessionKey,
        /// In words.
        reason: String,
    },
    /// The answer to a chunk request.
    Chunk {
        /// The connection.
        session: SessionKey,
        /// The number given with the request.
        ticket: u64,
        /// The answer.
        answer: ChunkAnswer,
        /// The path's round-trip time now, and how much longer answers take because of losses.
        rtt: Duration,
    },
    /// A chunk's bytes are coming in.
    Progress {
        /// The connection.
        session: SessionKey,
        /// The number given with the request.
        ticket: u64,
        /// How many so far.
        bytes: u64,
    },
    /// A chunk request was taken back after this many bytes of its answer.
    Wasted {
        /// The connection.
        session: SessionKey,
        /// The container.
        id: ManifestId,
        /// Bytes that came in for nothing.
        bytes: u64,
    },
    /// The answer to a manifest request: the file's bytes, unproven.
    Manifest {
        /// The connection.
        session: SessionKey,
        /// The manifest asked for.
        id: ManifestId,
        /// Its bytes.
        answer: Result<Bytes, Fault>,
    },
    /// The answer to the question which manifests a peer has.
    Deluges {
        /// The connection.
        session: SessionKey,
        /// The container asked about, if it was one.
        program_id: Option<ProgramId>,
        /// What it claims.
        answer: Result<Vec<Deluge>, Fault>,
    },
    /// News on a subscription of ours.
    Update {
        /// The connection.
        session: SessionKey,
        /// The container.
        id: ManifestId,
        /// The news.
        update: Update,
    },
    /// A subscription of ours has ended.
    Unsubscribed {
        /// The connection.
        session: SessionKey,
        /// The container.
        id: ManifestId,
        /// Why.
        fault: Fault,
    },
    /// The answer to what is answered with a header, or with a listing.
    Replied {
        /// The connection.
        session: SessionKey,
        /// The number given with the request.
        ticket: u64,
        /// The answer.
        answer: Result<Answered, Fault>,
    },
    /// A peer asks. The responder must be used or dropped; dropped means `Unavailable`.
    Asked {
        /// The connection.
        session: SessionKey,
        /// The request.
        request: Request,
        /// Answers it.
        responder: Responder,
    },
    /// A SwarmMaster carries for us from now on.
    Carrying {
        /// Dials through it.
        carrier: Carrier,
    },
    /// A SwarmMaster does not carry for us, or no longer.
    NotCarrying {
        /// Which.
        master: Address,
        /// In words.
        reason: String,
    },
    /// A dial through a SwarmMaster came to nothing.
    RelayFailed {
        /// Whom.
        to: Address,
        /// Through which.
        master: Address,
        /// Why.
        error: RelayError,
    },
    /// A node wants packets carried; only where the endpoint takes such connections.
    Line {
        /// The connection.
        line: Line,
    },
    /// A chunk answer of ours is with the transport, or failed.
    Answered {
        /// The connection.
        session: SessionKey,
        /// The responder's number.
        ask: u64,
        /// Bytes of body taken by the transport.
        bytes: u64,
    },
}

/// How a connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We dialed this address.
    Dialed(SocketAddr),
    /// We dialed this address, while the peer opened its router for it.
    Met(SocketAddr),
    /// They dialed us.
    Accepted,
}

/// Events that may wait for the driver. Full means that sessions wait, and so their peers.
pub const EVENTS_MAX: usize = 1024;
