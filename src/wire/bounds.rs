//! How much one message may say.
//!
//! Lengths of lists are checked twice. Before decoding, against the bytes that are there and the
//! bound, so that nothing is allocated on the word of a peer; after decoding, where the bound of
//! every field is checked in one place, the same that encoding asserts.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame_error::{FrameError, Malformed};
use super::index::{Hit, Holder, Holding, Listing, Search};
use super::meet::{Acceptance, Invitation};
use super::message::{Hello, Refusal, Reply, Request, Update};
use crate::chunk::ChunkIndex;
use crate::limits::{
    BITFIELD_BYTES_MAX, CHUNK_BYTES_MAX, CHUNKS_MAX, DELUGES_MAX, HAVES_MAX, HEADER_BYTES_MAX,
    HITS_MAX, HOLDERS_TOLD_MAX, LISTEN_ADDRESSES_MAX, LISTING_BYTES_MAX, MANIFEST_BYTES_MAX,
    MEET_CANDIDATES_MAX, MEET_WAIT_US_MAX, NAME_BYTES_MAX, QUERY_BYTES_MAX, REQUEST_BYTES_MAX,
};

/// What in a message has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// How many listen addresses a hello has.
    ListenAddresses,
    /// How many containers a list of deluges has.
    Deluges,
    /// How many chunks a `Have` names.
    Haves,
    /// How many bytes a bitfield has.
    BitfieldBytes,
    /// How many bytes of manifest follow.
    ManifestBytes,
    /// How many bytes of chunk follow.
    BodyBytes,
    /// A position in a container.
    ChunkIndex,
    /// How many chunks a holder has.
    ChunksHeld,
    /// How many holders are told.
    Holders,
    /// How many containers a search finds.
    Hits,
    /// How many bytes a query has.
    QueryBytes,
    /// How many bytes a name has.
    NameBytes,
    /// At how many places somebody may be met.
    MeetCandidates,
    /// How long until a meeting begins, in microseconds.
    MeetWait,
}

impl Bound {
    /// The largest value allowed.
    pub const fn limit(self) -> u64 {
        match self {
            Self::ListenAddresses => LISTEN_ADDRESSES_MAX as u64,
            Self::Deluges => DELUGES_MAX as u64,
            Self::Haves => HAVES_MAX as u64,
            Self::BitfieldBytes => BITFIELD_BYTES_MAX as u64,
            Self::ManifestBytes => MANIFEST_BYTES_MAX as u64,
            Self::BodyBytes => CHUNK_BYTES_MAX as u64,
            Self::ChunkIndex => CHUNKS_MAX as u64 - 1,
            Self::ChunksHeld => CHUNKS_MAX as u64,
            Self::Holders => HOLDERS_TOLD_MAX as u64,
            Self::Hits => HITS_MAX as u64,
            Self::QueryBytes => QUERY_BYTES_MAX as u64,
            Self::NameBytes => NAME_BYTES_MAX as u64,
            Self::MeetCandidates => MEET_CANDIDATES_MAX as u64,
            Self::MeetWait => MEET_WAIT_US_MAX as u64,
        }
    }

    /// The code with which to refuse what is out of this bound.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::ChunkIndex => Refusal::NoSuchChunk,
            Self::ListenAddresses
            | Self::Deluges
            | Self::Haves
            | Self::BitfieldBytes
            | Self::ManifestBytes
            | Self::BodyBytes
            | Self::ChunksHeld
            | Self::Holders
            | Self::Hits
            | Self::QueryBytes
            | Self::NameBytes
            | Self::MeetCandidates
            | Self::MeetWait => Refusal::Malformed,
        }
    }

    fn check(self, found: u64) -> Result<(), FrameError> {
        let limit = self.limit();
        if found <= limit {
            return Ok(());
        }
        Err(FrameError::OutOfBounds {
            what: self,
            limit,
            found,
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ListenAddresses => "listen addresses",
            Self::Deluges => "deluges",
            Self::Haves => "haves",
            Self::BitfieldBytes => "bitfield bytes",
            Self::ManifestBytes => "manifest bytes",
            Self::BodyBytes => "body bytes",
            Self::ChunkIndex => "chunk index",
            Self::ChunksHeld => "chunks held",
            Self::Holders => "holders",
            Self::Hits => "hits",
            Self::QueryBytes => "query bytes",
            Self::NameBytes => "name bytes",
            Self::MeetCandidates => "places to meet",
            Self::MeetWait => "microseconds until a meeting",
        })
    }
}

/// One of the sorts of message that travel in frames.
pub(super) trait Message: Serialize + DeserializeOwned + fmt::Debug {
    /// Bytes that a payload may have.
    const BYTES_MAX: usize;
    /// Tags below this are known.
    const KINDS: u32;

    /// Where the list is in the message with this tag; no message has two.
    fn list(tag: u32) -> Option<List>;

    /// Whether every field is within its bound.
    fn check(&self) -> Result<(), FrameError>;
}

impl Message for Request {
    const BYTES_MAX: usize = REQUEST_BYTES_MAX;
    const KINDS: u32 = 16;

    fn list(tag: u32) -> Option<List> {
        match tag {
            0 => Some(List::OF_HELLO),
            9 => Some(List::first(Bound::QueryBytes, 1)),
            12 | 13 => Some(List::PLACES),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), FrameError> {
        match self {
            Self::Hello(hello) => check_hello(hello),
            Self::Chunk(chunk) => check_index(chunk.index),
            Self::Register(registration) => check_holding(&registration.held),
            Self::Search(search) => check_search(search),
            Self::Meet(it) | Self::Invite(it) => check_invitation(it),
            Self::Start { wait_us, .. } => Bound::MeetWait.check(u64::from(*wait_us)),
            Self::Manifest { .. }
            | Self::Deluges { .. }
            | Self::Subscribe { .. }
            | Self::Enlist
            | Self::Withdraw { .. }
            | Self::Lookup { .. }
            | Self::Locate
            | Self::Located
            | Self::Carry { .. } => Ok(()),
        }
    }
}

impl Message for Reply {
    const BYTES_MAX: usize = HEADER_BYTES_MAX;
    const KINDS: u32 = 21;

    fn list(tag: u32) -> Option<List> {
        match tag {
            0 => Some(List::OF_HELLO),
            2 => Some(List::first(Bound::Deluges, 65)),
            5 => Some(List::first(Bound::BitfieldBytes, 1)),
            12 => Some(List::first(Bound::Holders, 69)),
            16 | 17 => Some(List::PLACES),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), FrameError> {
        match self {
            Self::Hello(hello) => check_hello(hello),
            Self::Manifest { len } => Bound::ManifestBytes.check(u64::from(*len)),
            Self::Deluges(deluges) => Bound::Deluges.check(deluges.len() as u64),
            Self::Data { len, .. } => Bound::BodyBytes.check(u64::from(*len)),
            Self::NotHeld { held } => Bound::BitfieldBytes.check(held.len() as u64),
            Self::Holders(holders) => {
                Bound::Holders.check(holders.len() as u64)?;
                let held = |holder: &Holder| check_holding(&holder.held);
                holders.iter().try_for_each(held)
            }
            Self::Accepted(acceptance) => check_acceptance(acceptance),
            Self::Go {
                acceptance,
                wait_us,
            } => {
                Bound::MeetWait.check(u64::from(*wait_us))?;
                check_acceptance(acceptance)
            }
            Self::Subscribed
            | Self::Busy { .. }
            | Self::Denied
            | Self::Enlisted { .. }
            | Self::Registered { .. }
            | Self::Rejected(_)
            | Self::Withdrawn
            | Self::Found(_)
            | Self::Locate { .. }
            | Self::Located { .. }
            | Self::Started
            | Self::Unmet(_)
            | Self::Coming => Ok(()),
        }
    }
}

impl Message for Update {
    const BYTES_MAX: usize = HEADER_BYTES_MAX;
    const KINDS: u32 = 4;

    fn list(tag: u32) -> Option<List> {
        match tag {
            0 => Some(List::first(Bound::BitfieldBytes, 1)),
            1 => Some(List::first(Bound::Haves, 1)),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), FrameError> {
        match self {
            Self::Bitfield(bits) => Bound::BitfieldBytes.check(bits.len() as u64),
            Self::Have(chunks) => {
                Bound::Haves.check(chunks.len() as u64)?;
                chunks.iter().copied().try_for_each(check_index)
            }
            Self::Choked | Self::Unchoked => Ok(()),
        }
    }
}

impl Message for Listing {
    const BYTES_MAX: usize = LISTING_BYTES_MAX;
    const KINDS: u32 = 1;

    fn list(_: u32) -> Option<List> {
        Some(List::first(Bound::Hits, 101))
    }

    fn check(&self) -> Result<(), FrameError> {
        let Self::Hits(hits) = self;
        Bound::Hits.check(hits.len() as u64)?;
        let name = |hit: &Hit| Bound::NameBytes.check(hit.name.len() as u64);
        hits.iter().try_for_each(name)
    }
}

fn check_holding(held: &Holding) -> Result<(), FrameError> {
    Bound::ChunksHeld.check(u64::from(held.chunks))
}

fn check_search(search: &Search) -> Result<(), FrameError> {
    Bound::QueryBytes.check(search.text.len() as u64)
}

fn check_invitation(invitation: &Invitation) -> Result<(), FrameError> {
    Bound::MeetCandidates.check(invitation.at.len() as u64)
}

fn check_acceptance(acceptance: &Acceptance) -> Result<(), FrameError> {
    Bound::MeetCandidates.check(acceptance.at.len() as u64)
}

fn check_hello(hello: &Hello) -> Result<(), FrameError> {
    Bound::ListenAddresses.check(hello.listen.len() as u64)
}

fn check_index(index: ChunkIndex) -> Result<(), FrameError> {
    Bound::ChunkIndex.check(u64::from(index.get()))
}

/// A list in a message: where its length stands and what the length may be.
pub(super) struct List {
    what: Bound,
    /// Numbers between the message's tag and the list's length.
    after: usize,
    /// Bytes that the smallest element takes.
    element_bytes_min: usize,
}

impl List {
    /// After version and features; an IPv4 address takes a tag, four bytes and a port.
    const OF_HELLO: Self = Self {
        what: Bound::ListenAddresses,
        after: 2,
        element_bytes_min: 6,
    };

    /// Places to meet, right after the tag.
    const PLACES: Self = Self::first(Bound::MeetCandidates, 6);

    /// A list right after the tag.
    const fn first(what: Bound, element_bytes_min: usize) -> Self {
        Self {
            what,
            after: 0,
            element_bytes_min,
        }
    }

    /// Judges the length of the list in `message`, which begins after the tag.
    pub(super) fn check(&self, mut message: &[u8]) -> Result<(), FrameError> {
        for _ in 0..self.after {
            varint(&mut message)?;
        }
        let claimed = varint(&mut message)?;
        let left = message.len();
        if claimed > (left / self.element_bytes_min) as u64 {
            return Err(Malformed::List { claimed, left }.into());
        }
        self.what.check(claimed)
    }
}

/// Takes a number off the front: seven bits a byte, low bits first, the high bit set on all but
/// the last (postcard's wire format, "varint").
pub(super) fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed::Truncated)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(Malformed::Number);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<(u64, usize), Malformed> {
        varint(&mut bytes).map(|number| (number, bytes.len()))
    }

    #[test]
    fn numbers_are_read_to_their_last_byte() {
        assert_eq!(read(&[0x7f, 9]), Ok((127, 1)));
        assert_eq!(read(&[0xac, 0x02]), Ok((300, 0)));
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(read(&largest), Ok((u64::MAX, 0)));
    }

    #[test]
    fn numbers_past_64_bits_are_refused() {
        let mut over = [0xff; 10];
        over[9] = 2;
        assert_eq!(read(&over), Err(Malformed::Number));
        assert_eq!(read(&[0x80; 11]), Err(Malformed::Number));
        assert_eq!(read(&[0x80; 9]), Err(Malformed::Truncated));
        assert_eq!(read(&[]), Err(Malformed::Truncated));
    }

    #[test]
    fn a_list_is_judged_by_what_is_there_before_its_bound() {
        let haves = List::first(Bound::Haves, 1);
        let mut list = vec![0x81, 0x08];
        list.resize(2 + 1025, 0);
        assert_eq!(haves.check(&list), Bound::Haves.check(1025));
        list.pop();
        let short = Malformed::List {
            claimed: 1025,
            left: 1024,
        };
        assert_eq!(haves.check(&list), Err(short.into()));
    }
}
