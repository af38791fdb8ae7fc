//! Somebody whose address changes in the middle of what they fetch: the node goes on there, as soon as the new place
//! has shown that it gets what is sent there (RFC 9000 section 9.3).

use std::net::{IpAddr, UdpSocket};

use swarmhold::wire::{Accept, ChunkRequest, Reply, Request};

use crate::raw::{Heard, Raw, listen, reply_in};
use crate::world::{CHUNK, World, chunk, noise, wallet, within};

/// Chunks that are asked for at each place.
const CHUNKS: u32 = 32;

#[tokio::test]
async fn who_moves_gets_what_it_asked_for_there() {
    let world = World::new();
    let bytes = noise(1, CHUNKS as usize * CHUNK);
    let node = world.node("node").await;
    let manifest = node.seed(&bytes).await;
    let raw = Raw::greet(&node, &wallet("roamer")).await;
    // another port, another host, and back at the first
    for host in ["127.0.0.1", "127.0.0.3", "127.0.0.1"] {
        let ip: IpAddr = host.parse().unwrap();
        raw.endpoint
            .rebind(UdpSocket::bind((ip, 0)).unwrap())
            .unwrap();
        let before = raw.connection.stats();
        let mut asked = Vec::new();
        for index in 0..CHUNKS {
            let request = Request::Chunk(ChunkRequest {
                program_id: manifest.program_id(),
                chunk_hash: manifest.chunk_hash(chunk(index)).unwrap(),
                index: chunk(index),
                accept: Accept::Raw,
            });
            asked.push(raw.begin(&request).await);
        }
        for (answer, sent) in asked.into_iter().zip(bytes.chunks(CHUNK)) {
            let heard = within(listen(answer)).await;
            assert!(matches!(reply_in(&heard), Reply::Data { .. }), "{heard:?}");
            let Heard::Bytes(heard) = heard else {
                panic!("{heard:?}")
            };
            assert!(heard.ends_with(sent));
        }
        let after = raw.connection.stats();
        let came = after.udp_rx.bytes - before.udp_rx.bytes;
        let went = after.udp_tx.bytes - before.udp_tx.bytes;
        // what nobody had proven would have been given three times
        assert!(came > 4 * went, "{came} bytes for {went}");
    }
}
