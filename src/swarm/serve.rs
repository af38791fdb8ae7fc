//! What peers ask of us, and what they are told: the half of [`Swarm`] that uploads.

use std::time::Duration;

use super::Swarm;
use super::blame::Offence;
use super::event::{AskKey, Contribution, Credit, Output, PeerKey, Ticket};
use super::planted::{Bug, is_planted};
use super::upload::{Answer, Ask, Turn};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::ManifestId;

/// How long a peer that cannot be served now is told to wait.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

impl Swarm {
    pub(super) fn on_asked(
        &mut self,
        peer: PeerKey,
        ask: AskKey,
        id: ManifestId,
        chunk: ChunkIndex,
    ) {
        let Some(who) = self.upload.who(peer) else {
            return self.answer_busy(peer, ask);
        };
        if self.contribution == Contribution::None {
            return self.out.push_back(Output::AnswerDenied { peer, ask });
        }
        let container = self.download.container(&id);
        let Some(container) = container.filter(|it| it.chunks.have().contains(chunk)) else {
            return self.out.push_back(Output::AnswerNotHeld { peer, ask, id });
        };
        let wanted = Ask {
            who,
            ask,
            id,
            chunk,
            bytes: container.chunk_bytes(chunk),
        };
        match self.upload.on_asked(self.now, wanted) {
            Answer::Later => {}
            Answer::Instead(held) => self.answer_instead(peer, ask, id, held),
            Answer::Busy => self.answer_busy(peer, ask),
            Answer::Choked => {
                self.out.push_back(Output::Choke { peer });
                self.answer_busy(peer, ask);
            }
            Answer::Flood => {
                self.answer_busy(peer, ask);
                self.drop_peer(peer, Offence::Rate);
            }
        }
    }

    pub(super) fn answer_busy(&mut self, peer: PeerKey, ask: AskKey) {
        self.out.push_back(Output::AnswerBusy {
            peer,
            ask,
            retry_after: BUSY_PAUSE,
        });
    }

    /// A peer says what it holds. Where nobody else holds a container whole that we do, it is a
    /// matter of what we give to whom.
    pub(super) fn on_holds(&mut self, peer: PeerKey, id: ManifestId, held: Bitfield) {
        self.download.on_holds(peer, id, held);
        if !self.have(&id).is_some_and(Bitfield::is_full) {
            return;
        }
        if !self.upload.is_super_seeded(&id) {
            return self.review(id);
        }
        let known = self.download.peer(peer);
        if let Some(held) = known.and_then(|peer| peer.holds(&id)) {
            self.upload.on_holds(peer, &id, held);
        }
    }

    /// Looks whether we alone hold a container whole, and several want it.
    pub(super) fn review(&mut self, id: ManifestId) {
        let held = || {
            self.download
                .peers()
                .filter_map(move |(key, peer)| Some((key, peer.holds(&id)?)))
        };
        let is_lone = held().all(|(_, held)| !held.is_full());
        if let Some(have) = self
            .have(&id)
            .filter(|_| is_lone && held().nth(1).is_some())
        {
            self.upload.super_seed(self.now, id, have.len(), held());
        }
    }

    /// A peer takes no part in a container any more.
    pub(super) fn on_left(&mut self, peer: PeerKey, id: &ManifestId) {
        self.download.on_left(peer, id);
        self.upload.on_left(peer, id);
    }

    /// A peer holds more.
    pub(super) fn on_shown(&mut self, peer: PeerKey, id: &ManifestId, chunks: &[ChunkIndex]) {
        self.upload.on_has(self.now, peer, id, chunks);
    }

    /// A peer gives us nothing: it is not asked any more, and remembered for it.
    pub(super) fn on_denied(&mut self, peer: PeerKey, ticket: Ticket) {
        self.download.on_denied(self.now, peer, ticket);
        self.upload.on_denied(peer);
    }

    /// What addresses gave us and got from us, for keeping across restarts.
    pub fn credit(&self) -> impl Iterator<Item = Credit> + '_ {
        self.upload.credit(self.now)
    }

    fn answer_instead(&mut self, peer: PeerKey, ask: AskKey, id: ManifestId, held: Bitfield) {
        self.out.push_back(Output::AnswerInstead {
            peer,
            ask,
            id,
            held,
        });
    }

    pub(super) fn on_served(&mut self, peer: PeerKey, key: AskKey, bytes: u64) {
        let Some(ask) = self.upload.on_served(self.now, peer, key, bytes) else {
            return;
        };
        let held = self.download.peer(peer).and_then(|it| it.holds(&ask.id));
        if bytes > 0 && held.is_some_and(Bitfield::is_empty) {
            self.upload.on_hidden(peer);
        }
        if let Some(container) = self.download.container_mut(&ask.id) {
            let address = ask.who.address;
            let tally = &mut container.tally;
            tally.enter(address, |account| account.sent_bytes += bytes);
        }
    }

    /// Gives out slots, and serves whoever has one.
    pub(super) fn serve(&mut self) {
        let (unchoked, choked) = self.upload.settle(self.now);
        for (peer, asks) in choked {
            self.out.push_back(Output::Choke { peer });
            if !is_planted(Bug::LeavesChokedUnanswered) {
                asks.iter().for_each(|ask| self.answer_busy(peer, ask.ask));
            }
        }
        let told = unchoked.into_iter();
        for peer in told.filter(|_| !is_planted(Bug::UnchokesInSilence)) {
            self.out.push_back(Output::Unchoke { peer });
        }
        for (peer, id, held) in self.upload.words(self.now) {
            self.out.push_back(Output::Offer { peer, id, held });
        }
        while let Some(turn) = self.upload.poll(self.now) {
            let ask = match turn {
                Turn::Serve(ask) => ask,
                Turn::Instead(Ask { who, ask, id, .. }, held) => {
                    self.answer_instead(who.peer, ask, id, held);
                    continue;
                }
            };
            let Ask {
                who,
                ask,
                id,
                chunk,
                ..
            } = ask;
            let peer = who.peer;
            let held = self.have(&id).is_some_and(|have| have.contains(chunk));
            if held || is_planted(Bug::ServesLost) {
                self.out.push_back(Output::Serve {
                    peer,
                    ask,
                    id,
                    chunk,
                });
            } else {
                // It was there when it was asked for.
                self.upload.on_served(self.now, peer, ask, 0);
                self.out.push_back(Output::AnswerNotHeld { peer, ask, id });
            }
        }
    }
}
