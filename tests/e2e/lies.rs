//! Liars and lying manifests: what is kept, who is banned, and who is not.

use std::fs;

use swarmhold::node::FetchError;
use swarmhold::wire::Request;
use swarmhold::{Digest, Link, Manifest, ProgramId, What};

use crate::raw::Fate;
use crate::rogue::{Rogue, honest, raw_chunk};
use crate::world::{CHUNK, SHORT, World, chunk, forge, noise, part_of, right_chunks, wallet};

const MIB: usize = 1024 * 1024;

/// A2. The last seeder comes only when the liar is banned, so the fetch cannot be done before.
#[tokio::test]
async fn a_liar_among_honest_peers_is_banned_and_nothing_wrong_is_kept() {
    let world = World::new();
    let bytes = noise(1, 2 * MIB);
    let (alice, carol) = (world.node("alice").await, world.node("carol").await);
    let manifest = alice.seed(&bytes).await;
    let _half = carol.hold(&manifest, &bytes, 0..32).await;
    let answers = honest(&manifest, &bytes);
    let mut liar = Rogue::start(&wallet("liar"), move |request: &Request| match request {
        Request::Chunk(_) => raw_chunk(&noise(9, CHUNK)),
        other => answers(other),
    });

    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[carol.hint(), liar.hint()]).await;
    bob.until(|status| status.banned == [liar.address()]).await;
    assert_eq!(liar.fate().await, Fate::closed(0x11, "BAD_CHUNK hash"));
    fetch.holds(32).await;
    let right = right_chunks(&part_of(&bob.destination()), &bytes);
    assert!(right >= 32, "{right} chunks are right");
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    let tally = fetch.gets(&bytes).await.tally;
    assert_eq!(tally.accounts[&liar.address()].chunks, 0);
    assert!(tally.accounts[&liar.address()].bad_chunks >= 3);
    assert_eq!(tally.accounts[&alice.address()].bad_chunks, 0);
    assert_eq!(tally.accounts[&carol.address()].bad_chunks, 0);
    bob.node.stop().await;

    let bob = world.node("bob").await;
    let status = bob.status().await;
    assert_eq!(status.banned, [liar.address()], "after a restart");
    let _fetch = bob
        .fetch(&forge(&wallet("x"), b"x", |_| {}), &[liar.hint()])
        .await;
    let banned = Fate::closed(0x12, "BANNED");
    while liar.fate().await != banned {}
}

/// M-35: the chunks are what the manifest says, and together they are something else.
#[tokio::test]
async fn a_manifest_with_a_wrong_total_is_found_out_at_the_end() {
    let world = World::new();
    let bytes = noise(2, MIB);
    let bob = world.node("bob").await;
    let expected = ProgramId::new(Digest::of(b"something else"));
    let manifest = forge(&wallet("mallory"), &bytes, |draft| {
        draft.program_id = expected
    });
    let seeder = Rogue::start(&wallet("seeder"), honest(&manifest, &bytes));
    let mut fetch = bob.fetch(&manifest, &[seeder.hint()]).await;
    let part = part_of(&bob.destination());
    assert_eq!(
        fetch.fails().await,
        format!(
            "E-MANIFEST-POISONED: E-TOTAL: every chunk of {} is right, yet the whole is {}, \
             not {expected}; manifest {} signed by {} is wrong",
            part.display(),
            Digest::of(&bytes),
            manifest.id(),
            wallet("mallory").address()
        )
    );
    assert!(!bob.destination().exists());
    assert!(fs::read(part).unwrap() == bytes, "for a better manifest");
    let status = bob.until(|status| status.containers.is_empty()).await;
    assert!(status.banned.is_empty());
}

/// M-36: the whole is what the manifest says, but not one of the chunks.
#[tokio::test]
async fn a_chunk_that_three_peers_fail_is_the_manifests_fault() {
    let world = World::new();
    let bytes = noise(3, MIB);
    let bob = world.node("bob").await;
    let manifest = forge(&wallet("mallory"), &bytes, |draft| {
        draft.chunk_hashes[17] = Digest::of(b"something else");
    });
    let seeders = ["one", "two", "three"];
    let seeders = seeders.map(|name| Rogue::start(&wallet(name), honest(&manifest, &bytes)));
    let hints = seeders.each_ref().map(Rogue::hint);
    let mut fetch = bob.fetch_patiently(bare(&manifest), &hints, SHORT).await;
    let error = fetch.end().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "E-CHUNK-HASH: chunk 17 failed from 3 peers; manifest {} signed by {} suspected",
            manifest.id(),
            manifest.address()
        )
    );
    assert!(matches!(error, FetchError::Suspected { chunk: at, .. } if at == chunk(17)));
    assert!(!bob.destination().exists());
    let status = bob.until(|status| status.containers.is_empty()).await;
    assert!(status.banned.is_empty());
}

/// A stranger's manifest for a container that its publisher shares too: each has its own swarm.
#[tokio::test]
async fn a_poisoned_manifest_does_not_disturb_the_right_one() {
    let world = World::new();
    let bytes = noise(4, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let other = noise(5, MIB);
    let poisoned = forge(&wallet("mallory"), &other, |draft| {
        draft.program_id = manifest.program_id();
    });
    let mallory = Rogue::start(&wallet("mallory"), honest(&poisoned, &other));
    let bob = world.node("bob").await;
    let one = bob
        .fetch(&manifest, &[alice.hint()])
        .await
        .gets(&bytes)
        .await;
    assert_eq!(one.manifest, manifest);
    let carol = world.node("carol").await;
    let hints = [alice.hint(), mallory.hint()];
    let error = carol.fetch(&poisoned, &hints).await.end().await;
    assert!(
        matches!(error, Err(FetchError::Poisoned { .. })),
        "{error:?}"
    );
    assert!(carol.status().await.banned.is_empty());
}

/// A link that names the container and nothing else.
fn bare(manifest: &Manifest) -> What {
    What::Link(Link {
        manifest_id: None,
        address: None,
        ..Link::of(manifest, [])
    })
}
