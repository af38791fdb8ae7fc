//! Nodes that know nothing of each other but a SwarmMaster.

use std::fs;

use swarmhold::node::{Mode, Search, SearchOutcome, SwarmMaster, Whom};
use swarmhold::{Link, Node, What};

use crate::world::{LONG, Peer, World, noise, within};

/// Words to search for, without filters.
pub(crate) fn words(text: &str) -> Search {
    Search::new(text, Mode::Words)
}

/// The names that a search found.
pub(crate) fn names(outcome: &SearchOutcome) -> Vec<String> {
    outcome.found.iter().map(|it| it.hit.name.clone()).collect()
}

/// Waits until a master lists so many registrations.
pub(crate) async fn lists(master: &SwarmMaster, holders: u64) {
    let mut status = master.status();
    let listed = within(status.wait_for(|now| now.index.holders == holders)).await;
    listed.expect("the master runs");
}

/// Waits until a node's masters have listed so many of its containers, all together.
pub(crate) async fn is_listed(peer: &Peer, count: usize) {
    let listed = |status: &swarmhold::Status| {
        status.masters.iter().map(|it| it.listed).sum::<usize>() == count
    };
    peer.until(listed).await;
}

/// A container of this name and these bytes.
pub(crate) async fn publish(
    peer: &Peer,
    name: &str,
    bytes: &[u8],
) -> std::sync::Arc<swarmhold::Manifest> {
    let path = peer.folder.join(name);
    fs::write(&path, bytes).unwrap();
    peer.seed_as(name, &path).await
}

#[tokio::test]
async fn a_link_without_an_address_is_enough_where_both_know_a_master() {
    let world = World::new();
    let master = world.master("master").await;
    let bytes = noise(1, 1_000_000);
    let seeder = world.member("seeder", &[&master]).await;
    let manifest = seeder.seed(&bytes).await;
    let leecher = world.member("leecher", &[&master]).await;
    is_listed(&seeder, 1).await;

    let named = Link::of(&manifest, []);
    let bare = Link {
        manifest_id: None,
        address: None,
        ..named.clone()
    };
    let mut fetching = leecher.fetch_patiently(What::Link(named), &[], LONG).await;
    fetching.gets(&bytes).await;
    // the leecher holds it too now, and says so
    is_listed(&leecher, 1).await;
    let third = world.member("third", &[&master]).await;
    let mut fetching = third.fetch_patiently(What::Link(bare), &[], LONG).await;
    fetching.gets(&bytes).await;
}

#[tokio::test]
async fn the_masters_of_a_link_are_asked_by_nodes_that_have_none() {
    let world = World::new();
    let master = world.master("master").await;
    let bytes = noise(2, 300_000);
    let seeder = world.member("seeder", &[&master]).await;
    let manifest = seeder.seed(&bytes).await;
    is_listed(&seeder, 1).await;
    let mut link = seeder.node.link(&manifest);
    assert_eq!(link.masters, [master.hint()]);
    link.peers.clear();
    let link: Link = link.to_string().parse().unwrap();
    let leecher = world
        .node_with("leecher", |config| {
            config.discovery = swarmhold::Discovery::On
        })
        .await;
    let mut fetching = leecher.fetch_patiently(What::Link(link), &[], LONG).await;
    fetching.gets(&bytes).await;
}

#[tokio::test]
async fn names_are_found_through_all_masters_and_through_peers() {
    let world = World::new();
    let (one, other) = (world.master("one").await, world.master("other").await);
    let alice = world.member("alice", &[&one, &other]).await;
    let bob = world.member("bob", &[&other]).await;
    publish(&alice, "ubuntu-24.04-amd64.iso", &noise(3, 50_000)).await;
    publish(&alice, "ubuntu-24.04-arm64.iso", &noise(4, 40_000)).await;
    publish(&bob, "debian-12-amd64.iso", &noise(5, 30_000)).await;
    is_listed(&alice, 4).await;
    is_listed(&bob, 1).await;

    let seeker = world.member("seeker", &[&one, &other]).await;
    let search = |text: &str| seeker.node.search(words(text), Whom::Masters, Vec::new());
    let mut found = names(&search("amd64").await);
    found.sort();
    assert_eq!(found, ["debian-12-amd64.iso", "ubuntu-24.04-amd64.iso"]);
    let arm = search("UBUNTU arm").await;
    assert_eq!(names(&arm), ["ubuntu-24.04-arm64.iso"]);
    let hit = &arm.found[0];
    assert_eq!((hit.hit.size, hit.hit.seeders, hit.told_by), (40_000, 1, 2));
    assert_eq!(hit.hit.owner, alice.address());
    let nothing = search("fedora").await;
    assert_eq!(names(&nothing), Vec::<String>::new());
    assert!(nothing.masters.iter().all(|it| it.outcome.is_ok()));

    // a node without masters asks peers for what they have
    let lone = world.node("lone").await;
    let search = words("debian");
    let outcome = lone
        .node
        .search(search, Whom::Everybody, vec![bob.hint(), alice.hint()])
        .await;
    assert_eq!(
        (names(&outcome), outcome.peers),
        (vec!["debian-12-amd64.iso".to_owned()], 2)
    );
}

#[tokio::test]
async fn what_is_not_shared_any_more_is_not_found() {
    let world = World::new();
    let master = world.master("master").await;
    let alice = world.member("alice", &[&master]).await;
    publish(&alice, "app.tar", &noise(6, 50_000)).await;
    lists(&master, 1).await;
    let Peer { node, .. } = alice;
    node.stop().await;
    lists(&master, 0).await;
    let seeker = world.member("seeker", &[&master]).await;
    let outcome = seeker
        .node
        .search(words("app"), Whom::Masters, Vec::new())
        .await;
    assert_eq!(names(&outcome), Vec::<String>::new());
}

#[tokio::test]
async fn a_master_that_restarts_knows_what_it_knew_and_nodes_come_back() {
    let world = World::new();
    let master = world.master("master").await;
    let at = master.listen_address();
    let alice = world.member("alice", &[&master]).await;
    let bytes = noise(7, 200_000);
    let manifest = publish(&alice, "app.tar", &bytes).await;
    lists(&master, 1).await;
    master.stop().await;
    alice
        .until(|status| status.masters.iter().all(|it| !it.is_up))
        .await;

    let master = world.master_at("master", at).await;
    // at once, before anybody has said anything again
    let seeker = world.member("seeker", &[&master]).await;
    let outcome = seeker
        .node
        .search(words("app"), Whom::Masters, Vec::new())
        .await;
    assert_eq!(names(&outcome), ["app.tar"]);
    is_listed(&alice, 1).await;
    let link = Link::of(&manifest, []);
    let mut fetching = seeker.fetch_patiently(What::Link(link), &[], LONG).await;
    fetching.gets(&bytes).await;
}

#[tokio::test]
async fn who_is_no_master_is_not_taken_for_one() {
    let world = World::new();
    let node = world.node("node").await;
    let hint = format!("{}@{}", node.address(), node.node.listen_address());
    let masters = vec![hint.parse().unwrap()];
    let alice = world
        .node_with("alice", |config| config.masters = masters)
        .await;
    let outcome = alice
        .node
        .search(words("app"), Whom::Masters, Vec::new())
        .await;
    assert_eq!(outcome.masters.len(), 1);
    assert!(outcome.masters[0].outcome.is_err(), "{outcome:?}");
    assert!(outcome.found.is_empty());
}

/// What a node says of its masters.
pub(crate) fn doubted(node: &Node) -> Vec<bool> {
    let status = node.status().borrow().clone();
    status.masters.iter().map(|it| it.is_doubted).collect()
}
