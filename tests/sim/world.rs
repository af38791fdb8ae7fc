//! The world: one loop over what happens, and who is connected to whom.
//!
//! `drive` has a node's driver, `serve` the answering side.

use std::time::Duration;

use swarmhold::digest::ManifestId;
use swarmhold::moment::Moment;
use swarmhold::swarm::{Input, PeerKey, Subnet, Trust};

use crate::faults::{Plan, Turn, container_id};
use crate::net::{Answer, Event, Events, Message, Session, SessionId};
use crate::node::Node;
use crate::rng::Rng;
use crate::trace::Trace;

/// Events of one run, at most.
const EVENTS_MAX: u64 = 3_000_000;

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
}

/// What a run tells about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// When each node was done, if it was.
    pub(crate) done_at: Vec<Option<Moment>>,
    /// Bytes that arrived, proven or not, at each node from each other.
    pub(crate) got: Vec<Vec<u64>>,
    /// Bytes that arrived for nothing, at each node.
    pub(crate) wasted: Vec<u64>,
    /// When chunks arrived at each node, and from whom.
    pub(crate) arrivals: Vec<Vec<(Moment, usize)>>,
    /// When each node first asked each other one.
    pub(crate) first_asked: Vec<Vec<Option<Moment>>>,
    /// When each node first heard from each other one what that holds.
    pub(crate) first_held: Vec<Vec<Option<Moment>>>,
    pub(crate) wakes: Vec<u64>,
    pub(crate) events: u64,
}

impl World {
    pub(crate) fn new(plan: Plan, trace: Trace) -> Self {
        let mut rng = Rng::new(plan.seed ^ 0x5157_a3b1);
        let nodes: Vec<_> = (0..plan.nodes.len())
            .map(|index| Node::new(&plan, index, &mut rng))
            .collect();
        let count = nodes.len();
        let report = Report {
            done_at: vec![None; count],
            got: vec![vec![0; count]; count],
            wasted: vec![0; count],
            arrivals: vec![Vec::new(); count],
            first_asked: vec![vec![None; count]; count],
            first_held: vec![vec![None; count]; count],
            wakes: vec![0; count],
            events: 0,
        };
        Self {
            plan,
            now: Moment::ORIGIN,
            rng,
            events: Events::default(),
            nodes,
            sessions: Vec::new(),
            trace,
            calm: false,
            numbers: 0,
            report,
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
        while !self.is_over() {
            let (at, event) = self.events.pop().expect("nothing will ever happen again");
            assert!(
                at >= self.now,
                "I6: {event:?} at {at:?}, it is {:?}",
                self.now
            );
            self.now = at;
            self.report.events += 1;
            assert!(
                self.report.events < EVENTS_MAX,
                "no end of events: {}",
                self.progress()
            );
            if at > self.plan.done_by {
                panic!("no end: {}", self.progress());
            }
            self.happen(event);
        }
        crate::epilogue::run(&mut self);
        self.report
    }

    fn is_over(&self) -> bool {
        let mut honest = (0..self.nodes.len()).filter(|node| self.plan.must_finish(*node));
        honest.all(|node| self.report.done_at[node].is_some() && self.nodes[node].is_done())
    }

    fn progress(&self) -> String {
        let unfinished = (0..self.nodes.len()).filter(|node| self.plan.must_finish(*node));
        let unfinished = unfinished.filter(|node| !self.nodes[*node].is_done());
        let lines = unfinished.map(|node| {
            let disk = &self.nodes[node].disk;
            let peers = &self.nodes[node].peers;
            format!("n{node} has {disk:?} from {} peers", peers.len())
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Message(session, side, message) => self.on_message(session, side, message),
            Event::Sent(node, serial) => self.on_sent(node, serial),
            Event::Dripped(node, serial) => self.on_dripped(node, serial),
            Event::Tarred(session, side, ticket) => self.on_tarred(session, side, ticket),
            Event::Read(node, life, ask) if self.lives(node, life) => self.on_read(node, ask),
            Event::Verified(node, life, ticket) if self.lives(node, life) => {
                self.on_verified(node, ticket);
            }
            Event::Wake(node, life, at) if self.lives(node, life) => self.on_wake(node, at),
            Event::Feed(node, life) if self.lives(node, life) => self.on_feed(node),
            Event::Add(node, life, container) if self.lives(node, life) => {
                self.on_add(node, container);
            }
            Event::Remove(node, life, container) if self.lives(node, life) => {
                self.on_remove(node, container);
            }
            Event::Read(..)
            | Event::Verified(..)
            | Event::Wake(..)
            | Event::Feed(..)
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

    fn on_turn(&mut self, turn: Turn) {
        match turn {
            Turn::Becomes(node, role) => self.nodes[node].role = role,
            Turn::Uplink(node, rate) => self.nodes[node].uplink.rate = rate,
            Turn::Leaves(node) => self.leave(node),
            Turn::Joins(node) => self.join(node),
        }
    }

    fn join(&mut self, node: usize) {
        if std::mem::replace(&mut self.nodes[node].up, true) {
            return;
        }
        self.trace.note(self.now, node, format_args!("joins"));
        for container in self.plan.nodes[node].takes.clone() {
            self.on_add(node, container);
        }
        let links = self.plan.links.iter().copied();
        let links: Vec<_> = links.filter(|(a, b)| *a == node || *b == node).collect();
        for (a, b) in links {
            self.on_meet(a, b);
        }
        if self.calm {
            return;
        }
        let (soon, life) = (self.rng.millis(500, 30_000), self.nodes[node].life);
        let faults = self.plan.faults;
        if faults.churn && node != 0 && self.rng.percent(40) {
            self.events.push(self.now + soon, Event::Depart(node));
        }
        if faults.restarts && self.rng.percent(30) {
            self.events.push(self.now + soon / 2, Event::Restart(node));
        }
        if faults.changes_of_mind && self.rng.percent(30) {
            let container = self.rng.pick(&self.plan.nodes[node].takes.clone());
            let event = Event::Remove(node, life, container);
            self.events.push(self.now + soon / 3, event);
        }
    }

    fn leave(&mut self, node: usize) {
        self.trace.note(self.now, node, format_args!("leaves"));
        self.close_all(node);
        self.nodes[node].on_restart();
        self.nodes[node].up = false;
    }

    /// A node leaves, and comes back.
    fn on_depart(&mut self, node: usize) {
        if self.calm || !self.nodes[node].up {
            return;
        }
        self.leave(node);
        let back = self.now + self.rng.millis(100, 20_000);
        self.events.push(back, Event::Turn(Turn::Joins(node)));
    }

    fn on_restart(&mut self, node: usize) {
        if self.calm || !self.nodes[node].up {
            return;
        }
        self.trace.note(self.now, node, format_args!("restarts"));
        self.close_all(node);
        self.nodes[node].on_restart();
        self.nodes[node].up = false;
        self.join(node);
    }

    fn on_calm(&mut self) {
        self.calm = true;
        for node in 0..self.nodes.len() {
            self.join(node);
        }
    }

    fn on_meet(&mut self, a: usize, b: usize) {
        let connected = self.nodes[a].peers.values().any(|(session, side)| {
            let session = &self.sessions[*session];
            session.nodes[1 - side] == b
        });
        if a == b || connected || !self.nodes[a].up || !self.nodes[b].up {
            return;
        }
        self.numbers += 2;
        let keys = [PeerKey(self.numbers), PeerKey(self.numbers + 1)];
        let latency = self.plan.nodes[a].latency + self.plan.nodes[b].latency;
        let id = self.sessions.len();
        self.sessions.push(Session {
            nodes: [a, b],
            keys,
            open: true,
            latency,
            last: [self.now; 2],
        });
        for (side, other) in [(0, 1), (1, 0)] {
            let (here, there) = ([a, b][side], [a, b][other]);
            self.nodes[here].peers.insert(keys[side], (id, side));
            let ledger = &mut self.nodes[here].ledger;
            ledger
                .told
                .insert(keys[side], std::collections::BTreeMap::new());
            let (peer, address) = (keys[side], self.nodes[there].address);
            let rtt = 2 * latency;
            let subnet = Subnet(there as u64);
            self.tell(
                here,
                Input::PeerConnected {
                    peer,
                    address,
                    subnet,
                    rtt,
                },
            );
        }
        for side in [0, 1] {
            let node = [a, b][side];
            for id in self.nodes[node].taking.clone() {
                self.say_holds(node, keys[side], id);
            }
        }
        if self.plan.faults.breaks && !self.calm && self.rng.percent(30) {
            let at = self.now + self.rng.millis(100, 20_000);
            self.events.push(at, Event::Break(id));
        }
    }

    /// Ends a connection; whoever is linked tries again later.
    pub(crate) fn close(&mut self, id: SessionId) {
        if !std::mem::replace(&mut self.sessions[id].open, false) {
            return;
        }
        let (nodes, keys) = (self.sessions[id].nodes, self.sessions[id].keys);
        for (node, peer) in nodes.into_iter().zip(keys) {
            self.nodes[node].peers.remove(&peer);
            self.nodes[node].ledger.on_gone(peer);
            self.tell(node, Input::PeerGone { peer });
            self.drop_asks_of(node, id);
        }
        let [a, b] = nodes;
        if self.plan.links.contains(&(a.min(b), a.max(b))) {
            let bans = |here: usize, there: usize| {
                let address = self.nodes[there].address;
                self.nodes[here].swarm.is_banned(&address)
            };
            let patience = if bans(a, b) || bans(b, a) { 60 } else { 1 };
            let again = self.now + patience * self.rng.millis(200, 5000);
            self.events.push(again, Event::Meet(a, b));
        }
    }

    fn close_all(&mut self, node: usize) {
        let sessions: Vec<_> = self.nodes[node].peers.values().map(|it| it.0).collect();
        sessions.into_iter().for_each(|session| self.close(session));
    }

    pub(crate) fn on_add(&mut self, node: usize, container: usize) {
        let id = container_id(container);
        let here = &mut self.nodes[node];
        if !here.taking.insert(id) {
            return;
        }
        let (layout, have) = (here.layouts[&id], here.disk[&id].clone());
        let trust = Trust::Pinned;
        let peers: Vec<_> = here.peers.values().copied().collect();
        self.tell(
            node,
            Input::Add {
                id,
                layout,
                have,
                trust,
            },
        );
        // Its driver subscribes to everybody, and everybody to it.
        for (session, side) in peers {
            let (nodes, keys) = (self.sessions[session].nodes, self.sessions[session].keys);
            self.say_holds(node, keys[side], id);
            self.say_holds(nodes[1 - side], keys[1 - side], id);
        }
    }

    pub(crate) fn on_remove(&mut self, node: usize, container: usize) {
        let id = container_id(container);
        if !self.nodes[node].taking.remove(&id) {
            return;
        }
        self.trace
            .note(self.now, node, format_args!("removes {}", id.short()));
        self.tell(node, Input::Remove { id });
        self.nodes[node].ledger.on_removed(&id);
        let (again, life) = (self.rng.millis(0, 1500), self.nodes[node].life);
        let add = Event::Add(node, life, container);
        self.events.push(self.now + again, add);
    }

    /// Says to a peer everything that this node holds of a container.
    pub(crate) fn say_holds(&mut self, node: usize, peer: PeerKey, id: ManifestId) {
        if self.nodes[node].taking.contains(&id) {
            let held = self.nodes[node].claims(&id);
            self.say(node, peer, Message::Holds(id, held));
        }
    }

    /// Says something to a peer; it arrives in order, if the connection lives until then.
    pub(crate) fn say(&mut self, node: usize, peer: PeerKey, message: Message) {
        let Some((id, side)) = self.nodes[node].peers.get(&peer).copied() else {
            return;
        };
        let stall = if self.plan.faults.stalls && !self.calm && self.rng.percent(1) {
            self.rng.millis(0, 5000)
        } else {
            Duration::ZERO
        };
        let session = &mut self.sessions[id];
        let other = 1 - side;
        let receiver = &mut self.nodes[session.nodes[other]];
        let mut at = self.now + session.latency + stall;
        if let Message::Answer(ticket, Answer::Data(_)) = &message {
            let bytes = receiver
                .ledger
                .requests
                .get(ticket)
                .map_or(0, |it| it.bytes);
            let takes = Duration::from_micros(bytes * 1_000_000 / receiver.down);
            at = at.max(receiver.down_free_at) + takes;
            receiver.down_free_at = at;
        } else {
            at = at.max(session.last[other]);
            session.last[other] = at;
        }
        self.events.push(at, Event::Message(id, other, message));
    }
}
