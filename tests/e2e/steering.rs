//! Fetches that are steered while they run: orders, readers, limits, pauses.

use std::fs;

use swarmhold::{FetchOptions, FetchStatus, Manifest, Order, Rates, What};

use crate::world::{CHUNK, Fetching, Peer, World, noise, part_of, within};

const MIB: usize = 1024 * 1024;

/// As good as nothing, in bytes per second.
const CRAWL: Rates = Rates {
    up: None,
    down: Some(1),
};
const FREE: Rates = Rates {
    up: None,
    down: None,
};

/// Begins a fetch of a known manifest with these wishes; nobody is asked yet.
async fn begin(peer: &Peer, manifest: &Manifest, order: Order, rates: Rates) -> Fetching {
    let path = peer
        .folder
        .join(format!("fetched {}", manifest.id().short()));
    let options = FetchOptions {
        output: Some(path.clone()),
        order,
        rates,
        ..FetchOptions::default()
    };
    let what = What::Manifest(manifest.clone().into());
    let fetch = peer.node.fetch(what, options).await;
    Fetching { fetch, path }
}

/// Which chunks of a `.part` are what they should be.
fn right(fetching: &Fetching, bytes: &[u8]) -> Vec<usize> {
    let found = fs::read(part_of(&fetching.path)).unwrap();
    let pairs = found.chunks(CHUNK).zip(bytes.chunks(CHUNK)).enumerate();
    let right = pairs.filter(|(_, (found, right))| found == right);
    right.map(|(at, _)| at).collect()
}

#[tokio::test]
async fn a_sequential_fetch_grows_from_its_front() {
    let world = World::new();
    let bytes = noise(1, 4 * MIB);
    let alice = world.slow_node("alice", MIB as u64).await;
    let carol = world.slow_node("carol", MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    carol.share(&manifest, &bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = begin(&bob, &manifest, Order::Sequential, FREE).await;
    let hints = vec![alice.hint(), carol.hint()];
    fetch.fetch.add_peers(hints).await;
    fetch.holds(64).await;
    let here = right(&fetch, &bytes);
    let front = here.iter().zip(0..).take_while(|(at, nth)| *at == nth);
    // What one of two peers that take turns has not sent yet is missing among the last ones.
    assert!(front.count() >= 24, "{here:?}");
    fetch.gets(&bytes).await;
}

#[tokio::test]
async fn what_a_reader_waits_for_comes_first() {
    let world = World::new();
    let bytes = noise(2, 4 * MIB);
    let alice = world.slow_node("alice", MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = begin(&bob, &manifest, Order::Rarest, FREE).await;
    let last = (124 * CHUNK) as u64;
    fetch.fetch.read_ahead(Some(last..u64::MAX)).await;
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    fetch.holds(8).await;
    let here = right(&fetch, &bytes);
    assert!(here.ends_with(&[124, 125, 126, 127]), "{here:?}");
    fetch.gets(&bytes).await;
}

#[tokio::test]
async fn a_pause_keeps_what_is_here_serves_it_and_fetches_nothing_twice() {
    let world = World::new();
    let bytes = noise(3, 2 * MIB);
    let alice = world.slow_node("alice", 2 * MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
    fetch.holds(16).await;
    fetch.fetch.pause().await;
    let mut status = fetch.fetch.status();
    let rests = |status: &FetchStatus| match status {
        FetchStatus::Paused(container) => container.peers.iter().all(|peer| peer.in_flight == 0),
        _ => false,
    };
    within(status.wait_for(rests)).await.unwrap();
    // Whatever was being stored is stored when the next status shows the same.
    let held = fetch.holds(16).await;
    let carol = world.node("carol").await;
    let copy = carol.fetch(&manifest, &[bob.hint()]).await;
    let copied = copy.holds(held).await;
    assert!((held..64).contains(&copied), "{copied} of {held}");
    assert_eq!(fetch.holds(held).await, copied, "bob got nothing more");
    fetch.fetch.resume().await;
    let fetched = fetch.gets(&bytes).await;
    assert_eq!(fetched.tally.total.chunks, 64, "each once");
}

#[tokio::test]
async fn a_paused_fetch_can_be_cancelled() {
    let world = World::new();
    let bytes = noise(4, 2 * MIB);
    let alice = world.slow_node("alice", MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
    fetch.holds(4).await;
    fetch.fetch.pause().await;
    fetch.fetch.cancel().await;
    assert!(fetch.fails().await.starts_with("E-CANCELLED"));
    assert!(part_of(&fetch.path).exists());
}

#[tokio::test]
async fn a_limit_for_one_container_holds_up_no_other_and_can_be_lifted() {
    let world = World::new();
    let (slow, fast) = (noise(5, MIB), noise(6, 2 * MIB));
    let (alice, carol) = (world.node("alice").await, world.node("carol").await);
    let (slow_one, fast_one) = (alice.seed(&slow).await, carol.seed(&fast).await);
    alice.share(&fast_one, &fast).await;
    let bob = world.node("bob").await;
    let mut crawling = begin(&bob, &slow_one, Order::Rarest, CRAWL).await;
    crawling.fetch.add_peers(vec![alice.hint()]).await;
    let mut going = begin(&bob, &fast_one, Order::Rarest, FREE).await;
    going.fetch.add_peers(vec![alice.hint()]).await;
    going.gets(&fast).await;
    assert_eq!(crawling.holds(0).await, 0, "1 B/s");
    crawling.fetch.limit(FREE).await;
    crawling.gets(&slow).await;
}

#[tokio::test]
async fn limits_of_a_node_change_while_transfers_run() {
    let world = World::new();
    let bytes = noise(7, MIB);
    let alice = world.slow_node("alice", 1).await;
    let manifest = alice.seed(&bytes).await;
    let bob = world
        .node_with("bob", |config| config.download_rate_max = Some(1))
        .await;
    let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
    let asked = |status: &FetchStatus| match status {
        FetchStatus::Downloading(container) => container.peers.iter().any(|it| it.in_flight > 0),
        _ => false,
    };
    within(fetch.fetch.status().wait_for(asked)).await.unwrap();
    bob.node.limit(Rates::default()).await;
    assert_eq!(fetch.holds(0).await, 0, "alice sends 1 B/s");
    alice.node.limit(Rates::default()).await;
    fetch.gets(&bytes).await;

    let bytes = noise(8, MIB);
    let path = alice.folder.join("another");
    fs::write(&path, &bytes).unwrap();
    let manifest = alice.seed_file(&path).await;
    let crawl = Rates {
        up: Some(1),
        down: None,
    };
    alice.node.limit_container(manifest.id(), crawl).await;
    let mut fetch = begin(&bob, &manifest, Order::Sections, FREE).await;
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    within(fetch.fetch.status().wait_for(asked)).await.unwrap();
    assert_eq!(fetch.holds(0).await, 0, "1 B/s");
    alice.node.limit_container(manifest.id(), FREE).await;
    fetch.gets(&bytes).await;
}
