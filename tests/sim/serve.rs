//! The answering side of a node: what it does with a peer's requests, honestly or not.

use std::time::Duration;

use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::ManifestId;
use swarmhold::swarm::{AskKey, Input, Ticket};

use crate::faults::{Excuse, Role};
use crate::links::Transfer;
use crate::net::{Answer, Event, Message, SessionId, peer_at};
use crate::node::{Asked, Stage, truth};
use crate::trace::Line;
use crate::world::World;

/// How often a long answer lets its receiver know that it goes on.
pub(crate) const DRIP: Duration = Duration::from_secs(1);

impl World {
    /// A peer's request arrives; `side` is this node's.
    pub(crate) fn on_ask(
        &mut self,
        session: SessionId,
        side: usize,
        ticket: Ticket,
        (id, chunk): (ManifestId, ChunkIndex),
    ) {
        let (node, peer) = (self.sessions[session].nodes[side], peer_at(session, side));
        let role = self.nodes[node].role;
        match role {
            Role::Silent => {}
            Role::Withholds if chunk.get() % 7 == 3 => {}
            Role::HoldsLast if self.lacks_one(session, side, &id) => {}
            Role::Liar(lie)
                if self.is_poisoned(&id, chunk) || self.lies(node, peer, lie, chunk) =>
            {
                self.lie(session, side, ticket, (id, chunk), lie);
            }
            Role::Busy if self.rng.percent(80) => {
                let pause = self.rng.millis(0, 1000);
                self.say(node, peer, Message::Answer(ticket, Answer::Busy(pause)));
            }
            Role::Tarpit | Role::Trickles => self.on_tarred(session, side, ticket),
            Role::Garbage => self.say(node, peer, Message::Answer(ticket, Answer::Garbage)),
            Role::Late => {
                let late = self.now + self.rng.millis(1500, 2000);
                let dallied = Event::Dallied(session, side, ticket, id, chunk);
                self.events.push(late, dallied);
            }
            Role::Freerider(Excuse::Busy) => {
                let pause = Duration::from_millis(500);
                self.say(node, peer, Message::Answer(ticket, Answer::Busy(pause)));
            }
            // Those that give nothing have a core that says so.
            Role::Honest
            | Role::AllOnes
            | Role::FlipFlop
            | Role::Shrinks
            | Role::WrongLength
            | Role::Liar(_)
            | Role::Withholds
            | Role::HoldsLast
            | Role::Freerider(Excuse::Denies | Excuse::Hides)
            | Role::Busy => self.serve(session, side, ticket, (id, chunk)),
        }
    }

    /// A node that takes its time answers now, if anybody still wants to know.
    pub(crate) fn on_dallied(
        &mut self,
        session: SessionId,
        side: usize,
        ticket: Ticket,
        what: (ManifestId, ChunkIndex),
    ) {
        let asker = self.sessions[session].nodes[1 - side];
        let waits = self.nodes[asker].ledger.requests.contains_key(&ticket);
        if self.sessions[session].open && waits {
            self.serve(session, side, ticket, what);
        }
    }

    /// Does what an honest node does with a request.
    fn serve(
        &mut self,
        session: SessionId,
        side: usize,
        ticket: Ticket,
        (id, chunk): (ManifestId, ChunkIndex),
    ) {
        let (node, peer) = (self.sessions[session].nodes[side], peer_at(session, side));
        if !self.nodes[node].taking.contains(&id) {
            return self.say(node, peer, Message::Answer(ticket, Answer::Refused));
        }
        let whom = self.sessions[session].nodes[1 - side];
        self.numbers += 1;
        let ask = AskKey(self.numbers);
        let asked = Asked {
            session,
            side: 1 - side,
            ticket,
            id,
            chunk,
            stage: Stage::Waiting,
            withdrawn: false,
        };
        let here = &mut self.nodes[node];
        here.asks.insert(ask, asked);
        let (address, subnet) = (self.nodes[whom].address, self.plan.nodes[whom].subnet);
        let here = &mut self.nodes[node];
        let bytes = here.chunk_bytes(&id, chunk);
        let shares = &mut here.ledger.shares;
        shares.on_asked((peer, subnet, address), ask, bytes);
        here.asks_by.insert((session, ticket), ask);
        let input = Input::Asked {
            peer,
            ask,
            id,
            chunk,
        };
        self.tell(node, input);
    }

    /// The asker does not want it any more.
    pub(crate) fn on_taken_back(&mut self, session: SessionId, side: usize, ticket: Ticket) {
        let (node, peer) = (self.sessions[session].nodes[side], peer_at(session, side));
        let here = &mut self.nodes[node];
        let ask = here.asks_by.get(&(session, ticket)).copied();
        if let Some(asked) = ask.and_then(|ask| here.asks.get_mut(&ask)) {
            asked.withdrawn = true;
            if asked.stage != Stage::Sending {
                return;
            }
        } else if !matches!(here.role, Role::Liar(_)) {
            return;
        }
        let now = self.now;
        let theirs = |it: &Transfer| (it.session, it.ticket) == (session, ticket);
        for (transfer, sent) in here.uplink.take_back(now, theirs) {
            if sent > 0 {
                self.say(node, peer, Message::Wasted(transfer.id, sent));
            }
            self.end_ask(node, transfer.ask, 0);
        }
        self.pump(node);
    }

    /// The core wants a chunk to be read and sent.
    pub(crate) fn begin_read(
        &mut self,
        node: usize,
        ask: AskKey,
        id: ManifestId,
        chunk: ChunkIndex,
    ) {
        let have = self.nodes[node].swarm.have(&id);
        assert!(
            have.is_some_and(|have| have.contains(chunk)),
            "I12: chunk {chunk} is served and not there"
        );
        let here = &mut self.nodes[node];
        let asked = here.asks.get_mut(&ask).expect("I10: nobody asked");
        let whom = self.sessions[asked.session].nodes[asked.side];
        assert_eq!(asked.stage, Stage::Waiting, "I10: {ask:?} is served twice");
        assert_eq!((asked.id, asked.chunk), (id, chunk), "I10: something else");
        asked.stage = Stage::Reading;
        let peer = peer_at(asked.session, 1 - asked.side);
        here.ledger.shares.on_serve(peer, ask, &here.swarm);
        let chunk = chunk.get();
        self.note(node, Line::Serves { whom, chunk });
        let takes = self.rng.micros(50, 2000);
        let event = Event::Read(node, self.nodes[node].life, ask);
        self.events.push(self.now + takes, event);
    }

    /// A worker has read a chunk, and found it whole or not.
    pub(crate) fn on_read(&mut self, node: usize, ask: AskKey) {
        let rot = self.plan.faults.rot && !self.calm && self.rng.between(0, 1000) < 2;
        // One full copy stays, or nobody could ever be done.
        let rot = rot && node != 0;
        let here = &mut self.nodes[node];
        let Some(asked) = here.asks.get_mut(&ask) else {
            return;
        };
        asked.stage = Stage::Sending;
        let Asked {
            session,
            side,
            ticket,
            id,
            chunk,
            withdrawn,
            ..
        } = *asked;
        if withdrawn {
            return self.end_ask(node, Some(ask), 0);
        }
        let held = here.disk.get_mut(&id).expect("it takes part");
        if rot {
            // Where a disk fails, it is seldom one chunk that is gone.
            let next = ChunkIndex::new((chunk.get() + 1) % held.len());
            if next != chunk && held.remove(next) {
                self.on_lost(node, id, next);
            }
            let held = self.nodes[node].disk.get_mut(&id);
            held.expect("it takes part").remove(chunk);
        }
        let here = &mut self.nodes[node];
        if here.disk[&id].contains(chunk) {
            let bytes = here.chunk_bytes(&id, chunk);
            here.uplink.push(Transfer {
                session,
                to: side,
                ticket,
                id,
                body: truth(&id, chunk),
                bytes,
                ask: Some(ask),
            });
            return self.pump(node);
        }
        self.on_lost(node, id, chunk);
        let peer = peer_at(session, 1 - side);
        let held = self.nodes[node].claims(&id);
        self.say(node, peer, Message::Answer(ticket, Answer::NotHeld(held)));
        self.end_ask(node, Some(ask), 0);
        for peer in self.nodes[node].peers.keys().copied().collect::<Vec<_>>() {
            self.say_holds(node, peer, id);
        }
    }

    /// A chunk that was there is there no more.
    fn on_lost(&mut self, node: usize, id: ManifestId, chunk: ChunkIndex) {
        let line = Line::Finds {
            container: self.container_of(&id),
            chunk: chunk.get(),
            what: "lost from its disk",
        };
        self.note(node, line);
        self.tell(node, Input::Lost { id, chunk });
    }

    /// Whatever can be sent now is.
    pub(crate) fn pump(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        if let Some((serial, at)) = here.uplink.begin(self.now) {
            self.events.push(at, Event::Sent(node, serial));
            if at.since(self.now) > DRIP {
                let drip = self.now + DRIP;
                self.events.push(drip, Event::Dripped(node, serial));
            }
        }
    }

    pub(crate) fn on_sent(&mut self, node: usize, serial: u64) {
        let Some(transfer) = self.nodes[node].uplink.finish(serial) else {
            return;
        };
        let Transfer {
            session,
            to,
            ticket,
            id,
            body,
            bytes,
            ask,
        } = transfer;
        let peer = peer_at(session, 1 - to);
        self.say(
            node,
            peer,
            Message::Answer(ticket, Answer::Data(body, id, bytes)),
        );
        self.end_ask(node, ask, bytes);
        self.pump(node);
    }

    pub(crate) fn on_dripped(&mut self, node: usize, serial: u64) {
        let Some((transfer, sent)) = self.nodes[node].uplink.current(self.now, serial) else {
            return;
        };
        let (session, to, ticket) = (transfer.session, transfer.to, transfer.ticket);
        let peer = peer_at(session, 1 - to);
        self.say(
            node,
            peer,
            Message::Answer(ticket, Answer::Progress(sent / 2)),
        );
        let again = Event::Dripped(node, serial);
        self.events.push(self.now + DRIP, again);
    }

    pub(crate) fn answer_not_held(&mut self, node: usize, ask: AskKey, id: ManifestId) {
        // Who says that it holds everything insists, or gives in.
        let role = self.nodes[node].role;
        let gives_in = matches!(role, Role::AllOnes | Role::WrongLength) && self.rng.percent(50);
        let held = if gives_in {
            self.nodes[node].swarm.have(&id).cloned()
        } else {
            let held = self.nodes[node].claims(&id);
            Some(held).filter(|held| held.len() == self.nodes[node].chunk_count(&id))
        };
        self.answer(node, ask, held.map_or(Answer::Refused, Answer::NotHeld));
    }

    /// The core wants others to be asked for instead. Who says that it holds everything insists.
    pub(crate) fn answer_instead(
        &mut self,
        node: usize,
        ask: AskKey,
        id: ManifestId,
        held: Bitfield,
    ) {
        if self.nodes[node].role == Role::AllOnes {
            return self.answer_not_held(node, ask, id);
        }
        self.answer(node, ask, Answer::NotHeld(held));
    }

    /// Answers a request without a chunk.
    pub(crate) fn answer(&mut self, node: usize, ask: AskKey, answer: Answer) {
        let asked = self.take_ask(node, ask).expect("I10: answered twice");
        assert_eq!(
            asked.stage,
            Stage::Waiting,
            "I10: answered while it is served"
        );
        let whom = self.sessions[asked.session].nodes[asked.side];
        let how = if matches!(answer, Answer::Busy(_)) {
            "it is busy"
        } else {
            "it lacks that"
        };
        self.note(node, Line::Refuses { whom, how });
        let peer = peer_at(asked.session, 1 - asked.side);
        self.nodes[node].ledger.shares.on_answered(peer, ask);
        self.say(node, peer, Message::Answer(asked.ticket, answer));
    }

    /// A request that the core let us serve is over.
    fn end_ask(&mut self, node: usize, ask: Option<AskKey>, bytes: u64) {
        let Some(ask) = ask else { return };
        let asked = self.take_ask(node, ask).expect("I10: served twice");
        let peer = peer_at(asked.session, 1 - asked.side);
        self.nodes[node].ledger.shares.on_served(peer);
        self.tell(node, Input::Served { peer, ask, bytes });
    }

    fn take_ask(&mut self, node: usize, ask: AskKey) -> Option<Asked> {
        let here = &mut self.nodes[node];
        let asked = here.asks.remove(&ask)?;
        here.asks_by.remove(&(asked.session, asked.ticket));
        Some(asked)
    }

    /// A connection is over: what was being sent on it goes nowhere.
    pub(crate) fn drop_asks_of(&mut self, node: usize, session: SessionId) {
        let now = self.now;
        let theirs = |it: &Transfer| it.session == session;
        for (transfer, _) in self.nodes[node].uplink.take_back(now, theirs) {
            self.end_ask(node, transfer.ask, 0);
        }
        self.pump(node);
        let left = self.nodes[node].asks.values_mut();
        for asked in left.filter(|asked| asked.session == session) {
            assert_ne!(
                asked.stage,
                Stage::Waiting,
                "I13: an ask of a peer that is gone"
            );
            asked.withdrawn = true;
        }
    }
}
