//! The answering side of a node: what it does with a peer's requests, honestly or not.

use std::time::Duration;

use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::ManifestId;
use swarmhold::swarm::{AskKey, Input, Ticket};

use crate::faults::Role;
use crate::net::{Answer, Event, Message, SessionId, Transfer};
use crate::node::{Asked, Stage, truth};
use crate::world::World;

/// How often a long answer lets its receiver know that it goes on.
const DRIP: Duration = Duration::from_millis(500);

impl World {
    /// A peer's request arrives; `side` is this node's.
    pub(crate) fn on_ask(
        &mut self,
        session: SessionId,
        side: usize,
        ticket: Ticket,
        id: ManifestId,
        chunk: ChunkIndex,
    ) {
        let node = self.sessions[session].nodes[side];
        let peer = self.sessions[session].keys[side];
        match self.nodes[node].role {
            Role::Silent => return,
            Role::Withholds if chunk.get() % 7 == 3 => return,
            Role::Liar(percent) if self.rng.percent(percent) => {
                return self.lie(session, side, ticket, id, chunk);
            }
            Role::Busy if self.rng.percent(80) => {
                let pause = self.rng.millis(0, 1000);
                let busy = Message::Answer(ticket, Answer::Busy(pause));
                return self.say(node, peer, busy);
            }
            Role::Tarpit => return self.on_tarred(session, side, ticket),
            Role::Garbage => {
                let garbage = Message::Answer(ticket, Answer::Garbage);
                return self.say(node, peer, garbage);
            }
            Role::Honest | Role::AllOnes | Role::Liar(_) | Role::Withholds | Role::Busy => {}
        }
        if !self.nodes[node].taking.contains(&id) {
            let refused = Message::Answer(ticket, Answer::Refused);
            return self.say(node, peer, refused);
        }
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
        self.nodes[node].asks.insert(ask, asked);
        self.tell(
            node,
            Input::Asked {
                peer,
                ask,
                id,
                chunk,
            },
        );
    }

    /// Sends bytes that look right and are not.
    fn lie(
        &mut self,
        session: SessionId,
        side: usize,
        ticket: Ticket,
        id: ManifestId,
        chunk: ChunkIndex,
    ) {
        let node = self.sessions[session].nodes[side];
        let other = ChunkIndex::new(chunk.get() ^ 1);
        let body = if self.rng.percent(50) {
            truth(&id, other)
        } else {
            vec![0xff; 8]
        };
        let bytes = self.nodes[node].chunk_bytes(&id, chunk);
        self.nodes[node].uplink.push(Transfer {
            session,
            to: 1 - side,
            ticket,
            id,
            body,
            bytes,
            ask: None,
        });
        self.pump(node);
    }

    /// A tarpit says that it goes on, for as long as anybody listens.
    pub(crate) fn on_tarred(&mut self, session: SessionId, side: usize, ticket: Ticket) {
        let it = &self.sessions[session];
        let (node, peer, asker) = (it.nodes[side], it.keys[side], it.nodes[1 - side]);
        let listens = self.nodes[asker].ledger.requests.contains_key(&ticket);
        if !it.open || !listens {
            return;
        }
        let so_far = self.now.as_micros() / 200_000;
        let progress = Message::Answer(ticket, Answer::Progress(so_far));
        self.say(node, peer, progress);
        let again = Event::Tarred(session, side, ticket);
        self.events.push(self.now + DRIP, again);
    }

    /// The asker does not want it any more.
    pub(crate) fn on_taken_back(&mut self, session: SessionId, side: usize, ticket: Ticket) {
        let node = self.sessions[session].nodes[side];
        let peer = self.sessions[session].keys[side];
        for asked in self.nodes[node].asks.values_mut() {
            asked.withdrawn |= (asked.session, asked.ticket) == (session, ticket);
        }
        let now = self.now;
        let theirs = |it: &Transfer| (it.session, it.ticket) == (session, ticket);
        for (transfer, sent) in self.nodes[node].uplink.take_back(now, theirs) {
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
            "I12: {chunk} is served and not there"
        );
        let here = &mut self.nodes[node];
        let asked = here.asks.get_mut(&ask).expect("I10: nobody asked");
        assert_eq!(asked.stage, Stage::Waiting, "I10: {ask:?} is served twice");
        assert_eq!((asked.id, asked.chunk), (id, chunk), "I10: something else");
        asked.stage = Stage::Reading;
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
            held.remove(chunk);
        }
        if held.contains(chunk) {
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
        self.trace.note(
            self.now,
            node,
            format_args!("lost {chunk} of {}", id.short()),
        );
        self.tell(node, Input::Lost { id, chunk });
        let peer = self.sessions[session].keys[1 - side];
        let held = self.nodes[node].claims(&id);
        self.say(node, peer, Message::Answer(ticket, Answer::NotHeld(held)));
        self.end_ask(node, Some(ask), 0);
        for peer in self.nodes[node].peers.keys().copied().collect::<Vec<_>>() {
            self.say_holds(node, peer, id);
        }
    }

    /// Whatever can be sent now is.
    fn pump(&mut self, node: usize) {
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
            body,
            bytes,
            ask,
            ..
        } = transfer;
        let peer = self.sessions[session].keys[1 - to];
        self.say(node, peer, Message::Answer(ticket, Answer::Data(body)));
        self.end_ask(node, ask, bytes);
        self.pump(node);
    }

    pub(crate) fn on_dripped(&mut self, node: usize, serial: u64) {
        let Some((transfer, sent)) = self.nodes[node].uplink.current(self.now, serial) else {
            return;
        };
        let (session, to, ticket) = (transfer.session, transfer.to, transfer.ticket);
        let peer = self.sessions[session].keys[1 - to];
        self.say(node, peer, Message::Answer(ticket, Answer::Progress(sent)));
        let again = Event::Dripped(node, serial);
        self.events.push(self.now + DRIP, again);
    }

    pub(crate) fn answer_not_held(&mut self, node: usize, ask: AskKey, id: ManifestId) {
        // Who says that it holds everything insists, or gives in.
        let gives_in = self.nodes[node].role == Role::AllOnes && self.rng.percent(50);
        let held = if gives_in {
            self.nodes[node].swarm.have(&id).cloned()
        } else {
            Some(self.nodes[node].claims(&id))
        };
        self.answer(node, ask, held.map_or(Answer::Refused, Answer::NotHeld));
    }

    /// Answers a request without a chunk.
    pub(crate) fn answer(&mut self, node: usize, ask: AskKey, answer: Answer) {
        let asked = self.nodes[node].asks.remove(&ask);
        let asked = asked.expect("I10: answered twice");
        assert_eq!(
            asked.stage,
            Stage::Waiting,
            "I10: answered while it is served"
        );
        let peer = self.sessions[asked.session].keys[1 - asked.side];
        self.say(node, peer, Message::Answer(asked.ticket, answer));
    }

    /// A request that the core let us serve is over.
    fn end_ask(&mut self, node: usize, ask: Option<AskKey>, bytes: u64) {
        let Some(ask) = ask else { return };
        let asked = self.nodes[node].asks.remove(&ask);
        let asked = asked.expect("I10: served twice");
        let peer = self.sessions[asked.session].keys[1 - asked.side];
        self.tell(node, Input::Served { peer, ask, bytes });
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
