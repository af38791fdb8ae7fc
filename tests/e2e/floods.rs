//! Attacks on what a node can bear: many streams, full windows, resets, and taking forever.

use std::time::Duration;

use quinn::{SendDatagramError, VarInt, WriteError};
use swarmhold::limits::{
    RECEIVE_WINDOW_START, REQUESTS_OUT_MAX, STREAMS_INBOUND_MAX, STREAMS_INBOUND_START,
};
use swarmhold::wire::{Accept, ChunkRequest, Reply, Request};
use tokio::time::timeout;

use crate::raw::{Fate, Heard, Raw, listen, reply_in};
use crate::world::{World, chunk, noise, wallet, within};

const MIB: usize = 1024 * 1024;
const TOO_SLOW: u64 = 0x07;
/// For what must not happen: long enough for many round trips on loopback.
const MOMENT: Duration = Duration::from_millis(300);

/// Opens streams until no more are allowed, and says how many that were.
async fn open_all(raw: &Raw) -> Vec<(quinn::SendStream, quinn::RecvStream)> {
    let mut streams = Vec::new();
    while let Ok(opened) = timeout(MOMENT, raw.connection.open_bi()).await {
        streams.push(opened.unwrap());
    }
    streams
}

/// A11 and W-19: what a stranger may make the node hold, before any service.
#[tokio::test]
async fn a_stranger_gets_small_windows_and_few_streams() {
    let world = World::new();
    let node = world.node("node").await;
    let raw = Raw::dial(&node, &wallet("stranger")).await;
    let mut streams = open_all(&raw).await;
    assert_eq!(streams.len(), STREAMS_INBOUND_START as usize);
    assert_eq!(streams.len(), 16);

    // Before a hello only the first stream is read, so another can fill the connection's window.
    let (send, _) = &mut streams[1];
    let mut taken = 0;
    while let Ok(written) = timeout(MOMENT, send.write(&[0; 4096])).await {
        taken += written.unwrap();
    }
    assert_eq!(taken, RECEIVE_WINDOW_START as usize);
    assert_eq!(taken, 256 * 1024);

    assert!(timeout(MOMENT, raw.connection.open_uni()).await.is_err());
    let datagram = raw.connection.send_datagram(vec![0; 8].into());
    assert_eq!(datagram, Err(SendDatagramError::UnsupportedByPeer));
}

#[tokio::test]
async fn whoever_is_served_may_ask_for_more_at_once() {
    let world = World::new();
    let node = world.node("node").await;
    let manifest = node.seed(&noise(1, MIB)).await;
    let raw = Raw::greet(&node, &wallet("stranger")).await;
    let request = Request::Chunk(ChunkRequest {
        program_id: manifest.program_id(),
        chunk_hash: manifest.chunk_hash(chunk(0)).unwrap(),
        index: chunk(0),
        accept: Accept::Raw,
    });
    let served = raw.ask(&request).await;
    assert!(matches!(reply_in(&served), Reply::Data { .. }));
    // Room for those that have ended, as hello has, is given back a few at a time.
    let streams = open_all(&raw).await.len();
    assert!(
        (2 * REQUESTS_OUT_MAX as usize..=STREAMS_INBOUND_MAX as usize).contains(&streams),
        "{streams}"
    );
}

/// A13, after CVE-2023-44487: streams that are opened and reset at once.
#[tokio::test]
async fn a_flood_of_resets_is_cut_off_and_an_honest_fetch_goes_on() {
    let world = World::new();
    let bytes = noise(2, 4 * MIB);
    let node = world.slow_node("node", 4 * MIB as u64).await;
    let manifest = node.seed(&bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[node.hint()]).await;
    let raw = Raw::greet(&node, &wallet("flooder")).await;
    let flood = async {
        while let Ok((mut send, _recv)) = raw.connection.open_bi().await {
            if send.write(&[1]).await.is_err() || send.reset(VarInt::from_u32(0)).is_err() {
                break;
            }
        }
        raw.fate().await
    };
    let Fate::Closed { code, reason } = within(flood).await else {
        panic!("the flooder was not told why");
    };
    assert_eq!((code, reason.as_str()), (0x16, "RATE: too many resets"));
    let tally = fetch.gets(&bytes).await.tally;
    assert_eq!(tally.total.bad_chunks, 0);
    node.until(|status| status.connections <= 1).await;
}

/// A17: a request that trickles in, and an answer that is not read. Their limits run side by side.
#[tokio::test]
async fn whoever_takes_forever_is_refused_and_others_are_served() {
    let world = World::new();
    let bytes = noise(3, MIB);
    let node = world.node("node").await;
    let manifest = node.seed(&bytes).await;
    let raw = Raw::greet(&node, &wallet("trickler")).await;
    let (mut send, recv) = raw.connection.open_bi().await.unwrap();
    send.write_all(&[40]).await.unwrap();
    let trickle = async {
        while send.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(MOMENT).await;
        }
        send.write(&[0]).await
    };
    let honest = async {
        let bob = world.node("bob").await;
        bob.fetch(&manifest, &[node.hint()])
            .await
            .gets(&bytes)
            .await
    };
    let (refused, stopped, _) = tokio::join!(listen(recv), within(trickle), honest);
    assert_eq!(refused, Heard::Reset(TOO_SLOW));
    assert!(
        matches!(stopped, Err(WriteError::Stopped(_))),
        "{stopped:?}"
    );
}
