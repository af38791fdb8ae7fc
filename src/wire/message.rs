//! The messages. Adding a variant at the end of an enum is compatible; anything else is not.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::index::{Extent, Holder, Nonce, Registration, Rejection, Search, Wanted};
use super::meet::{Acceptance, Invitation, Unmet};
use crate::chunk::ChunkIndex;
use crate::digest::{Address, Digest, ManifestId, ProgramId};

/// What a peer asks, one for each stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The dialer's first words.
    Hello(Hello),
    /// The manifest with this id, please: answered with `Reply::Manifest` and a body.
    Manifest {
        /// The manifest wanted.
        id: ManifestId,
    },
    /// Which manifests do you have: for one program, or all that you show.
    Deluges {
        /// Only manifests for this container.
        program_id: Option<ProgramId>,
    },
    /// Tell me what you hold of this container, now and as it changes.
    Subscribe {
        /// The manifest whose swarm this is about.
        id: ManifestId,
    },
    /// One chunk.
    Chunk(ChunkRequest),
    /// A node's first words to a SwarmMaster.
    Enlist,
    /// I hold this container; tell others.
    Register(Registration),
    /// I do not hold this container any more, or none at all.
    Withdraw {
        /// The manifest, or everything.
        id: Option<ManifestId>,
    },
    /// Who holds this container?
    Lookup {
        /// Whose peers.
        wanted: Wanted,
        /// How many at most.
        limit: u8,
    },
    /// Which containers are called like this?
    Search(Search),
    /// Where, at your master, does a datagram go that shows how my router maps?
    Locate,
    /// Where have you seen me speak from? Asked when such a datagram is under way.
    Located,
    /// I would like to meet this node: to a master.
    Meet(Invitation),
    /// Somebody would like to meet you: from a master.
    Invite(Invitation),
    /// Both of you know it: begin then. From a master to whoever was invited.
    Start {
        /// Of the invitation.
        nonce: Nonce,
        /// When, from now, in microseconds; at most [`MEET_WAIT_US_MAX`](crate::limits::MEET_WAIT_US_MAX).
        wait_us: u32,
    },
    /// A SwarmMaster to a node: somebody wants a channel to you. Connect to me for carrying.
    Carry {
        /// Who, as the master knows them.
        from: Address,
    },
}

/// Names a chunk as the original does, by total hash and chunk hash, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRequest {
    /// The container.
    pub program_id: ProgramId,
    /// SHA-256 of the chunk.
    pub chunk_hash: Digest,
    /// The chunk's position in the container.
    pub index: ChunkIndex,
    /// Which encodings the asker takes.
    pub accept: Accept,
}

/// Which encodings of a chunk an asker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accept {
    /// The bytes as they are.
    Raw,
    /// The bytes as they are, or one zstd frame (RFC 8878).
    Zstd,
}

/// Who is speaking, and how to reach them. The address comes from the TLS session, not from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version spoken, [`VERSION`](super::VERSION).
    pub version: u16,
    /// Optional abilities, one bit each; unknown bits are ignored. None is defined yet.
    pub features: u64,
    /// Where the speaker listens, at most [`LISTEN_ADDRESSES_MAX`](crate::limits::LISTEN_ADDRESSES_MAX).
    pub listen: Vec<SocketAddr>,
    /// The address at which the speaker sees the other side.
    pub observed: SocketAddr,
}

/// The header of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The acceptor's words, to the dialer's.
    Hello(Hello),
    /// A manifest file of this many bytes follows.
    Manifest {
        /// Body length, at most [`MANIFEST_BYTES_MAX`](crate::limits::MANIFEST_BYTES_MAX).
        len: u32,
    },
    /// The manifests that the answerer has, at most [`DELUGES_MAX`](crate::limits::DELUGES_MAX).
    Deluges(Vec<Deluge>),
    /// Updates follow on this stream.
    Subscribed,
    /// A chunk follows.
    Data {
        /// How the body is encoded.
        encoding: Encoding,
        /// Body length in bytes.
        len: u32,
    },
    /// I lack that chunk; this is what I have, in the wire form of a bitfield.
    NotHeld {
        /// At most [`BITFIELD_BYTES_MAX`](crate::limits::BITFIELD_BYTES_MAX) bytes.
        held: Vec<u8>,
    },
    /// Not now.
    Busy {
        /// When to ask again, in milliseconds.
        retry_after_ms: u32,
    },
    /// Not you.
    Denied,
    /// Welcome to this SwarmMaster.
    Enlisted {
        /// For registrations on this connection.
        nonce: Nonce,
        /// Where the node speaks from.
        observed: SocketAddr,
        /// For how long a registration may hold, in seconds.
        ttl_s_max: u32,
    },
    /// The registration is listed.
    Registered {
        /// For how long, in seconds.
        ttl_s: u32,
    },
    /// The registration is not listed, or the query makes no sense.
    Rejected(Rejection),
    /// Nothing of that is listed any more.
    Withdrawn,
    /// Who holds it, at most [`HOLDERS_TOLD_MAX`](crate::limits::HOLDERS_TOLD_MAX).
    Holders(Vec<Holder>),
    /// One [`Listing`](super::Listing) follows, in a frame of its own.
    Found(Extent),
    /// To `Locate`: at this port of mine, with these bytes in it.
    Locate {
        /// The UDP port, at the IP address at which the node reaches the master.
        port: u16,
        /// Drawn for this connection.
        token: [u8; 8],
    },
    /// To `Located`.
    Located {
        /// Where this connection comes from.
        here: SocketAddr,
        /// Where the datagram came from, if one has come.
        there: Option<SocketAddr>,
    },
    /// To `Invite`: gladly.
    Accepted(Acceptance),
    /// To `Meet`: the other side's answer, and when to begin.
    Go {
        /// What it said.
        acceptance: Acceptance,
        /// When, from now, in microseconds; at most [`MEET_WAIT_US_MAX`](crate::limits::MEET_WAIT_US_MAX).
        wait_us: u32,
    },
    /// To `Start`: so be it.
    Started,
    /// To `Meet` and `Invite`: it does not come to that.
    Unmet(Unmet),
    /// I connect for carrying, or have.
    Coming,
}

/// One manifest in a `Deluges` reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deluge {
    /// The manifest.
    pub manifest_id: ManifestId,
    /// The container that it describes.
    pub program_id: ProgramId,
    /// The container's size in bytes.
    pub size: u64,
}

/// How a chunk's bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// One zstd frame whose content size is the chunk's (RFC 8878 section 3.1.1).
    Zstd,
}

/// News on a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Update {
    /// Everything the peer holds; always first, and again whenever it shrinks.
    Bitfield(Vec<u8>),
    /// Chunks the peer holds from now on, at most [`HAVES_MAX`](crate::limits::HAVES_MAX).
    Have(Vec<ChunkIndex>),
    /// The peer serves the subscriber no chunk of any container until it says otherwise.
    Choked,
    /// The peer serves the subscriber, as it does unless it says otherwise.
    Unchoked,
}

/// Why a request stream is reset: the application error code of RESET_STREAM (RFC 9000 section 19.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Refusal {
    /// The stream ended before a request came.
    Empty = 0x01,
    /// The request is longer than [`REQUEST_BYTES_MAX`](crate::limits::REQUEST_BYTES_MAX).
    TooLarge = 0x02,
    /// The request's kind is not known.
    UnknownMessage = 0x03,
    /// The request is not one well-formed message.
    Malformed = 0x04,
    /// The container has no such chunk.
    NoSuchChunk = 0x05,
    /// Nothing by that name is shared here.
    NotFound = 0x06,
    /// The stream made no progress for too long.
    TooSlow = 0x07,
    /// The answerer failed on its own account, or is stopping.
    Unavailable = 0x08,
    /// The asker no longer wants it (as the code of STOP_SENDING).
    Cancelled = 0x09,
}

/// Why a connection is closed: the application error code of CONNECTION_CLOSE (RFC 9000 section 19.19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseCode {
    /// The node is done or stopping.
    Done = 0x00,
    /// The other side broke the protocol.
    Protocol = 0x10,
    /// The other side sent a chunk that is not what was asked for.
    BadChunk = 0x11,
    /// The other side's address is banned.
    Banned = 0x12,
    /// Another connection between the same two addresses is kept.
    Duplicate = 0x13,
    /// A node reached itself.
    ToSelf = 0x14,
    /// Too many connections.
    Full = 0x15,
    /// Too many requests.
    Rate = 0x16,
}

impl Refusal {
    const ALL: [Self; 9] = [
        Self::Empty,
        Self::TooLarge,
        Self::UnknownMessage,
        Self::Malformed,
        Self::NoSuchChunk,
        Self::NotFound,
        Self::TooSlow,
        Self::Unavailable,
        Self::Cancelled,
    ];

    /// The code on the wire.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The refusal with this code, or none: a later version may know more of them.
    pub fn from_code(code: u64) -> Option<Self> {
        let known = |refusal: &Self| u64::from(refusal.code()) == code;
        Self::ALL.into_iter().find(known)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::TooLarge => "TOO_LARGE",
            Self::UnknownMessage => "UNKNOWN_MESSAGE",
            Self::Malformed => "MALFORMED",
            Self::NoSuchChunk => "NO_SUCH_CHUNK",
            Self::NotFound => "NOT_FOUND",
            Self::TooSlow => "TOO_SLOW",
            Self::Unavailable => "UNAVAILABLE",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for Refusal {
    /// Code and name: `0x06 NOT_FOUND`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x} {}", self.code(), self.name())
    }
}

impl CloseCode {
    const ALL: [Self; 8] = [
        Self::Done,
        Self::Protocol,
        Self::BadChunk,
        Self::Banned,
        Self::Duplicate,
        Self::ToSelf,
        Self::Full,
        Self::Rate,
    ];

    /// The code on the wire.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The reason with this code, or none: a later version may know more of them.
    pub fn from_code(code: u64) -> Option<Self> {
        let known = |reason: &Self| u64::from(reason.code()) == code;
        Self::ALL.into_iter().find(known)
    }
}

impl fmt::Display for CloseCode {
    /// The name alone: the sentence that goes with it says the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "DONE",
            Self::Protocol => "PROTOCOL",
            Self::BadChunk => "BAD_CHUNK",
            Self::Banned => "BANNED",
            Self::Duplicate => "DUPLICATE",
            Self::ToSelf => "TO_SELF",
            Self::Full => "FULL",
            Self::Rate => "RATE",
        })
    }
}
