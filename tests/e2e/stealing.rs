//! Work goes to who has time for it (seed `flashget-torrent`, special cases 1 to 3), and an answer
//! that is not needed any more is taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use swarmhold::Manifest;
use swarmhold::chunk::Bitfield;
use swarmhold::wire::{Refusal, Reply, Request, frame};

use crate::rogue::{Rogue, Say, claims, honest};
use crate::world::{CHUNK, World, chunk, noise, wallet};

const MIB: usize = 1024 * 1024;
const CANCELLED: u64 = Refusal::Cancelled as u64;

/// Bytes that came in for nothing: at most 2 % of a container, and a chunk.
fn allowed(bytes: &[u8]) -> u64 {
    (bytes.len() / 50 + CHUNK) as u64
}

/// Special case 1, with a slow owner: the fast peer is done with its half long before the slow one.
#[tokio::test]
async fn a_peer_that_is_done_takes_over_the_backlog_of_a_slow_one() {
    let world = World::new();
    let bytes = noise(1, 4 * MIB);
    let fast = world.slow_node("fast", 4 * MIB as u64).await;
    let slow = world.slow_node("slow", MIB as u64 / 16).await;
    let manifest = fast.seed(&bytes).await;
    slow.share(&manifest, &bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[slow.hint()]).await;
    fetch.holds(1).await;
    fetch.fetch.add_peers(vec![fast.hint()]).await;
    let tally = fetch.gets(&bytes).await.tally;
    // The slow one alone would need 64 seconds.
    assert!(tally.accounts[&fast.address()].chunks > 96, "{tally:?}");
    assert!(tally.total.duplicate_bytes <= allowed(&bytes), "{tally:?}");
}

/// Special case 1, with an owner that stopped answering: what it was asked for comes from the other.
#[tokio::test]
async fn a_peer_that_is_done_takes_over_what_a_silent_one_owes() {
    let world = World::new();
    let bytes = noise(2, 2 * MIB);
    let alice = world.slow_node("alice", 2 * MIB as u64).await;
    let manifest = alice.seed(&bytes).await;
    let answers = honest(&manifest, &bytes);
    let served = AtomicU32::new(0);
    let silent = Rogue::start(&wallet("silent"), move |request| match request {
        Request::Chunk(_) if served.fetch_add(1, Ordering::Relaxed) >= 4 => Say::Open(Vec::new()),
        other => answers(other),
    });
    let bob = world.node("bob").await;
    let hints = [alice.hint(), silent.hint()];
    let tally = bob.fetch(&manifest, &hints).await.gets(&bytes).await.tally;
    assert!(tally.accounts[&alice.address()].chunks >= 60, "{tally:?}");
    assert!(tally.total.duplicate_bytes <= allowed(&bytes), "{tally:?}");
    assert!(bob.status().await.banned.is_empty());
}

/// Special case 2: whoever appears has delivered before the others could be done.
#[tokio::test]
async fn a_peer_that_appears_in_the_middle_gets_work_at_once() {
    let world = World::new();
    let bytes = noise(3, 2 * MIB);
    let first = world.slow_node("first", MIB as u64 / 2).await;
    let manifest = first.seed(&bytes).await;
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[first.hint()]).await;
    fetch.holds(8).await;
    let second = world.slow_node("second", MIB as u64 / 2).await;
    second.share(&manifest, &bytes).await;
    fetch.fetch.add_peers(vec![second.hint()]).await;
    let newcomer = second.address();
    bob.until_container(|container| {
        let from_newcomer = container.tally.accounts.get(&newcomer);
        from_newcomer.is_some_and(|account| account.chunks > 0) && container.held < 48
    })
    .await;
    let tally = fetch.gets(&bytes).await.tally;
    assert!(tally.accounts[&newcomer].chunks >= 16, "{tally:?}");
    assert!(tally.total.duplicate_bytes <= allowed(&bytes), "{tally:?}");
}

/// Special case 3: whoever lacks a chunk says what it has, and is asked for that.
#[tokio::test]
async fn a_peer_that_lacks_what_it_is_asked_for_gives_what_it_has() {
    let world = World::new();
    let bytes = noise(4, 2 * MIB);
    let alice = world.node("alice").await;
    let manifest = alice.seed(&bytes).await;
    let partial = boaster(&manifest, &bytes, 3);
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[partial.hint()]).await;
    // It claims everything, has every third chunk, and has to give all of those.
    assert_eq!(fetch.holds(22).await, 22);
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    let tally = fetch.gets(&bytes).await.tally;
    assert_eq!(tally.accounts[&partial.address()].chunks, 22);
    assert_eq!(tally.total.duplicate_bytes, 0);
    assert!(bob.status().await.banned.is_empty());
}

/// The last chunk is held by somebody who begins to send it and does not go on. Another is asked for
/// it too, and the first hears that it is not needed any more.
#[tokio::test]
async fn the_holder_of_the_last_chunk_holds_nobody_up_and_hears_that_it_is_over() {
    let world = World::new();
    let bytes = noise(5, MIB);
    let manifest = world.node("publisher").await.seed(&bytes).await;
    let answers = honest(&manifest, &bytes);
    let mut holder = Rogue::start(&wallet("holder"), move |request| {
        match (request, answers(request)) {
            (Request::Chunk(asked), Say::Bytes(answer)) if asked.index == chunk(31) => {
                Say::Open(answer[..CHUNK / 2].to_vec())
            }
            (_, answer) => answer,
        }
    });
    let bob = world.node("bob").await;
    let mut fetch = bob.fetch(&manifest, &[holder.hint()]).await;
    fetch.holds(31).await;
    let alice = world.node("alice").await;
    alice.share(&manifest, &bytes).await;
    fetch.fetch.add_peers(vec![alice.hint()]).await;
    let tally = fetch.gets(&bytes).await.tally;
    assert_eq!(tally.accounts[&alice.address()].chunks, 1);
    assert!(tally.total.duplicate_bytes <= allowed(&bytes), "{tally:?}");
    // Subscriptions are left open as well, but nobody has ended those.
    assert_eq!(holder.taken_back().await, CANCELLED);
}

/// Somebody who claims to hold everything and holds every so-many-th chunk.
fn boaster(manifest: &Arc<Manifest>, bytes: &[u8], each: u32) -> Rogue {
    let count = manifest.layout().chunk_count();
    let mut held = Bitfield::empty(count);
    (0..count).step_by(each as usize).for_each(|index| {
        held.insert(chunk(index));
    });
    let answers = honest(manifest, bytes);
    Rogue::start(&wallet("boaster"), move |request| match request {
        Request::Subscribe { .. } => claims(&Bitfield::full(count).to_bytes()),
        Request::Chunk(asked) if !held.contains(asked.index) => {
            let held = held.to_bytes();
            Say::Bytes(frame::encode_reply(&Reply::NotHeld { held }))
        }
        other => answers(other),
    })
}
