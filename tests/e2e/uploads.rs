//! The uploading side on real sockets: chokes, credit, who gives nothing.

use quinn::RecvStream;
use swarmhold::node::Contribution;
use swarmhold::store::State;
use swarmhold::wire::{Accept, ChunkRequest, Reply, Request, Update, frame};
use swarmhold::{Address, Manifest};

use crate::raw::{Raw, listen, reply_in};
use crate::world::{World, chunk, noise, wallet, within};

const KIB: usize = 1024;

fn request(manifest: &Manifest, number: u32) -> Vec<u8> {
    let index = chunk(number);
    frame::encode_request(&Request::Chunk(ChunkRequest {
        program_id: manifest.program_id(),
        chunk_hash: manifest.chunk_hash(index).unwrap(),
        index,
        accept: Accept::Raw,
    }))
}

async fn open(raw: &Raw, bytes: &[u8]) -> RecvStream {
    let (mut send, recv) = within(raw.connection.open_bi()).await.unwrap();
    send.write_all(bytes).await.unwrap();
    send.finish().unwrap();
    recv
}

async fn payload(recv: &mut RecvStream) -> Vec<u8> {
    let mut prefix = [0; 2];
    within(recv.read_exact(&mut prefix)).await.unwrap();
    let mut payload = vec![0; u16::from_le_bytes(prefix).into()];
    within(recv.read_exact(&mut payload)).await.unwrap();
    payload
}

/// Four slots, which is as few as there are, and five that ask.
#[tokio::test]
async fn one_more_than_there_are_slots_is_choked_until_one_is_free() {
    let world = World::new();
    let node = world.slow_node("node", 128 * KIB as u64).await;
    let manifest = node.seed(&noise(1, 512 * KIB)).await;
    let (mut peers, mut answers) = (Vec::new(), Vec::new());
    for number in 0..4 {
        let raw = Raw::greet(&node, &wallet(&format!("peer {number}"))).await;
        for index in 0..3 {
            answers.push(open(&raw, &request(&manifest, index)).await);
        }
        // It is being served, and has more to come.
        let reply = payload(&mut answers[3 * number]).await;
        assert!(matches!(
            frame::decode_reply(&reply),
            Ok(Reply::Data { .. })
        ));
        peers.push(raw);
    }
    for peer in &peers {
        answers.push(open(peer, &request(&manifest, 3)).await);
        answers.push(open(peer, &request(&manifest, 4)).await);
    }
    let fifth = Raw::greet(&node, &wallet("fifth")).await;
    let subscribe = Request::Subscribe { id: manifest.id() };
    let mut news = open(&fifth, &frame::encode_request(&subscribe)).await;
    assert_eq!(
        frame::decode_reply(&payload(&mut news).await),
        Ok(Reply::Subscribed)
    );
    let first = frame::decode_update(&payload(&mut news).await);
    assert_eq!(first, Ok(Update::Bitfield(vec![0xff, 0xff])));

    let heard = listen(open(&fifth, &request(&manifest, 5)).await).await;
    assert!(matches!(reply_in(&heard), Reply::Busy { .. }), "{heard:?}");
    assert_eq!(
        frame::decode_update(&payload(&mut news).await),
        Ok(Update::Choked)
    );
    drop(peers);
    assert_eq!(
        frame::decode_update(&payload(&mut news).await),
        Ok(Update::Unchoked)
    );
    let heard = listen(open(&fifth, &request(&manifest, 5)).await).await;
    assert!(matches!(reply_in(&heard), Reply::Data { .. }), "{heard:?}");
}

#[tokio::test]
async fn what_peers_gave_and_got_is_known_after_a_restart() {
    let world = World::new();
    let bytes = noise(2, 256 * KIB);
    let saved = |peer: &crate::world::Peer| {
        let home = peer.folder.join("home");
        move |of: Address| {
            let accounts = State::open(&home).credit().unwrap();
            let mut theirs = accounts.into_iter().filter(|it| it.address == of);
            theirs.next().map(|it| (it.received, it.sent)).unwrap()
        }
    };
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(&bytes).await;
    bob.fetch(&manifest, &[alice.hint()])
        .await
        .gets(&bytes)
        .await;
    let (of_alice, of_bob) = (saved(&alice), saved(&bob));
    let (from, to) = (alice.address(), bob.address());
    bob.node.stop().await;
    alice.node.stop().await;
    assert_eq!(of_bob(from).0, bytes.len() as u64);
    let before = of_alice(to);
    assert!(before.1 > 0);
    let alice = world.node("alice").await;
    alice.node.stop().await;
    assert_eq!(of_alice(to), before);
}

#[tokio::test]
async fn a_node_that_gives_nothing_denies_and_is_not_asked_again() {
    let world = World::new();
    let bytes = noise(3, 512 * KIB);
    let alice = world.node("alice").await;
    let miser = world
        .node_with("miser", |config| config.contribution = Contribution::None)
        .await;
    let manifest = alice.seed(&bytes).await;
    miser.share(&manifest, &bytes).await;
    let raw = Raw::greet(&miser, &wallet("stranger")).await;
    let heard = listen(open(&raw, &request(&manifest, 0)).await).await;
    assert_eq!(reply_in(&heard), Reply::Denied);
    let bob = world.node("bob").await;
    let hints = [miser.hint(), alice.hint()];
    let fetched = bob.fetch(&manifest, &hints).await.gets(&bytes).await;
    assert_eq!(fetched.tally.sources(), 1);
    assert_eq!(fetched.tally.accounts[&alice.address()].chunks, 16);
}
