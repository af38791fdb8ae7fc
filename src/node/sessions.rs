//! What the network says: peers come and go, answer and ask. What we ask of them is in `engage`.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::driver::{Driver, peer_key};
use super::masters::Presence;
use super::quest::FetchId;
use super::roster::Admission;
use super::status::PeerPath;
use super::subnet;
use crate::chunk::{Bitfield, BitfieldError, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::net::{self, ChunkAnswer, DialError, Event, Fault, Origin, Session, SessionKey};
use crate::swarm::{AskKey, Input, PeerKey, Ticket};
use crate::wire::{CloseCode, Refusal, Update};

impl Driver {
    /// Takes in one thing that happened on the network.
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected { session, origin } => self.on_connected(session, origin),
            Event::DialFailed { origin, error } => self.on_failed_origin(origin, &error),
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
            Event::Carrying { carrier } => self.on_carrying(carrier),
            Event::NotCarrying { master, reason } => self.on_not_carrying(master, &reason),
            Event::RelayFailed { to, master, error } => self.on_relay_failed(to, master, &error),
            // a node carries for nobody
            Event::Line { line } => line.close(CloseCode::Done, "no SwarmMaster"),
            Event::Answered {
                session,
                ask,
                bytes,
            } => self.on_answered(session, AskKey(ask), bytes),
        }
    }

    fn on_connected(&mut self, session: Session, origin: Origin) {
        let (address, key) = (session.address(), session.key());
        if let Origin::Met(_) = origin {
            self.meets.on_proven();
        }
        if let Origin::Dialed(remote) = origin {
            self.reach.on_connected(self.clock.now(), remote, address);
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
        let now = self.clock.now();
        match self.roster.admit(now, self.address, &session, origin) {
            Admission::Keep => {}
            Admission::Refuse(kept) => {
                session.close(CloseCode::Duplicate, "DUPLICATE");
                self.on_unused(origin);
                if let Origin::Dialed(remote) = origin {
                    self.greet_master(remote, kept);
                }
                return self.engage(kept);
            }
            Admission::Supersede(relayed) => self.retire(relayed),
            Admission::Replace(other) => {
                if let Some(other) = self.roster.get(other) {
                    other.session.close(CloseCode::Duplicate, "DUPLICATE");
                }
                self.on_closed(other, "DUPLICATE");
            }
        }
        tracing::debug!(%address, remote = %session.remote(), ?origin, "a peer is connected");
        let (rtt, subnet) = (session.rtt(), subnet::of(session.remote().ip(), address));
        let path = self.path_of(&session, origin);
        self.roster.insert(now, session, origin, path);
        self.tell(Input::PeerConnected {
            peer: peer_key(key),
            address,
            subnet,
            rtt,
        });
        if let Origin::Dialed(remote) = origin {
            self.greet_master(remote, key);
        }
        self.on_reached(address);
        self.engage(key);
    }

    /// How a connection that is kept came about. A meeting is over when there is a direct one.
    fn path_of(&mut self, session: &Session, origin: Origin) -> PeerPath {
        let (now, address) = (self.clock.now(), session.address());
        if let net::Path::Relayed { master } = session.path() {
            let after = self.meets.on_relayed(now, address);
            return PeerPath::Relayed { master, after };
        }
        match (self.meets.on_connected(now, address), origin) {
            (Some(after), _) => {
                let by = self.meets.named_by(address);
                self.masters.on_named(&by, Presence::There);
                PeerPath::Met { after }
            }
            (None, Origin::Accepted) => PeerPath::Accepted,
            (None, Origin::Dialed(_) | Origin::Met(_)) => PeerPath::Dialed,
        }
    }

    /// The fetches that a peer was given for: by where we dialed it, or by who it is.
    pub(super) fn wanted_of(&self, dialed: Option<SocketAddr>, who: Address) -> BTreeSet<FetchId> {
        let mut wanted = self.reach.wanted_of(dialed, who);
        wanted.extend(self.meets.wanted_of(who));
        wanted
    }

    /// A connection came about that is not kept.
    fn on_unused(&mut self, origin: Origin) {
        if let Origin::Dialed(remote) = origin {
            self.reach.on_over(self.clock.now(), remote);
        }
    }

    fn on_failed_origin(&mut self, origin: Origin, error: &DialError) {
        match origin {
            Origin::Dialed(remote) => self.on_no_dial(remote, error),
            Origin::Met(remote) => self.on_no_meeting_dial(remote, error),
            Origin::Accepted => {}
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
        if self.is_reached_otherwise(remote) {
            return;
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
        self.note_way(&peer);
        self.tell(Input::PeerGone {
            peer: peer_key(key),
        });
        self.masters.on_closed(self.clock.now(), key, reason);
        let now = self.clock.now();
        if peer.session.path() == net::Path::Direct {
            self.meets.on_closed(now, peer.session.address());
        }
        let (remote, who) = (peer.session.remote(), peer.session.address());
        self.quests.values_mut().for_each(|quest| {
            quest.asked.remove(&key);
            quest.ballot.on_gone(who);
        });
        for fetch in self.wanted_of(peer.dialed(), who) {
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
            // what is being drained is asked nothing, whatever it says
            Update::Choked | Update::Unchoked if self.roster.is_draining(key) => return,
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
        for fetch in self.wanted_of(peer.dialed(), who) {
            if let Some(quest) = self.quests.get_mut(&fetch) {
                quest.on_failed_attempt(format!("{remote}: {fault}"));
            }
        }
        if let Some(code) = fault.close_code() {
            peer.session.close(code, &fault.to_string());
            self.on_closed(key, &fault.to_string());
        }
    }
}
