//! What decoding costs in memory, whatever a message says about its own length.
//!
//! Counted on the decoding thread, every allocation added up, whether freed again or not.

use allocation_counter::measure;
use swarmhold::limits::{HEADER_BYTES_MAX, KIB, REQUEST_BYTES_MAX};
use swarmhold::wire::frame::{FrameError, Malformed, decode_reply, decode_request, decode_update};

use super::golden;

/// Bytes allocated while decoding, and the outcome.
fn cost(
    decode: impl Fn(&[u8]) -> Result<(), FrameError>,
    payload: &[u8],
) -> (u64, Result<(), FrameError>) {
    let mut outcome = Ok(());
    let allocated = measure(|| outcome = decode(payload)).bytes_total;
    (allocated, outcome)
}

fn request(payload: &[u8]) -> Result<(), FrameError> {
    decode_request(payload).map(drop)
}

fn reply(payload: &[u8]) -> Result<(), FrameError> {
    decode_reply(payload).map(drop)
}

fn update(payload: &[u8]) -> Result<(), FrameError> {
    decode_update(payload).map(drop)
}

/// The encoding of a list's length.
fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

/// Decodes a list of every length 2^k - 1 and 2^k, as short and as long as its message may be.
/// Returns the most that one of them allocated.
fn most_allocated(
    decode: impl Fn(&[u8]) -> Result<(), FrameError>,
    before_length: &[u8],
    bytes_max: usize,
) -> u64 {
    let mut most = 0;
    for claimed in (0..64)
        .flat_map(|k| [(1 << k) - 1, 1 << k])
        .chain([u64::MAX])
    {
        let start = [before_length, &number(claimed)].concat();
        for payload_bytes in [start.len(), start.len() + 2 * KIB, bytes_max] {
            let mut payload = start.clone();
            payload.resize(payload_bytes.min(bytes_max), 0);
            let (allocated, _) = cost(&decode, &payload);
            assert!(
                allocated <= 2 * bytes_max as u64,
                "a claim of {claimed} in {payload_bytes} B took {allocated} B"
            );
            most = most.max(allocated);
        }
    }
    most
}

#[test]
fn no_claimed_length_costs_more_than_twice_what_a_message_may_have() {
    // The element that each list of zeros is made of decodes, so each table must allocate for it.
    let listen = most_allocated(request, &[0, 1, 0], REQUEST_BYTES_MAX);
    let deluges = most_allocated(reply, &[2], HEADER_BYTES_MAX);
    let held = most_allocated(reply, &[5], HEADER_BYTES_MAX);
    let bitfield = most_allocated(update, &[0], HEADER_BYTES_MAX);
    let haves = most_allocated(update, &[1], HEADER_BYTES_MAX);
    assert!(listen >= 8 * 32 && deluges >= 64 * 72, "{listen} {deluges}");
    assert!(held >= 512 && bitfield >= 512, "{held} {bitfield}");
    assert!(haves >= 1024 * 4, "{haves}");
}

#[test]
fn a_request_of_twelve_bytes_costs_next_to_nothing() {
    let payload = [&[0, 1, 0][..], &number(1 << 60)].concat();
    assert_eq!(payload.len(), 12);
    let (allocated, outcome) = cost(request, &payload);
    let (claimed, left) = (1 << 60, 0);
    assert_eq!(outcome, Err(Malformed::List { claimed, left }.into()));
    assert!(allocated <= 2 * KIB as u64, "{allocated} B");
}

#[test]
fn a_chunk_request_is_decoded_without_allocating() {
    let payload = golden::chunk_request(&[7], 1);
    assert_eq!(cost(request, &payload), (0, Ok(())));
}
