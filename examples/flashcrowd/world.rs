//! All nodes, run side by side in short spans of virtual time.
//!
//! Nothing that a node does reaches another one sooner than the shortest latency. So within a span of
//! that length the nodes know nothing of each other and may be run in any order, on any thread; what
//! they send is handed over between two spans. Each node orders its own events (`net`), so the run
//! is the same whatever the number of threads.

use std::time::Duration;

use swarmhold::digest::{Digest, ManifestId};
use swarmhold::manifest::Layout;
use swarmhold::moment::Moment;
use swarmhold::swarm::PeerKey;

use crate::args::Args;
use crate::graph;
use crate::net::Letter;
use crate::node::{Birth, Common, Node};
use crate::rng::{Rng, mix};

/// Virtual time after which a run has failed, in multiples of the least time.
const PATIENCE: u32 = 100;

/// All nodes.
pub(crate) struct World {
    shards: Vec<Shard>,
    span: Duration,
    shard_len: u32,
    now: Moment,
}

/// Some of the nodes, with numbers that follow each other, and what others sent them.
struct Shard {
    nodes: Vec<Node>,
    first: u32,
    inbox: Vec<Vec<Letter>>,
    /// What these nodes send, by the shard of the receiver.
    outbox: Vec<Vec<Letter>>,
}

impl World {
    pub(crate) fn new(args: &Args, layout: Layout) -> Self {
        let common = Common {
            id: ManifestId::new(Digest::of(b"the container of the flash crowd")),
            layout,
            feed_pause: args.feed_pause,
        };
        let mut seeds = Rng::new(mix(!args.seed));
        let mut number = 0;
        let mut nodes = Vec::new();
        for neighbours in graph::neighbours(args) {
            let complete = number == 0;
            let birth = Birth {
                number,
                seed: seeds.next(),
                up: if complete { args.seed_up } else { args.up },
                down: args.down,
                complete,
                neighbours,
            };
            nodes.push(Node::new(common, birth));
            number += 1;
        }
        connect_all(&mut nodes, args);
        let shard_len = number.div_ceil(args.threads.into());
        let mut shards = Vec::new();
        while !nodes.is_empty() {
            let rest = nodes.split_off(nodes.len().min(shard_len as usize));
            let first = u32::try_from(shards.len()).expect("few shards") * shard_len;
            shards.push(Shard::new(std::mem::replace(&mut nodes, rest), first));
        }
        let count = shards.len();
        for shard in &mut shards {
            shard.inbox.resize_with(count, Vec::new);
            shard.outbox.resize_with(count, Vec::new);
        }
        Self {
            shards,
            span: args.latency_min,
            shard_len,
            now: Moment::ORIGIN,
        }
    }

    /// Runs until every node has everything; calls `on_second` about once in a virtual second with the
    /// time and the number of nodes that are done. An error says who is not done.
    pub(crate) fn run(
        &mut self,
        bound: Duration,
        mut on_second: impl FnMut(Duration, usize),
    ) -> Result<(), String> {
        let mut next_second = Moment::ORIGIN;
        loop {
            let done = self.nodes().filter(|node| node.ledger.done_at.is_some());
            let (done, all) = (done.count(), self.nodes().count());
            let elapsed = self.now.since(Moment::ORIGIN);
            if self.now >= next_second || done == all {
                on_second(elapsed, done);
                next_second = self.now + Duration::from_secs(1);
            }
            if done == all {
                return Ok(());
            }
            if elapsed > PATIENCE * bound + Duration::from_secs(60) {
                return Err(format!("{} of {all} are not done", all - done));
            }
            self.step();
        }
    }

    /// All nodes, the seed first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.shards.iter().flat_map(|shard| &shard.nodes)
    }

    fn step(&mut self) {
        let until = self.now + self.span;
        let shard_len = self.shard_len;
        std::thread::scope(|scope| {
            let (last, others) = self.shards.split_last_mut().expect("there are nodes");
            for shard in others {
                scope.spawn(move || shard.run(until, shard_len));
            }
            last.run(until, shard_len);
        });
        for from in 0..self.shards.len() {
            for to in 0..self.shards.len() {
                let letters = std::mem::take(&mut self.shards[from].outbox[to]);
                let read = std::mem::replace(&mut self.shards[to].inbox[from], letters);
                self.shards[from].outbox[to] = read;
            }
        }
        self.now = until;
    }
}

impl Shard {
    fn new(nodes: Vec<Node>, first: u32) -> Self {
        Self {
            nodes,
            first,
            inbox: Vec::new(),
            outbox: Vec::new(),
        }
    }

    fn run(&mut self, until: Moment, shard_len: u32) {
        for letters in &mut self.inbox {
            for letter in letters.drain(..) {
                let node = (letter.to - self.first) as usize;
                self.nodes[node].expect(letter.event);
            }
        }
        let mut letters = Vec::new();
        for node in &mut self.nodes {
            node.run(until, &mut letters);
            for letter in letters.drain(..) {
                self.outbox[(letter.to / shard_len) as usize].push(letter);
            }
        }
    }
}

/// Peers arrive, evenly spread over a span, and shake hands with whoever is there: one and a half
/// round trips.
fn connect_all(nodes: &mut [Node], args: &Args) {
    let count = u32::try_from(nodes.len()).expect("few nodes");
    let arrives = |node: u32| Moment::ORIGIN + args.arrive_within * node / count;
    for (here, number) in nodes.iter_mut().zip(0..) {
        let neighbours: Vec<_> = here.neighbours().to_vec();
        for (neighbour, key) in neighbours.into_iter().zip(0..) {
            let both = arrives(number).max(arrives(neighbour.node));
            here.expect_connection(both + 3 * neighbour.latency, PeerKey(key));
        }
    }
}
