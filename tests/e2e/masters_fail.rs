//! Masters that die, and masters that lie: downloads go on.

use std::sync::Arc;

use swarmhold::node::{SwarmMaster, Whom};
use swarmhold::wire::frame::{encode_listing, encode_reply};
use swarmhold::wire::{Extent, Hit, Holder, Holding, Listing, Nonce, Reply, Request, Wanted};
use swarmhold::{Address, Config, Digest, Link, Manifest, ManifestId, What};

use crate::masters::{doubted, is_listed, lists, names, publish, words};
use crate::rogue::{Rogue, Say};
use crate::world::{LONG, World, noise, wallet};

/// A master that names peers who are not there, or of something else, and describes a container falsely.
fn liar(manifest: &Manifest, names_others: bool) -> Rogue {
    let (id, program_id) = (manifest.id(), manifest.program_id());
    let (owner, name) = (manifest.address(), manifest.name().to_owned());
    let size = manifest.layout().size();
    Rogue::start(&wallet("liar"), move |request| {
        let reply = |reply: Reply| Say::Bytes(encode_reply(&reply));
        match request {
            Request::Enlist => reply(Reply::Enlisted {
                nonce: Nonce([1; 16]),
                observed: "198.51.100.7:7922".parse().unwrap(),
                ttl_s_max: 1800,
            }),
            Request::Register(_) => reply(Reply::Registered { ttl_s: 600 }),
            Request::Withdraw { .. } => reply(Reply::Withdrawn),
            Request::Lookup { wanted, .. } => {
                let manifest_id = match (names_others, wanted) {
                    (false, Wanted::Manifest(id)) => *id,
                    _ => ManifestId::new(Digest::of(b"another")),
                };
                reply(Reply::Holders(
                    (1..=50).map(|at| nobody(manifest_id, at)).collect(),
                ))
            }
            Request::Search(_) => {
                let hit = Hit {
                    manifest_id: id,
                    program_id,
                    owner,
                    name: name.clone(),
                    size: size * 1000,
                    time: 0,
                    seeders: 99,
                    peers: 99,
                };
                let found = encode_reply(&Reply::Found(Extent::Whole));
                let listing = encode_listing(&Listing::Hits(vec![hit]));
                Say::Bytes([found, listing].concat())
            }
            _ => Say::Reset(0x06),
        }
    })
}

/// A peer that is not there: nothing listens on these ports of loopback.
fn nobody(manifest_id: ManifestId, at: u16) -> Holder {
    Holder {
        address: Address::new(Digest::of(&at.to_le_bytes())),
        manifest_id,
        held: Holding {
            chunks: 4,
            map: u64::MAX,
        },
        at: [Some(([127, 0, 0, 99], 2000 + at).into()), None, None],
    }
}

fn hint_of(liar: &Rogue) -> String {
    let hint = liar.hint();
    format!("{}@{}", liar.address(), hint.remote)
}

#[tokio::test]
async fn of_three_masters_one_dies_and_one_lies_and_downloads_go_on() {
    let world = World::new();
    let (good, dying) = (world.master("good").await, world.master("dying").await);
    let bytes = noise(1, 3_000_000);
    let seeder = world
        .node_with("seeder", |config| {
            config.masters = vec![good.hint().parse().unwrap(), dying.hint().parse().unwrap()];
            config.upload_rate_max = Some(1_500_000);
        })
        .await;
    let manifest = publish(&seeder, "app.tar", &bytes).await;
    is_listed(&seeder, 2).await;
    let liar = liar(&manifest, true);
    let masters: Vec<String> = vec![hint_of(&liar), dying.hint(), good.hint()];
    let leecher = world
        .node_with("leecher", |config| {
            config.masters = masters.iter().map(|hint| hint.parse().unwrap()).collect();
        })
        .await;

    // what two say counts, and not what one says
    let outcome = leecher
        .node
        .search(words("app"), Whom::Masters, Vec::new())
        .await;
    assert_eq!(names(&outcome), ["app.tar"]);
    assert_eq!(outcome.found[0].hit.size, 3_000_000);

    let link = Link::of(&manifest, []);
    let mut fetching = leecher.fetch_patiently(What::Link(link), &[], LONG).await;
    fetching.holds(5).await;
    dying.stop().await;
    let fetched = fetching.gets(&bytes).await;
    assert_eq!(fetched.tally.sources(), 1);
    leecher.until(|status| status.masters[0].is_doubted).await;
    assert_eq!(doubted(&leecher.node), [true, false, false]);
    // it is listed with those that are there
    lists(&good, 2).await;
}

#[tokio::test]
async fn a_master_that_describes_a_container_falsely_is_found_out_by_its_manifest() {
    let world = World::new();
    let good: SwarmMaster = world.master("good").await;
    let bytes = noise(2, 200_000);
    let seeder = world.member("seeder", &[&good]).await;
    let manifest: Arc<Manifest> = publish(&seeder, "app.tar", &bytes).await;
    is_listed(&seeder, 1).await;
    // it names nobody wrongly, and only lies about the size
    let liar = liar(&manifest, false);
    let hints = [hint_of(&liar), good.hint()];
    let with_both = |config: &mut Config| {
        config.masters = hints.iter().map(|hint| hint.parse().unwrap()).collect();
    };
    let leecher = world.node_with("leecher", with_both).await;
    let outcome = leecher
        .node
        .search(words("app"), Whom::Masters, Vec::new())
        .await;
    assert_eq!(names(&outcome), ["app.tar"]);
    let link = Link::of(&manifest, []);
    let mut fetching = leecher.fetch_patiently(What::Link(link), &[], LONG).await;
    fetching.gets(&bytes).await;
    leecher.until(|status| status.masters[0].is_doubted).await;
    assert_eq!(doubted(&leecher.node), [true, false]);
    // from now on what others say of it counts more
    let outcome = leecher
        .node
        .search(words("app"), Whom::Masters, Vec::new())
        .await;
    assert_eq!(outcome.found[0].hit.size, 200_000);
    // and in the next run as well
    leecher.node.stop().await;
    let leecher = world.node_with("leecher", with_both).await;
    let status = leecher
        .until(|status| status.masters.iter().filter(|it| it.is_up).count() == 2)
        .await;
    let is_doubted = status.masters.iter().map(|it| it.is_doubted);
    assert_eq!(is_doubted.collect::<Vec<_>>(), [true, false]);
}
