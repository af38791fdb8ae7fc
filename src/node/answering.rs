//! What peers ask: of what takes part here, and of us.

use super::driver::{Driver, peer_key};
use crate::chunk::Bitfield;
use crate::digest::ManifestId;
use crate::net::{Answer, Lane, Responder, SessionKey};
use crate::swarm::{AskKey, Input};
use crate::wire::{Refusal, Reply, Request};

impl Driver {
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
            Request::Invite(invitation) => self.on_invite(key, invitation, responder),
            Request::Start { nonce, wait_us } => self.on_start(key, nonce, wait_us, responder),
            Request::Carry { from } => self.on_call(key, from, responder),
            // a node is no master
            Request::Enlist
            | Request::Register(_)
            | Request::Withdraw { .. }
            | Request::Lookup { .. }
            | Request::Locate
            | Request::Located
            | Request::Meet(_) => responder.answer(Answer::Header(Reply::Denied)),
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

    /// A chunk answer of ours is with the transport, or failed.
    pub(super) fn on_answered(&mut self, session: SessionKey, ask: AskKey, bytes: u64) {
        let outflow = self.pool.outflow();
        outflow.on_sent(self.clock.now(), self.endpoint.sent_bytes());
        let peer = peer_key(session);
        self.tell(Input::Served { peer, ask, bytes });
    }
}
