//! Paths that do not carry every datagram: path MTU discovery and its black holes (RFC 8899 section 4.3),
//! and losses.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use swarmhold::PeerHint;
use tokio::net::UdpSocket;

use crate::world::{World, noise};

const MIB: usize = 1024 * 1024;
/// What every path carries (RFC 9000 section 14), and so the least that QUIC goes by.
const LEAST: usize = 1200;
/// More than any datagram has.
const EVERYTHING: usize = 65_536;

/// A forwarder in front of a node.
struct Way {
    front: SocketAddr,
    rules: Arc<Rules>,
}

/// What it lets pass, in both directions.
struct Rules {
    /// Longer datagrams are dropped, in bytes.
    longest: AtomicUsize,
    /// One of so many is dropped; 0 for none.
    one_of: usize,
    count: AtomicUsize,
    /// The longest that has passed, and how many were too long.
    seen: AtomicUsize,
    too_long: AtomicUsize,
}

impl Way {
    async fn to(node: SocketAddr, longest: usize, one_of: usize) -> Self {
        let rules = Arc::new(Rules {
            longest: longest.into(),
            one_of,
            count: 0.into(),
            seen: 0.into(),
            too_long: 0.into(),
        });
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let way = Self {
            front: front.local_addr().unwrap(),
            rules: Arc::clone(&rules),
        };
        tokio::spawn(forward(front, node, rules));
        way
    }

    fn hint(&self) -> PeerHint {
        self.front.into()
    }
}

impl Rules {
    fn passes(&self, bytes: usize) -> bool {
        if bytes > self.longest.load(Relaxed) {
            self.too_long.fetch_add(1, Relaxed);
            return false;
        }
        let number = self.count.fetch_add(1, Relaxed);
        if self.one_of > 0 && number % self.one_of == self.one_of - 1 {
            return false;
        }
        self.seen.fetch_max(bytes, Relaxed);
        true
    }
}

/// Forwards what passes; each client has a socket of its own towards the node.
async fn forward(front: Arc<UdpSocket>, node: SocketAddr, rules: Arc<Rules>) {
    let mut clients: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut datagram = vec![0; EVERYTHING];
    while let Ok((bytes, client)) = front.recv_from(&mut datagram).await {
        if let Entry::Vacant(place) = clients.entry(client) {
            let there = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            there.connect(node).await.unwrap();
            place.insert(Arc::clone(&there));
            let (front, rules) = (Arc::clone(&front), Arc::clone(&rules));
            tokio::spawn(answer(there, front, client, rules));
        }
        if rules.passes(bytes) {
            // One that is refused is lost, as on any path.
            let _ = clients[&client].send(&datagram[..bytes]).await;
        }
    }
}

async fn answer(from: Arc<UdpSocket>, to: Arc<UdpSocket>, client: SocketAddr, rules: Arc<Rules>) {
    let mut datagram = vec![0; EVERYTHING];
    while let Ok(bytes) = from.recv(&mut datagram).await {
        if rules.passes(bytes) {
            let _ = to.send_to(&datagram[..bytes], client).await;
        }
    }
}

#[tokio::test]
async fn a_path_that_carries_no_more_than_every_path_must_is_enough() {
    let world = World::new();
    let bytes = noise(70, 4 * MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let way = Way::to(alice.hint().remote, LEAST, 0).await;
    let bob = world.node("bob").await;
    bob.fetch(&manifest, &[way.hint()]).await.gets(&bytes).await;
    assert_eq!(way.rules.seen.load(Relaxed), LEAST);
}

#[tokio::test]
async fn a_path_that_stops_carrying_long_datagrams_is_noticed() {
    let world = World::new();
    let bytes = noise(71, 32 * MIB);
    let alice = world.slow_node("alice", 16 * MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    let way = Way::to(alice.hint().remote, EVERYTHING, 0).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[way.hint()]).await;
    fetch.holds(256).await;
    let before = way.rules.seen.load(Relaxed);
    assert!(before > 8000, "jumbo frames pass on loopback, not {before}");
    way.rules.longest.store(LEAST, Relaxed);
    fetch.gets(&bytes).await;
    assert!(way.rules.too_long.load(Relaxed) > 0);
}

#[tokio::test]
async fn a_path_that_loses_one_of_twenty_datagrams_delivers_all_the_same() {
    let world = World::new();
    let bytes = noise(72, 16 * MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let way = Way::to(alice.hint().remote, LEAST, 20).await;
    let bob = world.node("bob").await;
    bob.fetch(&manifest, &[way.hint()]).await.gets(&bytes).await;
    assert!(way.rules.count.load(Relaxed) > 16 * MIB / LEAST);
}
