//! The wire's bad inputs, by number, each with the exact words that answer it.
//!
//! W-08, W-09, W-11, W-18 and W-19 need a live connection and are tested over sockets.

mod bombs;
mod golden;
mod golden_index;
mod golden_meet;
mod lengths;
mod random;

use swarmhold::chunk::Bitfield;
use swarmhold::limits::{HEADER_BYTES_MAX, REQUEST_BYTES_MAX};
use swarmhold::wire::body::body_len_allowed;
use swarmhold::wire::compress::Decompressor;
use swarmhold::wire::frame::{FrameError, decode_reply, decode_request, decode_update, length};
use swarmhold::wire::{CloseCode, Encoding, Update};

/// What a case feeds to which reader.
enum Input {
    RequestPrefix(u16),
    HeaderPrefix(u16),
    Request(Vec<u8>),
    Reply(Vec<u8>),
    Update(Vec<u8>),
    Raw { len: u32, chunk_len: u32 },
    Zstd { len: u32, chunk_len: u32 },
    Frame(Vec<u8>),
    Bitfield { bytes: Vec<u8>, chunks: u32 },
}

/// What the reader of this input says: `ok`, or the text of its error.
fn answer(input: &Input) -> String {
    match input {
        Input::RequestPrefix(len) => framed(length(len.to_le_bytes(), REQUEST_BYTES_MAX)),
        Input::HeaderPrefix(len) => framed(length(len.to_le_bytes(), HEADER_BYTES_MAX)),
        Input::Request(payload) => framed(decode_request(payload)),
        Input::Reply(payload) => framed(decode_reply(payload)),
        Input::Update(payload) => framed(decode_update(payload)),
        Input::Raw { len, chunk_len } => {
            text(body_len_allowed(Encoding::Raw, *len, *chunk_len), "")
        }
        Input::Zstd { len, chunk_len } => {
            text(body_len_allowed(Encoding::Zstd, *len, *chunk_len), "")
        }
        Input::Frame(body) => {
            let mut decompressor = Decompressor::new().expect("memory");
            text(decompressor.decompress(body, bombs::CHUNK), "")
        }
        Input::Bitfield { bytes, chunks } => {
            let blame = format!("{} ", CloseCode::Protocol);
            text(Bitfield::from_bytes(bytes, *chunks), &blame)
        }
    }
}

fn framed<T>(outcome: Result<T, FrameError>) -> String {
    if let Err(error) = &outcome {
        let code = error.refusal().to_string();
        assert!(error.to_string().starts_with(&code), "{error}");
    }
    text(outcome, "")
}

fn text<T, E: std::fmt::Display>(outcome: Result<T, E>, blame: &str) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{blame}{error}"),
    }
}

/// These pieces, one after the other.
fn bytes(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

#[test]
fn every_bad_input_gets_its_own_words() {
    let mut wrong = Vec::new();
    for (id, input, expected) in cases() {
        let found = answer(&input);
        if found != expected {
            wrong.push(format!("{id}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cases() -> Vec<(&'static str, Input, &'static str)> {
    let mut cases = frame_cases();
    cases.extend(bound_cases());
    cases.extend(body_cases());
    cases.extend(bombs::cases());
    cases
}

#[rustfmt::skip]
fn frame_cases() -> Vec<(&'static str, Input, &'static str)> {
    use Input::{HeaderPrefix, Reply, Request, RequestPrefix, Update};
    let overlong = [0x80; 10];
    vec![
        ("W-01 length 0", RequestPrefix(0), "0x01 EMPTY"),
        ("W-01 nothing", Request(vec![]), "0x01 EMPTY"),
        ("W-01 reply", Reply(vec![]), "0x01 EMPTY"),
        ("W-02 at the limit", RequestPrefix(1024), "ok"),
        ("W-02 over it", RequestPrefix(1025), "0x02 TOO_LARGE (limit 1024)"),
        ("W-02 payload", Request(vec![0; 1025]), "0x02 TOO_LARGE (limit 1024)"),
        ("W-02 header at the limit", HeaderPrefix(8192), "ok"),
        ("W-02 header over it", HeaderPrefix(8193), "0x02 TOO_LARGE (limit 8192)"),
        ("W-02 update", Update(vec![0; 8193]), "0x02 TOO_LARGE (limit 8192)"),
        ("W-03 request", Request(vec![57]), "0x03 UNKNOWN_MESSAGE 57"),
        ("W-03 the next", Request(vec![16]), "0x03 UNKNOWN_MESSAGE 16"),
        ("W-03 large", Reply(vec![0xff, 0xff, 0xff, 0xff, 0x0f]), "0x03 UNKNOWN_MESSAGE 4294967295"),
        ("W-03 with a body", Update(vec![4, 1, 2, 3]), "0x03 UNKNOWN_MESSAGE 4"),
        ("W-03 inside: accept", Request(golden::chunk_request(&[0], 2)), "0x04 MALFORMED: unknown tag inside message"),
        ("W-03 inside: encoding", Reply(vec![4, 2, 1]), "0x04 MALFORMED: unknown tag inside message"),
        ("W-03 inside: option", Request(vec![2, 2]), "0x04 MALFORMED: unknown tag inside message"),
        ("W-04 tag of 11 bytes", Request(bytes(&[&overlong, &[0]])), "0x04 MALFORMED: number out of range"),
        ("W-04 tag past u32", Request(vec![0x80, 0x80, 0x80, 0x80, 0x10]), "0x04 MALFORMED: number out of range"),
        ("W-04 features of 11 bytes", Request(bytes(&[&[0, 1], &overlong, &[0]])), "0x04 MALFORMED: number out of range"),
        ("W-04 features past u64", Request(bytes(&[&[0, 1], &[0xff; 9], &[2, 0]])), "0x04 MALFORMED: number out of range"),
        ("W-04 version past u16", Request(bytes(&[&[0, 0x80, 0x80, 4, 0, 0], &golden::OBSERVED])), "0x04 MALFORMED: number out of range"),
        ("W-04 index past u32", Request(golden::chunk_request(&[0xff, 0xff, 0xff, 0xff, 0x1f], 0)), "0x04 MALFORMED: number out of range"),
        ("W-04 padded tag", Reply(vec![0x87, 0]), "0x04 MALFORMED: number not in its shortest form"),
        ("W-04 padded index", Request(golden::chunk_request(&[0x80, 0], 0)), "0x04 MALFORMED: number not in its shortest form"),
        ("W-04 padded list length", Update(vec![1, 0x81, 0, 7]), "0x04 MALFORMED: number not in its shortest form"),
        ("W-05 2^60 addresses in 12 bytes", Request(bytes(&[&[0, 1, 0], &[0x80; 8], &[0x10]])), "0x04 MALFORMED: list of 1152921504606846976 in 0 B"),
        ("W-05 2^60 haves", Update(bytes(&[&[1], &[0x80; 8], &[0x10]])), "0x04 MALFORMED: list of 1152921504606846976 in 0 B"),
        ("W-05 one more than fits", Reply(vec![5, 3, 0, 0]), "0x04 MALFORMED: list of 3 in 2 B"),
        ("W-06 trailing", Reply(vec![7, 1, 2, 3]), "0x04 MALFORMED: 3 bytes after message"),
        ("W-06 trailing, one", Reply(vec![3, 0]), "0x04 MALFORMED: 1 byte after message"),
        ("W-06 trailing after a list", Update(vec![0, 1, 0xff, 0]), "0x04 MALFORMED: 1 byte after message"),
        ("W-06 cut short", Request(golden::chunk_request(&[], 0)), "0x04 MALFORMED: ends early"),
        ("W-06 only a tag", Request(vec![1]), "0x04 MALFORMED: ends early"),
    ]
}

#[rustfmt::skip]
fn bound_cases() -> Vec<(&'static str, Input, &'static str)> {
    use Input::{Reply, Request, Update};
    let hello = |addresses: u8| {
        let listen = golden::OBSERVED.repeat(addresses.into());
        bytes(&[&[0, 1, 0, addresses], &listen, &golden::OBSERVED])
    };
    let deluges = |count: u8| bytes(&[&[2, count], &vec![1; 65 * usize::from(count)]]);
    vec![
        ("W-07 the last index there can be", Request(golden::chunk_request(&[0xff, 0x1f], 0)), "ok"),
        ("W-07 one more", Request(golden::chunk_request(&[0x80, 0x20], 0)), "0x05 NO_SUCH_CHUNK: chunk index 4096 (limit 4095)"),
        ("W-07 u32::MAX", Request(golden::chunk_request(&[0xff, 0xff, 0xff, 0xff, 0x0f], 1)), "0x05 NO_SUCH_CHUNK: chunk index 4294967295 (limit 4095)"),
        ("W-07 have", Update(vec![1, 2, 7, 0x80, 0x20]), "0x05 NO_SUCH_CHUNK: chunk index 4096 (limit 4095)"),
        ("bounds: listen addresses", Request(hello(8)), "ok"),
        ("bounds: listen addresses", Request(hello(9)), "0x04 MALFORMED: listen addresses 9 (limit 8)"),
        ("bounds: reply's listen addresses", Reply(hello(9)), "0x04 MALFORMED: listen addresses 9 (limit 8)"),
        ("bounds: deluges", Reply(deluges(64)), "ok"),
        ("bounds: deluges", Reply(deluges(65)), "0x04 MALFORMED: deluges 65 (limit 64)"),
        ("bounds: haves", Update(bytes(&[&[1, 0x80, 8], &[0; 1024]])), "ok"),
        ("bounds: haves", Update(bytes(&[&[1, 0x81, 8], &[0; 1025]])), "0x04 MALFORMED: haves 1025 (limit 1024)"),
        ("bounds: manifest", Reply(vec![1, 0x80, 0x80, 0x20]), "ok"),
        ("bounds: manifest", Reply(vec![1, 0x81, 0x80, 0x20]), "0x04 MALFORMED: manifest bytes 524289 (limit 524288)"),
        ("bounds: body", Reply(vec![4, 0, 0x80, 0x80, 0x80, 0x08]), "ok"),
        ("bounds: body", Reply(vec![4, 1, 0x81, 0x80, 0x80, 0x08]), "0x04 MALFORMED: body bytes 16777217 (limit 16777216)"),
        ("W-16 513 bytes", Update(bytes(&[&[0, 0x81, 4], &[0; 513]])), "0x04 MALFORMED: bitfield bytes 513 (limit 512)"),
        ("W-16 not held", Reply(bytes(&[&[5, 0x81, 4], &[0; 513]])), "0x04 MALFORMED: bitfield bytes 513 (limit 512)"),
    ]
}

#[rustfmt::skip]
fn body_cases() -> Vec<(&'static str, Input, &'static str)> {
    use Input::{Bitfield, Raw, Zstd};
    vec![
        ("W-10 longer", Raw { len: 40_000, chunk_len: 32_768 }, "BAD_CHUNK length 40000 expected 32768"),
        ("W-10 shorter", Raw { len: 32_767, chunk_len: 32_768 }, "BAD_CHUNK length 32767 expected 32768"),
        ("W-10 exact", Raw { len: 32_768, chunk_len: 32_768 }, "ok"),
        ("W-10 compressed, longer", Zstd { len: 40_000, chunk_len: 32_768 }, "BAD_CHUNK length 40000 expected at least 1 and less than 32768"),
        ("W-10 compressed, empty", Zstd { len: 0, chunk_len: 32_768 }, "BAD_CHUNK length 0 expected at least 1 and less than 32768"),
        ("W-10 compressed, shorter", Zstd { len: 32_767, chunk_len: 32_768 }, "ok"),
        ("W-15 padded", Raw { len: 32_768, chunk_len: 1000 }, "BAD_CHUNK length 32768 expected 1000"),
        ("W-15 padded, compressed", Input::Frame(bombs::compressed(1 << 16)), "BAD_CHUNK zstd size: 65536, expected 32768"),
        ("W-16 length", Bitfield { bytes: vec![0; 513], chunks: 4096 }, "PROTOCOL bitfield 513 B, expected 512"),
        ("W-16 spare bits", Bitfield { bytes: vec![0, 0x20], chunks: 10 }, "PROTOCOL bitfield has spare bits set after chunk 10"),
    ]
}

/// W-17: nothing on the wire says that a peer may only gain chunks.
#[test]
fn a_bitfield_may_shrink() {
    let held = [vec![0, 2, 0xff, 0xc0], vec![0, 2, 0x80, 0x00]].map(|payload| {
        let Ok(Update::Bitfield(bits)) = decode_update(&payload) else {
            panic!("{payload:?} is a bitfield");
        };
        Bitfield::from_bytes(&bits, 10).unwrap().count()
    });
    assert_eq!(held, [10, 1]);
}
