//! What a publisher gives that alone holds a container.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::chunk::{Bitfield, ChunkIndex};
use crate::moment::Moment;
use crate::swarm::event::PeerKey;
use crate::swarm::upload::super_seed::SuperSeed;

const CHUNKS: u32 = 256;
/// The publisher needs this for a chunk, and so does everybody else.
const CHUNK_TIME: Duration = Duration::from_millis(10);

/// A publisher, and downloaders that pass on to each other what they get, or do not.
struct Bench {
    publisher: SuperSeed,
    now: Moment,
    held: BTreeMap<u64, BTreeSet<u32>>,
    /// Who reaches whom.
    links: BTreeMap<u64, BTreeSet<u64>>,
    /// What each believes that the publisher gives.
    view: BTreeMap<u64, Bitfield>,
    sent: BTreeMap<u32, u32>,
    idle: u32,
}

impl Bench {
    /// So many downloaders; those of one group reach each other.
    fn new(peers: u64, groups: u64) -> Self {
        let (empty, full) = (Bitfield::empty(CHUNKS), Bitfield::full(CHUNKS));
        let followers = (0..peers).map(|peer| (PeerKey(peer), &empty));
        let now = Moment::from_micros(1_000_000);
        let publisher = SuperSeed::new(now, CHUNKS, followers);
        let group = |peer: u64| (0..peers).filter(move |other| other % groups == peer % groups);
        Self {
            publisher,
            now,
            held: (0..peers).map(|peer| (peer, BTreeSet::new())).collect(),
            links: (0..peers)
                .map(|it| (it, group(it).filter(|other| *other != it).collect()))
                .collect(),
            view: (0..peers).map(|peer| (peer, full.clone())).collect(),
            sent: BTreeMap::new(),
            idle: 0,
        }
    }

    fn has(&mut self, peer: u64, chunk: u32) {
        self.held.get_mut(&peer).unwrap().insert(chunk);
        let chunks = [ChunkIndex::new(chunk)];
        self.publisher.on_has(self.now, PeerKey(peer), &chunks);
    }

    /// In the time of one chunk everybody gets one of somebody it reaches, if there is any, and the
    /// publisher sends one, to those who ask in turn.
    fn step(&mut self, turn: u64) {
        self.now = self.now + CHUNK_TIME;
        let before = self.held.clone();
        let mut busy = BTreeSet::new();
        for peer in self.held.keys().copied().collect::<Vec<_>>() {
            let offers = self.links[&peer].iter().filter(|it| !busy.contains(*it));
            let mut offer = offers.filter_map(|it| {
                let chunk = before[it].difference(&self.held[&peer]).next()?;
                Some((*it, *chunk))
            });
            if let Some((giver, chunk)) = offer.next_back() {
                busy.insert(giver);
                self.has(peer, chunk);
            }
        }
        for (peer, held) in self.publisher.words(self.now) {
            self.view.insert(peer.0, held);
        }
        if !self.publish(turn) && self.lacking() > 0 {
            self.idle += 1;
        }
    }

    fn publish(&mut self, turn: u64) -> bool {
        let peers: Vec<u64> = self.held.keys().copied().collect();
        let from = usize::try_from(turn).unwrap() % peers.len();
        for peer in peers.iter().cycle().skip(from).take(peers.len()).copied() {
            // Everybody begins at a place of its own.
            let place = u32::try_from(peer * 97).unwrap() % CHUNKS;
            let wants = (place..CHUNKS).chain(0..place).map(ChunkIndex::new);
            let lacks = |chunk: &ChunkIndex| !self.held[&peer].contains(&chunk.get());
            for chunk in wants.filter(lacks).collect::<Vec<_>>() {
                if !self.view[&peer].contains(chunk) {
                    continue;
                }
                if !self.publisher.gives(self.now, PeerKey(peer), chunk) {
                    let mut view = self.publisher.withhold(self.now, PeerKey(peer));
                    view.remove(chunk);
                    self.view.insert(peer, view);
                    continue;
                }
                self.publisher.on_given(self.now, PeerKey(peer), chunk);
                *self.sent.entry(chunk.get()).or_default() += 1;
                self.has(peer, chunk.get());
                return true;
            }
        }
        false
    }

    fn lacking(&self) -> u32 {
        let lacks = |held: &BTreeSet<u32>| CHUNKS - u32::try_from(held.len()).unwrap();
        self.held.values().map(lacks).sum()
    }

    /// Runs until all have everything, for so many chunks' time at most; says how many that took.
    fn run(&mut self, steps_max: u64) -> u64 {
        let steps = (0..steps_max).find(|turn| {
            self.step(*turn);
            self.lacking() == 0
        });
        steps.unwrap_or_else(|| panic!("{} chunks are lacking", self.lacking()))
    }

    fn sent(&self) -> u32 {
        self.sent.values().sum()
    }
}

#[test]
fn each_chunk_goes_out_about_once_where_peers_pass_on_what_they_get() {
    for peers in [2, 5, 16] {
        let mut bench = Bench::new(peers, 1);
        let steps = bench.run(2000);
        let sent = bench.sent();
        assert!(sent <= CHUNKS * 105 / 100, "{sent} to {peers} peers");
        assert!(steps < 400, "{steps} steps for {peers} peers");
        assert_eq!(bench.sent.len(), CHUNKS as usize);
    }
}

#[test]
fn no_chunk_goes_out_twice_before_each_has_gone_out_once() {
    let mut bench = Bench::new(5, 5);
    for turn in 0.. {
        if bench.sent.len() == CHUNKS as usize || turn > 255 {
            break;
        }
        bench.step(turn);
        let known = turn < 20;
        assert!(!known || bench.sent.values().all(|times| *times == 1));
    }
}

#[test]
fn peers_that_reach_nobody_are_not_slowed() {
    let mut bench = Bench::new(4, 4);
    let steps = bench.run(4 * u64::from(CHUNKS) + 60);
    assert_eq!(bench.sent(), 4 * CHUNKS);
    assert!(bench.idle <= 40, "idle for {} of {steps} steps", bench.idle);
}

#[test]
fn one_that_reaches_nobody_is_not_slowed_among_others_that_do() {
    let mut bench = Bench::new(5, 1);
    bench
        .links
        .values_mut()
        .for_each(|links| _ = links.remove(&4));
    bench.links.insert(4, BTreeSet::new());
    let steps = bench.run(2000);
    assert!(steps < 2 * u64::from(CHUNKS) + 150, "{steps} steps");
}

#[test]
fn a_chunk_whose_receiver_leaves_before_it_passed_it_on_is_given_again() {
    let mut bench = Bench::new(3, 1);
    bench
        .links
        .values_mut()
        .for_each(|links| _ = links.remove(&2));
    (0..100).for_each(|turn| bench.step(turn));
    assert!(!bench.held[&2].is_empty());
    bench.publisher.on_gone(PeerKey(2));
    bench.held.remove(&2);
    bench.run(1000);
    assert!(bench.sent.values().any(|times| *times == 2));
}

#[test]
fn those_that_pass_nothing_on_keep_nobody_from_getting_everything() {
    let mut bench = Bench::new(4, 1);
    for links in bench.links.values_mut() {
        [1, 2, 3]
            .iter()
            .for_each(|freerider| _ = links.remove(freerider));
    }
    bench.run(4 * u64::from(CHUNKS) + 200);
}

#[test]
fn another_complete_source_ends_it() {
    let mut bench = Bench::new(3, 1);
    (0..50).for_each(|turn| bench.step(turn));
    let given = *bench.sent.keys().next().unwrap();
    let lacks = |bench: &Bench| (0..3).find(|peer| !bench.held[peer].contains(&given));
    let peer = lacks(&bench).unwrap_or(0);
    bench
        .publisher
        .on_holds(PeerKey(9), &Bitfield::full(CHUNKS));
    let gives = |bench: &mut Bench| {
        bench
            .publisher
            .gives(bench.now, PeerKey(peer), ChunkIndex::new(given))
    };
    assert!(gives(&mut bench));
}

#[test]
fn nothing_is_due_once_everybody_has_gone() {
    let mut bench = Bench::new(3, 1);
    (0..100).for_each(|turn| bench.step(turn));
    (0..3).for_each(|peer| bench.publisher.on_gone(PeerKey(peer)));
    assert!(bench.publisher.is_done());
    assert_eq!(bench.publisher.deadline(), None);
}

/// An answer that was given before our last word may come after it.
#[test]
fn who_does_not_seem_to_have_heard_is_told_again() {
    let mut bench = Bench::new(2, 2);
    for chunk in 0..CHUNKS {
        bench
            .publisher
            .on_given(bench.now, PeerKey(0), ChunkIndex::new(chunk));
    }
    assert!(bench.publisher.withhold(bench.now, PeerKey(1)).is_empty());
    let mut told = Vec::new();
    for _ in 0..200 {
        bench.now = bench.publisher.deadline().expect("somebody waits");
        let words = bench.publisher.words(bench.now);
        told.extend(words.into_iter().map(|_| bench.now));
    }
    let pauses = told.windows(2).map(|two| two[1].since(two[0]).as_secs());
    assert_eq!(pauses.take(3).collect::<Vec<_>>(), [1, 2, 4]);
}
