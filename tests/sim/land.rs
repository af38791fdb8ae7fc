//! Answers on their last part of the way: into the node that asked.

use std::time::Duration;

use swarmhold::digest::ManifestId;
use swarmhold::swarm::{Input, PeerKey, Ticket};

use crate::check::Request;
use crate::links::Arrival;
use crate::net::{Event, SessionId, peer_at};
use crate::node::{Answered, payload};
use crate::trace::Line;
use crate::world::{What, World};

/// How often a node looks at how far long answers are.
const SEEP: Duration = Duration::from_secs(1);

impl World {
    /// An answer has left its sender.
    pub(crate) fn begin_landing(
        &mut self,
        node: usize,
        session: SessionId,
        ticket: Ticket,
        body: Vec<u8>,
    ) {
        let (now, here) = (self.now, &mut self.nodes[node]);
        let request = here.ledger.requests.get(&ticket);
        let Some((id, bytes)) = request.map(|request| (request.id, request.bytes)) else {
            return;
        };
        here.downlink.push(now, session, (ticket, id, bytes), body);
        self.foresee_landing(node);
    }

    /// Nobody waits for these answers any more. What is here of them is here for nothing.
    pub(crate) fn stop_landing(&mut self, node: usize, of: impl Fn(&Arrival) -> bool) {
        let (now, here) = (self.now, &mut self.nodes[node]);
        let taken = here.downlink.take_back(now, of);
        if taken.is_empty() {
            return;
        }
        self.foresee_landing(node);
        for (arrival, bytes) in taken {
            let side = self.side_of(arrival.session, node);
            self.waste(node, peer_at(arrival.session, side), arrival.id, bytes);
        }
    }

    /// Bytes are here for nothing.
    pub(crate) fn waste(&mut self, node: usize, peer: PeerKey, id: ManifestId, bytes: u64) {
        if bytes > 0 {
            self.note(node, Line::Wastes(bytes));
            self.report.wasted[node] += bytes;
            // What comes of a connection that is over, the core hears of no more.
            if self.nodes[node].peers.contains_key(&peer) {
                self.tell(node, Input::Wasted { peer, id, bytes });
            }
        }
    }

    fn foresee_landing(&mut self, node: usize) {
        let (now, downlink) = (self.now, &mut self.nodes[node].downlink);
        let Some(at) = downlink.next(now) else { return };
        let serial = downlink.serial;
        self.events.push(at, Event::Landed(node, serial));
        let here = &mut self.nodes[node];
        if at.since(now) > SEEP && !std::mem::replace(&mut here.seeping, true) {
            self.events.push(now + SEEP, Event::Seeped(node, here.life));
        }
    }

    /// Answers are here whole, unless something changed since that was foreseen.
    pub(crate) fn on_landed(&mut self, node: usize, serial: u64) {
        let (now, downlink) = (self.now, &mut self.nodes[node].downlink);
        if downlink.serial != serial {
            return;
        }
        let landed = downlink.take_landed(now);
        self.foresee_landing(node);
        for arrival in landed {
            self.on_data(node, arrival);
        }
    }

    /// Answers are on their way still: the node hears how far they are.
    pub(crate) fn on_seeped(&mut self, node: usize) {
        let (now, here) = (self.now, &mut self.nodes[node]);
        let progress = here.downlink.progress(now);
        here.seeping = !progress.is_empty();
        if here.seeping {
            self.events.push(now + SEEP, Event::Seeped(node, here.life));
        }
        for (ticket, session, bytes) in progress {
            self.on_progress(node, session, ticket, bytes);
        }
    }

    pub(crate) fn on_progress(
        &mut self,
        node: usize,
        session: SessionId,
        ticket: Ticket,
        bytes: u64,
    ) {
        if self.nodes[node].ledger.requests.contains_key(&ticket) {
            let peer = peer_at(session, self.side_of(session, node));
            let input = Input::Progress {
                peer,
                ticket,
                bytes,
            };
            self.tell(node, input);
        }
    }

    /// All of an answer is here, whatever it is.
    fn on_data(&mut self, node: usize, arrival: Arrival) {
        let Arrival {
            session,
            ticket,
            body,
            ..
        } = arrival;
        let ledger = &mut self.nodes[node].ledger;
        let Some(request) = ledger.on_over(ticket) else {
            return;
        };
        ledger.ends.arrived += 1;
        let peer = peer_at(session, self.side_of(session, node));
        let from = self.node_behind(peer);
        let Request {
            container,
            chunk,
            bytes,
            ..
        } = request;
        let line = Line::Gets {
            from,
            container,
            chunk: chunk.get(),
            ticket: ticket.0,
        };
        self.note(node, line);
        self.deal(node, from, What::Got(chunk.get(), bytes));
        let payload = payload(&body);
        let answered = Answered {
            request,
            sender: from,
            body,
        };
        self.nodes[node].answers.insert(ticket, answered);
        let rtt = 2 * self.sessions[session].latency;
        let input = Input::Arrived {
            peer,
            ticket,
            payload,
            rtt,
        };
        self.tell(node, input);
    }

    fn side_of(&self, session: SessionId, node: usize) -> usize {
        usize::from(self.sessions[session].nodes[1] == node)
    }
}
