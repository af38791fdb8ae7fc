//! Frames: a little-endian `u16` length, then one message in postcard's encoding.
//!
//! Invariants: a payload that decodes is the only encoding of its message, so encoding it again
//! yields the same bytes; decoding allocates no more than the bounds of [`Bound`] let one message
//! hold, whatever lengths the payload claims.
//!
//! The scope and flow label of an IPv6 address mean nothing to another host and do not travel.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use super::bounds::{Message, varint};
use super::index::Listing;
use super::message::{Reply, Request, Update};
use super::relay::{RelayCall, RelayReply};

pub use super::bounds::Bound;
pub use super::frame_error::{FrameError, Malformed};

/// A request, ready to be sent: length and payload. Panics on a request that we must not send.
pub fn encode_request(request: &Request) -> Vec<u8> {
    encode(request)
}

/// A reply header, ready to be sent: length and payload. Panics on a reply that we must not send.
pub fn encode_reply(reply: &Reply) -> Vec<u8> {
    encode(reply)
}

/// An update, ready to be sent: length and payload. Panics on an update that we must not send.
pub fn encode_update(update: &Update) -> Vec<u8> {
    encode(update)
}

/// A listing, ready to be sent: length and payload. Panics on a listing that we must not send.
pub fn encode_listing(listing: &Listing) -> Vec<u8> {
    encode(listing)
}

/// A call for a channel, ready to be sent: length and payload.
pub fn encode_relay_call(call: &RelayCall) -> Vec<u8> {
    encode(call)
}

/// The answer to one, ready to be sent: length and payload.
pub fn encode_relay_reply(reply: &RelayReply) -> Vec<u8> {
    encode(reply)
}

/// The length of the payload that follows these two bytes: 1 to `limit`.
///
/// `limit` is [`REQUEST_BYTES_MAX`](crate::limits::REQUEST_BYTES_MAX) for a request and
/// [`HEADER_BYTES_MAX`](crate::limits::HEADER_BYTES_MAX) for a reply or an update, and
/// [`LISTING_BYTES_MAX`](crate::limits::LISTING_BYTES_MAX) for a listing.
pub fn length(prefix: [u8; 2], limit: usize) -> Result<usize, FrameError> {
    match usize::from(u16::from_le_bytes(prefix)) {
        0 => Err(FrameError::Empty),
        found if found > limit => Err(FrameError::TooLarge { limit, found }),
        found => Ok(found),
    }
}

/// The request that this payload is, all of it.
pub fn decode_request(payload: &[u8]) -> Result<Request, FrameError> {
    decode(payload)
}

/// The reply that this payload is, all of it.
pub fn decode_reply(payload: &[u8]) -> Result<Reply, FrameError> {
    decode(payload)
}

/// The update that this payload is, all of it.
pub fn decode_update(payload: &[u8]) -> Result<Update, FrameError> {
    decode(payload)
}

/// The listing that this payload is, all of it.
pub fn decode_listing(payload: &[u8]) -> Result<Listing, FrameError> {
    decode(payload)
}

/// The call for a channel that this payload is, all of it.
pub fn decode_relay_call(payload: &[u8]) -> Result<RelayCall, FrameError> {
    decode(payload)
}

/// The answer to one that this payload is, all of it.
pub fn decode_relay_reply(payload: &[u8]) -> Result<RelayReply, FrameError> {
    decode(payload)
}

fn encode<M: Message>(message: &M) -> Vec<u8> {
    let within = message.check();
    assert!(within.is_ok(), "about to send {message:?}: {within:?}");
    let mut frame = postcard::to_extend(message, vec![0; 2]).expect("a Vec takes every byte");
    let payload = frame.len() - 2;
    assert!(payload <= M::BYTES_MAX, "bounds let {payload} B through");
    let prefix = u16::try_from(payload).expect("limits.rs keeps BYTES_MAX below 2^16");
    frame[..2].copy_from_slice(&prefix.to_le_bytes());
    frame
}

fn decode<M: Message>(payload: &[u8]) -> Result<M, FrameError> {
    let (limit, found) = (M::BYTES_MAX, payload.len());
    if found == 0 {
        return Err(FrameError::Empty);
    }
    if found > limit {
        return Err(FrameError::TooLarge { limit, found });
    }
    let mut rest = payload;
    let tag = u32::try_from(varint(&mut rest)?).map_err(|_| Malformed::Number)?;
    if tag >= M::KINDS {
        return Err(FrameError::UnknownMessage(tag));
    }
    if let Some(list) = M::list(tag) {
        list.check(rest)?;
    }
    let (message, after) = postcard::take_from_bytes::<M>(payload).map_err(Malformed::from)?;
    if !after.is_empty() {
        return Err(Malformed::Trailing(after.len()).into());
    }
    message.check()?;
    if !encodes_to(&message, payload) {
        return Err(Malformed::NotShortest.into());
    }
    Ok(message)
}

/// Whether this is how we would write the message. Postcard reads numbers with needless zero
/// groups too (its wire format says that they should be refused).
fn encodes_to<M: Serialize>(message: &M, payload: &[u8]) -> bool {
    postcard::serialize_with_flavor(message, Expected(payload)).is_ok()
}

/// A sink that takes only the bytes it expects, and stores none.
struct Expected<'a>(&'a [u8]);

impl Flavor for Expected<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        match self.0.split_first() {
            Some((expected, rest)) if *expected == byte => {
                self.0 = rest;
                Ok(())
            }
            _ => Err(postcard::Error::DeserializeBadEncoding),
        }
    }

    fn finalize(self) -> postcard::Result<()> {
        match self.0 {
            [] => Ok(()),
            _ => Err(postcard::Error::DeserializeBadEncoding),
        }
    }
}
