//! The world: one loop over what happens.
//!
//! `life` has who is there and who is connected to whom, `drive` a node's driver, `serve` the
//! answering side.

use swarmhold::digest::{Address, ManifestId};
use swarmhold::moment::Moment;
use swarmhold::swarm::PeerKey;

use crate::faults::{Role, Split, Turn};
use crate::net::{Event, Events, Session, place_of};
use crate::node::Node;
use crate::plan::{Plan, container_id};
use crate::rng::Rng;
use crate::trace::{Line, Trace};

/// Events of one run, at most.
const EVENTS_MAX: u64 = 6_000_000;

/// A run.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) now: Moment,
    pub(crate) rng: Rng,
    pub(crate) events: Events,
    pub(crate) nodes: Vec<Node>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) trace: Trace,
    pub(crate) calm: bool,
    pub(crate) numbers: u64,
    pub(crate) report: Report,
    pub(crate) ids: Vec<ManifestId>,
    /// Who cannot hear whom, and until when.
    pub(crate) splits: Vec<(Split, Moment)>,
    /// Chunks that are still to come before those that hold everything leave.
    pub(crate) leave_in: Option<u64>,
    /// Honest nodes that are not done.
    pub(crate) unfinished: usize,
}

/// What a run tells about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// When each node was done, if it was.
    pub(crate) done_at: Vec<Option<Moment>>,
    /// Bytes that each node lacked at first, and that arrived for nothing.
    pub(crate) lacked: Vec<u64>,
    pub(crate) wasted: Vec<u64>,
    /// What happened between two nodes, in a scene.
    pub(crate) dealings: Vec<Dealing>,
    pub(crate) events: u64,
    pub(crate) ended_at: Moment,
}

/// What happened at a node with another one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dealing {
    pub(crate) at: Moment,
    pub(crate) node: usize,
    pub(crate) other: usize,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It asked for this chunk.
    Asked(u32),
    /// It heard what the other holds.
    Told,
    /// This chunk arrived, so many bytes.
    Got(u32, u64),
}

impl World {
    pub(crate) fn new(plan: Plan, trace: Trace) -> Self {
        let mut rng = Rng::new(plan.seed ^ 0x5157_a3b1);
        let nodes: Vec<_> = (0..plan.nodes.len())
            .map(|index| Node::new(&plan, index, &mut rng))
            .collect();
        let lacks = |node: &Node| {
            node.disk
                .values()
                .map(|it| it.len() - it.count())
                .sum::<u32>()
        };
        let lacking: u64 = nodes.iter().map(|node| u64::from(lacks(node))).sum();
        let report = Report {
            done_at: vec![None; nodes.len()],
            lacked: nodes.iter().map(Node::lacks_bytes).collect(),
            wasted: vec![0; nodes.len()],
            ..Report::default()
        };
        let unfinished = (0..nodes.len()).filter(|node| plan.must_finish(*node));
        Self {
            now: Moment::ORIGIN,
            rng,
            events: Events::default(),
            sessions: Vec::new(),
            trace,
            calm: false,
            numbers: 0,
            report,
            ids: (0..plan.containers.len()).map(container_id).collect(),
            splits: Vec::new(),
            leave_in: plan.seeds_leave_at.map(|percent| lacking * percent / 100),
            unfinished: unfinished.count(),
            nodes,
            plan,
        }
    }

    /// Runs until every honest node is done.
    pub(crate) fn run(mut self) -> Report {
        for node in 0..self.nodes.len() {
            let at = self.plan.nodes[node].joins_at;
            self.events.push(at, Event::Turn(Turn::Joins(node)));
        }
        for (at, turn) in std::mem::take(&mut self.plan.script) {
            self.events.push(at, Event::Turn(turn));
        }
        self.events.push(self.plan.calm_at, Event::Calm);
        while self.unfinished > 0 {
            let (at, event) = self
                .events
                .pop()
                .expect("no progress: nothing will ever happen again");
            assert!(
                at >= self.now,
                "I6: {event:?} at {at:?}, it is {:?}",
                self.now
            );
            self.now = at;
            self.report.events += 1;
            let goes_on = self.report.events < EVENTS_MAX && at <= self.plan.done_by;
            assert!(goes_on, "at {at:?}, no progress: {}", self.progress());
            self.happen(event);
        }
        self.report.ended_at = self.now;
        crate::epilogue::run(&mut self);
        self.report
    }

    fn progress(&self) -> String {
        let unfinished = (0..self.nodes.len()).filter(|node| self.plan.must_finish(*node));
        let unfinished = unfinished.filter(|node| !self.nodes[*node].is_done);
        let unfinished: Vec<_> = unfinished.collect();
        if let Some(first) = unfinished.first() {
            self.trace.turn_to(*first);
        }
        let lines = unfinished.into_iter().map(|node| {
            let Node { disk, peers, .. } = &self.nodes[node];
            let held = disk.values();
            format!("n{node} has {held:?} from {} peers", peers.len())
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    fn happen(&mut self, event: Event) {
        if let Some(awake) = self.sleeper(&event) {
            return self.events.push(awake, event);
        }
        match event {
            Event::Message(session, side, message) => self.on_message(session, side, message),
            Event::Sent(node, serial) => self.on_sent(node, serial),
            Event::Dripped(node, serial) => self.on_dripped(node, serial),
            Event::Landed(node, serial) => self.on_landed(node, serial),
            Event::Seeped(node, life) if self.lives(node, life) => self.on_seeped(node),
            Event::Tarred(session, side, ticket) => self.on_tarred(session, side, ticket),
            Event::Dallied(session, side, ticket, id, chunk) => {
                self.on_dallied(session, side, ticket, (id, chunk));
            }
            Event::Read(node, life, ask) if self.lives(node, life) => self.on_read(node, ask),
            Event::Verified(node, life, ticket) if self.lives(node, life) => {
                self.on_verified(node, ticket);
            }
            Event::Wake(node, life, at) if self.lives(node, life) => self.on_wake(node, at),
            Event::Feed(node, life) if self.lives(node, life) => self.on_feed(node),
            Event::Fidget(node, life) if self.lives(node, life) => self.on_fidget(node),
            Event::Add(node, life, container) if self.lives(node, life) => {
                self.on_add(node, container);
            }
            Event::Remove(node, life, container) if self.lives(node, life) => {
                self.on_remove(node, container);
            }
            Event::GiveUp(node, life, container) if self.lives(node, life) => {
                self.on_given_up(node, container);
            }
            Event::Copied(node, life, ticket, id, chunk) if self.lives(node, life) => {
                self.on_copied(node, ticket, (id, chunk));
            }
            Event::Read(..)
            | Event::Copied(..)
            | Event::GiveUp(..)
            | Event::Verified(..)
            | Event::Wake(..)
            | Event::Feed(..)
            | Event::Seeped(..)
            | Event::Fidget(..)
            | Event::Add(..)
            | Event::Remove(..) => {}
            Event::Meet(a, b) => self.on_meet(a, b),
            Event::Break(session) => self.close(session),
            Event::Restart(node) => self.on_restart(node),
            Event::Depart(node) => self.on_depart(node),
            Event::Turn(turn) => self.on_turn(turn),
            Event::Calm => self.on_calm(),
        }
    }

    fn lives(&self, node: usize, life: u64) -> bool {
        self.nodes[node].up && self.nodes[node].life == life
    }

    /// When the node wakes up at which this would happen, if it is suspended.
    fn sleeper(&self, event: &Event) -> Option<Moment> {
        let node = match event {
            Event::Message(session, side, _) | Event::Dallied(session, side, ..) => {
                self.sessions[*session].nodes[*side]
            }
            Event::Sent(node, _)
            | Event::Dripped(node, _)
            | Event::Landed(node, _)
            | Event::Seeped(node, _)
            | Event::Read(node, ..)
            | Event::Verified(node, ..)
            | Event::Copied(node, ..)
            | Event::Wake(node, ..)
            | Event::Feed(node, _) => *node,
            Event::Tarred(..)
            | Event::Fidget(..)
            | Event::Remove(..)
            | Event::GiveUp(..)
            | Event::Add(..)
            | Event::Meet(..)
            | Event::Break(_)
            | Event::Restart(_)
            | Event::Depart(_)
            | Event::Turn(_)
            | Event::Calm => return None,
        };
        Some(self.nodes[node].frozen_until).filter(|until| *until > self.now)
    }

    fn on_turn(&mut self, turn: Turn) {
        match turn {
            Turn::Becomes(node, role) => self.nodes[node].role = role,
            Turn::Leaves(node) => self.leave(node),
            Turn::Joins(node) => self.join(node),
            Turn::Restarts(node) => self.restart(node),
            Turn::Splits(split, lasts) => self.on_split(split, lasts),
            Turn::Freezes(node, lasts) => self.on_freeze(node, lasts),
            Turn::Wishes(node, container, whim) => self.on_whim(node, container, whim),
            Turn::Limits(node, rates) => self.on_limits(node, rates),
        }
    }

    /// Which container of the plan this is.
    pub(crate) fn container_of(&self, id: &ManifestId) -> usize {
        let container = self.ids.iter().position(|it| it == id);
        container.expect("one of the plan's")
    }

    /// Who is at the other end of a connection.
    pub(crate) fn node_behind(&self, peer: PeerKey) -> usize {
        let (session, side) = place_of(peer);
        self.sessions[session].nodes[1 - side]
    }

    pub(crate) fn node_with(&self, address: &Address) -> usize {
        let node = self.nodes.iter().position(|it| it.address == *address);
        node.expect("one of ours")
    }

    /// Counts a node as done or not, as it is now.
    pub(crate) fn note_done(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        let done = here.has_everything();
        if std::mem::replace(&mut here.is_done, done) == done {
            return;
        }
        self.report.done_at[node] = done.then_some(self.now);
        if self.plan.nodes[node].role == Role::Honest {
            self.unfinished = if done {
                self.unfinished - 1
            } else {
                self.unfinished + 1
            };
        }
    }

    pub(crate) fn note(&self, node: usize, line: Line) {
        self.trace.line(self.now, node, line);
    }

    /// Remembers what happened between two nodes, in a scene.
    pub(crate) fn deal(&mut self, node: usize, other: usize, what: What) {
        if self.plan.is_scene {
            self.report.dealings.push(Dealing {
                at: self.now,
                node,
                other,
                what,
            });
        }
    }
}
