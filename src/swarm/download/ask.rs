//! Who is asked for what next: fills the windows of peers that have room.

use std::collections::VecDeque;

use super::{CHECK_MIN, Download};
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::swarm::budget::Share;
use crate::swarm::container::Container;
use crate::swarm::event::{Output, PeerKey, Reason, Ticket};
use crate::swarm::peers::Peer;
use crate::swarm::spread::Place;

/// How often work is shared out anew after one input. Each time somebody gets more than before, so
/// this is never reached; were it, the rest would wait for the next input.
const ROUNDS_MAX: usize = 1000;

/// What there is to ask of a peer.
enum Next {
    /// This chunk.
    Chunk(ManifestId, ChunkIndex),
    /// A chunk of this many bytes, were there room in the budget.
    Starved(u64),
    /// Only what others were asked for.
    Idle,
    /// Nothing, or not now.
    Nothing,
}

impl Download {
    /// Asks every peer that may have room for as much as it takes: one chunk of each in turn, and
    /// the turn goes on where it ended, so that none takes everything.
    pub(in crate::swarm) fn fill(&mut self, now: Moment, out: &mut VecDeque<Output>) {
        for _ in 0..ROUNDS_MAX {
            if !self.all_hungry && self.hungry.is_empty() {
                return;
            }
            let mut hungry = std::mem::take(&mut self.hungry);
            if std::mem::take(&mut self.all_hungry) {
                hungry.extend(self.peers.keys());
            }
            let (before, after): (Vec<_>, Vec<_>) =
                hungry.iter().partition(|key| **key <= self.turn);
            let mut left = [after, before].concat();
            left.sort_by_key(|key| {
                self.peers
                    .get(key)
                    .is_some_and(|it| it.record.is_on_trial())
            });
            while !left.is_empty() {
                left.retain(|key| self.fill_one(now, *key, out));
            }
            self.share_work(now, hungry, out);
        }
        debug_assert!(false, "work goes round in circles");
    }

    /// Asks a peer for one chunk. True if there may be one more.
    pub(super) fn fill_one(
        &mut self,
        now: Moment,
        key: PeerKey,
        out: &mut VecDeque<Output>,
    ) -> bool {
        if self.rescue(now, key, out) {
            return true;
        }
        let next = self.next_for(now, key);
        match &next {
            Next::Chunk(id, chunk) => {
                let container = self.containers.get_mut(id).expect("picked from it");
                container.plan.on_picked(key, *chunk);
                self.ask(now, key, *id, *chunk, out);
                self.turn = key;
                return true;
            }
            Next::Starved(bytes) => {
                let share = self.peers.get(&key).map_or(Share::Nothing, Peer::share);
                self.budget.on_refused(now, key, share, *bytes);
            }
            Next::Idle | Next::Nothing => self.budget.on_content(key),
        }
        if matches!(next, Next::Nothing) {
            self.idle.remove(&key);
        } else {
            self.idle.insert(key);
        }
        false
    }

    /// What a peer is asked for next, if it has room and holds anything that is wanted.
    fn next_for(&self, now: Moment, key: PeerKey) -> Next {
        let mut next = Next::Nothing;
        let Some(peer) = self.peers.get(&key) else {
            return next;
        };
        let askable = || {
            peer.in_turn().filter_map(|(id, held)| {
                let container = self.containers.get(id).filter(|it| it.is_active())?;
                let has_room = peer.has_room(now, container.layout.chunk_size().into());
                has_room.then_some((id, held, container))
            })
        };
        // What readers wait for comes before everything else.
        let read = askable().find_map(|(id, held, container)| {
            let wanted = container.chunks.wanted().all();
            Some((id, container, container.plan.next_read(wanted, held)?))
        });
        if let Some((id, container, chunk)) = read {
            return self.if_admitted(key, peer, id, container, chunk);
        }
        for (id, held, container) in askable() {
            let picked = container
                .plan
                .pick(key, &container.chunks, held, self.place());
            match picked {
                None if container.chunks.out() > 0 && matches!(next, Next::Nothing) => {
                    next = Next::Idle;
                }
                None => {}
                Some(chunk) => {
                    next = self.if_admitted(key, peer, id, container, chunk);
                    if matches!(next, Next::Chunk(..)) {
                        return next;
                    }
                }
            }
        }
        next
    }

    fn if_admitted(
        &self,
        key: PeerKey,
        peer: &Peer,
        id: &ManifestId,
        container: &Container,
        chunk: ChunkIndex,
    ) -> Next {
        let bytes = container.chunk_bytes(chunk);
        if self.budget.admits(key, peer.share(), bytes) {
            Next::Chunk(*id, chunk)
        } else {
            Next::Starved(bytes)
        }
    }

    /// Where this node picks among equally rare chunks: at the front while it has one source only
    /// (nobody to trade with, and the whole can be hashed as it grows), elsewhere otherwise.
    fn place(&self) -> Place {
        if self.peers.len() < 2 {
            Place::FRONT
        } else {
            Place::of(self.seed, self.tickets)
        }
    }

    pub(super) fn ask(
        &mut self,
        now: Moment,
        key: PeerKey,
        id: ManifestId,
        chunk: ChunkIndex,
        out: &mut VecDeque<Output>,
    ) {
        let container = self.containers.get_mut(&id).expect("picked from it");
        let peer = self.peers.get_mut(&key).expect("picked for it");
        let (bytes, ticket) = (container.chunk_bytes(chunk), Ticket(self.tickets));
        self.tickets += 1;
        self.budget.book(bytes);
        container.chunks.on_asked(chunk, ticket, key);
        peer.on_asked(now, ticket, id, chunk, bytes);
        if !self.timers.is_armed(Reason::Patience(key)) {
            self.timers.arm(Reason::Patience(key), now + CHECK_MIN);
        }
        out.push_back(Output::Request {
            peer: key,
            ticket,
            id,
            chunk,
        });
    }
}
