//! Every message and its bytes, so that the format cannot drift.
//!
//! Encodings are postcard's: numbers low seven bits first, digests as they are, lists and options
//! after their length. Each frame begins with its payload's length.

use std::collections::BTreeSet;
use std::fmt::Debug;

use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::{Digest, ManifestId, ProgramId};
use swarmhold::wire::frame::{
    FrameError, decode_listing, decode_reply, decode_request, decode_update, encode_listing,
    encode_reply, encode_request, encode_update,
};
use swarmhold::wire::{
    Accept, ChunkRequest, CloseCode, Deluge, Encoding, Hello, Refusal, Reply, Request, Update,
};

use super::{golden_index, golden_meet};

/// An IPv4 address, 198.51.100.7:7922, as a hello carries it.
pub(super) const OBSERVED: [u8; 7] = [0, 198, 51, 100, 7, 0xf2, 0x3d];

/// A chunk request's payload, with the index's and the encoding's bytes as given.
pub(super) fn chunk_request(index: &[u8], accept: u8) -> Vec<u8> {
    let mut payload = vec![4];
    payload.extend([0x11; 32]);
    payload.extend([0x22; 32]);
    payload.extend(index);
    payload.extend(if index.is_empty() { None } else { Some(accept) });
    payload
}

/// Bytes from hexadecimal digits; spaces are for the reader, and `xx*32` is a byte 32 times.
fn unhex(text: &str) -> Vec<u8> {
    let words = text.split_whitespace().flat_map(|word| {
        let (digits, times) = match word.split_once('*') {
            Some((digits, times)) => (digits, times.parse().expect("a count")),
            None => (word, 1),
        };
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        bytes.repeat(times)
    });
    words.collect()
}

fn program(byte: u8) -> ProgramId {
    ProgramId::new(Digest::from_bytes([byte; 32]))
}

fn manifest(byte: u8) -> ManifestId {
    ManifestId::new(Digest::from_bytes([byte; 32]))
}

fn hello() -> Hello {
    Hello {
        version: 1,
        features: 0x0102,
        listen: vec![
            "192.0.2.1:80".parse().expect("IPv4"),
            "[2001:db8::1]:7922".parse().expect("IPv6"),
        ],
        observed: "198.51.100.7:7922".parse().expect("IPv4"),
    }
}

/// The fields of [`hello`]: version, features, two listen addresses, the observed address.
const HELLO: &str = "01 8202 02 00c000020150 0120010db8 00*11 01f23d 00c6336407f23d";

#[rustfmt::skip]
fn requests() -> Vec<(Request, String)> {
    let chunk = |index, accept| {
        Request::Chunk(ChunkRequest {
            program_id: program(0x11),
            chunk_hash: Digest::from_bytes([0x22; 32]),
            index: ChunkIndex::new(index),
            accept,
        })
    };
    let mut all = vec![
        (Request::Hello(hello()), format!("2500 00 {HELLO}")),
        (Request::Manifest { id: manifest(0xab) }, "2100 01 ab*32".into()),
        (Request::Deluges { program_id: None }, "0200 02 00".into()),
        (Request::Deluges { program_id: Some(program(0x11)) }, "2200 02 01 11*32".into()),
        (Request::Subscribe { id: manifest(0xcd) }, "2100 03 cd*32".into()),
        (chunk(0, Accept::Raw), "4300 04 11*32 22*32 00 00".into()),
        (chunk(4095, Accept::Zstd), "4400 04 11*32 22*32 ff1f 01".into()),
    ];
    all.extend(golden_index::requests());
    all.extend(golden_meet::requests());
    all
}

#[rustfmt::skip]
fn replies() -> Vec<(Reply, String)> {
    let deluge = Deluge {
        manifest_id: manifest(0xab),
        program_id: program(0x11),
        size: 64 << 30,
    };
    let mut all = vec![
        (Reply::Hello(hello()), format!("2500 00 {HELLO}")),
        (Reply::Manifest { len: 524_288 }, "0400 01 808020".into()),
        (Reply::Deluges(vec![]), "0200 02 00".into()),
        (Reply::Deluges(vec![deluge]), "4800 02 01 ab*32 11*32 808080808002".into()),
        (Reply::Subscribed, "0100 03".into()),
        (Reply::Data { encoding: Encoding::Raw, len: 32_768 }, "0500 04 00 808002".into()),
        (Reply::Data { encoding: Encoding::Zstd, len: 1 }, "0300 04 01 01".into()),
        (Reply::NotHeld { held: vec![0x80, 0x01] }, "0400 05 02 8001".into()),
        (Reply::Busy { retry_after_ms: 250 }, "0300 06 fa01".into()),
        (Reply::Denied, "0100 07".into()),
    ];
    all.extend(golden_index::replies());
    all.extend(golden_meet::replies());
    all
}

#[rustfmt::skip]
fn updates() -> Vec<(Update, String)> {
    let chunks = [0, 127, 128, 4095].map(ChunkIndex::new).into();
    vec![
        (Update::Bitfield(vec![0xff; 512]), "0302 00 8004 ff*512".into()),
        (Update::Have(vec![]), "0200 01 00".into()),
        (Update::Have(chunks), "0800 01 04 00 7f 8001 ff1f".into()),
        (Update::Choked, "0100 02".into()),
        (Update::Unchoked, "0100 03".into()),
    ]
}

/// Checks each message both ways, and that the table has every kind of message that decodes.
fn check<M: Debug + PartialEq>(
    table: Vec<(M, String)>,
    encode: impl Fn(&M) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Result<M, FrameError>,
) {
    let mut tags = BTreeSet::new();
    for (message, hex) in table {
        let frame = unhex(&hex);
        assert_eq!(encode(&message), frame, "{message:?}");
        assert_eq!(decode(&frame[2..]), Ok(message));
        tags.insert(u32::from(frame[2]));
    }
    for tag in 0..=u8::MAX >> 1 {
        let known = decode(&[tag]) != Err(FrameError::UnknownMessage(tag.into()));
        assert_eq!(known, tags.contains(&tag.into()), "tag {tag}");
    }
}

#[test]
fn every_request_has_its_bytes() {
    check(requests(), encode_request, decode_request);
}

#[test]
fn every_reply_has_its_bytes() {
    check(replies(), encode_reply, decode_reply);
}

#[test]
fn every_listing_has_its_bytes() {
    check(golden_index::listings(), encode_listing, decode_listing);
}

#[test]
fn every_update_has_its_bytes() {
    check(updates(), encode_update, decode_update);
}

#[test]
fn every_reset_and_close_has_its_code_and_its_name() {
    let refusals = (0..=0x40).filter_map(Refusal::from_code);
    let names: Vec<String> = refusals.map(|refusal| refusal.to_string()).collect();
    let expected = "0x01 EMPTY, 0x02 TOO_LARGE, 0x03 UNKNOWN_MESSAGE, 0x04 MALFORMED, \
                    0x05 NO_SUCH_CHUNK, 0x06 NOT_FOUND, 0x07 TOO_SLOW, 0x08 UNAVAILABLE, \
                    0x09 CANCELLED";
    assert_eq!(names.join(", "), expected);

    let codes = (0..=0x40).filter_map(|code| Some((code, CloseCode::from_code(code)?)));
    let names: Vec<String> = codes
        .map(|(code, name)| format!("{code:#04x} {name}"))
        .collect();
    let expected = "0x00 DONE, 0x10 PROTOCOL, 0x11 BAD_CHUNK, 0x12 BANNED, 0x13 DUPLICATE, \
                    0x14 TO_SELF, 0x15 FULL, 0x16 RATE";
    assert_eq!(names.join(", "), expected);
    assert_eq!(Refusal::from_code(u64::from(u32::MAX) + 2), None);
    assert_eq!(CloseCode::from_code(1 << 32), None);
}

#[test]
#[should_panic(expected = "about to send")]
fn what_we_must_not_send_is_our_own_bug() {
    let held = vec![0; 513];
    encode_reply(&Reply::NotHeld { held });
}
