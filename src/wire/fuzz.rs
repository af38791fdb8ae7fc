//! Entry points for fuzzers and property tests: any bytes in, and what must hold of the outcome.
//!
//! Each panics where an invariant is broken. Here too is the content that tests compress.

use super::compress::Decompressor;
use super::frame::{
    decode_listing, decode_relay_call, decode_relay_reply, decode_reply, decode_request,
    decode_update, encode_listing, encode_relay_call, encode_relay_reply, encode_reply,
    encode_request, encode_update,
};
use super::relay::{HEADER_BYTES, Header};

/// A payload that decodes to a request is the only encoding of it.
pub fn fuzz_request(payload: &[u8]) {
    if let Ok(request) = decode_request(payload) {
        assert_eq!(&encode_request(&request)[2..], payload);
    }
}

/// A payload that decodes to a reply is the only encoding of it.
pub fn fuzz_reply(payload: &[u8]) {
    if let Ok(reply) = decode_reply(payload) {
        assert_eq!(&encode_reply(&reply)[2..], payload);
    }
}

/// A payload that decodes to an update is the only encoding of it.
pub fn fuzz_update(payload: &[u8]) {
    if let Ok(update) = decode_update(payload) {
        assert_eq!(&encode_update(&update)[2..], payload);
    }
}

/// A payload that decodes to a listing is the only encoding of it.
pub fn fuzz_listing(payload: &[u8]) {
    if let Ok(listing) = decode_listing(payload) {
        assert_eq!(&encode_listing(&listing)[2..], payload);
    }
}

/// A payload that decodes to a call for a channel is the only encoding of it.
pub fn fuzz_relay_call(payload: &[u8]) {
    if let Ok(call) = decode_relay_call(payload) {
        assert_eq!(&encode_relay_call(&call)[2..], payload);
    }
}

/// A payload that decodes to the answer to one is the only encoding of it.
pub fn fuzz_relay_reply(payload: &[u8]) {
    if let Ok(reply) = decode_relay_reply(payload) {
        assert_eq!(&encode_relay_reply(&reply)[2..], payload);
    }
}

/// A datagram whose header is read is the only one with that header and payload.
pub fn fuzz_relay_datagram(datagram: &[u8]) {
    if let Ok(header) = Header::read(datagram) {
        assert_eq!(header.datagram(&datagram[HEADER_BYTES..]), datagram);
    }
}

/// The first four bytes are the length to expect, in the lowest 25 bits; the rest is a body. What
/// decompresses has that length and came from one frame that libzstd, too, finds to be one.
pub fn fuzz_zstd(data: &[u8]) {
    let Some((expected, body)) = data.split_first_chunk() else {
        return;
    };
    let expected = u32::from_le_bytes(*expected) as usize & 0x1ff_ffff;
    let mut decompressor = Decompressor::new().expect("memory for zstd's tables");
    if let Ok(chunk) = decompressor.decompress(body, expected) {
        assert_eq!(chunk.len(), expected);
        assert_eq!(
            zstd::zstd_safe::find_frame_compressed_size(body),
            Ok(body.len())
        );
    }
}

/// Bytes that do not compress (xorshift64*; the seed may be anything).
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// Bytes that compress as text does: words in an order that does not repeat.
pub fn prose(len: usize) -> Vec<u8> {
    const WORDS: [&str; 8] = [
        "swarm ", "holds ", "every ", "chunk ", "until ", "asked\n", "of ", "it, ",
    ];
    let picks = noise(len, 0x5eed);
    let words = picks
        .into_iter()
        .flat_map(|pick| WORDS[usize::from(pick) % 8].bytes());
    words.take(len).collect()
}
