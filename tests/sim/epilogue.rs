//! After the end: when everybody has gone and everything is over, nothing may be left (I13).

use swarmhold::chunk::Bitfield;
use swarmhold::digest::{Address, Digest, ManifestId};
use swarmhold::limits::{CHUNK_BYTES_MAX, IN_FLIGHT_BYTES_MAX};
use swarmhold::manifest::Layout;
use swarmhold::swarm::{Input, Output, PeerKey, Rates, Subnet, Trust};

use crate::faults::Role;
use crate::net::place_of;
use crate::node::Stage;
use crate::world::World;

/// Chunks of the largest size that fill the budget exactly.
const CHUNKS: u64 = IN_FLIGHT_BYTES_MAX / CHUNK_BYTES_MAX as u64;

/// Ends everything at every honest node and looks for what is left.
pub(crate) fn run(world: &mut World) {
    for node in 0..world.nodes.len() {
        if world.nodes[node].role != Role::Honest || !world.nodes[node].up {
            continue;
        }
        let peers: Vec<_> = world.nodes[node].peers.keys().copied().collect();
        peers
            .into_iter()
            .for_each(|peer| world.close(place_of(peer).0));
        for ticket in world.nodes[node]
            .answers
            .keys()
            .copied()
            .collect::<Vec<_>>()
        {
            world.on_verified(node, ticket);
        }
        for ask in world.nodes[node].asks.keys().copied().collect::<Vec<_>>() {
            world.on_read(node, ask);
        }
        world.trace.turn_to(node);
        let here = &world.nodes[node];
        assert!(here.asks.is_empty(), "I13: asks are left at n{node}");
        let quiet = here.ledger.requests.is_empty() && here.ledger.verifying.is_empty();
        assert!(quiet, "I13: requests are left at n{node}");
        here.ledger.recount(&here.swarm, &here.disk);
        let reading = here.asks.values().any(|it| it.stage != Stage::Waiting);
        assert!(!reading, "I13: n{node} still serves somebody");
        assert_empty_budget(world, node);
    }
}

/// A budget that is all free takes exactly what it is made for, and not a byte less.
fn assert_empty_budget(world: &mut World, node: usize) {
    let now = world.now;
    let swarm = &mut world.nodes[node].swarm;
    let id = ManifestId::new(Digest::of(b"probe"));
    let size = CHUNKS * u64::from(CHUNK_BYTES_MAX);
    let layout = Layout::new(size, CHUNK_BYTES_MAX).expect("within bounds");
    let have = Bitfield::empty(layout.chunk_count());
    let trust = Trust::Pinned;
    let mut asked = 0;
    let rates = Rates::default();
    let add = Input::Add {
        id,
        layout,
        have,
        trust,
    };
    // Everybody may be done before a user lifts a limit.
    let mut inputs = vec![Input::Limit { rates }, add];
    for peer in 0..CHUNKS {
        let (peer, address) = (
            PeerKey(u64::MAX - peer),
            Address::new(Digest::of(b"nobody")),
        );
        let rtt = std::time::Duration::ZERO;
        let held = Bitfield::full(layout.chunk_count());
        let subnet = Subnet(0);
        inputs.push(Input::PeerConnected {
            peer,
            address,
            subnet,
            rtt,
        });
        inputs.push(Input::PeerHolds { peer, id, held });
    }
    for input in inputs {
        swarm.handle(now, input);
        while let Some(output) = swarm.poll_output() {
            asked += u64::from(matches!(output, Output::Request { .. }));
        }
    }
    assert_eq!(
        asked, CHUNKS,
        "I13: bytes stay booked for nothing at n{node}"
    );
}
