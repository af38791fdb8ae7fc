//! What a relay is told, and the header of what it carries.
//!
//! Two nodes that reach a SwarmMaster and not each other have it carry the packets of a QUIC connection
//! between them, end-to-end encrypted, as datagrams (RFC 9221) of a connection of their own to it:
//!
//! ```text
//!   asker                    SwarmMaster                    other
//!     |-- Open{to} ------------->|-- Offer{channel, from} ---->|    a stream each, open for as long
//!     |<- Opened{channel} -------|<- Accepted ----------------|     as the channel is
//!     |<= [channel][part] packet =====================================>|  datagrams, both ways
//! ```
//!
//! A channel has one number, the same on both sides, so the master passes datagrams on as they are. A
//! packet that no datagram carries as a whole goes as two halves with the same number.
//!
//! Invariant: a header that is read is the only one for its channel and part.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::bounds::{List, Message};
use super::frame_error::FrameError;
use crate::digest::Address;

/// The protocol's name in the TLS handshake of the connection that carries (RFC 7301).
pub const RELAY_ALPN: &[u8] = b"swarmhold-relay/1";

/// Bytes of the header of each datagram.
pub const HEADER_BYTES: usize = 5;

/// Halves are numbered up to this, and then from the start.
pub const SPLITS: u8 = 64;

/// A message about channels, in bytes; the largest takes 40.
pub const RELAY_BYTES_MAX: usize = 64;

const HALF: u8 = 0b01;
const SECOND: u8 = 0b10;

/// The number of a channel, given by its master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelId(pub u32);

/// What of a packet a datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its first half; the number, below [`SPLITS`], is that of both.
    First(u8),
    /// Its second half.
    Second(u8),
}

/// The first bytes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The channel that it belongs to.
    pub channel: ChannelId,
    /// What it carries.
    pub part: Part,
}

/// Why a datagram is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is no header, or nothing behind it.
    #[error("datagram of {0} B, at least {min} expected", min = HEADER_BYTES + 1)]
    Short(usize),
    /// The part is none that there is.
    #[error("no part {0:#04x}")]
    Part(u8),
}

impl Header {
    /// Reads the header of a datagram.
    pub fn read(datagram: &[u8]) -> Result<Self, HeaderError> {
        let Some(([a, b, c, d, part], [_, ..])) = datagram.split_first_chunk() else {
            return Err(HeaderError::Short(datagram.len()));
        };
        let (number, kind) = (part >> 2, part & (HALF | SECOND));
        let part = match kind {
            0 if number == 0 => Part::Whole,
            HALF => Part::First(number),
            kind if kind == HALF | SECOND => Part::Second(number),
            _ => return Err(HeaderError::Part(*part)),
        };
        let channel = ChannelId(u32::from_le_bytes([*a, *b, *c, *d]));
        Ok(Self { channel, part })
    }

    /// This header and what follows it, as one datagram.
    pub fn datagram(self, payload: &[u8]) -> Bytes {
        let part = match self.part {
            Part::Whole => 0,
            Part::First(number) => ((number % SPLITS) << 2) | HALF,
            Part::Second(number) => ((number % SPLITS) << 2) | HALF | SECOND,
        };
        let mut datagram = BytesMut::with_capacity(HEADER_BYTES + payload.len());
        datagram.put_u32_le(self.channel.0);
        datagram.put_u8(part);
        datagram.put_slice(payload);
        datagram.freeze()
    }
}

/// A packet in two datagrams, each about half as long. The number tells its halves from others.
pub fn halves(channel: ChannelId, packet: &[u8], number: u8) -> [Bytes; 2] {
    let (first, second) = packet.split_at(packet.len().div_ceil(2));
    let half = |part, bytes| Header { channel, part }.datagram(bytes);
    [
        half(Part::First(number), first),
        half(Part::Second(number), second),
    ]
}

/// What begins a stream of a connection that carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelayCall {
    /// A node asks its master for a channel to somebody.
    Open {
        /// Whom.
        to: Address,
    },
    /// A master tells a node that somebody wants a channel to it.
    Offer {
        /// Its number, if it comes about.
        channel: ChannelId,
        /// Who, as the master knows them. What travels proves it, or not.
        from: Address,
    },
}

/// What answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelayReply {
    /// The channel is open, until the stream ends.
    Opened {
        /// Its number.
        channel: ChannelId,
    },
    /// The offer is taken.
    Accepted,
    /// There is no channel.
    Refused(RelayRefusal),
}

/// Why there is no channel, or no longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RelayRefusal {
    /// The other is not connected to this master, or is the asker itself.
    #[error("E-RELAY-PEER: the SwarmMaster knows nobody else by that address")]
    Peer,
    /// The other, or the master, does not want it.
    #[error("E-RELAY-DENIED: not wanted")]
    Denied,
    /// There are as many channels as there may be.
    #[error("E-RELAY-FULL: no more channels")]
    Full,
    /// One side has had as much as it may have in a day.
    #[error("E-RELAY-QUOTA: enough for a day")]
    Quota,
    /// Nothing has come through it for too long.
    #[error("E-RELAY-IDLE: not used")]
    Idle,
    /// The other side is gone.
    #[error("E-RELAY-GONE: the other side is gone")]
    Gone,
}

impl RelayRefusal {
    const ALL: [Self; 6] = [
        Self::Peer,
        Self::Denied,
        Self::Full,
        Self::Quota,
        Self::Idle,
        Self::Gone,
    ];

    /// The code with which the stream of a channel is reset (RFC 9000 section 19.4).
    pub const fn code(self) -> u32 {
        0x20 + self as u32
    }

    /// The reason with this code, or none: a later version may know more of them.
    pub fn from_code(code: u64) -> Option<Self> {
        let known = |reason: &Self| u64::from(reason.code()) == code;
        Self::ALL.into_iter().find(known)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {}", self.0)
    }
}

impl Message for RelayCall {
    const BYTES_MAX: usize = RELAY_BYTES_MAX;
    const KINDS: u32 = 2;

    fn list(_: u32) -> Option<List> {
        None
    }

    fn check(&self) -> Result<(), FrameError> {
        Ok(())
    }
}

impl Message for RelayReply {
    const BYTES_MAX: usize = RELAY_BYTES_MAX;
    const KINDS: u32 = 3;

    fn list(_: u32) -> Option<List> {
        None
    }

    fn check(&self) -> Result<(), FrameError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::wire::frame::{
        decode_relay_call, decode_relay_reply, encode_relay_call, encode_relay_reply,
    };
    use crate::wire::fuzz::{fuzz_relay_call, fuzz_relay_datagram, fuzz_relay_reply};
    use proptest::prelude::*;

    fn of(channel: u32, part: Part) -> Header {
        let channel = ChannelId(channel);
        Header { channel, part }
    }

    #[test]
    fn a_datagram_begins_with_its_channel_and_its_part() {
        let datagram = of(0x0403_0201, Part::Second(63)).datagram(b"x");
        assert_eq!(datagram.as_ref(), [1, 2, 3, 4, 0xff, b'x']);
        assert_eq!(of(7, Part::Whole).datagram(b"")[..], [7, 0, 0, 0, 0]);
        for (bytes, expected) in [
            (&b""[..], HeaderError::Short(0)),
            (&[7, 0, 0, 0, 0], HeaderError::Short(5)),
            (&[7, 0, 0, 0, 0b10, 9], HeaderError::Part(0b10)),
            (&[7, 0, 0, 0, 0b100, 9], HeaderError::Part(0b100)),
        ] {
            assert_eq!(Header::read(bytes), Err(expected));
        }
        assert_eq!(
            HeaderError::Short(5).to_string(),
            "datagram of 5 B, at least 6 expected"
        );
    }

    #[test]
    fn messages_are_as_long_as_they_must_be() {
        let address = Address::new(Digest::of(b"alice"));
        let open = encode_relay_call(&RelayCall::Open { to: address });
        assert_eq!((open.len(), open[2]), (2 + 33, 0));
        let longest = RelayCall::Offer {
            channel: ChannelId(u32::MAX),
            from: address,
        };
        let longest = encode_relay_call(&longest);
        assert_eq!(longest.len(), 2 + 38);
        assert_eq!(
            decode_relay_call(&longest[2..40]).map_err(|e| e.to_string()),
            Ok(RelayCall::Offer {
                channel: ChannelId(u32::MAX),
                from: address
            })
        );
        let late = decode_relay_call(&longest[2..39]).unwrap_err();
        assert_eq!(late.to_string(), "0x04 MALFORMED: ends early");
        let refused = encode_relay_reply(&RelayReply::Refused(RelayRefusal::Quota));
        assert_eq!(refused, [2, 0, 2, 3]);
        let unknown = decode_relay_reply(&[2, 6]).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "0x04 MALFORMED: unknown tag inside message"
        );
        assert_eq!(
            decode_relay_reply(&[3]).unwrap_err().to_string(),
            "0x03 UNKNOWN_MESSAGE 3"
        );
    }

    #[test]
    fn every_reason_has_its_code_and_its_name() {
        for reason in RelayRefusal::ALL {
            assert_eq!(RelayRefusal::from_code(reason.code().into()), Some(reason));
            assert!(reason.to_string().starts_with("E-RELAY-"));
        }
        assert_eq!(RelayRefusal::from_code(0x26), None);
        assert_eq!(RelayRefusal::Peer.code(), 0x20);
    }

    proptest! {
        #[test]
        fn halves_are_the_packet(packet in prop::collection::vec(any::<u8>(), 2..1500), number in 0..SPLITS) {
            let [first, second] = halves(ChannelId(9), &packet, number);
            prop_assert_eq!(Header::read(&first), Ok(of(9, Part::First(number))));
            prop_assert_eq!(Header::read(&second), Ok(of(9, Part::Second(number))));
            let joined = [&first[HEADER_BYTES..], &second[HEADER_BYTES..]].concat();
            prop_assert_eq!(joined, packet);
        }

        #[test]
        fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            fuzz_relay_datagram(&bytes);
            fuzz_relay_call(&bytes);
            fuzz_relay_reply(&bytes);
        }

        #[test]
        fn near_misses_break_no_reader(tag in 0u8..4, rest in prop::collection::vec(any::<u8>(), 0..42)) {
            let bytes = [&[tag], &rest[..]].concat();
            fuzz_relay_call(&bytes);
            fuzz_relay_reply(&bytes);
        }
    }
}
