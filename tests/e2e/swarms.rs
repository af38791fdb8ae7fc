//! Several nodes at once: partial seeders, seeders that vanish, leechers that serve each other.

use swarmhold::node::PeerStatus;
use swarmhold::wire::Request;

use crate::rogue::{Rogue, Say, claims, honest};
use crate::world::{CHUNK, Fetching, Peer, World, noise, wallet};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[tokio::test]
async fn four_partial_seeders_hold_the_container_together() {
    let world = World::new();
    let bytes = noise(1, 2 * MIB);
    let manifest = world.node("publisher").await.seed(&bytes).await;
    let (mut holders, mut holdings) = (Vec::new(), Vec::new());
    for quarter in 0..4 {
        let holder = world.node(&format!("holder {quarter}")).await;
        let mine = (0..64).filter(|chunk| chunk % 4 == quarter);
        holdings.push(holder.hold(&manifest, &bytes, mine).await);
        holders.push(holder);
    }
    let leecher = world.node("leecher").await;
    let hints: Vec<_> = holders.iter().map(Peer::hint).collect();
    let fetched = leecher.fetch(&manifest, &hints).await.gets(&bytes).await;
    assert_eq!(fetched.tally.sources(), 4);
    assert_eq!(fetched.tally.total.chunks, 64);
    for holding in &mut holdings {
        let fetched = holding.gets(&bytes).await;
        let from_leecher = fetched.tally.accounts[&leecher.address()];
        assert_eq!((from_leecher.chunks, fetched.tally.sources()), (48, 1));
    }
}

#[tokio::test]
async fn a_seeder_that_vanishes_half_way_is_replaced_by_the_other() {
    let world = World::new();
    let bytes = noise(2, 2 * MIB);
    let alice = world.slow_node("alice", MIB as u64).await;
    let carol = world.slow_node("carol", MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    carol.share(&manifest, &bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[alice.hint(), carol.hint()]).await;
    fetch.holds(32).await;
    let gone = alice.address();
    alice.node.stop().await;
    let fetched = fetch.gets(&bytes).await;
    assert!(fetched.tally.accounts[&gone].chunks < 64);
    assert_eq!(fetched.tally.sources(), 2);
}

#[tokio::test]
async fn a_seeder_that_vanishes_half_way_is_replaced_by_one_that_joins() {
    let world = World::new();
    let bytes = noise(3, 2 * MIB);
    let alice = world.slow_node("alice", 2 * MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
    fetch.holds(32).await;
    alice.node.stop().await;
    let carol = world.node("carol").await;
    carol.share(&manifest, &bytes).await;
    fetch.fetch.add_peers(vec![carol.hint()]).await;
    let fetched = fetch.gets(&bytes).await;
    assert!((1..=32).contains(&fetched.tally.accounts[&carol.address()].chunks));
}

#[tokio::test]
async fn a_seeder_that_falls_silent_is_replaced_by_the_other() {
    let world = World::new();
    let bytes = noise(4, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let answers = honest(&manifest, &bytes);
    let silent = Rogue::start(&wallet("silent"), move |request| match request {
        Request::Chunk(asked) if asked.index.get() >= 8 => Say::Open(Vec::new()),
        other => answers(other),
    });
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[silent.hint()]).await;
    fetch.holds(8).await;
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    let fetched = fetch.gets(&bytes).await;
    assert_eq!(fetched.tally.accounts[&silent.address()].chunks, 8);
    assert!(bob.status().await.banned.is_empty());
}

#[tokio::test]
async fn what_a_node_has_fetched_so_far_it_serves() {
    let world = World::new();
    let bytes = noise(5, MIB);
    let publisher = world.node("publisher").await;
    let manifest = publisher.seed(&bytes).await;
    let answers = honest(&manifest, &bytes);
    let source = Rogue::start(&wallet("source"), move |request| match request {
        Request::Subscribe { .. } => claims(&[0b1111_0000, 0, 0, 0]),
        other => answers(other),
    });
    let (near, far) = (world.node("near").await, world.node("far").await);
    let mut nearer = near.fetch(&manifest, &[source.hint()]).await;
    let mut farther = far.fetch(&manifest, &[near.hint()]).await;
    assert_eq!(farther.holds(4).await, 4);
    assert_eq!(nearer.holds(4).await, 4);
    nearer.fetch.add_peers(vec![publisher.hint()]).await;
    nearer.gets(&bytes).await;
    let fetched = farther.gets(&bytes).await;
    assert_eq!(fetched.tally.accounts[&near.address()].chunks, 32);
}

#[tokio::test]
async fn a_node_that_gives_up_and_begins_again_tells_those_who_follow_it() {
    let world = World::new();
    let bytes = noise(9, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let (near, far) = (world.node("near").await, world.node("far").await);
    let mut first = near.hold(&manifest, &bytes, 0..8).await;
    let mut farther = far.fetch(&manifest, &[near.hint()]).await;
    farther.holds(8).await;
    first.fetch.cancel().await;
    assert!(first.end().await.is_err());
    let offers_nothing = |peer: &PeerStatus| peer.held == 0;
    far.until_container(|container| container.peers.iter().all(offers_nothing))
        .await;
    let mut second = near.fetch(&manifest, &[alice.hint()]).await;
    second.gets(&bytes).await;
    let fetched = farther.gets(&bytes).await;
    assert_eq!(fetched.tally.accounts[&near.address()].chunks, 32);
}

#[tokio::test]
async fn sixteen_leechers_of_one_slow_seeder_serve_each_other() {
    let world = World::new();
    let bytes = noise(6, MIB);
    let seeder = world.slow_node("seeder", MIB as u64).await;
    let manifest = seeder.seed(&bytes).await;
    let (mut leechers, mut fetches): (Vec<Peer>, Vec<Fetching>) = Default::default();
    for number in 0..16 {
        let leecher = world.node(&format!("leecher {number}")).await;
        fetches.push(leecher.fetch(&manifest, &[seeder.hint()]).await);
        leechers.push(leecher);
    }
    for (fetch, own) in fetches.iter().zip(&leechers) {
        let others = leechers.iter().map(Peer::hint);
        let others = others.filter(|hint| *hint != own.hint()).collect();
        fetch.fetch.add_peers(others).await;
    }
    let mut from_seeder = 0;
    for fetch in &mut fetches {
        let tally = fetch.gets(&bytes).await.tally;
        let account = tally.accounts.get(&seeder.address());
        from_seeder += account.map_or(0, |account| account.chunks);
        assert_eq!((tally.total.chunks, tally.total.bad_chunks), (32, 0));
    }
    // At its rate the seeder alone would need sixteen seconds.
    assert!(
        from_seeder <= 2 * 32,
        "{from_seeder} chunks of 32 were sent"
    );
}

#[tokio::test]
async fn two_nodes_that_dial_each_other_at_once_keep_one_connection() {
    let world = World::new();
    let bytes = noise(7, 4 * MIB);
    let manifest = world.node("publisher").await.seed(&bytes).await;
    for round in 0..4 {
        let (left, right) = (format!("left {round}"), format!("right {round}"));
        let (left, right) = (world.node(&left).await, world.node(&right).await);
        let even = (0..128).filter(|chunk| chunk % 2 == 0);
        let odd = (0..128).filter(|chunk| chunk % 2 == 1);
        let mut lefts = left.hold(&manifest, &bytes, even).await;
        let mut rights = right.hold(&manifest, &bytes, odd).await;
        tokio::join!(
            lefts.fetch.add_peers(vec![right.hint()]),
            rights.fetch.add_peers(vec![left.hint()]),
        );
        for (fetch, other) in [(&mut lefts, &right), (&mut rights, &left)] {
            let tally = fetch.gets(&bytes).await.tally;
            assert_eq!(tally.accounts[&other.address()].chunks, 64);
        }
        left.until(|status| status.connections == 1).await;
        right.until(|status| status.connections == 1).await;
    }
}

/// The second fetch finds its peer over a connection that was made for the first, by the other side.
#[tokio::test]
async fn two_nodes_fetch_different_containers_from_each_other_over_one_connection() {
    let world = World::new();
    let (ours, theirs) = (noise(11, 4 * MIB), noise(12, MIB));
    for round in 0..4 {
        let (left, right) = (format!("giver {round}"), format!("taker {round}"));
        let left = world.slow_node(&left, 4 * MIB as u64).await;
        let right = world.node(&right).await;
        let (first, second) = (left.seed(&ours).await, right.seed(&theirs).await);
        let mut rights = right.fetch(&first, &[left.hint()]).await;
        rights.holds(1).await;
        let mut lefts = left.fetch(&second, &[right.hint()]).await;
        lefts.gets(&theirs).await;
        rights.gets(&ours).await;
        left.until(|status| status.connections == 1).await;
    }
}

#[tokio::test]
async fn a_file_edited_under_its_seeder_is_not_served_wrong() {
    let world = World::new();
    let bytes = noise(8, MIB);
    let (alice, carol) = (world.node("alice").await, world.node("carol").await);
    let manifest = alice.seed(&bytes).await;
    let copy = carol.share_proven(&manifest, &bytes).await;
    let mut edited = bytes.clone();
    (0..32)
        .step_by(2)
        .for_each(|chunk| edited[chunk * CHUNK + 7] ^= 1);
    std::fs::write(&copy, &edited).unwrap();
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[carol.hint()]).await;
    fetch.holds(16).await;
    // What changed is seen when it is read, and then offered no more.
    carol
        .until_container(|container| container.held == 16)
        .await;
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    let fetched = fetch.gets(&bytes).await;
    assert_eq!(fetched.tally.total.bad_chunks, 0);
    assert_eq!(fetched.tally.accounts[&carol.address()].chunks, 16);
    assert!(bob.status().await.banned.is_empty());
}
