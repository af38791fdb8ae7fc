//! What nodes and SwarmMasters say to each other: who has what, and what there is.
//!
//! Every message is of bounded size, and no list stands within a list, so that one look at a length
//! before decoding bounds what a decoder allocates. Names are text that a stranger wrote: whoever shows
//! them checks them first.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::halves::{halves, whole};
use crate::digest::{Address, ManifestId, ProgramId};
use crate::limits::HITS_MAX;

/// As many results as one answer holds.
const LIMIT_MAX: u8 = 50;
const _: () = assert!(LIMIT_MAX as usize == HITS_MAX, "one answer");

/// What a master draws for one connection, so that no registration can be replayed on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 16]);

/// "I hold this container, and will for so long": signed, for one master and one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The container's manifest.
    pub id: ManifestId,
    /// How much of it is here.
    pub held: Holding,
    /// For how long this holds unless it is said again, in seconds.
    pub ttl_s: u32,
    /// The master that this is for.
    pub audience: Address,
    /// What that master drew for this connection.
    pub nonce: Nonce,
    /// Larger than that of every registration before on this connection.
    pub sequence: u64,
    /// Who says it.
    pub public_key: [u8; 32],
    /// Its ed25519 signature (RFC 8032), in halves.
    pub signature: [[u8; 32]; 2],
}

/// A bitfield in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holding {
    /// How many chunks.
    pub chunks: u32,
    /// Which 64ths of the container are whole, the first in the lowest bit.
    pub map: u64,
}

/// Whose peers are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wanted {
    /// Those of this manifest's swarm.
    Manifest(ManifestId),
    /// Those of any manifest for this container.
    Program(ProgramId),
}

/// Somebody who holds a container, or parts of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub address: Address,
    /// By which manifest.
    pub manifest_id: ManifestId,
    /// How much of it.
    pub held: Holding,
    /// Where to try, the likeliest first.
    pub at: [Option<SocketAddr>; 3],
}

/// A question for names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Search {
    /// What to look for, at most [`QUERY_BYTES_MAX`](crate::limits::QUERY_BYTES_MAX).
    pub text: String,
    /// How the text is meant.
    pub mode: Mode,
    /// Only containers of at least this many bytes.
    pub size_min: Option<u64>,
    /// Only containers of at most this many bytes.
    pub size_max: Option<u64>,
    /// Only containers of this owner.
    pub owner: Option<Address>,
    /// Only containers whose manifest was signed at this time or later, in seconds since 1970.
    pub since: Option<u64>,
    /// Only containers that so many subnets hold whole.
    pub seeders_min: u32,
    /// How many results are wanted.
    pub limit: u8,
}

impl Search {
    /// Every container of which the name is like this, as many of them as one answer holds.
    pub fn new(text: impl Into<String>, mode: Mode) -> Self {
        Self {
            text: text.into(),
            mode,
            size_min: None,
            size_max: None,
            owner: None,
            since: None,
            seeders_min: 0,
            limit: LIMIT_MAX,
        }
    }
}

/// How a query's text is meant. Case never matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Every word of it occurs somewhere in the name.
    Words,
    /// The name begins with it.
    Prefix,
    /// It is a regular expression that matches somewhere in the name.
    Regex,
}

/// A container that a search found. Nothing of it is proven before its manifest is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Its manifest.
    pub manifest_id: ManifestId,
    /// SHA-256 of its bytes.
    pub program_id: ProgramId,
    /// Whose it says it is.
    pub owner: Address,
    /// What it is called, at most [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX).
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When its manifest was signed, in seconds since 1970; 0 where it is not signed.
    pub time: u64,
    /// Subnets of which somebody holds all of it.
    pub seeders: u32,
    /// Nodes that hold some of it.
    pub peers: u32,
}

/// What follows a `Found`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// The best first, at most [`HITS_MAX`].
    Hits(Vec<Hit>),
}

/// Whether a search has seen all that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    /// It has, as far as the limit goes.
    Whole,
    /// It ran out of the time that one query may take.
    Partial,
}

/// Why a registration is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection {
    /// It is not for this connection, or not newer than the last one on it.
    Nonce,
    /// It is for another master.
    Audience,
    /// It is not signed by whose connection this is.
    Signature,
    /// It is to hold for no time, or for longer than the master remembers anything.
    Ttl,
    /// The wallet, or its subnet, has as many registrations as it may.
    Quota,
    /// What came as the manifest is not the one that was named, or did not come.
    Manifest,
    /// The chunk that the master asked for was not right, or did not come.
    Unproven,
    /// The query is none: too short a text, or a regular expression that is wrong or too large.
    Query,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nonce => "AUTH_NONCE: not for this connection, or not new on it",
            Self::Audience => "AUTH_AUDIENCE: meant for another master",
            Self::Signature => "AUTH_SIG: not signed by whose connection this is",
            Self::Ttl => "TTL: to hold for no time, or for too long",
            Self::Quota => "QUOTA: this wallet or its subnet has registered as much as it may",
            Self::Manifest => "MANIFEST: not the one that was named, or it did not come",
            Self::Unproven => "UNPROVEN: the chunk asked for was not right, or did not come",
            Self::Query => "QUERY: empty, too long, or no regular expression of a bearable size",
        })
    }
}

impl Registration {
    /// The bytes that are signed: everything but the signature, after a tag of their own.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"swarmhold/register/v1\0".to_vec();
        bytes.extend_from_slice(self.audience.digest().as_bytes());
        bytes.extend_from_slice(&self.nonce.0);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(self.id.digest().as_bytes());
        bytes.extend_from_slice(&self.held.chunks.to_le_bytes());
        bytes.extend_from_slice(&self.held.map.to_le_bytes());
        bytes.extend_from_slice(&self.ttl_s.to_le_bytes());
        bytes.extend_from_slice(&self.public_key);
        bytes
    }

    /// Puts a signature in its place.
    pub fn signed(mut self, signature: [u8; 64]) -> Self {
        self.signature = halves(signature);
        self
    }

    /// The signature in one piece.
    pub fn signature_bytes(&self) -> [u8; 64] {
        whole(&self.signature)
    }
}

impl Holding {
    /// What a bitfield of `count` chunks comes to, of which `has` tells each.
    pub fn of(count: u32, has: impl Fn(u32) -> bool) -> Self {
        let mut whole = Self {
            chunks: 0,
            map: u64::MAX,
        };
        for chunk in 0..count {
            match has(chunk) {
                true => whole.chunks += 1,
                // the parts that this chunk reaches into
                false => {
                    let (first, last) = (part_of(chunk, count), part_of_end(chunk, count));
                    (first..=last).for_each(|part| whole.map &= !(1 << part));
                }
            }
        }
        whole
    }
}

/// The 64th in which a chunk begins.
fn part_of(chunk: u32, count: u32) -> u32 {
    u32::try_from(u64::from(chunk) * 64 / u64::from(count.max(1))).map_or(63, |part| part.min(63))
}

/// The 64th in which a chunk ends.
fn part_of_end(chunk: u32, count: u32) -> u32 {
    let end = (u64::from(chunk) + 1) * 64;
    let part = end.div_ceil(u64::from(count.max(1))).saturating_sub(1);
    u32::try_from(part).map_or(63, |part| part.min(63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holding_says_how_much_and_which_parts_are_whole() {
        let all = Holding::of(153, |_| true);
        assert_eq!((all.chunks, all.map), (153, u64::MAX));
        assert_eq!(Holding::of(3, |_| false), Holding { chunks: 0, map: 0 });
        // one chunk of four is 16 of 64 parts
        let second = Holding::of(4, |chunk| chunk == 1);
        assert_eq!((second.chunks, second.map), (1, 0xffff << 16));
        // of 128 chunks two make a part
        let pairs = Holding::of(128, |chunk| chunk != 3);
        assert_eq!((pairs.chunks, pairs.map), (127, !(1 << 1)));
    }

    #[test]
    fn everything_in_a_registration_is_signed() {
        let digest = crate::digest::Digest::of(b"x");
        let plain = Registration {
            id: ManifestId::new(digest),
            held: Holding { chunks: 1, map: 1 },
            ttl_s: 60,
            audience: Address::new(digest),
            nonce: Nonce([1; 16]),
            sequence: 1,
            public_key: [2; 32],
            signature: [[0; 32]; 2],
        };
        let other = crate::digest::Digest::of(b"y");
        let changes: [fn(&mut Registration, crate::digest::Digest); 8] = [
            |it, other| it.id = ManifestId::new(other),
            |it, _| it.held.chunks = 2,
            |it, _| it.held.map = 2,
            |it, _| it.ttl_s = 61,
            |it, other| it.audience = Address::new(other),
            |it, _| it.nonce = Nonce([2; 16]),
            |it, _| it.sequence = 2,
            |it, _| it.public_key = [3; 32],
        ];
        for change in changes {
            let mut changed = plain.clone();
            change(&mut changed, other);
            assert_ne!(changed.signed_bytes(), plain.signed_bytes());
        }
        let signature: [u8; 64] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(plain.signed(signature).signature_bytes(), signature);
    }
}
