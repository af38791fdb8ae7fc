//! What peers ask of us, and what they are told: the half of [`Swarm`] that uploads.

use std::time::Duration;

use super::Swarm;
use super::blame::Offence;
use super::event::{AskKey, Output, PeerKey};
use super::upload::{Answer, Ask};
use crate::chunk::ChunkIndex;
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

    pub(super) fn on_served(&mut self, peer: PeerKey, key: AskKey, bytes: u64) {
        let Some(ask) = self.upload.on_over(self.now, peer, key) else {
            return;
        };
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
            asks.iter().for_each(|ask| self.answer_busy(peer, ask.ask));
        }
        for peer in unchoked {
            self.out.push_back(Output::Unchoke { peer });
        }
        while let Some(ask) = self.upload.poll(self.now) {
            let Ask {
                who,
                ask,
                id,
                chunk,
                ..
            } = ask;
            let peer = who.peer;
            if self.have(&id).is_some_and(|have| have.contains(chunk)) {
                self.out.push_back(Output::Serve {
                    peer,
                    ask,
                    id,
                    chunk,
                });
            } else {
                // It was there when it was asked for.
                self.upload.on_over(self.now, peer, ask);
                self.out.push_back(Output::AnswerNotHeld { peer, ask, id });
            }
        }
    }
}
