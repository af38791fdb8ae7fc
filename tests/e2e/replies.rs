//! Wrong answers over live connections: how each ends for the peer that gave it.

use std::sync::Arc;

use swarmhold::Manifest;
use swarmhold::chunk::Bitfield;
use swarmhold::node::PeerStatus;
use swarmhold::wire::{Encoding, Reply, Request, Update, frame};

use crate::raw::Fate;
use crate::rogue::{Rogue, Say, chunk_reply, claims, honest, raw_chunk};
use crate::world::{CHUNK, Peer, World, chunk, forge, noise, wallet};

const BAD_CHUNK: u64 = 0x11;
const PROTOCOL: u64 = 0x10;

/// A container of five chunks, the last a short one.
fn container() -> (Arc<Manifest>, Vec<u8>) {
    let bytes = noise(1, 4 * CHUNK + 1000);
    (forge(&wallet("publisher"), &bytes, |_| {}), bytes)
}

/// How a peer fares that answers like this where the script has an answer, and honestly elsewhere.
async fn fate_of(
    leecher: &Peer,
    name: &str,
    script: impl Fn(&Request) -> Option<Say> + Send + Sync + 'static,
) -> Fate {
    let (manifest, bytes) = container();
    let answers = honest(&manifest, &bytes);
    let mut rogue = Rogue::start(&wallet(name), move |request: &Request| {
        script(request).unwrap_or_else(|| answers(request))
    });
    let mut fetch = leecher.fetch(&manifest, &[rogue.hint()]).await;
    let fate = rogue.fate().await;
    fetch.fetch.cancel().await;
    assert!(fetch.end().await.is_err(), "{name}: nothing wrong is kept");
    fate
}

#[tokio::test]
async fn a_wrong_chunk_ends_the_connection() {
    let (_, bytes) = container();
    let first = bytes[..CHUNK].to_vec();
    let packed = zstd::bulk::compress(&vec![7; CHUNK], 3).unwrap();
    let padded = [&bytes[4 * CHUNK..], &vec![0; CHUNK - 1000][..]].concat();
    let magic = u32::from_le_bytes(*noise(3, 100).first_chunk().unwrap());
    let length = |found| format!("BAD_CHUNK length {found} expected 32768");
    let cases = [
        (
            "W-10 announced",
            raw_chunk(&noise(2, 40_000)),
            length("40000"),
        ),
        (
            "W-10 sent",
            chunk_reply(Encoding::Raw, CHUNK, &noise(2, 40_000)),
            "BAD_CHUNK length over 32768, expected 32768".to_owned(),
        ),
        (
            "too short",
            chunk_reply(Encoding::Raw, CHUNK, &first[1..]),
            "BAD_CHUNK length 32767, expected 32768".to_owned(),
        ),
        ("empty", chunk_reply(Encoding::Raw, 0, &[]), length("0")),
        (
            "W-13",
            chunk_reply(Encoding::Zstd, CHUNK, &first),
            "BAD_CHUNK length 32768 expected at least 1 and less than 32768".to_owned(),
        ),
        (
            "W-11",
            raw_chunk(&bytes[CHUNK..2 * CHUNK]),
            "BAD_CHUNK hash".to_owned(),
        ),
        (
            "W-12",
            chunk_reply(Encoding::Zstd, 100, &noise(3, 100)),
            format!("BAD_CHUNK zstd: magic number {magic:#010x}"),
        ),
        (
            "W-14",
            chunk_reply(Encoding::Zstd, packed.len() * 2, &packed.repeat(2)),
            format!("BAD_CHUNK zstd frame: {} B after it", packed.len()),
        ),
    ];
    let world = World::new();
    let leecher = world.node("leecher").await;
    for (name, answer, reason) in cases {
        let fate = fate_of(&leecher, name, move |request| match request {
            Request::Chunk(asked) if asked.index == chunk(0) => Some(answer.clone()),
            _ => None,
        });
        assert_eq!(fate.await, Fate::closed(BAD_CHUNK, reason), "{name}");
    }
    // The leecher keeps what was right, so the last chunk needs one that has nothing yet.
    let leecher = world.node("another leecher").await;
    let fate = fate_of(&leecher, "W-15", move |request| match request {
        Request::Chunk(asked) if asked.index == chunk(4) => Some(raw_chunk(&padded)),
        _ => None,
    });
    let reason = "BAD_CHUNK length 32768 expected 1000";
    assert_eq!(fate.await, Fate::closed(BAD_CHUNK, reason), "W-15");
}

#[tokio::test]
async fn an_answer_to_something_else_ends_the_connection() {
    let world = World::new();
    let leecher = world.node("leecher").await;
    let says = |name, reply: Vec<u8>| {
        fate_of(&leecher, name, move |request| {
            matches!(request, Request::Chunk(_)).then(|| Say::Bytes(reply.clone()))
        })
    };
    let other = says("other", frame::encode_reply(&Reply::Subscribed)).await;
    let reason = "Subscribed does not answer what was asked";
    assert_eq!(other, Fate::closed(PROTOCOL, reason));
    let cut = says("cut", vec![9]).await;
    let reason = "the stream ends within a header";
    assert_eq!(cut, Fate::closed(PROTOCOL, reason));
    let unknown = says("unknown", vec![1, 0, 57]).await;
    assert_eq!(unknown, Fate::closed(PROTOCOL, "0x03 UNKNOWN_MESSAGE 57"));
    let wide = says("wide", vec![0xff, 0xff]).await;
    let reason = "0x02 TOO_LARGE (limit 8192)";
    assert_eq!(wide, Fate::closed(PROTOCOL, reason));
}

/// W-16, on a subscription and in the answer to a chunk request.
#[tokio::test]
async fn a_bitfield_that_does_not_fit_ends_the_connection() {
    let world = World::new();
    let leecher = world.node("leecher").await;
    for (name, bitfield, reason) in [
        ("long", vec![0; 2], "PROTOCOL bitfield 2 B, expected 1"),
        ("none", vec![], "PROTOCOL bitfield 0 B, expected 1"),
        (
            "spare",
            vec![0xff],
            "PROTOCOL bitfield has spare bits set after chunk 5",
        ),
    ] {
        let said = bitfield.clone();
        let fate = fate_of(&leecher, name, move |request| {
            matches!(request, Request::Subscribe { .. }).then(|| claims(&said))
        });
        assert_eq!(fate.await, Fate::closed(PROTOCOL, reason), "{name}");
        let lacks = frame::encode_reply(&Reply::NotHeld { held: bitfield });
        let again = format!("{name} again");
        let fate = fate_of(&leecher, &again, move |request| {
            matches!(request, Request::Chunk(_)).then(|| Say::Bytes(lacks.clone()))
        });
        assert_eq!(fate.await, Fate::closed(PROTOCOL, reason), "{again}");
    }
    let have = Update::Have(vec![chunk(3), chunk(5)]);
    let Say::Open(mut news) = claims(&[0]) else {
        unreachable!("a subscription goes on");
    };
    news.extend(frame::encode_update(&have));
    let fate = fate_of(&leecher, "have", move |request| {
        matches!(request, Request::Subscribe { .. }).then(|| Say::Open(news.clone()))
    });
    let reason = "PROTOCOL have of chunk 5, expected below 5";
    assert_eq!(fate.await, Fate::closed(PROTOCOL, reason));
}

/// W-17: a peer may lose chunks.
#[tokio::test]
async fn a_bitfield_that_shrinks_is_taken_as_it_is() {
    let world = World::new();
    let (manifest, bytes) = container();
    // The first chunk is the highest bit.
    let (few, all) = (vec![0b1100_0000], Bitfield::full(5).to_bytes());
    let answers = honest(&manifest, &bytes);
    let peer = Rogue::start(&wallet("peer"), move |request: &Request| match request {
        Request::Subscribe { .. } => {
            let Say::Open(mut news) = claims(&all) else {
                unreachable!("a subscription goes on");
            };
            news.extend(frame::encode_update(&Update::Bitfield(few.clone())));
            Say::Open(news)
        }
        Request::Chunk(asked) if asked.index.get() >= 2 => {
            let lacks = Reply::NotHeld { held: few.clone() };
            Say::Bytes(frame::encode_reply(&lacks))
        }
        other => answers(other),
    });
    let leecher = world.node("leecher").await;
    let fetch = leecher.fetch(&manifest, &[peer.hint()]).await;
    fetch.holds(2).await;
    let shrunk = |peer: &PeerStatus| peer.held == 2 && peer.in_flight == 0;
    leecher
        .until_container(|container| container.peers.iter().any(shrunk))
        .await;
}
