//! One seeder, one leecher: every size that matters, and content of every sort.

use std::fs;

use swarmhold::create;

use crate::world::{CHUNK, Peer, World, noise, wallet};

const MIB: usize = 1024 * 1024;

/// Publishes these bytes at one node and fetches them at another; checks who gave how much.
async fn travels(bytes: &[u8]) -> swarmhold::Fetched {
    let world = World::new();
    let alice = world.node("alice").await;
    travels_from(&world, alice, bytes).await
}

/// As above, from this node.
async fn travels_from(world: &World, alice: Peer, bytes: &[u8]) -> swarmhold::Fetched {
    let bob = world.node("bob").await;
    let manifest = alice.seed(bytes).await;
    let mut fetch = bob.fetch(&manifest, &[alice.hint()]).await;
    let fetched = fetch.gets(bytes).await;
    assert_eq!(fetched.manifest.id(), manifest.id());
    let total = fetched.tally.total;
    assert_eq!((total.bad_chunks, total.duplicate_bytes), (0, 0));
    if total.chunks > 0 {
        assert_eq!(fetched.tally.accounts[&alice.address()], total);
    }
    fetched
}

#[tokio::test]
async fn containers_of_every_small_size_arrive() {
    for (len, chunks) in [
        (1, 1),
        (CHUNK - 1, 1),
        (CHUNK, 1),
        (CHUNK + 1, 2),
        (3 * MIB + 5, 97),
    ] {
        let fetched = travels(&noise(len as u64, len)).await;
        let total = fetched.tally.total;
        assert_eq!((total.bytes, total.chunks), (len as u64, chunks), "{len} B");
    }
}

#[tokio::test]
async fn the_largest_container_of_small_chunks_arrives() {
    let fetched = travels(&noise(1, 128 * MIB)).await;
    assert_eq!(fetched.manifest.layout().chunk_size(), 32 * 1024);
    assert_eq!(fetched.tally.total.chunks, 4096);
}

#[tokio::test]
async fn one_byte_more_takes_larger_chunks_and_arrives() {
    let fetched = travels(&noise(2, 128 * MIB + 1)).await;
    assert_eq!(fetched.manifest.layout().chunk_size(), 64 * 1024);
    assert_eq!(fetched.tally.total.chunks, 2049);
}

#[tokio::test]
async fn an_empty_file_is_no_container() {
    let world = World::new();
    let alice = world.node("alice").await;
    let path = alice.folder.join("empty");
    fs::write(&path, b"").unwrap();
    let refused = create(&path, &wallet("alice"), "empty", None, |_| {}).unwrap_err();
    let expected = format!("E-SIZE: container is empty: {}", path.display());
    assert_eq!(refused.to_string(), expected);
}

#[tokio::test]
async fn text_travels_compressed() {
    let lines = (0..40_000).map(|line| format!("{line}: all work and no play makes a dull log\n"));
    let text = lines.collect::<String>().into_bytes();
    // on a line that is slower than any processor, so that compressing pays however busy that is
    let world = World::new();
    let alice = world.slow_node("alice", MIB as u64).await;
    let fetched = travels_from(&world, alice, &text).await;
    let total = fetched.tally.total;
    assert_eq!(total.bytes, text.len() as u64);
    assert!(total.wire_bytes * 3 < total.bytes, "{total:?}");
}

#[tokio::test]
async fn what_does_not_shrink_travels_as_it_is() {
    let total = travels(&noise(3, 2 * MIB)).await.tally.total;
    assert_eq!(total.wire_bytes, total.bytes);
}

#[tokio::test]
async fn four_thousand_chunks_that_are_all_alike_arrive() {
    let fetched = travels(&vec![0x5a; 128 * MIB]).await;
    let hashes = fetched.manifest.chunk_hashes();
    assert_eq!(hashes.len(), 4096);
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    let tally = fetched.tally;
    assert_eq!(tally.total.chunks + tally.reused_chunks, 4096);
    assert!(tally.total.chunks <= 2, "{tally:?}");
}

/// M-37. The room for the file is made of zeros, and resuming finds that they are what is wanted.
#[tokio::test]
async fn zeros_arrive_without_travelling() {
    let fetched = travels(&vec![0; 128 * MIB]).await;
    assert_eq!(fetched.manifest.layout().chunk_count(), 4096);
    assert_eq!(fetched.tally.total.chunks, 0);
}
