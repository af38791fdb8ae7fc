//! Bytes that a node has already are copied, not fetched.

use std::fs;
use std::sync::Arc;

use swarmhold::{FetchOptions, Rates, What};

use crate::world::{CHUNK, World, noise, within};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn what_another_container_holds_is_not_fetched() {
    let world = World::new();
    let old = noise(1, 2 * MIB);
    // 16 chunks in other places, the rest is new
    let mut new = noise(2, 2 * MIB);
    new[40 * CHUNK..56 * CHUNK].copy_from_slice(&old[..16 * CHUNK]);
    let (alice, carol) = (world.node("alice").await, world.node("carol").await);
    let (_, manifest) = (alice.seed(&old).await, carol.seed(&new).await);
    let bob = world.node("bob").await;
    bob.seed(&old).await;
    let fetched = bob.fetch(&manifest, &[carol.hint()]).await.gets(&new).await;
    assert_eq!(
        (fetched.tally.total.chunks, fetched.tally.reused_chunks),
        (48, 16)
    );
    assert_eq!(fetched.tally.reused_bytes, 16 * CHUNK as u64);
}

#[tokio::test]
async fn bytes_that_changed_under_us_are_fetched_after_all() {
    let world = World::new();
    let bytes = noise(3, MIB);
    let mut new = bytes.clone();
    new.extend(noise(4, MIB));
    let carol = world.node("carol").await;
    let manifest = carol.seed(&new).await;
    let bob = world.node("bob").await;
    bob.seed(&bytes).await;
    let mut spoiled = bytes.clone();
    for chunk in spoiled.chunks_mut(CHUNK).skip(8) {
        chunk[0] ^= 1;
    }
    fs::write(bob.folder.join("container"), &spoiled).unwrap();
    let fetched = bob.fetch(&manifest, &[carol.hint()]).await.gets(&new).await;
    assert_eq!(
        (fetched.tally.total.chunks, fetched.tally.reused_chunks),
        (56, 8)
    );
}

#[tokio::test]
async fn what_comes_to_be_here_meanwhile_is_not_fetched_any_more() {
    let world = World::new();
    let bytes = noise(5, 2 * MIB);
    let mut new = bytes.clone();
    new.push(1);
    let alice = world.slow_node("alice", 1).await;
    let manifest = alice.seed(&new).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
    fetch.holds(0).await;
    bob.seed(&bytes).await;
    alice.node.limit(Rates::default()).await;
    let fetched = fetch.gets(&new).await;
    let tally = fetched.tally;
    assert_eq!(tally.total.chunks + tally.reused_chunks, 65);
    assert!(tally.reused_chunks >= 32, "{}", tally.reused_chunks);
}

#[tokio::test]
async fn four_thousand_identical_chunks_travel_once() {
    let world = World::new();
    let bytes = [noise(6, CHUNK), noise(7, CHUNK)].concat().repeat(2048);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    let fetched = bob
        .fetch(&manifest, &[alice.hint()])
        .await
        .gets(&bytes)
        .await;
    assert_eq!(
        (fetched.tally.total.chunks, fetched.tally.reused_chunks),
        (2, 4094)
    );
    assert_eq!(fetched.tally.total.bytes, 2 * CHUNK as u64);
}

/// The library: what was fetched or shared once, and is in no use now.
#[tokio::test]
async fn a_second_version_fetches_only_what_changed() {
    let world = World::new();
    let old = noise(8, 3 * MIB);
    let mut new = old.clone();
    // ten chunks are others, and the whole has moved on by four
    new[20 * CHUNK..30 * CHUNK].copy_from_slice(&noise(9, 10 * CHUNK));
    new.splice(..0, noise(10, 4 * CHUNK));
    let carol = world.node("carol").await;
    let first = carol.seed(&old).await;
    let path = carol.folder.join("second");
    fs::write(&path, &new).unwrap();
    let second = carol.seed_file(&path).await;
    for name in ["kept", "elsewhere", "shared"] {
        let before = world.node(name).await;
        let options = FetchOptions {
            output: (name == "elsewhere").then(|| before.folder.join("elsewhere")),
            peers: vec![carol.hint()],
            ..FetchOptions::default()
        };
        match name {
            "shared" => drop(before.seed(&old).await),
            _ => {
                let what = What::Manifest(Arc::clone(&first));
                let mut fetch = before.node.fetch(what, options).await;
                within(fetch.finished()).await.unwrap();
            }
        }
        before.node.stop().await;
        let after = world.node(name).await;
        let fetched = after.fetch(&second, &[carol.hint()]).await.gets(&new).await;
        assert_eq!(
            (fetched.tally.total.chunks, fetched.tally.reused_chunks),
            (14, 86),
            "{name}"
        );
        after.node.stop().await;
    }
}

#[tokio::test]
async fn a_library_that_rots_or_is_gone_costs_what_it_lacks() {
    let world = World::new();
    let old = noise(11, MIB);
    let mut new = old.clone();
    new.extend(noise(12, MIB));
    let carol = world.node("carol").await;
    let second = carol.seed(&new).await;
    for (name, lost) in [("bob", 8), ("dave", 32)] {
        let before = world.node(name).await;
        before.seed(&old).await;
        before.node.stop().await;
        let after = world.node(name).await;
        let file = after.folder.join("container");
        if lost == 32 {
            fs::remove_file(&file).unwrap();
        } else {
            let mut rotten = old.clone();
            rotten
                .chunks_mut(CHUNK)
                .skip(24)
                .for_each(|chunk| chunk[7] ^= 1);
            fs::write(&file, rotten).unwrap();
        }
        let fetched = after.fetch(&second, &[carol.hint()]).await.gets(&new).await;
        let tally = &fetched.tally;
        assert_eq!(
            (tally.total.chunks, tally.reused_chunks),
            (32 + lost, 32 - lost),
            "{name}"
        );
        after.node.stop().await;
    }
}

/// The same container once more, to another place: what lies elsewhere already is copied as far as it is
/// right.
#[tokio::test]
async fn a_container_that_lies_elsewhere_is_copied_from_there() {
    let world = World::new();
    let bytes = noise(13, MIB);
    let carol = world.node("carol").await;
    let manifest = carol.seed(&bytes).await;
    for (name, places) in [
        ("from her own folder", [None, Some("second")]),
        ("into her own folder", [Some("first"), None]),
        ("to another path", [Some("first"), Some("second")]),
    ] {
        for rotten in [0, 3] {
            let name = format!("{name}, {rotten} rotten");
            let before = world.node(&name).await;
            let options = |place: Option<&str>, peers| FetchOptions {
                output: place.map(|place| before.folder.join(place)),
                peers,
                ..FetchOptions::default()
            };
            let [first, second] = places.map(|place| options(place, vec![carol.hint()]));
            let what = || What::Manifest(Arc::clone(&manifest));
            let mut fetch = before.node.fetch(what(), first).await;
            let path = within(fetch.finished()).await.unwrap().path;
            before.node.stop().await;
            let mut spoiled = bytes.clone();
            for chunk in spoiled.chunks_mut(CHUNK).take(rotten) {
                chunk[5] ^= 1;
            }
            fs::write(&path, &spoiled).unwrap();

            let after = world.node(&name).await;
            let alone = FetchOptions {
                peers: Vec::new(),
                ..second.clone()
            };
            let how = if rotten == 0 { alone } else { second };
            let mut fetch = after.node.fetch(what(), how).await;
            let fetched = within(fetch.finished()).await.unwrap();
            assert!(fetched.path != path && fs::read(&fetched.path).unwrap() == bytes);
            let tally = &fetched.tally;
            let expected = (rotten as u64, 32 - rotten as u64);
            assert_eq!(
                (tally.total.chunks, tally.reused_chunks),
                expected,
                "{name}"
            );
            assert!(fs::read(&path).unwrap() == spoiled, "it is only read");
            after.node.stop().await;
        }
    }
}
