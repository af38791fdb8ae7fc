//! What the engine's state takes, counted by an allocator: bounded however large the containers.

use allocation_counter::measure;

use super::*;
use crate::limits::{CHUNK_BYTES_MAX, CHUNKS_MAX, CONTAINER_BYTES_MAX, MIB, UPLOAD_QUEUE_MAX};

const PEERS: u64 = 50;

/// A node that has every other chunk of two containers of 4096 chunks, of 16 MiB (together 64 GiB)
/// and of 32 KiB, and peers that hold two in three chunks of each: asked for all that may be out, and
/// asking for all that may wait.
fn busy_node() -> Swarm {
    let mut swarm = Swarm::new(Setup::default());
    let now = Moment::from_micros(1_000_000);
    let large = Layout::new(CONTAINER_BYTES_MAX, CHUNK_BYTES_MAX).unwrap();
    let small = Layout::for_size(128 * MIB as u64).unwrap();
    for (id, layout) in [(1, large), (2, small)] {
        swarm.handle(
            now,
            Input::Add {
                id: container(id),
                layout,
                have: set(CHUNKS_MAX, (0..CHUNKS_MAX).step_by(2)),
                trust: Trust::Pinned,
            },
        );
    }
    for peer in 0..PEERS {
        let connected = Input::PeerConnected {
            peer: PeerKey(peer),
            address: address(peer),
            subnet: Subnet(peer),
            rtt: RTT,
        };
        swarm.handle(now, connected);
        let first = u32::try_from(peer).unwrap();
        for id in [2, 1] {
            let held = (0..CHUNKS_MAX).filter(|chunk| (chunk + first) % 3 > 0);
            let held = set(CHUNKS_MAX, held);
            let (peer, id) = (PeerKey(peer), container(id));
            swarm.handle(now, Input::PeerHolds { peer, id, held });
        }
    }
    for ask in 0..PEERS * (UPLOAD_QUEUE_MAX as u64 + 1) {
        let asked = Input::Asked {
            peer: PeerKey(ask % PEERS),
            ask: AskKey(ask),
            id: container(1),
            chunk: ChunkIndex::new(2),
        };
        swarm.handle(now, asked);
    }
    swarm
}

#[test]
fn a_node_of_64_gib_and_50_peers_keeps_less_than_16_mib() {
    let mut kept = None;
    let used = measure(|| kept = Some(busy_node()));
    let mut swarm = kept.unwrap();
    let outputs: Vec<_> = std::iter::from_fn(|| swarm.poll_output()).collect();
    let requests = |it: &&Output| matches!(it, Output::Request { .. });
    let requests = outputs.iter().filter(requests).count();
    let serves = |it: &&Output| matches!(it, Output::Serve { .. });
    let serves = outputs.iter().filter(serves).count();
    // each peer had its first window, and more were asked for than could be served
    assert!(requests >= 500, "{requests} requests");
    assert!(serves >= 1 && outputs.len() > requests + serves);
    let (most, left) = (used.bytes_max, used.bytes_current);
    println!("{most} B at most, {left} B in the end");
    assert!(most < 16 * MIB as u64, "{most} B at most");
    assert!(left > 0, "the node is not counted");
}

#[test]
fn an_idle_container_of_4096_chunks_takes_less_than_16_kib() {
    const CONTAINERS: u32 = 2000;
    let mut kept = None;
    let used = measure(|| {
        let mut swarm = Swarm::new(Setup::default());
        for of in 0..CONTAINERS {
            let layout = Layout::new(CONTAINER_BYTES_MAX, CHUNK_BYTES_MAX).unwrap();
            let add = Input::Add {
                id: ManifestId::new(Digest::of(&of.to_le_bytes())),
                layout,
                have: Bitfield::full(CHUNKS_MAX),
                trust: Trust::Pinned,
            };
            swarm.handle(Moment::ORIGIN, add);
            assert!(swarm.poll_output().is_some());
        }
        kept = Some(swarm);
    });
    let each = u64::try_from(used.bytes_current).unwrap() / u64::from(CONTAINERS);
    println!("{each} B each");
    assert!(kept.is_some() && each < 16 * 1024, "{each} B each");
}
