//! From a link to a manifest: whole links, links that say less, and links that say something false.

use swarmhold::wire::Request;
use swarmhold::{Config, Digest, Discovery, Link, ManifestId, What};

use crate::raw::Fate;
use crate::rogue::{Rogue, honest, manifest_file};
use crate::world::{LONG, SHORT, World, forge, noise, wallet};

#[tokio::test]
async fn any_link_that_names_the_container_leads_to_it() {
    let world = World::new();
    let bytes = noise(1, 300_000);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let whole = alice.node.link(&manifest);
    let without_manifest = Link {
        manifest_id: None,
        ..whole.clone()
    };
    let bare = Link {
        address: None,
        ..without_manifest.clone()
    };
    for (name, link) in [("one", whole), ("two", without_manifest), ("three", bare)] {
        let bob = world.node(name).await;
        let what = What::Link(link.to_string().parse().unwrap());
        let fetched = bob
            .fetch_patiently(what, &[], LONG)
            .await
            .gets(&bytes)
            .await;
        assert_eq!(fetched.manifest, manifest);
    }
}

#[tokio::test]
async fn a_manifest_that_nobody_has_is_not_found() {
    let world = World::new();
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(b"container").await;
    let link = Link {
        manifest_id: Some(ManifestId::new(Digest::of(b"another"))),
        ..alice.node.link(&manifest)
    };
    let mut fetch = bob.fetch_patiently(What::Link(link), &[], SHORT).await;
    let refused = format!("{}: refused: 0x06 NOT_FOUND", alice.hint().remote);
    assert_eq!(fetch.finds_nobody().await, [refused]);
}

#[tokio::test]
async fn whoever_answers_with_another_manifest_is_sent_away() {
    let world = World::new();
    let bytes = noise(2, 100_000);
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(&bytes).await;
    let other = forge(&wallet("mallory"), &bytes, |_| {});
    let mut rogue = Rogue::start(&wallet("mallory"), move |_| manifest_file(&other));
    let link = What::Link(Link::of(&manifest, [rogue.hint().remote]));
    let mut fetch = bob.fetch_patiently(link, &[], LONG).await;
    assert_eq!(rogue.fate().await, Fate::closed(0x10, "PROTOCOL manifest"));
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    let fetched = fetch.gets(&bytes).await;
    assert_eq!(fetched.manifest, manifest);
}

#[tokio::test]
async fn the_owners_address_keeps_out_the_manifests_of_others() {
    let world = World::new();
    let bytes = noise(3, 100_000);
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(&bytes).await;
    let mallory = world.node("mallory").await;
    let theirs = mallory.seed(&bytes).await;
    let link = Link {
        manifest_id: None,
        ..Link::of(&manifest, [mallory.hint().remote])
    };
    let what = What::Link(link);
    let mut fetch = bob.fetch_patiently(what.clone(), &[], SHORT).await;
    let refused = format!(
        "manifest {}: its owner is {}, expected {}",
        theirs.id(),
        mallory.address(),
        alice.address()
    );
    assert_eq!(fetch.finds_nobody().await, [refused]);
    let mut fetch = bob.fetch_patiently(what, &[alice.hint()], LONG).await;
    assert_eq!(fetch.gets(&bytes).await.manifest, manifest);
}

#[tokio::test]
async fn a_manifest_that_is_signed_by_nobody_does_not_pass_for_its_owners() {
    let world = World::new();
    let bytes = noise(4, 100_000);
    let bob = world.node("bob").await;
    let manifest = forge(&wallet("alice"), &bytes, |_| {});
    let draft = swarmhold::manifest::Draft {
        name: "container".to_owned(),
        layout: manifest.layout(),
        program_id: manifest.program_id(),
        chunk_hashes: manifest.chunk_hashes().to_vec(),
        reach: None,
        time: 0,
        peers: Vec::new(),
    };
    let unsigned = std::sync::Arc::new(draft.unsigned(manifest.address()).unwrap());
    assert_eq!(unsigned.id(), manifest.id(), "the same words, unproven");
    let answers = honest(&unsigned, &bytes);
    let rogue = Rogue::start(&wallet("mallory"), move |request: &Request| {
        answers(request)
    });
    let link = Link {
        manifest_id: None,
        ..Link::of(&manifest, [rogue.hint().remote])
    };
    let mut fetch = bob.fetch_patiently(What::Link(link), &[], SHORT).await;
    let refused = format!("manifest {}: it is not signed by its owner", manifest.id());
    assert_eq!(fetch.finds_nobody().await, [refused]);
}

#[tokio::test]
async fn who_was_of_use_is_asked_again_without_being_named() {
    let world = World::new();
    let bytes = noise(21, 1 << 20);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let searching = |config: &mut Config| config.discovery = Discovery::On;
    let bob = world.node_with("bob", searching).await;
    bob.fetch(&manifest, &[alice.hint()])
        .await
        .gets(&bytes)
        .await;
    std::fs::remove_file(bob.destination()).unwrap();
    bob.node.stop().await;
    let bob = world.node_with("bob", searching).await;
    let fetched = bob.fetch(&manifest, &[]).await.gets(&bytes).await;
    assert_eq!(fetched.tally.accounts[&alice.address()].chunks, 32);
}
