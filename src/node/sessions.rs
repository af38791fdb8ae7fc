//! What the network says: peers come and go, answer and ask. What we ask of them is in `engage`.

use std::net::SocketAddr;

use super::driver::{Driver, peer_key};
use super::masters::Presence;
use super::quest::FetchId;
use super::roster::Admission;
use super::subnet;
use crate::chunk::{Bitfield, BitfieldError, ChunkIndex};
use crate::digest::ManifestId;
use crate::net::{
    Answer, ChunkAnswer, DialError, Event, Fault, Lane, Origin, Responder, Session, SessionKey,
};
use crate::swarm::{AskKey, Input, PeerKey, Ticket};
use crate::wire::{CloseCode, Refusal, Reply, Request, Update};

impl Driver {
    /// Takes in one thing that happened on the network.
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected { session, origin } => self.on_connected(session, origin),
            Event::DialFailed { remote, error } => self.on_no_dial(remote, &error),
            Event::Closed { session, reason } => self.on_closed(session, &reason),
            Event::Chunk {
                session,
                ticket,
                answer,
                rtt,
            } => {
                self.on_chunk_answer(session, Ticket(ticket), answer, rtt);
            }
            Event::Progress {
                session,
                ticket,
                bytes,
            } => self.on_progress(session, Ticket(ticket), bytes),
            Event::Wasted { session, id, bytes } => {
                self.tell(Input::Wasted {
                    peer: peer_key(session),
                    id,
                    bytes,
                });
            }
            Event::Manifest {
                session,
                id,
                answer,
            } => self.on_manifest_answer(session, id, answer),
            Event::Deluges {
                session,
                program_id,
                answer,
            } => self.on_deluges_answer(session, program_id, answer),
            Event::Update {
                session,
                id,
                update,
            } => self.on_update(session, id, update),
            Event::Unsubscribed { session, id, fault } => self.on_unsubscribed(session, id, &fault),
            Event::Replied {
                session,
                ticket,
                answer,
            } => self.on_replied(session, ticket, answer),
            Event::Asked {
                session,
                request,
                responder,
            } => self.on_asked(session, request, responder),
            Event::Answered {
                session,
                ask,
                bytes,
            } => {
                let outflow = self.pool.outflow();
                outflow.on_sent(self.clock.now(), self.endpoint.sent_bytes());
                self.tell(Input::Served {
                    peer: peer_key(session),
                    ask: AskKey(ask),
                    bytes,
                });
            }
        }
    }

    fn on_connected(&mut self, session: Session, origin: Origin) {
        let (address, key) = (session.address(), session.key());
        if let Origin::Dialed(remote) = origin {
            self.reach.on_connected(remote, address);
            let by = self.reach.named_by(remote);
            self.masters.on_named(&by, Presence::There);
        }
        if self.swarm.is_banned(&address) {
            session.close(CloseCode::Banned, "BANNED");
            if let Origin::Dialed(remote) = origin {
                self.masters
                    .on_failed(self.clock.now(), remote, "banned here");
            }
            return self.on_unused(origin);
        }
        match self.roster.admit(self.address, &session, origin) {
            Admission::Keep => {}
            Admission::Refuse(kept) => {
                session.close(CloseCode::Duplicate, "DUPLICATE");
                self.on_unused(origin);
                if let Origin::Dialed(remote) = origin {
                    self.greet_master(remote, kept);
                }
                return self.engage(kept);
            }
            Admission::Replace(other) => {
                if let Some(other) = self.roster.get(other) {
                    other.session.close(CloseCode::Duplicate, "DUPLICATE");
                }
                self.on_closed(other, "DUPLICATE");
            }
        }
        tracing::debug!(%address, remote = %session.remote(), ?origin, "a peer is connected");
        let (rtt, subnet) = (session.rtt(), subnet::of(session.remote().ip(), address));
        self.roster.insert(self.clock.now(), session, origin);
        self.tell(Input::PeerConnected {
            peer: peer_key(key),
            address,
            subnet,
            rtt,
        });
        if let Origin::Dialed(remote) = origin {
            self.greet_master(remote, key);
        }
        self.engage(key);
    }

    /// A connection came about that is not kept.
    fn on_unused(&mut self, origin: Origin) {
        if let Origin::Dialed(remote) = origin {
            self.reach.on_over(self.clock.now(), remote);
        }
    }

    /// A dial came to nothing.
    fn on_no_dial(&mut self, remote: SocketAddr, error: &DialError) {
        tracing::debug!(%remote, %error, "a dial failed");
        let now = self.clock.now();
        self.masters.on_failed(now, remote, &error.to_string());
        self.reach.on_over(now, remote);
        for fetch in self.reach.wanted_by(remote) {
            self.on_failed_dial(fetch, error);
        }
        let by = self.reach.take_false(remote);
        self.masters.on_named(&by, Presence::NotThere);
    }

    fn on_failed_dial(&mut self, fetch: FetchId, error: &DialError) {
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        if matches!(error, DialError::Identity(_)) {
            quest.on_refused_identity(error.to_string());
        } else {
            quest.on_failed_attempt(error.to_string());
        }
    }

    /// A connection is over, by either side.
    pub(super) fn on_closed(&mut self, key: SessionKey, reason: &str) {
        let Some(peer) = self.roster.remove(key) else {
            return;
        };
        tracing::debug!(address = %peer.session.address(), reason, "a peer is gone");
        self.tell(Input::PeerGone {
            peer: peer_key(key),
        });
        self.masters.on_closed(self.clock.now(), key, reason);
        let (remote, who) = (peer.session.remote(), peer.session.address());
        self.quests.values_mut().for_each(|quest| {
            quest.asked.remove(&key);
            quest.ballot.on_gone(who);
        });
        for fetch in self.reach.wanted_of(peer.dialed(), who) {
            if let Some(quest) = self.quests.get_mut(&fetch) {
                quest.on_failed_attempt(format!("{remote}: {reason}"));
            }
        }
        if let Some(remote) = peer.dialed() {
            self.reach.on_over(self.clock.now(), remote);
        }
    }

    fn on_progress(&mut self, key: SessionKey, ticket: Ticket, bytes: u64) {
        self.note_progress(key, ticket);
        self.tell(Input::Progress {
            peer: peer_key(key),
            ticket,
            bytes,
        });
    }

    fn on_chunk_answer(
        &mut self,
        key: SessionKey,
        ticket: Ticket,
        answer: ChunkAnswer,
        rtt: std::time::Duration,
    ) {
        // A request that was taken back has no entry any more; the core has forgotten it too.
        if self.requests.remove(&ticket).is_none() {
            return;
        }
        let peer = peer_key(key);
        let input = match answer {
            ChunkAnswer::Payload(payload) => {
                self.note_progress(key, ticket);
                Input::Arrived {
                    peer,
                    ticket,
                    payload,
                    rtt,
                }
            }
            ChunkAnswer::NotHeld(held) => match self.bitfield_for(peer, ticket, &held) {
                Some(Ok(held)) => Input::NotHeld { peer, ticket, held },
                Some(Err(fault)) => return self.on_bad_answer(key, ticket, &fault),
                None => return,
            },
            ChunkAnswer::Busy(retry_after) => Input::Busy {
                peer,
                ticket,
                retry_after,
            },
            ChunkAnswer::Denied => Input::Denied { peer, ticket },
            // Nobody promised for a container in which it takes no part.
            ChunkAnswer::Failed(Fault::Refused(Refusal::NotFound)) => {
                match self.nothing_for(peer, ticket) {
                    Some(held) => Input::NotHeld { peer, ticket, held },
                    None => return,
                }
            }
            ChunkAnswer::Failed(fault) if fault.close_code().is_some() => {
                return self.on_bad_answer(key, ticket, &fault);
            }
            ChunkAnswer::Failed(fault) => {
                tracing::debug!(%fault, "a chunk request failed");
                Input::Failed { peer, ticket }
            }
        };
        self.tell(input);
    }

    /// The core blames the peer, and the peer learns what for.
    fn on_bad_answer(&mut self, key: SessionKey, ticket: Ticket, fault: &Fault) {
        let peer = peer_key(key);
        self.tell(Input::Misbehaved { peer, ticket });
        self.on_fault(key, fault);
    }

    /// What a peer holds that does not know the container; none where the request was taken back.
    fn nothing_for(&self, peer: PeerKey, ticket: Ticket) -> Option<Bitfield> {
        let id = self.swarm.container_of(peer, ticket)?;
        let layout = self.catalog.get(&id)?.manifest().layout();
        Some(Bitfield::empty(layout.chunk_count()))
    }

    /// A bitfield in answer to a chunk request; none where the request was taken back meanwhile.
    fn bitfield_for(
        &self,
        peer: PeerKey,
        ticket: Ticket,
        bytes: &[u8],
    ) -> Option<Result<Bitfield, Fault>> {
        let id = self.swarm.container_of(peer, ticket)?;
        let chunks = self.catalog.get(&id)?.manifest().layout().chunk_count();
        let misfit = |error: BitfieldError| Fault::Protocol(format!("PROTOCOL {error}"));
        Some(Bitfield::from_bytes(bytes, chunks).map_err(misfit))
    }

    fn on_update(&mut self, key: SessionKey, id: ManifestId, update: Update) {
        let Some(entry) = self.catalog.get(&id) else {
            return;
        };
        let peer = peer_key(key);
        let have = self.swarm.have(&id);
        let is_new = |chunk: &ChunkIndex| have.is_none_or(|have| !have.contains(*chunk));
        let (input, is_useful) = match update {
            Update::Bitfield(bytes) => {
                let chunks = entry.manifest().layout().chunk_count();
                let held =
                    Bitfield::from_bytes(&bytes, chunks).expect("the subscription checked it");
                let is_useful = held.iter().any(|chunk| is_new(&chunk));
                (Input::PeerHolds { peer, id, held }, is_useful)
            }
            Update::Have(chunks) => {
                let is_useful = chunks.iter().any(is_new);
                (Input::PeerHas { peer, id, chunks }, is_useful)
            }
            Update::Choked => (Input::Choked { peer }, false),
            Update::Unchoked => (Input::Unchoked { peer }, false),
        };
        self.tell(input);
        if is_useful {
            self.note_useful(key, &id);
        }
    }

    fn on_unsubscribed(&mut self, key: SessionKey, id: ManifestId, fault: &Fault) {
        if let Some(peer) = self.roster.get_mut(key) {
            peer.subscriptions.remove(&id);
        }
        let peer = peer_key(key);
        self.tell(Input::PeerLeft { peer, id });
        self.on_fault(key, fault);
    }

    pub(super) fn on_fault(&mut self, key: SessionKey, fault: &Fault) {
        tracing::debug!(session = key.0, %fault, "a request failed");
        let Some(peer) = self.roster.get(key) else {
            return;
        };
        let (remote, who) = (peer.session.remote(), peer.session.address());
        for fetch in self.reach.wanted_of(peer.dialed(), who) {
            if let Some(quest) = self.quests.get_mut(&fetch) {
                quest.on_failed_attempt(format!("{remote}: {fault}"));
            }
        }
        if let Some(code) = fault.close_code() {
            peer.session.close(code, &fault.to_string());
            self.on_closed(key, &fault.to_string());
        }
    }

    /// Answers what a peer asks of what takes part.
    pub(super) fn answer(&mut self, key: SessionKey, request: Request, responder: Responder) {
        match request {
            Request::Hello(_) => responder.answer(Answer::Refuse(Refusal::Malformed)),
            Request::Manifest { id } => responder.answer(match self.catalog.get(&id) {
                Some(entry) => Answer::Manifest(entry.file.clone(), Lane::all(&self.up)),
                None => Answer::Refuse(Refusal::NotFound),
            }),
            Request::Deluges { program_id } => {
                let deluges = self.catalog.deluges(program_id);
                responder.answer(Answer::Header(Reply::Deluges(deluges)));
            }
            Request::Subscribe { id } => self.on_subscribe(key, id, responder),
            Request::Search(search) => self.on_peer_search(search, responder),
            // a node is no master
            Request::Enlist
            | Request::Register(_)
            | Request::Withdraw { .. }
            | Request::Lookup { .. } => responder.answer(Answer::Header(Reply::Denied)),
            Request::Chunk(request) => match self.catalog.find(&request) {
                Ok((id, chunk)) => {
                    let (peer, ask) = (peer_key(key), AskKey(responder.ask()));
                    self.asks.insert(ask, (responder, request.accept));
                    self.tell(Input::Asked {
                        peer,
                        ask,
                        id,
                        chunk,
                    });
                }
                Err(refusal) => responder.answer(Answer::Refuse(refusal)),
            },
        }
    }

    /// A peer wants to know what we hold. What it holds we want to know too: to get it, or to know what
    /// is best given to whom. One that asks before we take part is refused, and asked as soon as we do:
    /// it then asks again.
    fn on_subscribe(&mut self, key: SessionKey, id: ManifestId, responder: Responder) {
        let Some(peer) = self.roster.get_mut(key) else {
            return responder.answer(Answer::Refuse(Refusal::Unavailable));
        };
        let Some(entry) = self.catalog.get(&id) else {
            peer.on_asked_in_vain(id);
            return responder.answer(Answer::Refuse(Refusal::NotFound));
        };
        let (log, aside) = (entry.log.clone(), peer.aside.clone());
        responder.answer(Answer::Feed(id, log, aside));
        peer.follows.insert(id);
        let chunks = entry.manifest().layout().chunk_count();
        if self.swarm.have(&id).is_some_and(Bitfield::is_full) {
            self.subscribe(key, id, chunks);
        }
        self.engage(key);
    }
}
