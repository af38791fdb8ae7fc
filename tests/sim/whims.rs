//! What users wish while containers are fetched, and when: orders, readers, pauses, limits, and chunks
//! that turn out to be on the node already.
//!
//! Half of the seeds have some, from a stream of numbers of their own, so that everything else in a
//! world is as it is without. Every pause and every limit ends before faults do.

use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::ManifestId;
use swarmhold::moment::Moment;
use swarmhold::swarm::{Input, Order, Rates, Ticket, Wish};

use crate::faults::Turn;
use crate::net::Event;
use crate::plan::{Plan, container_id};
use crate::rng::Rng;
use crate::trace::Line;
use crate::world::World;

/// Sets these numbers apart from those of the rest of a world.
const STREAM: u64 = 0x7768_696d;

/// One thing that a user wishes of a container, or finds for it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whim {
    Order(Order),
    /// Somebody reads from this chunk up to that one.
    Reads(u32, u32),
    ReadsNot,
    Pause,
    Resume,
    Limit(Rates),
    /// Chunks from this one up to that one are in other containers of the node.
    Local(u32, u32),
}

impl Plan {
    /// Draws what users wish before faults stop. Where nothing is out of order, only orders: what is
    /// paused or slowed down breaks off what was coming.
    pub(crate) fn draw_whims(&mut self) {
        let mut rng = Rng::new(self.seed ^ STREAM);
        if !rng.percent(50) {
            return;
        }
        let kinds = if self.is_pure() { 1 } else { 6 };
        for _ in 0..rng.between(1, 40) {
            let node = rng.index(self.nodes.len());
            let container = rng.pick(&self.nodes[node].takes);
            let from = rng.between(0, self.calm_at.as_micros() - 1);
            let to = rng.between(from + 1, self.calm_at.as_micros());
            let times = [from, to].map(Moment::from_micros);
            let turns = self.draw_whim(&mut rng, (node, container), kinds);
            self.script.extend(times.into_iter().zip(turns));
        }
    }

    /// Something that a user wishes, and its end.
    fn draw_whim(
        &self,
        rng: &mut Rng,
        (node, container): (usize, usize),
        kinds: u64,
    ) -> impl Iterator<Item = Turn> + use<> {
        let layout = self.containers[container].layout;
        let chunks = u64::from(layout.chunk_count());
        let mut chunk = || u32::try_from(rng.between(0, chunks + 1)).expect("few chunks");
        let (a, b) = (chunk(), chunk());
        let range = (a.min(b), a.max(b));
        let mut rate = || Some(layout.size() / rng.scale(2, 512)).filter(|_| rng.percent(80));
        let (up, down) = (rate(), rate());
        let (rates, none) = (Rates { up, down }, Rates::default());
        let orders = [Order::Rarest, Order::Sequential, Order::Sections];
        let (first, last) = match rng.between(0, kinds) {
            0 => {
                let mut order = || Whim::Order(rng.pick(&orders));
                (order(), order())
            }
            1 => (Whim::Reads(range.0, range.1), Whim::ReadsNot),
            2 => (Whim::Pause, Whim::Resume),
            3 => (Whim::Limit(rates), Whim::Limit(none)),
            4 => (Whim::Local(range.0, range.1), Whim::ReadsNot),
            _ => {
                let turns = [rates, none].map(|rates| Turn::Limits(node, rates));
                return turns.into_iter();
            }
        };
        let turns = [first, last].map(|whim| Turn::Wishes(node, container, whim));
        turns.into_iter()
    }
}

impl World {
    /// When a user of this node can do something: later, if it is suspended.
    fn postpone(&mut self, node: usize, turn: Turn) -> bool {
        let until = self.nodes[node].frozen_until;
        let later = until > self.now;
        if later {
            self.events.push(until, Event::Turn(turn));
        }
        later || !self.nodes[node].up
    }

    /// A user changes the limits of a whole node.
    pub(crate) fn on_limits(&mut self, node: usize, rates: Rates) {
        if !self.postpone(node, Turn::Limits(node, rates)) {
            self.note(node, Line::Note("is limited otherwise"));
            self.tell(node, Input::Limit { rates });
        }
    }

    /// A user wishes something of a container.
    pub(crate) fn on_whim(&mut self, node: usize, container: usize, whim: Whim) {
        let id = container_id(container);
        let takes_part = self.nodes[node].taking.contains(&id);
        if !takes_part || self.postpone(node, Turn::Wishes(node, container, whim)) {
            return;
        }
        let chunks = |from: u32, to: u32| ChunkIndex::new(from)..ChunkIndex::new(to);
        let wish = match whim {
            Whim::Order(order) => Wish::Order(order),
            Whim::Reads(from, to) => Wish::Readers(vec![chunks(from, to)]),
            Whim::ReadsNot => Wish::Readers(Vec::new()),
            Whim::Pause => Wish::Pause,
            Whim::Resume => Wish::Resume,
            Whim::Limit(rates) => Wish::Limit(rates),
            Whim::Local(from, to) => {
                self.note(node, Line::Note("finds chunks of its own"));
                let chunks = (from..to).map(ChunkIndex::new).collect();
                return self.tell(node, Input::Local { id, chunks });
            }
        };
        self.note(node, Line::Note(describe(whim)));
        self.nodes[node].ledger.on_wish(id, &wish);
        self.tell(node, Input::Steer { id, wish });
    }

    /// The core wants a chunk to be copied.
    pub(crate) fn begin_copy(
        &mut self,
        node: usize,
        ticket: Ticket,
        (id, chunk): (ManifestId, ChunkIndex),
    ) {
        let container = self.container_of(&id);
        let here = &mut self.nodes[node];
        let have = here.swarm.have(&id).expect("I5: of no container");
        here.ledger.on_copy(ticket, (container, chunk), have);
        let takes = self.rng.micros(50, 5_000);
        let event = Event::Copied(node, self.nodes[node].life, ticket, id, chunk);
        self.events.push(self.now + takes, event);
    }

    /// A worker has copied a chunk, or found that it cannot.
    pub(crate) fn on_copied(
        &mut self,
        node: usize,
        ticket: Ticket,
        (id, chunk): (ManifestId, ChunkIndex),
    ) {
        self.nodes[node].ledger.on_copied(ticket);
        let input = if self.is_poisoned(&id, chunk) || self.rng.percent(10) {
            Input::NotCopied { ticket }
        } else if self.nodes[node].full_until > self.now {
            Input::StoreFailed { ticket }
        } else {
            let held = self.nodes[node].disk.get_mut(&id);
            if held.expect("it takes part").insert(chunk) {
                self.count_down();
            }
            Input::Copied { ticket }
        };
        self.tell(node, input);
    }
}

fn describe(whim: Whim) -> &'static str {
    match whim {
        Whim::Order(Order::Rarest) => "wants the rarest first",
        Whim::Order(Order::Sequential) => "wants one after the other",
        Whim::Order(Order::Sections) => "wants sections",
        Whim::Reads(..) => "reads",
        Whim::ReadsNot => "reads no more",
        Whim::Pause => "pauses",
        Whim::Resume => "resumes",
        Whim::Limit(_) => "limits a container otherwise",
        Whim::Local(..) => "finds chunks of its own",
    }
}
