//! A node's driver: tells the core what happens and carries out what it wants, as `node` does.

use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::{Address, ManifestId};
use swarmhold::moment::Moment;
use swarmhold::swarm::{Input, Output, PeerKey, Ticket};
use swarmhold::wire::payload::Payload;

use crate::check::Request;
use crate::net::{Answer, Event, Message, SessionId, peer_at, place_of};
use crate::node::truth;
use crate::trace::{Line, describe, how};
use crate::world::{What, World};

/// Stored chunks that are not synced yet, at most.
const UNSYNCED_MAX: usize = 8;

impl World {
    /// Tells a node's core what happened, and carries out what it wants then.
    pub(crate) fn tell(&mut self, node: usize, input: Input) {
        self.trace.turn_to(node);
        let here = &mut self.nodes[node];
        here.ledger.on_input();
        here.swarm.handle(self.now, input);
        while let Some(output) = self.nodes[node].swarm.poll_output() {
            self.nodes[node].ledger.on_output();
            self.carry_out(node, output);
        }
        self.trace.turn_to(node);
        let here = &mut self.nodes[node];
        here.ledger
            .check(self.now, &here.swarm, &here.disk, &here.bans);
        self.note_done(node);
        self.schedule_wake(node);
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Request {
                peer,
                ticket,
                id,
                chunk,
            } => self.request(node, (peer, ticket), id, chunk),
            Output::Cancel { peer, ticket } => {
                let whom = self.node_behind(peer);
                self.note(
                    node,
                    Line::TakesBack {
                        whom,
                        ticket: ticket.0,
                    },
                );
                let over = self.nodes[node].ledger.on_over(ticket);
                assert!(over.is_some(), "I10: {ticket:?} was over already");
                self.nodes[node].ledger.ends.cancelled += 1;
                self.stop_landing(node, |it| it.ticket == ticket);
                self.say(node, peer, Message::TakeBack(ticket));
            }
            Output::Copy {
                ticket, id, chunk, ..
            } => self.begin_copy(node, ticket, (id, chunk)),
            Output::Verify {
                ticket,
                id,
                chunk,
                payload,
            } => self.verify(node, ticket, (id, chunk), payload),
            Output::Serve {
                peer,
                ask,
                id,
                chunk,
            } => {
                self.nodes[node].ledger.on_serve(peer);
                self.begin_read(node, ask, id, chunk);
            }
            Output::AnswerNotHeld { ask, id, .. } => self.answer_not_held(node, ask, id),
            Output::AnswerInstead { ask, id, held, .. } => {
                self.answer_instead(node, ask, id, held);
            }
            Output::Offer { peer, id, held } => self.say(node, peer, Message::Holds(id, held)),
            Output::AnswerDenied { ask, .. } => self.answer(node, ask, Answer::Denied),
            Output::AnswerBusy {
                ask, retry_after, ..
            } => self.answer(node, ask, Answer::Busy(retry_after)),
            Output::Choke { peer } => {
                self.note(node, Line::Chokes(self.node_behind(peer)));
                self.nodes[node].ledger.on_choking(peer);
                self.nodes[node].on_choke(self.now, peer);
                self.say(node, peer, Message::Choke);
            }
            Output::Unchoke { peer } => {
                self.note(node, Line::Unchokes(self.node_behind(peer)));
                self.nodes[node].ledger.on_unchoking(peer);
                self.nodes[node].on_unchoke(peer);
                self.say(node, peer, Message::Unchoke);
            }
            Output::Announce { id, chunk } => self.announce(node, id, chunk),
            Output::Complete { id } => {
                self.note(node, Line::Completes(self.container_of(&id)));
                let here = &self.nodes[node];
                assert!(
                    here.disk[&id].is_full(),
                    "I2: complete, and chunks are missing"
                );
            }
            Output::Suspect { id, chunk } => self.suspect(node, id, chunk),
            Output::Stopped { id } => {
                let container = self.container_of(&id);
                self.note(node, Line::Stops(container));
                self.nodes[node].ledger.on_stopped(id);
                let soon = self.now + self.rng.millis(0, 500);
                let event = Event::Remove(node, self.nodes[node].life, container);
                self.events.push(soon, event);
            }
            Output::Drop { peer, offence } => {
                let whom = self.node_behind(peer);
                let why = describe(offence);
                self.note(node, Line::Drops { whom, why });
                self.close(place_of(peer).0);
            }
            Output::Ban { address, until, .. } => self.ban(node, address, until),
            Output::Pardon { address } => {
                self.note(node, Line::Note("pardons somebody"));
                let bans = &mut self.nodes[node].bans;
                bans.retain(|(banned, _)| *banned != address);
            }
        }
    }

    fn request(
        &mut self,
        node: usize,
        (peer, ticket): (PeerKey, Ticket),
        id: ManifestId,
        chunk: ChunkIndex,
    ) {
        let (whom, container) = (self.node_behind(peer), self.container_of(&id));
        self.note(
            node,
            Line::Asks {
                whom,
                container,
                chunk: chunk.get(),
                ticket: ticket.0,
            },
        );
        let address = self.nodes[whom].address;
        let here = &mut self.nodes[node];
        let request = Request {
            peer,
            id,
            container,
            chunk,
            bytes: here.chunk_bytes(&id, chunk),
        };
        let is_banned = here.swarm.is_banned(&address);
        let have = here.swarm.have(&id).expect("I5: of no container");
        here.ledger.on_request(ticket, request, have, is_banned);
        self.deal(node, whom, What::Asked(chunk.get()));
        self.say(node, peer, Message::Ask(ticket, id, chunk));
    }

    fn verify(
        &mut self,
        node: usize,
        ticket: Ticket,
        (id, chunk): (ManifestId, ChunkIndex),
        payload: Payload,
    ) {
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
        let slow_ms = if self.calm { 400 } else { 5_000 };
        let takes = self
            .rng
            .micros(50, if slow { slow_ms * 1000 } else { 2_000 });
        let life = self.nodes[node].life;
        self.events
            .push(self.now + takes, Event::Verified(node, life, ticket));
    }

    fn announce(&mut self, node: usize, id: ManifestId, chunk: ChunkIndex) {
        let here = &mut self.nodes[node];
        let proven = here.disk[&id].contains(chunk);
        assert!(proven, "I12: chunk {chunk} is announced and not stored");
        here.news.entry(id).or_default().push(chunk);
        if !std::mem::replace(&mut here.feeding, true) {
            let soon = self.now + self.plan.gathers;
            self.events.push(soon, Event::Feed(node, here.life));
        }
    }

    /// A manifest is at fault: its container takes no part any more.
    fn suspect(&mut self, node: usize, id: ManifestId, chunk: ChunkIndex) {
        let (container, chunk) = (self.container_of(&id), chunk.get());
        self.note(node, Line::Suspects { container, chunk });
        self.nodes[node].ledger.on_suspected(id);
        self.nodes[node].ledger.on_stopped(id);
        let claimed = self.plan.containers[container].poisoned.is_some();
        assert!(
            claimed,
            "I7: the manifest of c{container} is suspected, and pinned"
        );
        let event = Event::GiveUp(node, self.nodes[node].life, container);
        self.events.push(self.now, event);
    }

    fn ban(&mut self, node: usize, address: Address, until: Moment) {
        let whom = self.node_with(&address);
        self.note(node, Line::Bans(whom));
        let role = self.nodes[whom].role;
        assert!(role.may_be_banned(), "I7: n{whom}, {role:?}, is banned");
        self.nodes[node].ledger.on_ban(&address);
        self.nodes[node].bans.push((address, until));
    }

    /// A message from a peer.
    pub(crate) fn on_message(&mut self, session: SessionId, side: usize, message: Message) {
        let it = &self.sessions[session];
        if !it.open {
            return;
        }
        let (node, other, peer) = (it.nodes[side], it.nodes[1 - side], peer_at(session, side));
        match message {
            Message::Ask(ticket, id, chunk) => self.on_ask(session, side, ticket, (id, chunk)),
            Message::TakeBack(ticket) => self.on_taken_back(session, side, ticket),
            Message::Holds(id, held) => {
                if self.nodes[node].taking.contains(&id) {
                    let (by, container) = (other, self.container_of(&id));
                    let chunks = held.count();
                    self.note(
                        node,
                        Line::IsTold {
                            by,
                            container,
                            chunks,
                        },
                    );
                    self.deal(node, other, What::Told);
                    let here = &mut self.nodes[node];
                    if held.len() == here.chunk_count(&id) {
                        here.ledger.on_told(peer, id, held.clone());
                    }
                    self.tell(node, Input::PeerHolds { peer, id, held });
                }
            }
            Message::Has(id, chunks) => {
                self.nodes[node].ledger.on_told_more(peer, &id, &chunks);
                let chunks = chunks.to_vec();
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
            Message::Wasted(id, bytes) => self.waste(node, peer, id, bytes),
            Message::Answer(ticket, Answer::Progress(bytes)) => {
                self.on_progress(node, session, ticket, bytes);
            }
            Message::Answer(ticket, Answer::Data(body, id, bytes)) => {
                if self.nodes[node].ledger.requests.contains_key(&ticket) {
                    self.begin_landing(node, session, ticket, body);
                } else {
                    // It was taken back while the answer was on its way.
                    self.waste(node, peer, id, bytes);
                }
            }
            Message::Answer(ticket, answer) => self.on_answer(node, peer, ticket, answer),
        }
    }

    /// A peer says why there is no chunk.
    fn on_answer(&mut self, node: usize, peer: PeerKey, ticket: Ticket, answer: Answer) {
        let by = self.node_behind(peer);
        let sender = self.nodes[by].address;
        let Some(request) = self.nodes[node].ledger.on_over(ticket) else {
            // It was taken back while the answer was on its way.
            return;
        };
        let how = how(&answer);
        let line = Line::IsDenied {
            by,
            ticket: ticket.0,
            how,
        };
        self.note(node, line);
        let ledger = &mut self.nodes[node].ledger;
        ledger.ends.failed += 1;
        let input = match answer {
            Answer::NotHeld(held) => {
                ledger.on_told_not_held(peer, &request, &held);
                Input::NotHeld { peer, ticket, held }
            }
            Answer::Busy(retry_after) => Input::Busy {
                peer,
                ticket,
                retry_after,
            },
            Answer::Garbage => {
                ledger.on_blame(sender, None);
                Input::Misbehaved { peer, ticket }
            }
            Answer::Denied => Input::Denied { peer, ticket },
            Answer::Refused | Answer::Data(..) | Answer::Progress(_) => {
                Input::Failed { peer, ticket }
            }
        };
        self.tell(node, input);
    }

    /// A worker has looked at an answer.
    pub(crate) fn on_verified(&mut self, node: usize, ticket: Ticket) {
        let fails = self.plan.faults.store && !self.calm && self.rng.percent(1);
        let full = self.nodes[node].full_until > self.now;
        let Some(answered) = self.nodes[node].answers.remove(&ticket) else {
            return;
        };
        self.nodes[node].ledger.on_verified(ticket);
        let Request {
            id,
            container,
            chunk,
            ..
        } = answered.request;
        let poisoned = self.is_poisoned(&id, chunk);
        let (input, what) = if poisoned {
            let sender = &self.nodes[answered.sender];
            let (role, address) = (sender.role, sender.address);
            assert!(
                role.may_be_banned(),
                "I7: {role:?} had a chunk that nobody can have"
            );
            self.nodes[node].ledger.on_wrong(address);
            (Input::Bad { ticket }, "at odds with its manifest")
        } else if answered.body != truth(&id, chunk) {
            let sender = self.nodes[answered.sender].address;
            self.nodes[node].ledger.on_blame(sender, Some(id));
            (Input::Bad { ticket }, "false")
        } else if fails || full {
            (Input::StoreFailed { ticket }, "right, and cannot store it")
        } else {
            let here = &mut self.nodes[node];
            let held = here.disk.get_mut(&id).expect("it takes part");
            held.insert(chunk);
            if here.unsynced.len() == UNSYNCED_MAX {
                here.unsynced.remove(0);
            }
            here.unsynced.push((id, chunk));
            self.count_down();
            (Input::Stored { ticket }, "right, and stores it")
        };
        let chunk = chunk.get();
        self.note(
            node,
            Line::Finds {
                container,
                chunk,
                what,
            },
        );
        self.tell(node, input);
        if self.leave_in == Some(0) {
            self.leave_in = None;
            self.on_seeds_leave();
        }
    }
}
