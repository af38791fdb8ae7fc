//! What a node does of its own: it wakes at its deadline, and tells its peers its news.

use swarmhold::moment::Moment;
use swarmhold::swarm::Input;

use crate::faults::{Excuse, Role};
use crate::net::{Event, Message};
use crate::world::World;

impl World {
    /// One chunk less until those who hold everything leave.
    pub(crate) fn count_down(&mut self) {
        self.leave_in = self.leave_in.map(|left| left.saturating_sub(1));
    }

    pub(crate) fn on_wake(&mut self, node: usize, planned: Moment) {
        let here = &mut self.nodes[node];
        if here.wake_at != Some(planned) {
            return;
        }
        here.wake_at = None;
        let due = here.swarm.deadline().filter(|(at, _)| *at <= self.now);
        if due.is_none() {
            return self.schedule_wake(node);
        }
        here.ledger.on_wake(self.now, here.peers.len());
        self.tell(node, Input::Wake);
        let next = self.nodes[node].swarm.deadline();
        let later = next.is_none_or(|(at, _)| at > self.now);
        assert!(later, "I6: {next:?} stays due at {:?}", self.now);
    }

    /// A node tells its peers which chunks it got lately.
    pub(crate) fn on_feed(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        here.feeding = false;
        if here.role == Role::Freerider(Excuse::Hides) {
            return here.news.clear();
        }
        let peers: Vec<_> = here.peers.keys().copied().collect();
        for (id, chunks) in std::mem::take(&mut here.news) {
            let chunks: std::rc::Rc<[_]> = chunks.into();
            for peer in &peers {
                self.say(node, *peer, Message::Has(id, chunks.clone()));
            }
        }
    }

    pub(crate) fn schedule_wake(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        let Some((at, _)) = here.swarm.deadline() else {
            return;
        };
        if here.wake_at.is_none_or(|planned: Moment| at < planned) {
            here.wake_at = Some(at);
            let late = at.max(self.now) + self.rng.micros(0, 1500);
            self.events.push(late, Event::Wake(node, here.life, at));
        }
    }
}
