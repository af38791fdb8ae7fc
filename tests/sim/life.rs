//! Who is there, who is connected to whom, and how what they say travels.

use std::time::Duration;

use swarmhold::digest::ManifestId;
use swarmhold::limits::IDLE_TIMEOUT;
use swarmhold::moment::Moment;
use swarmhold::swarm::{Input, PeerKey, Setup, Swarm, Trust};

use crate::faults::{Split, Turn};
use crate::net::{Answer, Event, Message, Session, SessionId, peer_at, place_of};
use crate::plan::container_id;
use crate::trace::Line;
use crate::world::World;

/// How long a lost packet takes to be sent again, beside the way there and back.
const RESEND: Duration = Duration::from_millis(50);
/// How often those who lie about their chunks say something new.
const FIDGET: Duration = Duration::from_millis(1500);

impl World {
    pub(crate) fn join(&mut self, node: usize) {
        if std::mem::replace(&mut self.nodes[node].up, true) {
            return;
        }
        self.note(node, Line::Note("joins"));
        for container in self.plan.nodes[node].takes.clone() {
            self.on_add(node, container);
        }
        for other in self.plan.nodes[node].links.clone() {
            self.on_meet(node, other);
        }
        let life = self.nodes[node].life;
        if self.nodes[node].role.fidgets() {
            self.events
                .push(self.now + FIDGET, Event::Fidget(node, life));
        }
        if self.calm {
            return;
        }
        let soon = self.rng.millis(500, 30_000);
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
        if faults.full_disks && self.rng.percent(20) {
            self.nodes[node].full_until = self.now + soon;
        }
    }

    pub(crate) fn leave(&mut self, node: usize) {
        self.note(node, Line::Note("leaves"));
        self.close_all(node);
        self.nodes[node].on_restart();
        self.nodes[node].up = false;
        self.note_done(node);
    }

    /// A node leaves, and comes back.
    pub(crate) fn on_depart(&mut self, node: usize) {
        if self.calm || !self.nodes[node].up {
            return;
        }
        self.leave(node);
        let back = self.now + self.rng.millis(100, 20_000);
        self.events.push(back, Event::Turn(Turn::Joins(node)));
    }

    pub(crate) fn on_restart(&mut self, node: usize) {
        if !self.calm && self.nodes[node].up {
            self.restart(node);
        }
    }

    pub(crate) fn restart(&mut self, node: usize) {
        self.note(node, Line::Note("restarts"));
        self.close_all(node);
        if self.plan.faults.amnesia && node != 0 {
            self.forget(node);
        }
        self.nodes[node].on_restart();
        self.nodes[node].up = false;
        self.join(node);
    }

    /// A node loses what was not synced, or everything.
    fn forget(&mut self, node: usize) {
        let all = self.rng.percent(20);
        let here = &mut self.nodes[node];
        for (id, chunk) in std::mem::take(&mut here.unsynced) {
            if self.rng.percent(50) {
                here.disk.get_mut(&id).expect("it was stored").remove(chunk);
            }
        }
        if all {
            // Its accounts go with the core that kept them.
            here.swarm = Swarm::new(Setup::default());
            here.bans.clear();
            for held in here.disk.values_mut() {
                *held = swarmhold::chunk::Bitfield::empty(held.len());
            }
        }
    }

    pub(crate) fn on_calm(&mut self) {
        self.calm = true;
        self.splits.clear();
        for node in 0..self.nodes.len() {
            self.nodes[node].full_until = Moment::ORIGIN;
            // A scene is calm from the start: who comes later comes later.
            if !self.plan.is_scene || self.plan.nodes[node].joins_at <= self.now {
                self.join(node);
            }
        }
    }

    /// Those who hold everything leave, until faults stop.
    pub(crate) fn on_seeds_leave(&mut self) {
        for node in 0..self.nodes.len() {
            if !self.calm && self.nodes[node].up && self.nodes[node].has_everything() {
                self.leave(node);
            }
        }
    }

    pub(crate) fn on_split(&mut self, split: Split, lasts: Duration) {
        if self.calm {
            return;
        }
        let until = self.now + lasts;
        self.splits.retain(|(_, until)| *until > self.now);
        self.splits.push((split, until));
        if lasts > IDLE_TIMEOUT {
            let cut = self.sessions.iter().enumerate().filter(|(_, it)| {
                let [a, b] = it.nodes;
                it.open && (split.cuts(a, b) || split.cuts(b, a))
            });
            for session in cut.map(|(id, _)| id).collect::<Vec<_>>() {
                let at = self.now + IDLE_TIMEOUT;
                self.events.push(at, Event::Break(session));
            }
        }
    }

    /// A node is suspended. Where that lasts, its connections are over when it comes back.
    pub(crate) fn on_freeze(&mut self, node: usize, lasts: Duration) {
        if self.calm || !self.nodes[node].up {
            return;
        }
        let lasts = lasts.min(self.plan.calm_at.since(self.now));
        self.note(node, Line::Note("is suspended"));
        if lasts > IDLE_TIMEOUT {
            self.close_all(node);
        }
        let here = &mut self.nodes[node];
        here.frozen_until = here.frozen_until.max(self.now + lasts);
        here.ledger.shares.on_suspended(here.frozen_until);
    }

    pub(crate) fn on_meet(&mut self, a: usize, b: usize) {
        let [fewer, other] = if self.nodes[a].peers.len() < self.nodes[b].peers.len() {
            [a, b]
        } else {
            [b, a]
        };
        let connected = self.nodes[fewer].peers.values().any(|it| *it == other);
        if connected || !self.nodes[a].up || !self.nodes[b].up {
            return;
        }
        if let Some(later) = self.unreachable_until(a, b) {
            return self.events.push(later, Event::Meet(a, b));
        }
        let paths = [self.plan.nodes[a].path, self.plan.nodes[b].path];
        let latency = paths[0].latency + paths[1].latency;
        let id = self.sessions.len();
        self.sessions.push(Session {
            nodes: [a, b],
            open: true,
            latency,
            jitter: paths[0].jitter + paths[1].jitter,
            loss: paths[0].loss + paths[1].loss,
            last: [self.now; 2],
        });
        for (side, other) in [(0, 1), (1, 0)] {
            let (here, there) = ([a, b][side], [a, b][other]);
            let peer = peer_at(id, side);
            self.note(here, Line::Meets(there));
            self.nodes[here].peers.insert(peer, there);
            self.nodes[here].ledger.told.entry(peer).or_default();
            let (address, rtt) = (self.nodes[there].address, 2 * latency);
            let subnet = self.plan.nodes[there].subnet;
            let input = Input::PeerConnected {
                peer,
                address,
                subnet,
                rtt,
            };
            self.tell(here, input);
        }
        for side in [0, 1] {
            let node = [a, b][side];
            for id_of in self.nodes[node].taking.clone() {
                self.say_holds(node, peer_at(id, side), id_of);
            }
        }
        if self.plan.faults.breaks && !self.calm && self.rng.percent(30) {
            let at = self.now + self.rng.millis(100, 20_000);
            self.events.push(at, Event::Break(id));
        }
    }

    /// When two nodes that cannot reach each other may try again.
    fn unreachable_until(&self, a: usize, b: usize) -> Option<Moment> {
        let cut = self
            .splits
            .iter()
            .filter(|(split, _)| split.cuts(a, b) || split.cuts(b, a));
        let cut = cut.map(|(_, until)| *until);
        let frozen = [a, b].map(|node| self.nodes[node].frozen_until);
        let until = cut.chain(frozen).max().unwrap_or_default();
        (until > self.now).then_some(until)
    }

    /// Ends a connection; whoever is linked tries again later.
    pub(crate) fn close(&mut self, id: SessionId) {
        if !std::mem::replace(&mut self.sessions[id].open, false) {
            return;
        }
        let nodes = self.sessions[id].nodes;
        for side in [0, 1] {
            let (node, peer) = (nodes[side], peer_at(id, side));
            self.note(node, Line::Loses(nodes[1 - side]));
            self.nodes[node].peers.remove(&peer);
            self.nodes[node].ledger.on_gone(peer);
            self.stop_landing(node, |it| it.session == id);
            self.tell(node, Input::PeerGone { peer });
            self.drop_asks_of(node, id);
        }
        let [a, b] = nodes;
        let bans = |here: usize, there: usize| {
            let address = self.nodes[there].address;
            self.nodes[here].swarm.is_banned(&address)
        };
        let patience = if bans(a, b) || bans(b, a) { 60 } else { 1 };
        let again = self.now + patience * self.rng.millis(200, 5000);
        self.events.push(again, Event::Meet(a, b));
    }

    fn close_all(&mut self, node: usize) {
        let peers: Vec<_> = self.nodes[node].peers.keys().copied().collect();
        peers
            .into_iter()
            .for_each(|peer| self.close(place_of(peer).0));
    }

    pub(crate) fn on_add(&mut self, node: usize, container: usize) {
        let id = container_id(container);
        let here = &mut self.nodes[node];
        if !here.taking.insert(id) {
            return;
        }
        self.note(node, Line::Adds(container));
        let here = &mut self.nodes[node];
        here.ledger.on_added(&id);
        let (layout, have) = (here.layouts[&id], here.disk[&id].clone());
        let trust = match self.plan.containers[container].poisoned {
            Some(_) => Trust::Claimed,
            None => Trust::Pinned,
        };
        let peers: Vec<_> = here.peers.keys().copied().collect();
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
        for peer in peers {
            let (session, side) = place_of(peer);
            let there = self.sessions[session].nodes[1 - side];
            self.say_holds(node, peer, id);
            self.say_holds(there, peer_at(session, 1 - side), id);
        }
    }

    pub(crate) fn on_given_up(&mut self, node: usize, container: usize) -> bool {
        let id = container_id(container);
        let took_part = self.nodes[node].taking.remove(&id);
        if took_part {
            self.note(node, Line::Removes(container));
            self.tell(node, Input::Remove { id });
            self.nodes[node].ledger.on_removed(container, &id);
        }
        took_part
    }

    /// A user ends a fetch, to begin it again later.
    pub(crate) fn on_remove(&mut self, node: usize, container: usize) {
        if !self.on_given_up(node, container) {
            return;
        }
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

    /// Who lies about its chunks lies differently.
    pub(crate) fn on_fidget(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        here.fidgets += 1;
        let life = here.life;
        let peers: Vec<_> = here.peers.keys().copied().collect();
        for id in self.nodes[node].taking.clone() {
            for peer in &peers {
                self.say_holds(node, *peer, id);
            }
        }
        self.events
            .push(self.now + FIDGET, Event::Fidget(node, life));
    }

    /// Says something to a peer; it arrives in order, if the connection lives until then.
    pub(crate) fn say(&mut self, node: usize, peer: PeerKey, message: Message) {
        let (id, side) = place_of(peer);
        if !self.sessions[id].open {
            return;
        }
        let other = 1 - side;
        let to = self.sessions[id].nodes[other];
        let mut at = self.now.max(self.heard_from(node, to)) + self.delay(id);
        // Answers have streams of their own; all else is said in order.
        if !matches!(message, Message::Answer(_, Answer::Data(..))) {
            let last = &mut self.sessions[id].last[other];
            at = at.max(*last);
            *last = at;
        }
        self.events.push(at, Event::Message(id, other, message));
    }

    /// How long a message is on its way.
    fn delay(&mut self, id: SessionId) -> Duration {
        let Session {
            latency,
            jitter,
            loss,
            ..
        } = self.sessions[id];
        let mut delay = latency;
        if !jitter.is_zero() {
            let most = u64::try_from(jitter.as_micros()).expect("short") + 1;
            delay += self.rng.micros(0, most);
        }
        if loss > 0 && self.rng.percent(loss) {
            delay += 2 * latency + RESEND;
        }
        if self.plan.faults.stalls && !self.calm && self.rng.percent(1) {
            delay += self.rng.millis(0, 5000);
        }
        delay
    }

    /// When what one node says begins to reach another one.
    fn heard_from(&self, from: usize, to: usize) -> Moment {
        let cut = self.splits.iter().filter(|(split, _)| split.cuts(from, to));
        cut.map(|(_, until)| *until).max().unwrap_or_default()
    }
}
