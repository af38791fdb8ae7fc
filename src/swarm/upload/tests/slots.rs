//! Who is served when more want to be than can.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::digest::{Address, Digest};
use crate::swarm::event::Subnet;
use crate::swarm::upload::*;

const CHUNK: u64 = 32 * 1024;
const RTT: Duration = Duration::from_millis(20);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// An uploading side with four slots, and peers that always want one chunk more.
struct Bench {
    upload: Upload,
    now: Moment,
    asks: u64,
    choked: BTreeSet<u64>,
    /// Peers that ask again whenever they are served, unless they are choked.
    eager: BTreeSet<u64>,
    served: BTreeMap<u64, u64>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self {
            upload: Upload::new(seed, Some(4 * 64 * 1024), Vec::new()),
            now: Moment::from_micros(1_000_000),
            asks: 0,
            choked: BTreeSet::new(),
            eager: BTreeSet::new(),
            served: BTreeMap::new(),
        }
    }

    /// A peer of a subnet and a wallet of its own, or of these.
    fn connect(&mut self, peer: u64, subnet: u64, wallet: u64) {
        let who = Who {
            subnet: Subnet(subnet),
            address: Address::new(Digest::of(&wallet.to_le_bytes())),
            peer: PeerKey(peer),
        };
        self.upload.on_connected(self.now, who, RTT);
    }

    fn eager(&mut self, peers: impl IntoIterator<Item = u64>) {
        for peer in peers {
            self.connect(peer, peer, peer);
            self.eager.insert(peer);
        }
    }

    fn ask(&mut self, peer: u64) -> Answer {
        self.asks += 1;
        let ask = Ask {
            who: self.upload.who(PeerKey(peer)).expect("it is connected"),
            ask: AskKey(self.asks),
            id: ManifestId::new(Digest::of(b"container")),
            chunk: ChunkIndex::new(0),
            bytes: CHUNK,
        };
        let answer = self.upload.on_asked(self.now, ask);
        if answer == Answer::Choked {
            self.choked.insert(peer);
        }
        answer
    }

    fn settle(&mut self) {
        let (unchoked, choked) = self.upload.settle(self.now);
        for peer in unchoked {
            assert!(self.choked.remove(&peer.0), "{peer:?} was not choked");
        }
        for (peer, _) in choked {
            assert!(self.choked.insert(peer.0), "{peer:?} was choked already");
        }
    }

    /// Serves a chunk every 125 ms for so long, as two chunks of every peer in turn are read.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            for peer in self.eager.clone() {
                let client = self.upload.choker.client(PeerKey(peer));
                let owed = client.map_or(0, |client| client.owed);
                if !self.choked.contains(&peer) && owed < 2 {
                    self.ask(peer);
                }
            }
            self.settle();
            if let Some(Turn::Serve(ask)) = self.upload.poll(self.now) {
                *self.served.entry(ask.who.peer.0).or_default() += 1;
                self.now = self.now + Duration::from_millis(125);
                self.upload.on_over(self.now, ask.who.peer, ask.ask);
            } else {
                self.now = self.now + Duration::from_millis(10);
            }
            let using = self.upload.choker.slots().held;
            assert!(using <= 4, "{using} have a slot");
        }
    }

    fn served_of(&self, peers: std::ops::Range<u64>) -> u64 {
        self.served.range(peers).map(|(_, chunks)| chunks).sum()
    }
}

#[test]
fn nobody_is_choked_while_slots_are_enough() {
    let mut bench = Bench::new(7);
    bench.eager(0..4);
    bench.run(secs(60));
    assert!(bench.choked.is_empty());
    assert_eq!(
        bench.upload.deadline(),
        None,
        "nobody waits, nothing is due"
    );
    assert!(
        bench
            .served
            .values()
            .all(|chunks| (118..=122).contains(chunks))
    );
}

#[test]
fn one_that_asks_when_all_slots_are_taken_is_told_once_and_refused() {
    let mut bench = Bench::new(7);
    bench.eager(0..5);
    (0..4).for_each(|peer| assert_eq!(bench.ask(peer), Answer::Later));
    assert_eq!(bench.ask(4), Answer::Choked);
    assert_eq!(bench.ask(4), Answer::Busy);
}

#[test]
fn a_choked_peer_that_goes_on_asking_is_dropped_in_the_end() {
    let mut bench = Bench::new(7);
    bench.eager(0..5);
    (0..5).for_each(|peer| _ = bench.ask(peer));
    let refused = (0..10_000).take_while(|_| bench.ask(4) == Answer::Busy);
    assert_eq!(refused.count(), 512);
    assert_eq!(bench.ask(4), Answer::Flood);
}

#[test]
fn a_slot_that_goes_unused_goes_to_one_that_waits() {
    let mut bench = Bench::new(7);
    bench.eager(0..5);
    bench.run(secs(1));
    assert_eq!(bench.choked, BTreeSet::from([4]));
    bench.eager.remove(&0);
    bench.run(secs(3));
    assert!(bench.choked.is_empty());
    assert!(bench.served[&4] > 0);
}

#[test]
fn the_slot_of_one_that_goes_is_free_at_once() {
    let mut bench = Bench::new(7);
    bench.eager(0..5);
    bench.run(secs(1));
    bench.eager.remove(&0);
    assert!(!bench.upload.on_gone(PeerKey(0)).is_empty());
    bench.settle();
    assert!(bench.choked.is_empty());
}

#[test]
fn nothing_lies_idle_while_somebody_waits() {
    let mut bench = Bench::new(7);
    bench.eager(0..9);
    bench.eager = BTreeSet::new();
    (0..9).for_each(|peer| _ = bench.ask(peer));
    assert_eq!(bench.choked.len(), 5);
    while let Some(Turn::Serve(ask)) = bench.upload.poll(bench.now) {
        bench.upload.on_over(bench.now, ask.who.peer, ask.ask);
        bench.settle();
    }
    assert_eq!(bench.choked.len(), 1, "four were asked in at once");
    // They do not come, so it is the last one's turn.
    bench.now = bench.upload.deadline().expect("somebody waits");
    bench.settle();
    assert!(bench.choked.is_empty());
}

#[test]
fn those_who_give_are_served_and_the_rest_share_one_slot() {
    let mut bench = Bench::new(7);
    bench.eager(0..20);
    for _ in 0..30 {
        (10..13).for_each(|peer| bench.upload.on_given(bench.now, PeerKey(peer), 10 * CHUNK));
        bench.run(secs(10));
    }
    let (givers, all) = (bench.served_of(10..13), bench.served_of(0..20));
    assert!(givers * 100 > all * 65, "{:?}", bench.served);
    assert!(
        bench.served.len() >= 12,
        "one in four goes round: {:?}",
        bench.served
    );
}

#[test]
fn who_gave_once_and_gives_no_more_loses_its_place() {
    let mut bench = Bench::new(7);
    bench.eager(0..8);
    (0..3).for_each(|peer| {
        bench
            .upload
            .on_given(bench.now, PeerKey(peer), 1000 * CHUNK)
    });
    for _ in 0..30 {
        (3..6).for_each(|peer| bench.upload.on_given(bench.now, PeerKey(peer), 10 * CHUNK));
        bench.run(secs(10));
    }
    bench.served.clear();
    for _ in 0..10 {
        (3..6).for_each(|peer| bench.upload.on_given(bench.now, PeerKey(peer), 10 * CHUNK));
        bench.run(secs(10));
    }
    assert!(
        bench.served_of(3..6) > 3 * bench.served_of(0..3),
        "{:?}",
        bench.served
    );
}

#[test]
fn a_complete_node_goes_round() {
    let mut bench = Bench::new(7);
    bench.eager(0..24);
    bench.run(secs(600));
    let (least, most) = (bench.served.values().min(), bench.served.values().max());
    assert_eq!(bench.served.len(), 24);
    assert!(least.unwrap() * 2 > *most.unwrap(), "{:?}", bench.served);
}

#[test]
fn the_optimistic_slot_is_for_newcomers_first_and_goes_by_the_seed() {
    let first = |seed| {
        let mut bench = Bench::new(seed);
        bench.eager(0..6);
        for _ in 0..3 {
            (0..6).for_each(|peer| bench.upload.on_given(bench.now, PeerKey(peer), 10 * CHUNK));
            bench.run(secs(10));
        }
        bench.eager(10..20);
        let mut order = Vec::new();
        while order.len() < 5 {
            (0..6).for_each(|peer| bench.upload.on_given(bench.now, PeerKey(peer), 10 * CHUNK));
            bench.run(secs(10));
            let new = bench
                .served
                .keys()
                .filter(|peer| **peer >= 10 && !order.contains(*peer));
            order.extend(new.copied().collect::<Vec<_>>());
        }
        order
    };
    assert_eq!(first(1), first(1), "equal seeds, equal runs");
    assert_ne!(first(1), first(2));
}

#[test]
fn fifty_wallets_of_one_subnet_get_one_subnets_share() {
    let mut bench = Bench::new(7);
    for sybil in 100..150 {
        bench.connect(sybil, 99, sybil);
        bench.eager.insert(sybil);
    }
    bench.run(secs(5));
    bench.eager([1, 2, 3]);
    bench.run(secs(20));
    bench.served.clear();
    bench.run(secs(200));
    let (sybils, all) = (bench.served_of(100..150), bench.served_of(0..150));
    assert!(sybils * 100 <= all * 27, "{sybils} of {all}");
}

#[test]
fn many_connections_of_one_wallet_get_one_wallets_share_of_its_subnet() {
    let mut bench = Bench::new(7);
    for connection in 100..108 {
        bench.connect(connection, 99, 100);
        bench.eager.insert(connection);
    }
    for other in 1..4 {
        bench.connect(other, 99, other);
        bench.eager.insert(other);
    }
    bench.run(secs(200));
    let (greedy, all) = (bench.served_of(100..108), bench.served_of(0..108));
    assert!(greedy * 100 <= all * 30, "{greedy} of {all}");
}

#[test]
fn those_that_give_nothing_are_served_while_nobody_else_wants_to_be() {
    let mut bench = Bench::new(7);
    bench.eager(0..4);
    (0..4).for_each(|peer| bench.upload.on_denied(PeerKey(peer)));
    bench.run(secs(5));
    assert!(bench.served_of(0..4) >= 36, "{:?}", bench.served);
    bench.eager(10..14);
    bench.run(secs(1));
    bench.served.clear();
    bench.run(secs(60));
    assert_eq!(bench.served_of(0..4), 0, "{:?}", bench.served);
    assert!(bench.served_of(10..14) >= 470, "{:?}", bench.served);
}

#[test]
fn one_that_shows_nothing_of_what_it_took_comes_last_until_it_does() {
    let mut bench = Bench::new(7);
    bench.eager(0..2);
    (0..=HIDDEN_MAX).for_each(|_| bench.upload.on_hidden(PeerKey(0)));
    bench.run(secs(10));
    assert!(
        bench.served_of(1..2) > 8 * bench.served_of(0..1),
        "{:?}",
        bench.served
    );
    let (id, chunk) = (
        ManifestId::new(Digest::of(b"container")),
        ChunkIndex::new(0),
    );
    bench.upload.on_has(bench.now, PeerKey(0), &id, &[chunk]);
    bench.served.clear();
    bench.run(secs(10));
    assert!(bench.served_of(0..1) >= 39, "{:?}", bench.served);
}

#[test]
fn credit_decides_where_nobody_gave_anything_lately() {
    let mut bench = Bench::new(7);
    let giver = Address::new(Digest::of(&5_u64.to_le_bytes()));
    let credit = Credit {
        address: giver,
        received: 1 << 30,
        sent: 0,
    };
    bench.upload = Upload::new(7, Some(4 * 64 * 1024), vec![credit]);
    bench.eager(0..16);
    bench.run(secs(300));
    let others = bench.served.iter().filter(|(peer, _)| **peer != 5);
    let most = others.map(|(_, chunks)| *chunks).max();
    assert!(
        bench.served[&5] > 2 * most.unwrap_or(0),
        "{:?}",
        bench.served
    );
}
