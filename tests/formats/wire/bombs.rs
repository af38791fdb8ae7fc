//! zstd frames that lie: refused with exact words, and before they cost memory.
//!
//! Frames are built by hand from RFC 8878 section 3.1.1, or damaged after libzstd made them. The
//! counter sees what our side allocates; that libzstd's context does not grow is a unit test.

use allocation_counter::measure;
use swarmhold::limits::{CHUNK_BYTES_MIN, MIB};
use swarmhold::wire::compress::{Compressor, Decompressor, Effort};
use swarmhold::wire::fuzz::prose;

use super::Input;

/// The chunk that every frame here claims to be, in bytes.
pub(super) const CHUNK: usize = CHUNK_BYTES_MIN as usize;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Frame_Header_Descriptor: a single segment with four bytes of content size.
const SINGLE_SEGMENT: u8 = 0xa0;
/// Frame_Header_Descriptor: a window, and four bytes of content size.
const WINDOWED: u8 = 0x80;

/// A good frame for prose of this length.
pub(super) fn compressed(len: usize) -> Vec<u8> {
    let mut compressor = Compressor::new().expect("memory");
    compressor
        .compress(&prose(len), Effort::Least)
        .expect("prose shrinks")
}

/// A frame from its header, after the magic number, and blocks.
fn frame(header: &[u8], blocks: &[u8]) -> Vec<u8> {
    [&MAGIC, header, blocks].concat()
}

/// A block that is one byte, so many times: four bytes that stand for up to 2 MiB.
fn repeated(times: u32, last: u32) -> [u8; 4] {
    let header = (times << 3 | 1 << 1 | last).to_le_bytes();
    [header[0], header[1], header[2], 0]
}

/// A header that promises a chunk, as a single segment.
fn promise() -> [u8; 5] {
    let [a, b, c, d] = CHUNK_BYTES_MIN.to_le_bytes();
    [SINGLE_SEGMENT, a, b, c, d]
}

/// A frame whose checksum is the content's (RFC 8878 section 3.1.1), by libzstd.
fn with_checksum() -> Vec<u8> {
    let mut zstd = zstd::bulk::Compressor::new(1).expect("memory");
    zstd.include_checksum(true).expect("a known parameter");
    zstd.compress(&prose(CHUNK)).expect("room")
}

fn changed(mut frame: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    change(&mut frame);
    frame
}

/// Every kind of bomb, each with the words that refuse it.
#[rustfmt::skip]
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let four_gib = [0xe0, 0, 0, 0, 0, 1, 0, 0, 0];
    let window_2_gib = [WINDOWED, 21 << 3, 0, 0x80, 0, 0];
    let full = repeated(128 << 10, 0).repeat(8000);
    let good = compressed(CHUNK);
    vec![
        ("W-13 content of 4 GiB", frame(&four_gib, &full), "BAD_CHUNK zstd size: 4294967296, expected 32768"),
        ("W-13 content of 32 MiB, all there", zstd::bulk::compress(&vec![0; 32 * MIB], 1).expect("room"), "BAD_CHUNK zstd size: 33554432, expected 32768"),
        ("W-13 content of unknown size", frame(&[0, 10 << 3], &full), "BAD_CHUNK zstd size: unknown, expected 32768"),
        ("W-13 window of 2^31", frame(&window_2_gib, &repeated(CHUNK_BYTES_MIN, 1)), "BAD_CHUNK zstd size: window 2147483648 (limit 1048576)"),
        ("W-13 more than it promised", frame(&promise(), &full[..4 * 7999].iter().chain(&repeated(1, 1)).copied().collect::<Vec<_>>()), "BAD_CHUNK zstd: Destination buffer is too small"),
        ("W-13 less than it promised", frame(&promise(), &repeated(5, 1)), "BAD_CHUNK zstd: Data corruption detected"),
        ("W-14 two frames", [&good[..], &frame(&promise(), &repeated(CHUNK_BYTES_MIN, 1))].concat(), "BAD_CHUNK zstd frame: 13 B after it"),
        ("W-14 two halves", [compressed(CHUNK / 2), compressed(CHUNK / 2)].concat(), "BAD_CHUNK zstd size: 16384, expected 32768"),
        ("W-14 skippable", [&[0x5f, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4], &good[..]].concat(), "BAD_CHUNK zstd frame: skippable"),
        ("W-14 skippable after it", [&good[..], &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat(), "BAD_CHUNK zstd frame: 8 B after it"),
        ("W-14 dictionary", frame(&[SINGLE_SEGMENT | 1, 7, 0, 0x80, 0, 0], &repeated(CHUNK_BYTES_MIN, 1)), "BAD_CHUNK zstd frame: dictionary 7"),
        ("W-14 dictionary of four bytes", frame(&[SINGLE_SEGMENT | 3, 1, 2, 3, 4, 0, 0x80, 0, 0], &repeated(CHUNK_BYTES_MIN, 1)), "BAD_CHUNK zstd frame: dictionary 67305985"),
        ("W-12 magic", changed(good.clone(), |frame| frame[0] ^= 1), "BAD_CHUNK zstd: magic number 0xfd2fb529"),
        ("W-12 checksum", changed(with_checksum(), |frame| *frame.last_mut().expect("bytes") ^= 1), "BAD_CHUNK zstd: Restored data doesn't match checksum"),
        ("W-12 longer than the chunk", changed(good.clone(), |frame| frame.resize(40_000, 0)), "BAD_CHUNK length 40000 expected at least 1 and less than 32768"),
    ]
}

/// The bombs and what is not one, for the table of bad inputs.
pub(super) fn cases() -> Vec<(&'static str, Input, &'static str)> {
    let good = [
        ("W-12 a good frame", compressed(CHUNK), "ok"),
        ("W-12 a good checksum", with_checksum(), "ok"),
        (
            "W-12 one byte, repeated",
            frame(&promise(), &repeated(CHUNK_BYTES_MIN, 1)),
            "ok",
        ),
    ];
    let all = bombs().into_iter().chain(good);
    all.map(|(id, body, expected)| (id, Input::Frame(body), expected))
        .collect()
}

#[test]
fn no_bomb_costs_memory() {
    let mut decompressor = Decompressor::new().unwrap();
    for (id, body, _) in bombs() {
        let used = measure(|| assert!(decompressor.decompress(&body, CHUNK).is_err(), "{id}"));
        assert!(used.bytes_max < MIB as u64, "{id}: {} B", used.bytes_max);
        assert!(
            used.bytes_total <= CHUNK as u64,
            "{id}: {} B",
            used.bytes_total
        );
    }
    let body = compressed(CHUNK);
    let used = measure(|| assert_eq!(decompressor.decompress(&body, CHUNK).unwrap().len(), CHUNK));
    assert_eq!(
        used.bytes_total, CHUNK as u64,
        "the chunk, and nothing else"
    );
}

/// W-12: after each byte of a frame with everything: blocks of its own and a checksum.
#[test]
fn a_frame_cut_anywhere_ends_early() {
    let mut decompressor = Decompressor::new().unwrap();
    for body in [compressed(CHUNK), with_checksum()] {
        for cut in 1..body.len() {
            let used = measure(|| {
                let error = decompressor.decompress(&body[..cut], CHUNK).unwrap_err();
                assert_eq!(error.to_string(), "BAD_CHUNK zstd: ends early", "at {cut}");
            });
            assert!(used.bytes_total < 1024, "at {cut}: {} B", used.bytes_total);
        }
    }
}

/// A decoder that takes the reserved bits or types for something would read on.
#[test]
fn any_one_bit_of_a_header_changed_is_refused_or_harmless() {
    let mut decompressor = Decompressor::new().unwrap();
    let body = with_checksum();
    for bit in 0..12 * 8 {
        let mut broken = body.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        if let Ok(chunk) = decompressor.decompress(&broken, CHUNK) {
            assert!(chunk == prose(CHUNK), "bit {bit} made other content");
        }
    }
}
