//! Bits that rot in what a node has fetched: found, not served, and fetched again from the swarm.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use swarmhold::node::{Fetched, Scrub};

use crate::world::{CHUNK, Peer, World, noise, within};

/// Flips a bit, as a medium does: the file's time stays.
pub(crate) fn rot(path: &Path, at: usize) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
    file.set_modified(modified).unwrap();
}

/// Alice, who shares these bytes, and bob, who has fetched them.
async fn fetched(world: &World, bytes: &[u8]) -> (Peer, Peer, Fetched) {
    let [alice, bob] = [world.node("alice").await, world.node("bob").await];
    let manifest = alice.seed(bytes).await;
    let mut fetching = bob.fetch(&manifest, &[alice.hint()]).await;
    let fetched = fetching.gets(bytes).await;
    (alice, bob, fetched)
}

#[tokio::test]
async fn what_rots_is_found_and_fetched_again() {
    let world = World::new();
    let bytes = noise(3, 40 * CHUNK);
    let (_alice, bob, fetched) = fetched(&world, &bytes).await;
    let clean = Scrub {
        read: 40,
        ..Scrub::default()
    };
    assert_eq!(within(bob.node.scrub()).await.unwrap(), clean);

    for chunk in [0, 7, 8, 39] {
        rot(&fetched.path, chunk * CHUNK + 11);
    }
    let found = within(bob.node.scrub()).await.unwrap();
    assert_eq!(found, Scrub { rotten: 4, ..clean });
    bob.until_container(|it| it.held == 40 && it.tally.total.chunks == 44)
        .await;
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(within(bob.node.scrub()).await.unwrap(), clean);
}

#[tokio::test]
async fn what_its_owner_has_changed_is_neither_served_nor_mended() {
    let world = World::new();
    let bytes = noise(4, 10 * CHUNK);
    let (_alice, bob, fetched) = fetched(&world, &bytes).await;
    let mut file = File::options().write(true).open(&fetched.path).unwrap();
    file.write_all(b"mine").unwrap();
    drop(file);
    bob.until_container(|it| it.held == 9).await;
    let found = within(bob.node.scrub()).await.unwrap();
    assert_eq!(
        (found.read, found.rotten),
        (9, 0),
        "it is not even looked at"
    );
    assert_eq!(&fs::read(&fetched.path).unwrap()[..4], b"mine");
}
