//! Wrong requests over live connections (table W): the exact code that each is refused with.

use swarmhold::chunk::Bitfield;
use swarmhold::wire::{Accept, ChunkRequest, Encoding, Hello, Reply, Request, frame};
use swarmhold::{Digest, Manifest, ManifestId, ProgramId};

use crate::raw::{Fate, Heard, Raw, hello, listen, reply_in, words};
use crate::rot::rot;
use crate::world::{CHUNK, World, chunk, noise, wallet, within};

const EMPTY: u64 = 0x01;
const TOO_LARGE: u64 = 0x02;
const UNKNOWN_MESSAGE: u64 = 0x03;
const MALFORMED: u64 = 0x04;
const NO_SUCH_CHUNK: u64 = 0x05;
const NOT_FOUND: u64 = 0x06;

/// A proper request for a chunk.
fn asking(manifest: &Manifest, index: u32) -> ChunkRequest {
    ChunkRequest {
        program_id: manifest.program_id(),
        chunk_hash: manifest.chunk_hash(chunk(index)).unwrap(),
        index: chunk(index),
        accept: Accept::Raw,
    }
}

/// A request for the chunk of any number, as no node of ours would write it.
fn asking_for(manifest: &Manifest, index: u32) -> Vec<u8> {
    let mut bytes = frame::encode_request(&Request::Chunk(asking(manifest, 0)));
    let (at, accept) = (bytes.len() - 2, bytes[bytes.len() - 1]);
    bytes.truncate(at);
    let mut rest = index;
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.extend([(rest & 0x7f) as u8, accept]);
    framed(&bytes[2..])
}

/// Any payload, with its length before it.
fn framed(payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    [&len.to_le_bytes(), payload].concat()
}

#[tokio::test]
async fn a_wrong_request_is_refused_and_the_connection_goes_on() {
    let world = World::new();
    let bytes = noise(1, 5 * CHUNK);
    let node = world.node("node").await;
    let manifest = node.seed(&bytes).await;
    let raw = Raw::greet(&node, &wallet("stranger")).await;
    let good = frame::encode_request(&Request::Deluges { program_id: None });
    let with = |more: &[u8]| [&good[2..], more].concat();
    // A hello with version 1, no features, and 2^60 listen addresses.
    let vast = [&[0, 1, 0][..], &[0x80; 8], &[0x10]].concat();
    let nine_addresses = [&[0, 1, 0, 9][..], &[0; 12]].concat();
    let other = Digest::of(b"something else");
    let of_other = ChunkRequest {
        program_id: ProgramId::new(other),
        ..asking(&manifest, 0)
    };
    let with_other = ChunkRequest {
        chunk_hash: other,
        ..asking(&manifest, 0)
    };
    let id = ManifestId::new(other);
    let encode = frame::encode_request;
    let cases: [(&str, Vec<u8>, u64); 22] = [
        ("W-01", vec![], EMPTY),
        ("W-01 length 0", framed(&[]), EMPTY),
        ("half a length", vec![7], MALFORMED),
        ("W-02", framed(&[0; 1025]), TOO_LARGE),
        ("W-02 length alone", vec![0xff, 0xff], TOO_LARGE),
        ("W-02 much", vec![1; 200_000], TOO_LARGE),
        ("W-03", framed(&[57]), UNKNOWN_MESSAGE),
        ("W-04 eleven bytes", framed(&[0xff; 11]), MALFORMED),
        (
            "W-04 overflow",
            framed(&[&[0xff; 9][..], &[2]].concat()),
            MALFORMED,
        ),
        ("W-04 zeros", framed(&[0x82, 0x00, 0x00]), MALFORMED),
        ("W-05", framed(&vast), MALFORMED),
        ("W-05 nine", framed(&nine_addresses), MALFORMED),
        ("W-06 inside", framed(&with(&[0; 3])), MALFORMED),
        ("W-06 after", [&good[..], &[0; 3]].concat(), MALFORMED),
        ("ends early", good[..good.len() - 1].to_vec(), MALFORMED),
        ("W-07", asking_for(&manifest, 5), NO_SUCH_CHUNK),
        ("W-07 far", asking_for(&manifest, 4096), NO_SUCH_CHUNK),
        ("W-07 last", asking_for(&manifest, u32::MAX), NO_SUCH_CHUNK),
        ("W-08", encode(&Request::Chunk(of_other)), NOT_FOUND),
        ("W-08 hash", encode(&Request::Chunk(with_other)), NOT_FOUND),
        (
            "W-08 manifest",
            encode(&Request::Manifest { id }),
            NOT_FOUND,
        ),
        ("W-08 swarm", encode(&Request::Subscribe { id }), NOT_FOUND),
    ];
    for (case, request, code) in cases {
        assert_eq!(raw.say(&request).await, Heard::Reset(code), "{case}");
    }
    let answer = raw.ask(&Request::Chunk(asking(&manifest, 4))).await;
    let data = Reply::Data {
        encoding: Encoding::Raw,
        len: manifest.layout().chunk_size(),
    };
    let expected = [&frame::encode_reply(&data)[..], &bytes[4 * CHUNK..]].concat();
    assert!(answer == Heard::Bytes(expected), "the connection goes on");
}

/// W-02: the rest is not waited for.
#[tokio::test]
async fn a_request_that_does_not_end_is_refused_as_soon_as_it_is_too_long() {
    let world = World::new();
    let node = world.node("node").await;
    let raw = Raw::greet(&node, &wallet("stranger")).await;
    let (mut send, recv) = raw.connection.open_bi().await.unwrap();
    send.write_all(&[1; 1027]).await.unwrap();
    assert_eq!(listen(recv).await, Heard::Reset(TOO_LARGE));
}

/// W-09. DESIGN section 6 decides otherwise than the table: the asker learns what there is.
#[tokio::test]
async fn whoever_asks_for_a_chunk_that_is_not_here_learns_what_is() {
    let world = World::new();
    let bytes = noise(2, 12 * CHUNK);
    let node = world.node("node").await;
    let manifest = world.node("publisher").await.seed(&bytes).await;
    let _fetch = node.hold(&manifest, &bytes, [0, 3, 9]).await;
    let raw = Raw::greet(&node, &wallet("stranger")).await;
    let answer = raw.ask(&Request::Chunk(asking(&manifest, 4))).await;
    let mut held = Bitfield::empty(12);
    for index in [0, 3, 9] {
        held.insert(chunk(index));
    }
    let held = held.to_bytes();
    assert_eq!(reply_in(&answer), Reply::NotHeld { held });
    let there = raw.ask(&Request::Chunk(asking(&manifest, 9))).await;
    assert!(matches!(reply_in(&there), Reply::Data { .. }));
    let shown = raw.ask(&Request::Deluges { program_id: None }).await;
    assert_eq!(reply_in(&shown), Reply::Deluges(vec![]), "not proven yet");
}

/// What nobody waits for any more is not read: a chunk that is rotten on disk would be noticed.
#[tokio::test]
async fn a_request_that_was_withdrawn_in_the_queue_is_not_read_from_disk() {
    let world = World::new();
    let bytes = noise(3, 16 * CHUNK);
    let node = world.slow_node("node", 2 * CHUNK as u64).await;
    let manifest = node.seed(&bytes).await;
    rot(&node.folder.join("container"), 9 * CHUNK);
    let raw = Raw::greet(&node, &wallet("stranger")).await;
    let mut answers = Vec::new();
    for index in 0..6 {
        answers.push(raw.begin(&Request::Chunk(asking(&manifest, index))).await);
    }
    let mut withdrawn = raw.begin(&Request::Chunk(asking(&manifest, 9))).await;
    withdrawn.stop(9_u32.into()).unwrap();
    // This one is behind it in the queue.
    answers.push(raw.begin(&Request::Chunk(asking(&manifest, 10))).await);
    for answer in answers {
        let reply = reply_in(&listen(answer).await);
        assert!(matches!(reply, Reply::Data { .. }), "{reply:?}");
    }
    assert_eq!(node.status().await.containers[0].held, 16);
    let asked = raw.ask(&Request::Chunk(asking(&manifest, 9))).await;
    assert!(matches!(reply_in(&asked), Reply::NotHeld { .. }));
    node.until_container(|container| container.held == 15).await;
}

/// Two that begin at the same time need no second try: whoever is asked too early asks back.
#[tokio::test]
async fn whoever_asks_too_early_is_asked_when_the_node_takes_part() {
    let world = World::new();
    let bytes = noise(4, 8 * CHUNK);
    let node = world.node("node").await;
    let manifest = world.node("publisher").await.seed(&bytes).await;
    let raw = Raw::greet(&node, &wallet("stranger")).await;
    let subscribe = Request::Subscribe { id: manifest.id() };
    assert_eq!(raw.ask(&subscribe).await, Heard::Reset(NOT_FOUND));
    let _fetch = node.hold(&manifest, &bytes, [0, 3]).await;
    let (_, mut recv) = within(raw.connection.accept_bi()).await.unwrap();
    let asked = within(recv.read_to_end(1024)).await.unwrap();
    assert_eq!(frame::decode_request(&asked[2..]).unwrap(), subscribe);
}

/// W-18.
#[tokio::test]
async fn hello_comes_first_and_once() {
    let world = World::new();
    let node = world.node("node").await;
    let stranger = wallet("stranger");
    let closed = |reason: &str| Fate::closed(0x10, reason);
    let deluges = frame::encode_request(&Request::Deluges { program_id: None });
    for (case, bytes) in [
        ("before hello", deluges),
        ("nothing", vec![]),
        ("noise", framed(&[57])),
    ] {
        let raw = Raw::dial(&node, &stranger).await;
        raw.say(&bytes).await;
        assert_eq!(raw.fate().await, closed("PROTOCOL hello"), "{case}");
    }
    let raw = Raw::greet(&node, &stranger).await;
    raw.ask(&hello()).await;
    assert_eq!(raw.fate().await, closed("PROTOCOL hello"), "twice");

    let raw = Raw::dial(&node, &stranger).await;
    let version = 2;
    raw.ask(&Request::Hello(Hello { version, ..words() })).await;
    let reason = "PROTOCOL hello: version 2, expected 1";
    assert_eq!(raw.fate().await, closed(reason));
    node.until(|status| status.connections == 0).await;
}
