//! Nodes that cannot reach each other transfer through a SwarmMaster.
//!
//! One speaks IPv6 alone and the other IPv4 alone; the master speaks both.

use std::net::{IpAddr, SocketAddr};

use swarmhold::node::{PeerPath, RelayUse, SwarmMaster, Whom};
use swarmhold::{Config, Link, Listen, Status, What};
use tokio::net::UdpSocket;

use crate::masters::{is_listed, names, publish, words};
use crate::world::{LONG, Peer, SHORT, World, noise, within};

const V4: &str = "127.0.0.1";
const V6: &str = "::1";

/// A node that speaks only this one of the protocols, and knows the master.
pub(crate) async fn island(world: &World, name: &str, ip: &str, master: &SwarmMaster) -> Peer {
    island_with(world, name, ip, master, |_| {}).await
}

async fn island_with(
    world: &World,
    name: &str,
    ip: &str,
    master: &SwarmMaster,
    change: impl FnOnce(&mut Config),
) -> Peer {
    let ip: IpAddr = ip.parse().unwrap();
    let at = SocketAddr::new(ip, master.listen_address().port());
    let hint = format!("{}@{at}", master.address());
    world
        .node_with(name, |config| {
            config.listen = Listen::At(SocketAddr::new(ip, 0));
            config.masters = vec![hint.parse().unwrap()];
            change(config);
        })
        .await
}

/// A master that both reach.
pub(crate) async fn between(world: &World) -> SwarmMaster {
    world.master_at("master", everywhere()).await
}

pub(crate) fn everywhere() -> SocketAddr {
    "[::]:0".parse().unwrap()
}

fn link(manifest: &swarmhold::Manifest) -> What {
    What::Link(Link::of(manifest, []))
}

/// How the peers of a node's only container are connected.
fn paths(status: &Status) -> Vec<PeerPath> {
    let containers = status.containers.iter();
    let peers = containers.flat_map(|container| &container.peers);
    peers.map(|peer| peer.path).collect()
}

fn is_direct(path: &PeerPath) -> bool {
    !matches!(path, PeerPath::Relayed { .. })
}

fn is_only_direct(status: &Status) -> bool {
    matches!(&paths(status)[..], [path] if is_direct(path))
}

/// Waits until the master has no channel open.
async fn is_quiet(master: &SwarmMaster) {
    let mut status = master.status();
    let quiet = within(status.wait_for(|now| now.relay.channels == 0)).await;
    quiet.expect("the master runs");
}

#[tokio::test]
async fn a_container_comes_through_a_master_where_there_is_no_other_way() {
    let world = World::new();
    let master = between(&world).await;
    let bytes = noise(1, 2_000_000);
    let seeder = island(&world, "seeder", V6, &master).await;
    let manifest = publish(&seeder, "app.tar", &bytes).await;
    is_listed(&seeder, 1).await;
    let leecher = island(&world, "leecher", V4, &master).await;
    let mut fetching = leecher.fetch_patiently(link(&manifest), &[], LONG).await;
    fetching.holds(1).await;
    let through = |path: &PeerPath| matches!(path, PeerPath::Relayed { master: it, .. } if *it == master.address());
    let status = leecher.status().await;
    assert!(paths(&status).iter().all(through));
    let fetched = fetching.gets(&bytes).await;
    assert_eq!(fetched.tally.accounts[&seeder.address()].bytes, 2_000_000);
    leecher.node.stop().await;
    is_quiet(&master).await;
    let carried = master.status().borrow().relay;
    assert!(carried.bytes > 2_000_000, "{carried:?}");
    assert_eq!((carried.opened, carried.refused, carried.strays), (1, 0, 0));
}

#[tokio::test]
async fn who_does_not_want_a_relay_is_not_relayed() {
    let world = World::new();
    let master = between(&world).await;
    let bytes = noise(2, 100_000);
    let off = |config: &mut Config| config.relay = RelayUse::Off;
    let willing = island(&world, "willing", V6, &master).await;
    let unwilling = island_with(&world, "unwilling", V6, &master, off).await;
    let manifest = publish(&unwilling, "app.tar", &bytes).await;
    is_listed(&unwilling, 1).await;
    let leecher = island(&world, "leecher", V4, &master).await;
    let mut fetching = leecher.fetch_patiently(link(&manifest), &[], SHORT).await;
    let tried = fetching.finds_nobody().await.join("\n");
    assert!(tried.contains("E-RELAY-DENIED"), "{tried}");

    // and neither does who would be the one to ask
    let other = publish(&willing, "other.tar", &noise(3, 100_000)).await;
    is_listed(&willing, 1).await;
    let loner = island_with(&world, "loner", V4, &master, off).await;
    let mut fetching = loner.fetch_patiently(link(&other), &[], SHORT).await;
    let tried = fetching.finds_nobody().await.join("\n");
    assert!(!tried.contains("E-RELAY"), "{tried}");
    assert_eq!(master.status().borrow().relay.bytes, 0);
}

#[tokio::test]
async fn a_master_that_carries_nothing_says_so() {
    let world = World::new();
    let master = world
        .master_with("master", everywhere(), |config| config.relay_rate = None)
        .await;
    let seeder = island(&world, "seeder", V6, &master).await;
    let manifest = publish(&seeder, "app.tar", &noise(4, 100_000)).await;
    is_listed(&seeder, 1).await;
    let leecher = island(&world, "leecher", V4, &master).await;
    let mut fetching = leecher.fetch_patiently(link(&manifest), &[], SHORT).await;
    let tried = fetching.finds_nobody().await.join("\n");
    assert!(tried.contains("through the SwarmMaster"), "{tried}");
}

#[tokio::test]
async fn a_transfer_goes_on_when_its_master_is_back() {
    let world = World::new();
    let master = between(&world).await;
    let port = master.listen_address().port();
    let bytes = noise(5, 3_000_000);
    let seeder = island_with(&world, "seeder", V6, &master, |config| {
        config.upload_rate_max = Some(1_000_000);
    })
    .await;
    let manifest = publish(&seeder, "app.tar", &bytes).await;
    is_listed(&seeder, 1).await;
    let leecher = island(&world, "leecher", V4, &master).await;
    let mut fetching = leecher.fetch_patiently(link(&manifest), &[], LONG).await;
    fetching.holds(5).await;
    master.stop().await;
    // it is over at once for both, and not when a timer says so
    leecher.until(|status| paths(status).is_empty()).await;
    seeder.until(|status| paths(status).is_empty()).await;
    let back = SocketAddr::new(everywhere().ip(), port);
    let master = world.master_at("master", back).await;
    let fetched = fetching.gets(&bytes).await;
    assert_eq!(fetched.tally.total.bad_chunks, 0);
    assert!(master.status().borrow().relay.bytes > 0);
}

#[tokio::test]
async fn questions_are_answered_while_a_master_carries() {
    let world = World::new();
    let master = between(&world).await;
    let bytes = noise(6, 16_000_000);
    let seeder = island(&world, "seeder", V6, &master).await;
    let manifest = publish(&seeder, "app.tar", &bytes).await;
    is_listed(&seeder, 1).await;
    let leecher = island(&world, "leecher", V4, &master).await;
    let asker = island(&world, "asker", V4, &master).await;
    let mut fetching = leecher.fetch_patiently(link(&manifest), &[], LONG).await;
    fetching.holds(1).await;
    let searching = async {
        // as many as one wallet may ask at once
        for _ in 0..50 {
            let search = words("app");
            let outcome = asker.node.search(search, Whom::Masters, Vec::new()).await;
            assert_eq!(names(&outcome), ["app.tar"]);
        }
        std::future::pending::<()>().await;
    };
    let before = master.status().borrow().searches;
    tokio::select! {
        () = searching => {}
        fetched = fetching.gets(&bytes) => assert_eq!(fetched.tally.sources(), 1),
    }
    let mut status = master.status();
    let answered = within(status.wait_for(|now| now.searches >= before + 3)).await;
    answered.expect("the master runs");
}

/// Carries what is sent to it to this address, and answers back: a way that was not there before.
async fn way_to(target: SocketAddr) -> SocketAddr {
    let here = UdpSocket::bind((V4, 0)).await.unwrap();
    let there = UdpSocket::bind((V6, 0)).await.unwrap();
    there.connect(target).await.unwrap();
    let at = here.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut asker, mut one, mut other) = (None, [0; 65_535], [0; 65_535]);
        loop {
            tokio::select! {
                Ok((len, from)) = here.recv_from(&mut one) => {
                    asker = Some(from);
                    let _ = there.send(&one[..len]).await;
                }
                Ok(len) = there.recv(&mut other) => {
                    if let Some(asker) = asker {
                        let _ = here.send_to(&other[..len], asker).await;
                    }
                }
            }
        }
    });
    at
}

#[tokio::test]
async fn a_direct_connection_takes_over_and_nothing_is_fetched_twice() {
    let world = World::new();
    let master = between(&world).await;
    let bytes = noise(7, 4_000_000);
    let seeder = island_with(&world, "seeder", V6, &master, |config| {
        config.upload_rate_max = Some(600_000);
    })
    .await;
    let manifest = publish(&seeder, "app.tar", &bytes).await;
    is_listed(&seeder, 1).await;
    let leecher = island(&world, "leecher", V4, &master).await;
    let mut fetching = leecher.fetch_patiently(link(&manifest), &[], LONG).await;
    fetching.holds(3).await;
    assert_eq!(master.status().borrow().relay.opened, 1);
    let mut hint = seeder.hint();
    hint.remote = way_to(hint.remote).await;
    fetching.fetch.add_peers(vec![hint]).await;
    leecher
        .until(|status| paths(status).iter().any(is_direct))
        .await;
    // what is left of the relayed one goes, and it does not come back
    leecher.until(is_only_direct).await;
    seeder.until(is_only_direct).await;
    is_quiet(&master).await;
    let fetched = fetching.gets(&bytes).await;
    let total = fetched.tally.total;
    assert_eq!((total.bytes, total.bad_chunks), (4_000_000, 0));
    // at most what was under way when the relayed one ended
    assert!(total.duplicate_bytes <= 400_000, "{total:?}");
    assert_eq!(master.status().borrow().relay.opened, 1);
}
