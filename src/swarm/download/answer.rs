//! What becomes of a request: an answer to prove, or the reason why there is none.

use std::collections::VecDeque;
use std::time::Duration;

use super::Download;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::moment::Moment;
use crate::swarm::container::Failure;
use crate::swarm::event::{Output, PeerKey, Subnet, Ticket};
use crate::swarm::peers::Peer;
use crate::swarm::planted::{Bug, is_planted};
use crate::wire::payload::Payload;

/// An answer that is being verified: whose it is, and what it claims to be.
#[derive(Debug, Clone, Copy)]
pub(in crate::swarm) struct Claim {
    pub(in crate::swarm) peer: PeerKey,
    pub(in crate::swarm) address: Address,
    subnet: Subnet,
    pub(in crate::swarm) id: ManifestId,
    pub(in crate::swarm) chunk: ChunkIndex,
    pub(in crate::swarm) bytes: u64,
    wire_bytes: u64,
}

/// Why a request ends without an answer.
#[derive(Debug, Clone, Copy)]
pub(in crate::swarm) enum Cause {
    /// It failed, and nobody knows why.
    Failed,
    /// The peer asked to be left alone for this long.
    Busy(Duration),
}

impl Download {
    /// So many bytes of an answer are here.
    pub(in crate::swarm) fn on_progress(
        &mut self,
        now: Moment,
        key: PeerKey,
        ticket: Ticket,
        bytes: u64,
    ) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.on_progress(now, ticket, bytes);
        }
    }

    /// An answer is here whole. Where it was still wanted, a worker proves it.
    pub(in crate::swarm) fn on_arrived(
        &mut self,
        now: Moment,
        (key, ticket): (PeerKey, Ticket),
        payload: Payload,
        rtt: Duration,
        out: &mut VecDeque<Output>,
    ) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let Some(flight) = peer.on_arrived(now, ticket, rtt) else {
            return;
        };
        let claim = Claim {
            peer: key,
            address: peer.address(),
            subnet: peer.subnet,
            id: flight.id,
            chunk: flight.chunk,
            bytes: flight.bytes,
            wire_bytes: payload.len() as u64,
        };
        self.claims.insert(ticket, claim);
        self.hungry.insert(key);
        // Limits are for bytes as they travel.
        self.put_back(&claim.id, claim.bytes.saturating_sub(claim.wire_bytes));
        let container = self.containers.get_mut(&flight.id);
        let container = container.expect("a container's flights end when it is removed");
        let loser = container.chunks.on_arrived(flight.chunk, ticket);
        if let Some((loser, at)) = loser.filter(|_| !is_planted(Bug::KeepsLoser)) {
            self.cancel(now, at, loser, out);
        }
        if is_planted(Bug::AnnouncesUnproven) {
            let (id, chunk) = (flight.id, flight.chunk);
            out.push_back(Output::Announce { id, chunk });
        }
        out.push_back(Output::Verify {
            ticket,
            id: flight.id,
            chunk: flight.chunk,
            payload,
        });
    }

    /// A request is over without an answer.
    pub(in crate::swarm) fn on_failed(
        &mut self,
        now: Moment,
        key: PeerKey,
        ticket: Ticket,
        cause: Cause,
    ) {
        let next = Ticket(self.tickets);
        let Some((peer, flight)) = self.take_flight(key, ticket) else {
            return;
        };
        match cause {
            Cause::Failed => peer.record.on_lapse(now, ticket, next),
            Cause::Busy(retry_after) => peer.record.on_busy(now, retry_after),
        }
        self.arm_again(now, key);
        self.release(ticket, flight);
    }

    /// A peer gives us nothing: what it holds is no use.
    pub(in crate::swarm) fn on_denied(&mut self, now: Moment, key: PeerKey, ticket: Ticket) {
        let id = self.peers.get(&key).and_then(|peer| peer.flight(ticket));
        self.on_failed(now, key, ticket, Cause::Failed);
        if let (Some(flight), Some(peer)) = (id, self.peers.get_mut(&key)) {
            peer.record.on_denied();
            self.on_left(key, &flight.id);
        }
    }

    /// A peer lacks what it was asked for, and says what it has: that is asked for instead. Where it
    /// says nothing that fits, it has what it said before, but for that chunk.
    pub(in crate::swarm) fn on_not_held(
        &mut self,
        now: Moment,
        (key, ticket): (PeerKey, Ticket),
        held: Bitfield,
    ) {
        let next = Ticket(self.tickets);
        let Some((peer, flight)) = self.take_flight(key, ticket) else {
            return;
        };
        peer.record.on_broken_promise(now, ticket, next);
        self.arm_again(now, key);
        self.release(ticket, flight);
        let container = self.containers.get(&flight.id);
        let fits = container.is_some_and(|it| it.layout.chunk_count() == held.len());
        let before = self.peers.get(&key).and_then(|it| it.holds(&flight.id));
        let held = if fits { Some(held) } else { before.cloned() };
        if let Some(mut held) = held.filter(|_| !is_planted(Bug::OverhearsNotHeld)) {
            held.remove(flight.chunk);
            self.on_holds(key, flight.id, held);
        }
    }

    pub(in crate::swarm) fn on_wasted(&mut self, key: PeerKey, id: &ManifestId, bytes: u64) {
        let address = self.peers.get(&key).map(Peer::address);
        if let (Some(address), Some(container)) = (address, self.containers.get_mut(id)) {
            container
                .tally
                .enter(address, |account| account.duplicate_bytes += bytes);
        }
    }

    pub(in crate::swarm) fn on_stored(&mut self, ticket: Ticket) -> Option<Claim> {
        let claim = self.settle(ticket)?;
        let container = self.containers.get_mut(&claim.id)?;
        if !container.chunks.on_stored(claim.chunk, ticket) {
            return None;
        }
        container.local.on_here(&mut container.chunks, claim.chunk);
        if container.local.is_ready() {
            self.copyable.insert(claim.id);
        }
        container.tally.enter(claim.address, |account| {
            account.chunks += 1;
            account.bytes += claim.bytes;
            account.wire_bytes += claim.wire_bytes;
        });
        Some(claim)
    }

    /// The sender of a false chunk is to blame even where the container is not here any more.
    pub(in crate::swarm) fn on_bad(&mut self, ticket: Ticket) -> Option<(Claim, Failure)> {
        let claim = self.settle(ticket)?;
        let Some(container) = self.containers.get_mut(&claim.id) else {
            return Some((claim, Failure::Peer));
        };
        if is_planted(Bug::CountsFalse) {
            container.chunks.on_stored(claim.chunk, ticket);
        }
        if !container.chunks.on_not_stored(claim.chunk, ticket) {
            return Some((claim, Failure::Peer));
        }
        self.all_hungry = true;
        container
            .tally
            .enter(claim.address, |account| account.bad_chunks += 1);
        let peers = &self.peers;
        let failure = container.on_failure(claim.chunk, (claim.subnet, claim.address), |tried| {
            peers.values().any(|peer| {
                let holds = peer.holds(&claim.id);
                holds.is_some_and(|held| held.contains(claim.chunk))
                    && !peer.record.is_on_trial()
                    && !tried.contains(&peer.address())
            })
        });
        Some((claim, failure))
    }

    pub(in crate::swarm) fn on_not_stored(&mut self, ticket: Ticket) -> Option<Claim> {
        let claim = self.settle(ticket)?;
        let container = self.containers.get_mut(&claim.id)?;
        let missing = container.chunks.on_not_stored(claim.chunk, ticket);
        self.all_hungry |= missing;
        missing.then_some(claim)
    }

    pub(in crate::swarm) fn on_lost(&mut self, id: &ManifestId, chunk: ChunkIndex) {
        let container = self.containers.get_mut(id);
        self.all_hungry |= container.is_some_and(|container| container.chunks.on_lost(chunk));
    }

    /// Who sent an answer that is at a worker.
    pub(in crate::swarm) fn sender_of(&self, ticket: Ticket) -> Option<PeerKey> {
        self.claims.get(&ticket).map(|claim| claim.peer)
    }

    /// A worker is done with an answer.
    fn settle(&mut self, ticket: Ticket) -> Option<Claim> {
        let claim = self.claims.remove(&ticket)?;
        self.budget.release(claim.bytes);
        self.hungry.extend(self.budget.starved());
        self.hungry.insert(claim.peer);
        Some(claim)
    }
}
