//! Who is connected to whom, and how far away.
//!
//! A random graph: each peer dials half as many others as it shall know, and is dialed as often. The
//! seed is number 0, and knows a few peers at random.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::args::Args;
use crate::rng::{Rng, mix};

/// One end of a connection: who is there, what it calls us, how long a message needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbour {
    pub(crate) node: u32,
    pub(crate) their_name_for_us: u32,
    pub(crate) latency: Duration,
}

/// The neighbours of each node. A node calls each by its position.
pub(crate) fn neighbours(args: &Args) -> Vec<Vec<Neighbour>> {
    let mut pairs = Pairs::new(args);
    let mut rng = Rng::new(mix(args.seed));
    let peers = u64::from(args.peers);
    let seed_known = args.seed_known.min(args.peers) as usize;
    while pairs.ends[0].len() < seed_known {
        let peer = rng.within(1, peers);
        pairs.connect(&mut rng, 0, peer);
    }
    let dials = u64::from(args.known / 2).min((peers - 1) / 2).max(1);
    for peer in 1..=peers {
        let mut left = dials;
        while left > 0 {
            let other = rng.within(1, peers);
            left -= u64::from(pairs.connect(&mut rng, peer, other));
        }
    }
    pairs.ends
}

struct Pairs {
    ends: Vec<Vec<Neighbour>>,
    there: BTreeSet<(u64, u64)>,
    latency: (u64, u64),
}

impl Pairs {
    fn new(args: &Args) -> Self {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self {
            ends: vec![Vec::new(); args.peers as usize + 1],
            there: BTreeSet::new(),
            latency: (micros(args.latency_min), micros(args.latency_max)),
        }
    }

    /// Connects two nodes. False if they are one, or connected already.
    fn connect(&mut self, rng: &mut Rng, a: u64, b: u64) -> bool {
        if a == b || !self.there.insert((a.min(b), a.max(b))) {
            return false;
        }
        let latency = Duration::from_micros(rng.within(self.latency.0, self.latency.1));
        let place = |node: u64| usize::try_from(node).expect("a node's number");
        let name = |ends: &[Neighbour]| u32::try_from(ends.len()).expect("few neighbours");
        let names = [a, b].map(|node| name(&self.ends[place(node)]));
        for (here, there, name) in [(a, b, names[1]), (b, a, names[0])] {
            self.ends[place(here)].push(Neighbour {
                node: u32::try_from(there).expect("a node's number"),
                their_name_for_us: name,
                latency,
            });
        }
        true
    }
}
