//! What dishonest nodes do with a request.

use swarmhold::chunk::ChunkIndex;
use swarmhold::digest::ManifestId;
use swarmhold::swarm::{PeerKey, Ticket};

use crate::faults::{Lie, Role};
use crate::links::Transfer;
use crate::net::{Answer, Event, Message, SessionId, peer_at};
use crate::node::truth;
use crate::serve::DRIP;
use crate::world::World;

impl World {
    /// Whether nobody can have this chunk, since its manifest has a wrong hash for it.
    pub(crate) fn is_poisoned(&self, id: &ManifestId, chunk: ChunkIndex) -> bool {
        self.plan.containers[self.container_of(id)].poisoned == Some(chunk.get())
    }

    /// Whether the peer at the other end lacks one chunk only.
    pub(crate) fn lacks_one(&self, session: SessionId, side: usize, id: &ManifestId) -> bool {
        let asker = self.sessions[session].nodes[1 - side];
        let held = self.nodes[asker].disk.get(id);
        held.is_some_and(|held| held.count() + 1 >= held.len())
    }

    /// Whether a liar lies this time.
    pub(crate) fn lies(&mut self, node: usize, peer: PeerKey, lie: Lie, chunk: ChunkIndex) -> bool {
        match lie {
            Lie::Noise(percent) => self.rng.percent(percent),
            Lie::OtherChunk | Lie::Truncated => self.rng.percent(50),
            Lie::RightLater => {
                let asker = self.node_behind(peer);
                self.nodes[node].lied.insert((asker, chunk))
            }
            Lie::OneChunk(which) => chunk.get() % 16 == which % 16,
        }
    }

    /// Sends bytes that are not what was asked for.
    pub(crate) fn lie(
        &mut self,
        session: SessionId,
        side: usize,
        ticket: Ticket,
        (id, chunk): (ManifestId, ChunkIndex),
        lie: Lie,
    ) {
        let node = self.sessions[session].nodes[side];
        let body = match lie {
            Lie::OtherChunk => truth(&id, ChunkIndex::new(chunk.get() ^ 1)),
            Lie::Truncated => truth(&id, chunk)[..7].to_vec(),
            Lie::Noise(_) | Lie::RightLater | Lie::OneChunk(_) => vec![0xff; 8],
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
        let (node, peer, asker) = (it.nodes[side], peer_at(session, side), it.nodes[1 - side]);
        let listens = self.nodes[asker].ledger.requests.contains_key(&ticket);
        if !it.open || !listens {
            return;
        }
        let per_second = if self.nodes[node].role == Role::Trickles {
            1
        } else {
            5
        };
        let so_far = self.now.as_micros() * per_second / 1_000_000;
        let progress = Message::Answer(ticket, Answer::Progress(so_far));
        self.say(node, peer, progress);
        let again = Event::Tarred(session, side, ticket);
        self.events.push(self.now + DRIP, again);
    }
}
