//! What a master carries and refuses: asked by hand, with garbage, replays and other people's channels.

use std::time::Duration;

use bytes::Bytes;
use swarmhold::node::{RelayTotals, SwarmMaster};
use swarmhold::wire::relay::{
    ChannelId, Header, Part, RELAY_ALPN, RelayCall, RelayRefusal, RelayReply,
};
use swarmhold::wire::{Reply, Request, frame};
use swarmhold::{Address, Digest};

use crate::masters::is_listed;
use crate::raw::{Fate, Heard, Raw, reply_in};
use crate::relayed::{between, everywhere, island};
use crate::world::{LONG, World, noise, wallet, within};

/// A line to a master by hand.
struct ByHand {
    raw: Raw,
    address: Address,
}

/// A channel by hand: its number, and its stream, which is kept open with it.
type Held = (quinn::SendStream, quinn::RecvStream);

impl ByHand {
    async fn connect(master: &SwarmMaster, name: &str) -> Self {
        let at = ([127, 0, 0, 1], master.listen_address().port()).into();
        let wallet = wallet(name);
        Self {
            raw: Raw::dial_for(at, &wallet, RELAY_ALPN).await,
            address: wallet.address(),
        }
    }

    async fn open(&self, to: Address) -> (RelayReply, Held) {
        let (mut send, mut recv) = within(self.raw.connection.open_bi()).await.unwrap();
        let call = frame::encode_relay_call(&RelayCall::Open { to });
        send.write_all(&call).await.unwrap();
        let reply = frame::decode_relay_reply(&message(&mut recv).await).unwrap();
        (reply, (send, recv))
    }

    async fn refused(&self, to: Address) -> RelayRefusal {
        match self.open(to).await.0 {
            RelayReply::Refused(why) => why,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Takes the next offer.
    async fn accept(&self) -> (ChannelId, Address, Held) {
        let (mut send, mut recv) = within(self.raw.connection.accept_bi()).await.unwrap();
        let call = frame::decode_relay_call(&message(&mut recv).await).unwrap();
        let RelayCall::Offer { channel, from } = call else {
            panic!("no offer: {call:?}");
        };
        let accepted = frame::encode_relay_reply(&RelayReply::Accepted);
        send.write_all(&accepted).await.unwrap();
        (channel, from, (send, recv))
    }

    fn send(&self, channel: ChannelId, payload: &[u8]) {
        let part = Part::Whole;
        let datagram = Header { channel, part }.datagram(payload);
        self.raw.connection.send_datagram(datagram).unwrap();
    }

    async fn hear(&self) -> Bytes {
        within(self.raw.connection.read_datagram()).await.unwrap()
    }
}

async fn message(recv: &mut quinn::RecvStream) -> Vec<u8> {
    let mut prefix = [0; 2];
    within(recv.read_exact(&mut prefix)).await.unwrap();
    let mut payload = vec![0; usize::from(u16::from_le_bytes(prefix))];
    within(recv.read_exact(&mut payload)).await.unwrap();
    payload
}

/// A channel between two by hand.
async fn joined(one: &ByHand, other: &ByHand) -> (ChannelId, Held, Held) {
    let ((reply, ours), (id, from, theirs)) = tokio::join!(one.open(other.address), other.accept());
    assert_eq!(reply, RelayReply::Opened { channel: id });
    assert_eq!(from, one.address);
    (id, ours, theirs)
}

/// Why a channel ended.
async fn end(held: &mut Held) -> Option<RelayRefusal> {
    match within(held.1.read(&mut [0])).await {
        Err(quinn::ReadError::Reset(code)) => RelayRefusal::from_code(code.into_inner()),
        other => panic!("the channel does not end so: {other:?}"),
    }
}

async fn until(master: &SwarmMaster, is: impl Fn(&RelayTotals) -> bool) -> RelayTotals {
    let mut status = master.status();
    let now = within(status.wait_for(|now| is(&now.relay))).await;
    now.expect("the master runs").relay
}

#[tokio::test]
async fn nobody_is_reached_who_is_not_there() {
    let world = World::new();
    let master = between(&world).await;
    let alice = ByHand::connect(&master, "alice").await;
    let nobody = Address::new(Digest::of(b"nobody"));
    // A35, W-23: nobody by that address, and oneself
    assert_eq!(alice.refused(nobody).await, RelayRefusal::Peer);
    assert_eq!(alice.refused(alice.address).await, RelayRefusal::Peer);
    // who is connected, and has not enlisted
    let at = ([127, 0, 0, 1], master.listen_address().port()).into();
    let bob = wallet("bob");
    let raw = Raw::greet_at(at, &bob).await;
    assert_eq!(alice.refused(bob.address()).await, RelayRefusal::Peer);
    // who has, and does not answer as a node does
    let enlisted = reply_in(&raw.ask(&Request::Enlist).await);
    assert!(matches!(enlisted, Reply::Enlisted { .. }));
    let refusing = async {
        let (mut send, _recv) = within(raw.connection.accept_bi()).await.unwrap();
        send.write_all(&frame::encode_reply(&Reply::Denied))
            .await
            .unwrap();
        send.finish().unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = refusing => {}
        why = alice.refused(bob.address()) => assert_eq!(why, RelayRefusal::Denied),
    }
    let totals = until(&master, |now| now.refused == 4).await;
    assert_eq!((totals.opened, totals.bytes), (0, 0));
}

#[tokio::test]
async fn a_channel_carries_both_ways_until_either_side_ends_it() {
    let world = World::new();
    let master = between(&world).await;
    let (alice, bob) = (
        ByHand::connect(&master, "alice").await,
        ByHand::connect(&master, "bob").await,
    );
    let (id, ours, mut theirs) = joined(&alice, &bob).await;
    alice.send(id, b"to bob");
    assert_eq!(bob.hear().await[5..], *b"to bob");
    bob.send(id, b"to alice");
    assert_eq!(alice.hear().await[5..], *b"to alice");
    drop(ours);
    assert_eq!(end(&mut theirs).await, Some(RelayRefusal::Gone));
    until(&master, |now| now.channels == 0).await;
    bob.send(id, b"late");
    until(&master, |now| now.strays == 1).await;
    // the next has another number
    let (other, mut ours, _theirs) = joined(&alice, &bob).await;
    assert_ne!(other, id);
    bob.raw.connection.close(0u32.into(), b"");
    assert_eq!(end(&mut ours).await, Some(RelayRefusal::Gone));
}

#[tokio::test]
async fn a_day_is_exact_and_ends_the_channel() {
    let world = World::new();
    let master = world
        .master_with("master", everywhere(), |config| config.relay_day = 10_000)
        .await;
    let (alice, bob) = (
        ByHand::connect(&master, "alice").await,
        ByHand::connect(&master, "bob").await,
    );
    let (id, mut ours, mut theirs) = joined(&alice, &bob).await;
    for sent in 0..10 {
        // each counts with its header
        alice.send(id, &[sent; 995]);
        assert_eq!(bob.hear().await[5..], [sent; 995]);
    }
    bob.send(id, b"x");
    assert_eq!(end(&mut ours).await, Some(RelayRefusal::Quota));
    assert_eq!(end(&mut theirs).await, Some(RelayRefusal::Quota));
    assert_eq!(bob.refused(alice.address).await, RelayRefusal::Quota);
    let totals = until(&master, |now| now.bytes > 9_000).await;
    assert_eq!(totals.bytes, 10_000);
}

#[tokio::test]
async fn garbage_replays_and_other_peoples_channels_cost_packets_at_most() {
    let world = World::new();
    let master = between(&world).await;
    let bytes = noise(1, 3_000_000);
    let seeder = island(&world, "seeder", "::1", &master).await;
    let manifest = seeder.seed(&bytes).await;
    is_listed(&seeder, 1).await;
    let leecher = island(&world, "leecher", "127.0.0.1", &master).await;
    let mallory = ByHand::connect(&master, "mallory").await;
    let what = swarmhold::What::Link(swarmhold::Link::of(&manifest, []));
    let mut fetching = leecher.fetch_patiently(what, &[], LONG).await;
    fetching.holds(1).await;
    let attack = async {
        // a channel of hers to the seeder, into which anything goes
        let (reply, _held) = mallory.open(seeder.address()).await;
        let RelayReply::Opened { channel } = reply else {
            panic!("{reply:?}");
        };
        for round in 0..200u32 {
            mallory.send(channel, &noise(round.into(), 1000));
            // the same twice, and the channels of others
            mallory.send(channel, &[0xc3; 1150]);
            mallory.send(channel, &[0xc3; 1150]);
            mallory.send(ChannelId(round % 8 + 10), b"spoofed");
            mallory.send(ChannelId(1), &[0x40; 900]);
            let _ = mallory
                .raw
                .connection
                .send_datagram(Bytes::from_static(&[1, 2]));
            if round % 20 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = attack => {}
        fetched = fetching.gets(&bytes) => assert_eq!(fetched.tally.total.bad_chunks, 0),
    }
    let status = seeder.status().await;
    assert!(status.banned.is_empty());
    assert!(until(&master, |now| now.strays > 0).await.opened >= 1);
}

#[tokio::test]
async fn a_line_that_says_something_else_is_cut_off() {
    let world = World::new();
    let master = between(&world).await;
    let alice = ByHand::connect(&master, "alice").await;
    let heard = alice
        .raw
        .say(&frame::encode_request(&Request::Enlist))
        .await;
    let closed = |fate: &Fate| matches!(fate, Fate::Closed { code: 0x10, .. });
    let fate = alice.raw.fate().await;
    assert!(closed(&fate), "{heard:?} {fate:?}");
    // a connection for requests carries nothing
    let at = ([127, 0, 0, 1], master.listen_address().port()).into();
    let raw = Raw::greet_at(at, &wallet("bob")).await;
    raw.connection
        .send_datagram(Bytes::from_static(b"x"))
        .unwrap();
    let fate = raw.fate().await;
    assert!(closed(&fate), "{fate:?}");
    assert!(matches!(raw.ask(&Request::Enlist).await, Heard::Closed(_)));
}
