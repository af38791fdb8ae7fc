//! Poisoned manifests (DESIGN section 4): strangers publish what they like for a program id.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use swarmhold::node::{FetchError, Proof, ShareError};
use swarmhold::wire::{Reply, Request};
use swarmhold::{Digest, Link, Manifest, PeerHint, ProgramId, What};

use crate::raw::{Raw, reply_in};
use crate::rogue::{Rogue, Say, honest};
use crate::world::{CHUNK, LONG, Peer, SHORT, World, forge, noise, part_of, wallet};

const MIB: usize = 1024 * 1024;
/// Chunks of a container of 1 MiB.
const CHUNKS: u64 = 32;
/// Poisoned manifests that a fetch pays for, at most.
const ATTEMPTS: u64 = 3;
const NOT_FOUND: u32 = 0x06;

/// Somebody who vouches for one manifest, sends these bytes for it, and knows no other.
struct Voucher {
    rogue: Rogue,
    asked: Arc<AtomicU64>,
}

impl Voucher {
    fn start(name: &str, manifest: &Arc<Manifest>, bytes: &[u8]) -> Self {
        Self::who_sends(name, manifest, bytes, u64::MAX)
    }

    /// One who sends so many chunks and then nothing.
    fn who_sends(name: &str, manifest: &Arc<Manifest>, bytes: &[u8], chunks: u64) -> Self {
        let asked = Arc::new(AtomicU64::new(0));
        let (answers, count, own) = (honest(manifest, bytes), Arc::clone(&asked), manifest.id());
        let rogue = Rogue::start(&wallet(name), move |request: &Request| match request {
            Request::Manifest { id } | Request::Subscribe { id } if *id != own => {
                Say::Reset(NOT_FOUND)
            }
            Request::Chunk(_) if count.fetch_add(1, Ordering::Relaxed) >= chunks => {
                Say::Open(Vec::new())
            }
            other => answers(other),
        });
        Self { rogue, asked }
    }

    fn hint(&self) -> PeerHint {
        self.rogue.hint()
    }

    /// Chunks that it was asked for.
    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    async fn until_asked(&self) {
        while self.asked() == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// A link that names the container and nothing else.
fn bare(manifest: &Manifest) -> What {
    What::Link(Link {
        manifest_id: None,
        address: None,
        ..Link::of(manifest, [])
    })
}

/// A manifest signed by this name that says of these bytes that they are another's container.
fn poisoned(name: &str, bytes: &[u8], truth: &Manifest) -> Arc<Manifest> {
    forge(&wallet(name), bytes, |draft| {
        draft.program_id = truth.program_id();
    })
}

/// Bytes of which the first half is right.
fn half_right(bytes: &[u8], seed: u64) -> Vec<u8> {
    let half = bytes.len() / 2;
    [&bytes[..half], &noise(seed, half)].concat()
}

fn sum(vouchers: &[Voucher]) -> u64 {
    vouchers.iter().map(Voucher::asked).sum()
}

/// Does something, and asks a node meanwhile, over and over, what it has for a program id: it must
/// name nothing before the container is there, whole.
async fn watched<T>(node: &Peer, program_id: ProgramId, work: impl Future<Output = T>) -> T {
    let raw = Raw::greet(node, &wallet("watcher")).await;
    tokio::select! {
        done = work => done,
        wrong = watch(&raw, node, program_id) => panic!("{wrong}"),
    }
}

/// What a node has said that it must not.
async fn watch(raw: &Raw, node: &Peer, program_id: ProgramId) -> String {
    let program_id = Some(program_id);
    loop {
        let heard = raw.ask(&Request::Deluges { program_id }).await;
        let Reply::Deluges(deluges) = reply_in(&heard) else {
            return format!("{heard:?}");
        };
        if !deluges.is_empty() && !node.destination().exists() {
            return format!("too early: {deluges:?}");
        }
        tokio::task::yield_now().await;
    }
}

/// A3.
#[tokio::test]
async fn the_honest_manifest_wins_against_five_poisoned_ones() {
    let world = World::new();
    let bytes = noise(6, MIB);
    let (alice, carol) = (world.node("alice").await, world.node("carol").await);
    let manifest = alice.seed(&bytes).await;
    carol.share(&manifest, &bytes).await;
    let liars: Vec<Voucher> = (0..5)
        .map(|number| {
            let (name, lie) = (
                format!("mallory {number}"),
                half_right(&bytes, 100 + number),
            );
            Voucher::start(&name, &poisoned(&name, &lie, &manifest), &lie)
        })
        .collect();
    let bob = world.node("bob").await;
    let mut hints: Vec<PeerHint> = liars.iter().map(Voucher::hint).collect();
    hints.extend([alice.hint(), carol.hint()]);
    let mut fetch = bob.fetch_patiently(bare(&manifest), &hints, LONG).await;
    let fetched = watched(&bob, manifest.program_id(), fetch.gets(&bytes)).await;
    assert_eq!(fetched.manifest, manifest);
    let waste = sum(&liars);
    assert!(waste <= ATTEMPTS * CHUNKS, "{waste} chunks for liars");
    assert_eq!(fetched.tally.total.bad_chunks, 0);
    assert!(bob.status().await.banned.is_empty());
}

/// The same, where nobody has the honest one.
#[tokio::test]
async fn after_three_poisoned_manifests_a_fetch_says_which_and_whose() {
    let world = World::new();
    let bytes = noise(7, MIB);
    let truth = forge(&wallet("alice"), &bytes, |_| {});
    let mut liars = Vec::new();
    let mut manifests = Vec::new();
    for number in 0..5 {
        let (name, lie) = (format!("mallory {number}"), noise(200 + number, MIB));
        let manifest = poisoned(&name, &lie, &truth);
        liars.push(Voucher::start(&name, &manifest, &lie));
        manifests.push(manifest);
    }
    let bob = world.node("bob").await;
    let hints: Vec<PeerHint> = liars.iter().map(Voucher::hint).collect();
    let mut fetch = bob.fetch_patiently(bare(&truth), &hints, LONG).await;
    let ended = watched(&bob, truth.program_id(), fetch.end()).await;
    let error = ended.unwrap_err();
    let FetchError::NoneRight { rejections, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(rejections.len() as u64, ATTEMPTS);
    let text = error.to_string();
    let named = manifests.iter().filter(|manifest| {
        text.contains(&manifest.id().to_string()) && text.contains(&manifest.address().to_string())
    });
    assert_eq!(named.count() as u64, ATTEMPTS, "{text}");
    assert!(text.starts_with("E-MANIFEST-POISONED: none of 3 manifests"));
    assert_eq!(sum(&liars), ATTEMPTS * CHUNKS);
    assert!(!bob.destination().exists());
    assert!(bob.status().await.banned.is_empty());
}

/// What three liars agree on is tried first; what it shares with the truth is not fetched again,
/// wherever it lies.
#[tokio::test]
async fn chunks_that_the_next_manifest_shares_are_kept_wherever_they_lie() {
    let bytes = noise(8, MIB);
    let rotated = [&bytes[3 * CHUNK..], &bytes[..3 * CHUNK]].concat();
    let reversed: Vec<u8> = bytes.rchunks(CHUNK).flatten().copied().collect();
    for (case, lie, chunks) in [
        ("half right", half_right(&bytes, 9), CHUNKS / 2),
        ("all right and in another place", rotated, 0),
        ("all right and the wrong way round", reversed, 0),
        ("nothing right", noise(10, MIB), CHUNKS),
    ] {
        let world = World::new();
        let alice = world.node("alice").await;
        let manifest = alice.seed(&bytes).await;
        let poisoned = poisoned("mallory", &lie, &manifest);
        let liars = ["one", "two", "three"].map(|name| Voucher::start(name, &poisoned, &lie));
        let bob = world.node("bob").await;
        let hints = liars.each_ref().map(Voucher::hint);
        let mut fetch = bob.fetch_patiently(bare(&manifest), &hints, LONG).await;
        liars[0].until_asked().await;
        fetch.fetch.add_peers(vec![alice.hint()]).await;
        let fetched = fetch.gets(&bytes).await;
        assert_eq!(fetched.manifest, manifest, "{case}");
        assert_eq!(fetched.tally.total.chunks, chunks, "{case}");
        assert!(bob.status().await.banned.is_empty(), "{case}");
    }
}

/// M-35: every chunk is right and the total is not. Nobody can have a right manifest, because the
/// program id itself is made up.
#[tokio::test]
async fn a_total_that_is_wrong_on_its_own_is_found_out_at_the_end() {
    let world = World::new();
    let bytes = noise(23, MIB);
    let poisoned = forge(&wallet("mallory"), &bytes, |draft| {
        draft.program_id = ProgramId::new(Digest::of(b"something else"));
    });
    let liar = Voucher::start("mallory", &poisoned, &bytes);
    let bob = world.node("bob").await;
    let hints = [liar.hint()];
    let mut fetch = bob.fetch_patiently(bare(&poisoned), &hints, SHORT).await;
    let error = fetch.end().await.unwrap_err();
    assert!(matches!(error, FetchError::Poisoned { .. }), "{error}");
    assert!(error.to_string().contains(&poisoned.id().to_string()));
    assert!(!bob.destination().exists());
    assert!(std::fs::read(part_of(&bob.destination())).unwrap() == bytes);
    assert!(bob.status().await.banned.is_empty());
}

/// M-36: three fail the same chunk; the manifest is blamed, and an honest one is there after all.
#[tokio::test]
async fn a_chunk_that_nobody_can_send_leads_to_the_next_manifest() {
    let world = World::new();
    let bytes = noise(11, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let wrong = forge(&wallet("mallory"), &bytes, |draft| {
        draft.chunk_hashes[17] = Digest::of(b"something else");
    });
    let victims = ["one", "two", "three"].map(|name| Voucher::start(name, &wrong, &bytes));
    let bob = world.node("bob").await;
    let hints = victims.each_ref().map(Voucher::hint);
    let mut fetch = bob.fetch_patiently(bare(&manifest), &hints, LONG).await;
    victims[0].until_asked().await;
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    let fetched = fetch.gets(&bytes).await;
    assert_eq!(fetched.manifest, manifest);
    assert_eq!(fetched.tally.total.chunks, 1, "all others are kept");
    let status = bob.status().await;
    assert!(status.banned.is_empty(), "{:?}", status.banned);
}

/// A link that names the owner is not fooled by others, however many they are; an owner who lies is
/// named.
#[tokio::test]
async fn the_owners_address_in_the_link_says_whom_to_believe() {
    let world = World::new();
    let bytes = noise(12, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let lie = noise(13, MIB);
    let theirs = poisoned("mallory", &lie, &manifest);
    let liars = ["one", "two", "three"].map(|name| Voucher::start(name, &theirs, &lie));
    let by_owner = |manifest: &Manifest| {
        What::Link(Link {
            manifest_id: None,
            ..Link::of(manifest, [])
        })
    };
    let bob = world.node("bob").await;
    let mut hints = liars.each_ref().map(Voucher::hint).to_vec();
    hints.push(alice.hint());
    let mut fetch = bob.fetch_patiently(by_owner(&manifest), &hints, LONG).await;
    assert_eq!(fetch.gets(&bytes).await.manifest, manifest);
    assert_eq!(sum(&liars), 0, "nothing is fetched for others' manifests");

    let own_lie = poisoned("alice", &lie, &manifest);
    let accomplice = Voucher::start("accomplice", &own_lie, &lie);
    let carol = world.node("carol").await;
    let hints = [accomplice.hint()];
    let mut fetch = carol
        .fetch_patiently(by_owner(&own_lie), &hints, SHORT)
        .await;
    let error = fetch.fails().await;
    assert!(error.starts_with("E-MANIFEST-POISONED"), "{error}");
    assert!(error.contains(&alice.address().to_string()), "{error}");
}

#[tokio::test]
async fn a_fetch_that_is_restarted_amid_a_poisoned_attempt_keeps_what_is_right() {
    let world = World::new();
    let bytes = noise(14, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let lie = half_right(&bytes, 15);
    let theirs = poisoned("mallory", &lie, &manifest);
    let liar = Voucher::who_sends("mallory", &theirs, &lie, 20);
    let bob = world.node("bob").await;
    let fetch = bob
        .fetch_patiently(bare(&manifest), &[liar.hint()], LONG)
        .await;
    fetch.holds(20).await;
    drop(fetch);
    bob.node.stop().await;
    let right = crate::world::right_chunks(&part_of(&bob.folder.join("fetched")), &bytes);

    let bob = world.node("bob").await;
    let mut fetch = bob
        .fetch_patiently(bare(&manifest), &[alice.hint()], LONG)
        .await;
    let fetched = fetch.gets(&bytes).await;
    assert_eq!(fetched.manifest, manifest);
    assert_eq!(fetched.tally.total.chunks, CHUNKS - right as u64);
    assert!(right >= 4, "20 chunks of 32 are here, and 16 are wrong");
}

#[tokio::test]
async fn a_manifest_that_was_found_out_is_not_tried_again_after_a_restart() {
    let world = World::new();
    let bytes = noise(16, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let lie = noise(17, MIB);
    let theirs = poisoned("mallory", &lie, &manifest);
    let liars = ["one", "two", "three"].map(|name| Voucher::start(name, &theirs, &lie));
    let hints = liars.each_ref().map(Voucher::hint);
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch_patiently(bare(&manifest), &hints, SHORT).await;
    assert!(fetch.fails().await.starts_with("E-MANIFEST-POISONED"));
    let waste = sum(&liars);
    assert!(waste >= CHUNKS);
    bob.node.stop().await;

    let bob = world.node("bob").await;
    let mut hints = hints.to_vec();
    hints.push(alice.hint());
    let mut fetch = bob.fetch_patiently(bare(&manifest), &hints, LONG).await;
    assert_eq!(fetch.gets(&bytes).await.manifest, manifest);
    assert_eq!(sum(&liars), waste, "three vouchers, and nobody is asked");
}

/// A manifest whose chunks nobody sends does not keep the fetch from the next one.
#[tokio::test]
async fn a_manifest_that_brings_nothing_is_set_aside() {
    let world = World::new();
    let bytes = noise(18, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let lie = noise(19, MIB);
    let theirs = poisoned("mallory", &lie, &manifest);
    let liars = ["one", "two", "three"].map(|name| Voucher::who_sends(name, &theirs, &lie, 0));
    let bob = world.node("bob").await;
    let hints = liars.each_ref().map(Voucher::hint);
    let mut fetch = bob
        .fetch_patiently(bare(&manifest), &hints, 2 * SHORT)
        .await;
    liars[0].until_asked().await;
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    assert_eq!(fetch.gets(&bytes).await.manifest, manifest);
}

/// Whoever helps to distribute somebody else's manifest vouches for it only once it is proven.
#[tokio::test]
async fn a_share_of_a_poisoned_manifest_is_found_out_and_ended() {
    let world = World::new();
    let bytes = noise(20, MIB);
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(&bytes).await;
    let lie = noise(21, MIB);
    let theirs = poisoned("mallory", &lie, &manifest);
    let path = bob.folder.join("lie");
    std::fs::write(&path, &lie).unwrap();
    let (found, claimed) = (ProgramId::new(Digest::of(&lie)), manifest.program_id());
    for _again in 0..2 {
        let shared = bob.node.share(Arc::clone(&theirs), &path).await;
        let error = match shared {
            Ok(mut share) => {
                let error = share.proven().await.unwrap_err();
                assert_eq!(*share.proof().borrow(), Proof::Wrong { found });
                error
            }
            Err(refused) => refused,
        };
        assert!(matches!(error, ShareError::Poisoned { .. }), "{error}");
        for word in [
            found.to_string(),
            claimed.to_string(),
            theirs.id().to_string(),
        ] {
            assert!(error.to_string().contains(&word), "{error}");
        }
        assert!(error.to_string().contains(&theirs.address().to_string()));
        assert!(bob.status().await.containers.is_empty());
    }
    let raw = Raw::greet(&bob, &wallet("stranger")).await;
    let heard = raw.ask(&Request::Deluges { program_id: None }).await;
    assert_eq!(reply_in(&heard), Reply::Deluges(Vec::new()));

    let shared = bob.node.share(Arc::clone(&manifest), &path).await;
    let error = shared.unwrap().proven().await.unwrap_err();
    assert!(
        matches!(
            error,
            ShareError::Damaged {
                lost: 32,
                total: 32,
                ..
            }
        ),
        "the right manifest and the wrong file: {error}"
    );
}

#[tokio::test]
async fn a_share_is_named_once_it_is_proven_and_at_once_the_next_time() {
    let world = World::new();
    let bytes = noise(22, MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let bob = world.node("bob").await;
    let path = bob.folder.join("copy");
    std::fs::write(&path, &bytes).unwrap();
    let mut share = bob.node.share(Arc::clone(&manifest), &path).await.unwrap();
    share.proven().await.unwrap();
    let listed = async |node: &Peer| {
        let raw = Raw::greet(node, &wallet("stranger")).await;
        let heard = raw.ask(&Request::Deluges { program_id: None }).await;
        matches!(reply_in(&heard), Reply::Deluges(deluges) if deluges.len() == 1)
    };
    assert!(listed(&bob).await);
    bob.node.stop().await;
    let bob = world.node("bob").await;
    let share = bob.node.share(Arc::clone(&manifest), &path).await.unwrap();
    assert_eq!(
        *share.proof().borrow(),
        Proof::Right,
        "it is known to be right"
    );
    assert!(listed(&bob).await);
}
