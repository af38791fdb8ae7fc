//! A node's driver: tells the core what happens and carries out what it wants, as `node` does.

use swarmhold::moment::Moment;
use swarmhold::swarm::{Input, Output, PeerKey, Ticket};

use crate::check::Request;
use crate::faults::container_id;
use crate::net::{Answer, Event, Message, SessionId};
use crate::node::{Answered, payload, truth};
use crate::world::World;

impl World {
    /// Tells a node's core what happened, and carries out what it wants then.
    pub(crate) fn tell(&mut self, node: usize, input: Input) {
        let here = &mut self.nodes[node];
        here.ledger.on_input();
        here.swarm.handle(self.now, input);
        while let Some(output) = self.nodes[node].swarm.poll_output() {
            self.trace.output(self.now, node, &output);
            self.nodes[node].ledger.on_output();
            self.carry_out(node, output);
        }
        let here = &mut self.nodes[node];
        here.ledger
            .check(self.now, &here.swarm, &here.disk, &here.bans);
        let done = here.is_done().then_some(self.now);
        self.report.done_at[node] = self.report.done_at[node]
            .filter(|_| done.is_some())
            .or(done);
        self.schedule_wake(node);
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Request {
                peer,
                ticket,
                id,
                chunk,
            } => {
                let here = &mut self.nodes[node];
                let bytes = here.chunk_bytes(&id, chunk);
                let request = Request {
                    peer,
                    id,
                    chunk,
                    bytes,
                };
                let is_banned = self.address_at(node, peer).is_some_and(|address| {
                    let here = &self.nodes[node];
                    here.swarm.is_banned(&address)
                });
                let here = &mut self.nodes[node];
                let have = here.swarm.have(&id).expect("I5: of no container");
                here.ledger.on_request(ticket, request, have, is_banned);
                self.note_first_asked(node, peer);
                self.say(node, peer, Message::Ask(ticket, id, chunk));
            }
            Output::Cancel { peer, ticket } => {
                let over = self.nodes[node].ledger.on_over(ticket);
                assert!(over.is_some(), "I10: {ticket:?} was over already");
                self.nodes[node].ledger.ends.cancelled += 1;
                self.say(node, peer, Message::TakeBack(ticket));
            }
            Output::Verify {
                ticket,
                id,
                chunk,
                payload,
            } => {
                let here = &mut self.nodes[node];
                let answered = here.answers.get(&ticket);
                let answered = answered.expect("I10: nothing arrived");
                let asked = &answered.request;
                assert_eq!(
                    (asked.id, asked.chunk),
                    (id, chunk),
                    "I1: taken for another"
                );
                let body = payload.into_contiguous();
                assert_eq!(body, answered.body, "I1: another answer's bytes");
                here.ledger.on_verify(ticket, *asked);
                let slow = self.plan.faults.slow_workers && self.rng.percent(5);
                let takes = self.rng.micros(50, if slow { 400_000 } else { 2_000 });
                let life = self.nodes[node].life;
                self.events
                    .push(self.now + takes, Event::Verified(node, life, ticket));
            }
            Output::Serve { ask, id, chunk, .. } => self.begin_read(node, ask, id, chunk),
            Output::AnswerNotHeld { ask, id, .. } => self.answer_not_held(node, ask, id),
            Output::AnswerBusy {
                ask, retry_after, ..
            } => self.answer(node, ask, Answer::Busy(retry_after)),
            Output::Choke { peer } => self.say(node, peer, Message::Choke),
            Output::Unchoke { peer } => self.say(node, peer, Message::Unchoke),
            Output::Announce { id, chunk } => {
                let here = &mut self.nodes[node];
                let proven = here.disk[&id].contains(chunk);
                assert!(proven, "I12: {chunk} is announced and not stored");
                here.news.entry(id).or_default().push(chunk);
                if !std::mem::replace(&mut here.feeding, true) {
                    let soon = self.now + std::time::Duration::from_millis(10);
                    self.events.push(soon, Event::Feed(node, here.life));
                }
            }
            Output::Complete { id } => {
                let here = &self.nodes[node];
                assert!(here.disk[&id].is_full(), "I12: not complete");
            }
            Output::Suspect { .. } => panic!("I7: a pinned manifest is suspected"),
            Output::Stopped { id } => {
                let container = (0..self.plan.containers.len()).find(|it| container_id(*it) == id);
                let soon = self.now + self.rng.millis(0, 500);
                let container = container.expect("one of the plan's");
                let event = Event::Remove(node, self.nodes[node].life, container);
                self.events.push(soon, event);
            }
            Output::Drop { peer, .. } => {
                if let Some((session, _)) = self.nodes[node].peers.get(&peer).copied() {
                    self.close(session);
                }
            }
            Output::Ban { address, until } => {
                let banned = self.nodes.iter().find(|it| it.address == address);
                let role = banned.expect("one of ours").role;
                assert!(role.may_be_banned(), "I7: {role:?} is banned");
                self.nodes[node].bans.push((address, until));
            }
        }
    }

    /// A message from a peer.
    pub(crate) fn on_message(&mut self, session: SessionId, side: usize, message: Message) {
        let it = &self.sessions[session];
        if !it.open {
            return;
        }
        let (node, peer) = (it.nodes[side], it.keys[side]);
        let rtt = 2 * it.latency;
        match message {
            Message::Ask(ticket, id, chunk) => self.on_ask(session, side, ticket, id, chunk),
            Message::TakeBack(ticket) => self.on_taken_back(session, side, ticket),
            Message::Holds(id, held) => {
                let here = &mut self.nodes[node];
                if here.taking.contains(&id) {
                    let told = here.ledger.told.entry(peer).or_default();
                    told.insert(id, held.clone());
                    let other = self.sessions[session].nodes[1 - side];
                    self.report.first_held[node][other].get_or_insert(self.now);
                    self.tell(node, Input::PeerHolds { peer, id, held });
                }
            }
            Message::Has(id, chunks) => {
                let told = self.nodes[node].ledger.told.entry(peer).or_default();
                if let Some(held) = told.get_mut(&id) {
                    chunks.iter().for_each(|chunk| {
                        held.insert(*chunk);
                    });
                }
                self.tell(node, Input::PeerHas { peer, id, chunks });
            }
            Message::Choke => {
                self.nodes[node].ledger.choked_by.insert(peer);
                self.tell(node, Input::Choked { peer });
            }
            Message::Unchoke => {
                self.nodes[node].ledger.choked_by.remove(&peer);
                self.tell(node, Input::Unchoked { peer });
            }
            Message::Wasted(id, bytes) => {
                self.report.wasted[node] += bytes;
                self.tell(node, Input::Wasted { peer, id, bytes });
            }
            Message::Answer(ticket, Answer::Progress(bytes)) => {
                if self.nodes[node].ledger.requests.contains_key(&ticket) {
                    self.tell(
                        node,
                        Input::Progress {
                            peer,
                            ticket,
                            bytes,
                        },
                    );
                }
            }
            Message::Answer(ticket, answer) => self.on_answer(node, peer, ticket, answer, rtt),
        }
    }

    fn on_answer(
        &mut self,
        node: usize,
        peer: PeerKey,
        ticket: Ticket,
        answer: Answer,
        rtt: std::time::Duration,
    ) {
        let other = self.other_end(node, peer);
        let sender = self.nodes[other].address;
        let here = &mut self.nodes[node];
        let Some(request) = here.ledger.on_over(ticket) else {
            // It was taken back while the answer was on its way.
            return;
        };
        let ends = &mut here.ledger.ends;
        if matches!(answer, Answer::Data(_)) {
            ends.arrived += 1;
        } else {
            ends.failed += 1;
        }
        let input = match answer {
            Answer::Data(body) => {
                let payload = payload(&body);
                let answered = Answered {
                    request,
                    sender,
                    body,
                };
                self.nodes[node].answers.insert(ticket, answered);
                self.report.got[node][other] += request.bytes;
                self.report.arrivals[node].push((self.now, other));
                Input::Arrived {
                    peer,
                    ticket,
                    payload,
                    rtt,
                }
            }
            Answer::NotHeld(held) => {
                let mut truth = held.clone();
                truth.remove(request.chunk);
                let told = here.ledger.told.entry(peer).or_default();
                told.insert(request.id, truth);
                Input::NotHeld { peer, ticket, held }
            }
            Answer::Busy(retry_after) => Input::Busy {
                peer,
                ticket,
                retry_after,
            },
            Answer::Garbage => {
                here.ledger.on_blame(sender);
                Input::Misbehaved { peer, ticket }
            }
            Answer::Refused | Answer::Progress(_) => Input::Failed { peer, ticket },
        };
        self.tell(node, input);
    }

    /// A worker has looked at an answer.
    pub(crate) fn on_verified(&mut self, node: usize, ticket: Ticket) {
        let full = self.plan.faults.store && !self.calm && self.rng.percent(1);
        let here = &mut self.nodes[node];
        let Some(answered) = here.answers.remove(&ticket) else {
            return;
        };
        here.ledger.on_verified(ticket);
        let Request { id, chunk, .. } = answered.request;
        let input = if answered.body != truth(&id, chunk) {
            here.ledger.on_blame(answered.sender);
            Input::Bad { ticket }
        } else if full {
            Input::StoreFailed { ticket }
        } else {
            let held = here.disk.get_mut(&id).expect("it takes part");
            held.insert(chunk);
            Input::Stored { ticket }
        };
        self.tell(node, input);
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
        self.report.wakes[node] += 1;
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
        let peers: Vec<_> = here.peers.keys().copied().collect();
        for (id, chunks) in std::mem::take(&mut here.news) {
            for peer in &peers {
                self.say(node, *peer, Message::Has(id, chunks.clone()));
            }
        }
    }

    fn schedule_wake(&mut self, node: usize) {
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

    fn note_first_asked(&mut self, node: usize, peer: PeerKey) {
        let other = self.other_end(node, peer);
        self.report.first_asked[node][other].get_or_insert(self.now);
    }

    fn address_at(&self, node: usize, peer: PeerKey) -> Option<swarmhold::digest::Address> {
        let (session, side) = self.nodes[node].peers.get(&peer)?;
        let other = self.sessions[*session].nodes[1 - side];
        Some(self.nodes[other].address)
    }

    fn other_end(&self, node: usize, peer: PeerKey) -> usize {
        let place = self.nodes[node].peers.get(&peer);
        place.map_or(node, |(session, side)| {
            self.sessions[*session].nodes[1 - side]
        })
    }
}
