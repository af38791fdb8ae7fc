//! The whole boundary of the core on one page: what it is told, and what it asks for.

use std::time::Duration;

use super::blame::{Offence, Strike};
pub use super::terms::{AskKey, Contribution, Credit, PeerKey, Reason, Subnet, Ticket, Trust};
use super::wish::{Rates, Wish};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::manifest::Layout;
use crate::moment::Moment;
use crate::wire::payload::Payload;

/// What the core is told. Each variant names who sends it.
#[derive(Debug)]
pub enum Input {
    /// A surface: this container takes part, with the chunks that the store already has.
    Add {
        /// The container's manifest.
        id: ManifestId,
        /// Its size and chunk size.
        layout: Layout,
        /// Which chunks are stored and verified.
        have: Bitfield,
        /// What is known of the manifest itself.
        trust: Trust,
    },
    /// A surface: this container takes no part any more. Its requests are cancelled.
    Remove {
        /// The container's manifest.
        id: ManifestId,
    },
    /// A surface: these limits hold for all containers together from now on.
    Limit {
        /// The limits.
        rates: Rates,
    },
    /// A surface: this is how a container is to be fetched from now on.
    Steer {
        /// The container's manifest.
        id: ManifestId,
        /// What is wished.
        wish: Wish,
    },
    /// The node: other containers of its hold the bytes of these chunks, which are copied if missing.
    Local {
        /// The container's manifest.
        id: ManifestId,
        /// The chunks.
        chunks: Vec<ChunkIndex>,
    },
    /// The node: chunks that have the same bytes. One of each group is asked for, others are copied.
    Repeats {
        /// The container's manifest.
        id: ManifestId,
        /// The groups, each of two chunks or more. No chunk is in two.
        groups: Vec<Vec<ChunkIndex>>,
    },
    /// A worker: the chunk was copied and is stored.
    Copied {
        /// The copy.
        ticket: Ticket,
    },
    /// A worker: there is nothing right to copy any more. The chunk is asked for.
    NotCopied {
        /// The copy.
        ticket: Ticket,
    },
    /// The network: a peer has said hello.
    PeerConnected {
        /// The connection.
        peer: PeerKey,
        /// Whose it is, proven by TLS.
        address: Address,
        /// Where it comes from.
        subnet: Subnet,
        /// The path's round-trip time so far.
        rtt: Duration,
    },
    /// The network: a connection has ended. Its requests are void.
    PeerGone {
        /// The connection.
        peer: PeerKey,
    },
    /// The network: everything that a peer says it holds of a container.
    PeerHolds {
        /// The connection.
        peer: PeerKey,
        /// The container's manifest.
        id: ManifestId,
        /// The chunks.
        held: Bitfield,
    },
    /// The network: a peer takes no part in a container any more.
    PeerLeft {
        /// The connection.
        peer: PeerKey,
        /// The container's manifest.
        id: ManifestId,
    },
    /// The network: chunks that a peer says it holds from now on.
    PeerHas {
        /// The connection.
        peer: PeerKey,
        /// The container's manifest.
        id: ManifestId,
        /// The chunks.
        chunks: Vec<ChunkIndex>,
    },
    /// The network: a peer does not serve us until it says otherwise.
    Choked {
        /// The connection.
        peer: PeerKey,
    },
    /// The network: a peer serves us from now on, as all do at first.
    Unchoked {
        /// The connection.
        peer: PeerKey,
    },
    /// The network: bytes of an answer are coming in.
    Progress {
        /// The connection.
        peer: PeerKey,
        /// Our request.
        ticket: Ticket,
        /// How many of this answer so far.
        bytes: u64,
    },
    /// The network: an answer is here whole, its content unproven.
    Arrived {
        /// The connection.
        peer: PeerKey,
        /// Our request.
        ticket: Ticket,
        /// The body.
        payload: Payload,
        /// The path's round-trip time now, and how much longer answers take because of losses: one more at most.
        rtt: Duration,
    },
    /// The network: the peer lacks that chunk; this is what it has.
    NotHeld {
        /// The connection.
        peer: PeerKey,
        /// Our request.
        ticket: Ticket,
        /// The chunks that it holds.
        held: Bitfield,
    },
    /// The network: the peer asks us to come back later.
    Busy {
        /// The connection.
        peer: PeerKey,
        /// Our request.
        ticket: Ticket,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The network: the peer says that it gives us nothing.
    Denied {
        /// The connection.
        peer: PeerKey,
        /// Our request.
        ticket: Ticket,
    },
    /// The network: the request failed with no fault that could be proven.
    Failed {
        /// The connection.
        peer: PeerKey,
        /// Our request.
        ticket: Ticket,
    },
    /// The network: the peer's answer broke the protocol.
    Misbehaved {
        /// The connection.
        peer: PeerKey,
        /// Our request.
        ticket: Ticket,
    },
    /// The network: bytes of an answer that came in before its request was taken back.
    Wasted {
        /// The connection.
        peer: PeerKey,
        /// The container's manifest.
        id: ManifestId,
        /// How many.
        bytes: u64,
    },
    /// A worker: the answer was right and its chunk is stored.
    Stored {
        /// Our request.
        ticket: Ticket,
    },
    /// A worker: the answer was not the chunk that was asked for.
    Bad {
        /// Our request.
        ticket: Ticket,
    },
    /// A worker: the chunk could not be written. Nobody is to blame.
    StoreFailed {
        /// Our request.
        ticket: Ticket,
    },
    /// A worker: a chunk that the store had does not hash any more.
    Lost {
        /// The container's manifest.
        id: ManifestId,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The network: a peer asks for a chunk.
    Asked {
        /// The connection.
        peer: PeerKey,
        /// Its request.
        ask: AskKey,
        /// The container's manifest.
        id: ManifestId,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The network: an answer has been handed to the transport, or its asker withdrew.
    Served {
        /// The connection.
        peer: PeerKey,
        /// Its request.
        ask: AskKey,
        /// Bytes of the body that travelled; 0 if it was withdrawn.
        bytes: u64,
    },
    /// A surface: every chunk of this container is as its manifest says, and the whole is not. What
    /// peers were blamed for on its account they are forgiven.
    Condemn {
        /// The container's manifest.
        id: ManifestId,
    },
    /// A surface: this address is not to be refused any more, and starts anew.
    Lift(Address),
    /// The clock: for so many percent of the last while, the thread that handles peers was busy.
    Load(u8),
    /// The clock: the deadline has come.
    Wake,
}

/// What the core asks for. Each variant names who carries it out.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// The network: ask this peer for this chunk.
    Request {
        /// The connection.
        peer: PeerKey,
        /// The request's name from now on.
        ticket: Ticket,
        /// The container's manifest.
        id: ManifestId,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The network: take this request back. No input follows for it.
    Cancel {
        /// The connection.
        peer: PeerKey,
        /// The request.
        ticket: Ticket,
    },
    /// A worker: prove this payload and store it, then say `Stored`, `Bad` or `StoreFailed`.
    Verify {
        /// The request that it answers.
        ticket: Ticket,
        /// The container's manifest.
        id: ManifestId,
        /// The chunk that it claims to be.
        chunk: ChunkIndex,
        /// The bytes.
        payload: Payload,
    },
    /// A worker: copy this chunk within the node, then say `Copied`, `NotCopied` or `StoreFailed`.
    Copy {
        /// The copy's name from now on.
        ticket: Ticket,
        /// The container's manifest.
        id: ManifestId,
        /// The chunk.
        chunk: ChunkIndex,
        /// A chunk of the same container that is here and has the same bytes, if there is one.
        like: Option<ChunkIndex>,
    },
    /// A worker, then the network: read this chunk and send it, then say `Served`.
    Serve {
        /// The connection.
        peer: PeerKey,
        /// Its request.
        ask: AskKey,
        /// The container's manifest.
        id: ManifestId,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// The network: answer that we lack the chunk, with what we have. No input follows.
    AnswerNotHeld {
        /// The connection.
        peer: PeerKey,
        /// Its request.
        ask: AskKey,
        /// The container's manifest.
        id: ManifestId,
    },
    /// The network: answer that we do not give the chunk, and what we give. No input follows.
    AnswerInstead {
        /// The connection.
        peer: PeerKey,
        /// Its request.
        ask: AskKey,
        /// The container's manifest.
        id: ManifestId,
        /// What it may ask for instead.
        held: Bitfield,
    },
    /// The network: tell this peer, and no other, that we give this of a container.
    Offer {
        /// The connection.
        peer: PeerKey,
        /// The container's manifest.
        id: ManifestId,
        /// What it may ask for from now on.
        held: Bitfield,
    },
    /// The network: answer that we give nothing. No input follows.
    AnswerDenied {
        /// The connection.
        peer: PeerKey,
        /// Its request.
        ask: AskKey,
    },
    /// The network: answer that we are busy. No input follows.
    AnswerBusy {
        /// The connection.
        peer: PeerKey,
        /// Its request.
        ask: AskKey,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The network: tell this peer that it is not served until it hears otherwise.
    Choke {
        /// The connection.
        peer: PeerKey,
    },
    /// The network: tell this peer that it is served from now on, as all are at first.
    Unchoke {
        /// The connection.
        peer: PeerKey,
    },
    /// The network: a chunk is here; tell those who subscribed.
    Announce {
        /// The container's manifest.
        id: ManifestId,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// A surface: every chunk is here.
    Complete {
        /// The container's manifest.
        id: ManifestId,
    },
    /// A surface: three subnets failed the same chunk of a manifest that is only claimed, and nobody else
    /// can be asked. So it is suspected and stopped, and they are forgiven all that did not fit it.
    Suspect {
        /// The container's manifest.
        id: ManifestId,
        /// The chunk.
        chunk: ChunkIndex,
    },
    /// A surface: a chunk could not be written. The container is stopped.
    Stopped {
        /// The container's manifest.
        id: ManifestId,
    },
    /// The network: close this connection.
    Drop {
        /// The connection.
        peer: PeerKey,
        /// What its owner did.
        offence: Offence,
    },
    /// The node: refuse this address until then, also after a restart.
    Ban {
        /// The address.
        address: Address,
        /// When the ban ends.
        until: Moment,
        /// What for, the oldest first.
        strikes: Vec<Strike>,
    },
    /// The node: the ban of this address is over before its time, also after a restart.
    Pardon {
        /// The address.
        address: Address,
    },
}
