//! How a fetch begins again, ends early, or does not begin at all.

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use swarmhold::node::FetchError;
use swarmhold::{FetchOptions, Link, What};

use crate::world::{CHUNK, LONG, SHORT, World, noise, part_of, right_chunks};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_second_fetch_resumes_what_the_first_has_left() {
    let world = World::new();
    let bytes = noise(1, 2 * MIB);
    let alice = world.slow_node("alice", 2 * MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    let mut first = bob.fetch(&manifest, &[alice.hint()]).await;
    first.holds(32).await;
    first.fetch.cancel().await;
    let part = part_of(&bob.destination());
    assert_eq!(
        first.fails().await,
        format!(
            "E-CANCELLED: stopped; {} is kept and the same command resumes it",
            part.display()
        )
    );
    assert!(!bob.destination().exists());
    bob.node.stop().await;

    let mut left = fs::read(&part).unwrap();
    let spoiled = left.chunks(CHUNK).zip(bytes.chunks(CHUNK));
    let spoiled = spoiled.take_while(|(found, right)| found != right).count();
    left[spoiled * CHUNK] ^= 1;
    fs::write(&part, &left).unwrap();
    let there = right_chunks(&part, &bytes) as u64;
    assert!(there >= 31, "{there}");

    let bob = world.node("bob").await;
    let fetched = bob
        .fetch(&manifest, &[alice.hint()])
        .await
        .gets(&bytes)
        .await;
    let total = fetched.tally.total;
    assert_eq!(
        total.chunks,
        64 - there,
        "only the rest, and what was spoiled"
    );
    assert_eq!(total.bytes, (64 - there) * CHUNK as u64);
}

#[tokio::test]
async fn a_fetch_that_was_cancelled_lets_go_of_its_file_at_once() {
    let world = World::new();
    let bytes = noise(2, 32 * MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    for _ in 0..20 {
        let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
        fetch.holds(0).await;
        // Time for chunks to be on their way to the disk.
        tokio::time::sleep(Duration::from_millis(5)).await;
        fetch.fetch.cancel().await;
        let end = fetch.end().await;
        assert!(matches!(end, Err(FetchError::Cancelled { .. })), "{end:?}");
        fs::write(part_of(&bob.destination()), b"").unwrap();
    }
    let mut last = bob.fetch(&manifest, &[alice.hint()]).await;
    last.gets(&bytes).await;
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_cancelled() {
    let world = World::new();
    let bytes = noise(3, MIB);
    let manifest = world.node("alice").await.seed(&bytes).await;
    let bob = world.node("bob").await;
    drop(bob.hold(&manifest, &bytes, 0..16).await);
    bob.until(|status| status.containers.is_empty()).await;
    assert_eq!(right_chunks(&part_of(&bob.destination()), &bytes), 16);
}

#[tokio::test]
async fn a_fetch_with_nobody_there_ends_within_its_patience() {
    let world = World::new();
    let bob = world.node("bob").await;
    let manifest = world.node("alice").await.seed(b"x").await;
    // It takes what it is sent and says nothing.
    let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
    let hint = hole.local_addr().unwrap().into();
    let link = What::Link(Link::of(&manifest, []));
    for what in [link, What::Manifest(manifest)] {
        let patience = Duration::from_secs(1);
        let mut fetch = bob.fetch_patiently(what, &[hint], patience).await;
        assert!(fetch.finds_nobody().await.is_empty());
    }
}

#[tokio::test]
async fn a_fetch_says_what_became_of_those_it_tried() {
    let world = World::new();
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = world.node("publisher").await.seed(b"x").await;
    let what = What::Manifest(manifest);
    let mut fetch = bob.fetch_patiently(what, &[alice.hint()], SHORT).await;
    let error = fetch.fails().await;
    let (head, tried) = error.split_once("\n  ").unwrap();
    assert!(head.starts_with("E-NO-PEERS: no peer gave anything for "));
    let refused = format!("{}: refused: 0x06 NOT_FOUND", alice.hint().remote);
    assert_eq!(tried, refused);
}

#[tokio::test]
async fn a_link_without_anybody_to_ask_is_refused_at_once() {
    let world = World::new();
    let bob = world.node("bob").await;
    let manifest = world.node("alice").await.seed(b"x").await;
    let link = What::Link(Link::of(&manifest, []));
    let mut fetch = bob.fetch_patiently(link, &[], LONG).await;
    assert_eq!(
        fetch.fails().await,
        "E-NO-PEERS: the link names no peer and none was given with --peer"
    );
}

#[tokio::test]
async fn a_destination_that_exists_is_not_replaced() {
    let world = World::new();
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(b"new").await;
    fs::write(bob.destination(), b"old").unwrap();
    let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
    let path = bob.destination();
    assert_eq!(
        fetch.fails().await,
        format!(
            "E-EXISTS: {} is already there and is not replaced",
            path.display()
        )
    );
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert!(!part_of(&path).exists());
}

#[tokio::test]
async fn one_node_fetches_a_container_once_at_a_time() {
    let world = World::new();
    let bytes = noise(4, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let busy = format!("E-BUSY: this node already has manifest {}", manifest.id());
    let bob = world.node("bob").await;
    let mut first = bob.hold(&manifest, &bytes, 0..4).await;
    for what in [
        What::Manifest(manifest.clone()),
        What::Link(alice.node.link(&manifest)),
    ] {
        let options = FetchOptions {
            output: Some(bob.folder.join("elsewhere")),
            ..FetchOptions::default()
        };
        let second = bob.node.fetch(what, options).await.finished().await;
        assert_eq!(second.unwrap_err().to_string(), busy);
    }
    first.fetch.add_peers(vec![alice.hint()]).await;
    first.gets(&bytes).await;
    let again = bob.node.share(manifest, &bob.destination()).await;
    assert_eq!(again.unwrap_err().to_string(), busy);
}

#[tokio::test]
async fn without_a_place_of_its_own_a_container_goes_where_the_node_keeps_them() {
    let world = World::new();
    let bytes = noise(5, MIB);
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(&bytes).await;
    let link = What::Link(alice.node.link(&manifest));
    let options = FetchOptions::default();
    let fetched = bob.node.fetch(link.clone(), options.clone()).await;
    let fetched = { fetched }.finished().await.unwrap();
    let kept = bob.folder.join("home/wwwdata/containers");
    assert_eq!(fetched.path, kept.join(manifest.program_id().to_string()));
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    bob.node.stop().await;

    // Another run of the same node takes it over, and fetches nothing.
    let bob = world.node("bob").await;
    let mut again = bob.node.fetch(link, options).await;
    let again = again.finished().await.unwrap();
    assert_eq!((again.path, again.tally.total.chunks), (fetched.path, 0));
}

#[tokio::test]
async fn a_node_that_stops_frees_its_port_and_its_files() {
    let world = World::new();
    let bytes = noise(6, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let listen = alice.hint().remote;
    let mut alice = alice;
    for _ in 0..8 {
        let mut fetch = {
            let bob = world.node("bob").await;
            let fetch = bob.hold(&manifest, &bytes, 0..4).await;
            bob.node.stop().await;
            fetch
        };
        assert!(matches!(
            fetch.end().await,
            Err(FetchError::Cancelled { .. })
        ));
        alice.node.stop().await;
        let at = |config: &mut swarmhold::Config| config.listen = swarmhold::Listen::At(listen);
        alice = world.node_with("alice", at).await;
    }
    alice.share(&manifest, &bytes).await;
    let bob = world.node("bob").await;
    bob.fetch(&manifest, &[alice.hint()])
        .await
        .gets(&bytes)
        .await;
}
