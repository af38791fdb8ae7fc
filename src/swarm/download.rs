//! Who is asked for what: fills windows, takes work from the slow, gives up on the silent.
//!
//! Invariants: a request is out at a peer if and only if it is out in the container's [`Chunks`];
//! `budget_used` is the sum of the bytes in flight and in verification, and at most
//! [`IN_FLIGHT_BYTES_MAX`] unless a single chunk is larger.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::chunks::{Chunks, Failure};
use super::event::{Output, PeerKey, Reason, Ticket};
use super::peers::Flight;
pub(super) use super::peers::Peer;
use super::picker;
use super::tally::Tally;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::limits::IN_FLIGHT_BYTES_MAX;
use crate::manifest::Layout;
use crate::moment::Moment;
use crate::wire::payload::Payload;

/// How often idle peers look for work to take over.
const STEAL_EVERY: Duration = Duration::from_millis(50);
/// Work is taken over only where that saves more than this.
const STEAL_GAIN_MIN: Duration = Duration::from_millis(20);
/// Hedged bytes are at most one part in this of a container, and one chunk.
const HEDGE_SHARE: u64 = 50;

/// A container that takes part.
#[derive(Debug)]
pub(super) struct Container {
    layout: Layout,
    pub(super) chunks: Chunks,
    /// How many peers hold each chunk.
    availability: Vec<u16>,
    /// How many peers hold every chunk.
    complete_peers: u16,
    pub(super) tally: Tally,
    hedged_bytes: u64,
    stopped: bool,
}

/// An answer that is being verified: whose it is, and what it claims to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) peer: PeerKey,
    pub(super) address: Address,
    pub(super) id: ManifestId,
    pub(super) chunk: ChunkIndex,
    bytes: u64,
    wire_bytes: u64,
}

/// The downloading side of a node: every container and every peer.
#[derive(Debug, Default)]
pub(super) struct Download {
    containers: BTreeMap<ManifestId, Container>,
    peers: BTreeMap<PeerKey, Peer>,
    claims: BTreeMap<Ticket, Claim>,
    budget_used: u64,
    tickets: u64,
    seed: u64,
    steal_at: Option<Moment>,
    hungry: BTreeSet<PeerKey>,
}

impl Download {
    /// `seed` decides where this node starts among equally rare chunks.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    pub(super) fn container(&self, id: &ManifestId) -> Option<&Container> {
        self.containers.get(id)
    }

    pub(super) fn container_mut(&mut self, id: &ManifestId) -> Option<&mut Container> {
        self.containers.get_mut(id)
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = (PeerKey, &Peer)> {
        self.peers.iter().map(|(key, peer)| (*key, peer))
    }

    pub(super) fn peer(&self, peer: PeerKey) -> Option<&Peer> {
        self.peers.get(&peer)
    }

    pub(super) fn on_add(&mut self, id: ManifestId, layout: Layout, have: Bitfield) {
        assert_eq!(
            have.len(),
            layout.chunk_count(),
            "a bitfield of another container"
        );
        let mut container = Container {
            layout,
            chunks: Chunks::new(have),
            availability: vec![0; layout.chunk_count() as usize],
            complete_peers: 0,
            tally: Tally::default(),
            hedged_bytes: 0,
            stopped: false,
        };
        self.peers
            .values()
            .filter_map(|peer| peer.holds(&id))
            .for_each(|held| container.count(held));
        self.containers.insert(id, container);
        self.everyone_is_hungry();
    }

    pub(super) fn on_remove(&mut self, id: &ManifestId, out: &mut VecDeque<Output>) {
        self.stop(id, out);
        self.containers.remove(id);
        self.peers.values_mut().for_each(|peer| {
            peer.forget(id);
        });
    }

    /// Cancels a container's requests and makes no more.
    pub(super) fn stop(&mut self, id: &ManifestId, out: &mut VecDeque<Output>) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        container.stopped = true;
        let tickets: Vec<_> = container.chunks.tickets().collect();
        for (ticket, peer) in tickets {
            self.cancel(peer, ticket, out);
        }
    }

    pub(super) fn on_connected(
        &mut self,
        now: Moment,
        key: PeerKey,
        address: Address,
        rtt: Duration,
    ) {
        self.peers.insert(key, Peer::new(address, rtt, now));
    }

    pub(super) fn on_gone(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(&key) else {
            return;
        };
        self.hungry.remove(&key);
        for id in peer.containers() {
            if let (Some(container), Some(held)) = (self.containers.get_mut(id), peer.holds(id)) {
                container.discount(held);
            }
        }
        for (ticket, flight) in peer.flights() {
            self.unbook(flight.bytes);
            self.release(ticket, *flight);
        }
    }

    pub(super) fn on_holds(&mut self, key: PeerKey, id: ManifestId, held: Bitfield) {
        let (Some(peer), Some(container)) =
            (self.peers.get_mut(&key), self.containers.get_mut(&id))
        else {
            return;
        };
        container.count(&held);
        if let Some(before) = peer.set_holds(id, held) {
            container.discount(&before);
        }
        self.hungry.insert(key);
    }

    pub(super) fn on_has(&mut self, key: PeerKey, id: &ManifestId, chunks: &[ChunkIndex]) {
        let (Some(peer), Some(container)) = (self.peers.get_mut(&key), self.containers.get_mut(id))
        else {
            return;
        };
        let new = peer.add_holds(id, chunks);
        for chunk in &new {
            container.availability[chunk.as_usize()] += 1;
        }
        let full = peer.holds(id).is_some_and(Bitfield::is_full);
        container.complete_peers += u16::from(full && !new.is_empty());
        self.hungry.insert(key);
    }

    pub(super) fn on_progress(&mut self, now: Moment, key: PeerKey, ticket: Ticket) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.on_progress(now, ticket);
        }
    }

    /// An answer is here whole. Where it was still wanted, a worker proves it.
    pub(super) fn on_arrived(
        &mut self,
        now: Moment,
        key: PeerKey,
        ticket: Ticket,
        payload: Payload,
        rtt: Duration,
        out: &mut VecDeque<Output>,
    ) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let Some(Flight {
            id, chunk, bytes, ..
        }) = peer.on_arrived(now, ticket, rtt)
        else {
            return;
        };
        let address = peer.address();
        self.hungry.insert(key);
        let container = self
            .containers
            .get_mut(&id)
            .expect("a flight has its container");
        let losers = container.chunks.on_arrived(chunk, ticket);
        let wire_bytes = payload.len() as u64;
        self.claims.insert(
            ticket,
            Claim {
                peer: key,
                address,
                id,
                chunk,
                bytes,
                wire_bytes,
            },
        );
        for (loser, at) in losers {
            self.cancel(at, loser, out);
        }
        out.push_back(Output::Verify {
            ticket,
            id,
            chunk,
            payload,
        });
    }

    /// A request failed without an answer; the peer is not asked again for `pause`.
    pub(super) fn on_failed(
        &mut self,
        now: Moment,
        key: PeerKey,
        ticket: Ticket,
        pause: Option<Duration>,
    ) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let Some(flight) = peer.on_void(ticket) else {
            return;
        };
        match pause {
            Some(pause) => peer.quiet(now, pause),
            None => peer.on_lapse(now),
        }
        self.unbook(flight.bytes);
        self.release(ticket, flight);
    }

    /// A peer lacks what it was asked for, and says what it has: that is asked for instead.
    pub(super) fn on_not_held(&mut self, key: PeerKey, ticket: Ticket, held: Bitfield) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let Some(flight) = peer.on_void(ticket) else {
            return;
        };
        self.unbook(flight.bytes);
        self.release(ticket, flight);
        let mut held = held;
        held.remove(flight.chunk);
        self.on_holds(key, flight.id, held);
    }

    pub(super) fn on_wasted(&mut self, key: PeerKey, id: &ManifestId, bytes: u64) {
        let address = self.peers.get(&key).map(Peer::address);
        if let (Some(address), Some(container)) = (address, self.containers.get_mut(id)) {
            container
                .tally
                .enter(address, |account| account.duplicate_bytes += bytes);
        }
    }

    pub(super) fn on_stored(&mut self, ticket: Ticket) -> Option<Claim> {
        let claim = self.settle(ticket)?;
        let container = self.containers.get_mut(&claim.id)?;
        container.chunks.on_stored(claim.chunk);
        container.tally.enter(claim.address, |account| {
            account.chunks += 1;
            account.bytes += claim.bytes;
            account.wire_bytes += claim.wire_bytes;
        });
        Some(claim)
    }

    pub(super) fn on_bad(&mut self, ticket: Ticket) -> Option<(Claim, Failure)> {
        let claim = self.settle(ticket)?;
        self.everyone_is_hungry();
        let container = self.containers.get_mut(&claim.id)?;
        container
            .tally
            .enter(claim.address, |account| account.bad_chunks += 1);
        Some((claim, container.chunks.on_bad(claim.chunk, claim.address)))
    }

    pub(super) fn on_not_stored(&mut self, ticket: Ticket) -> Option<Claim> {
        let claim = self.settle(ticket)?;
        self.containers
            .get_mut(&claim.id)?
            .chunks
            .on_not_stored(claim.chunk);
        Some(claim)
    }

    pub(super) fn on_lost(&mut self, id: &ManifestId, chunk: ChunkIndex) {
        if self
            .containers
            .get_mut(id)
            .is_some_and(|container| container.chunks.on_lost(chunk))
        {
            self.everyone_is_hungry();
        }
    }

    /// Gives up on what is overdue, and lets peers that were quiet work again.
    pub(super) fn on_wake(&mut self, now: Moment, out: &mut VecDeque<Output>) {
        let due = |peer: &Peer| peer.check_at().is_some_and(|at| at <= now);
        let late: Vec<PeerKey> = self
            .peers
            .iter()
            .filter(|(_, peer)| due(peer))
            .map(|(key, _)| *key)
            .collect();
        for key in late {
            let peer = self.peers.get_mut(&key).expect("listed above");
            let overdue = peer.overdue(now);
            if !overdue.is_empty() {
                peer.on_lapse(now);
            }
            for ticket in overdue {
                self.cancel(key, ticket, out);
            }
        }
        if self.steal_at.is_some_and(|at| at <= now) {
            self.steal_at = None;
        }
        self.everyone_is_hungry();
    }

    /// Asks every peer that may have room for as much as it takes.
    pub(super) fn fill(&mut self, now: Moment, out: &mut VecDeque<Output>) {
        let hungry = std::mem::take(&mut self.hungry);
        for key in hungry {
            while let Some((id, chunk)) = self.next_for(now, key) {
                self.ask(now, key, id, chunk, out);
            }
            if self.steal_at.is_none() && self.is_idle(now, key) {
                self.steal_for(now, key, out);
                self.steal_at = self.is_idle(now, key).then(|| now + STEAL_EVERY);
            }
        }
    }

    /// The earliest moment at which something has to be done, and what.
    pub(super) fn deadline(&self, now: Moment) -> Option<(Moment, Reason)> {
        let checks = self
            .peers
            .iter()
            .filter_map(|(key, peer)| peer.check_at().map(|at| (at, Reason::Patience(*key))));
        let agains = self
            .peers
            .iter()
            .filter_map(|(key, peer)| peer.quiet_until(now).map(|at| (at, Reason::Again(*key))));
        let steal = self.steal_at.map(|at| (at, Reason::Steal));
        checks.chain(agains).chain(steal).min()
    }

    /// What a peer is asked for next, if it has room and holds anything that is wanted.
    fn next_for(&self, now: Moment, key: PeerKey) -> Option<(ManifestId, ChunkIndex)> {
        let peer = self.peers.get(&key)?;
        peer.containers().find_map(|id| {
            let container = self
                .containers
                .get(id)
                .filter(|container| !container.stopped)?;
            let bytes = u64::from(container.layout.chunk_size());
            if !peer.has_room(now, bytes) || !self.may_book(bytes) {
                return None;
            }
            let held = peer.holds(id)?;
            let start = self.start_in(container);
            let (wanted, floor) = (container.chunks.wanted(), container.complete_peers);
            picker::pick(wanted, held, &container.availability, floor, start)
                .map(|chunk| (*id, chunk))
        })
    }

    /// Where this node begins among equally rare chunks: at the front while it has one source only
    /// (nobody to trade with, and the whole can be hashed as it grows), elsewhere otherwise.
    fn start_in(&self, container: &Container) -> ChunkIndex {
        let count = u64::from(container.layout.chunk_count());
        let start = if self.peers.len() < 2 {
            0
        } else {
            self.seed % count
        };
        ChunkIndex::new(u32::try_from(start).expect("below a chunk count"))
    }

    fn ask(
        &mut self,
        now: Moment,
        key: PeerKey,
        id: ManifestId,
        chunk: ChunkIndex,
        out: &mut VecDeque<Output>,
    ) {
        let container = self.containers.get_mut(&id).expect("picked from it");
        let bytes = container.chunk_bytes(chunk);
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.budget_used += bytes;
        container.chunks.on_asked(chunk, ticket, key);
        self.peers
            .get_mut(&key)
            .expect("picked for it")
            .on_asked(now, ticket, id, chunk, bytes);
        out.push_back(Output::Request {
            peer: key,
            ticket,
            id,
            chunk,
        });
    }

    /// Whether a peer could do more while nothing is left that nobody was asked for.
    fn is_idle(&self, now: Moment, key: PeerKey) -> bool {
        let Some(peer) = self.peers.get(&key) else {
            return false;
        };
        peer.containers().any(|id| {
            self.containers.get(id).is_some_and(|container| {
                let bytes = u64::from(container.layout.chunk_size());
                !container.stopped
                    && container.chunks.pending() > 0
                    && peer.has_room(now, bytes)
                    && self.may_book(bytes)
            })
        })
    }

    /// Gives an idle peer work of the peer that will be busy longest (seed, special case 1): the
    /// newest of several requests moves over, a last one is asked twice.
    fn steal_for(&mut self, now: Moment, key: PeerKey, out: &mut VecDeque<Output>) {
        while let Some((victim, ticket, flight)) = self.worth_stealing(now, key) {
            let owes_more = self
                .peers
                .get(&victim)
                .is_some_and(|peer| peer.flights().count() > 1);
            if owes_more {
                self.cancel(victim, ticket, out);
            } else {
                let container = self
                    .containers
                    .get_mut(&flight.id)
                    .expect("a flight has one");
                container.hedged_bytes += flight.bytes;
            }
            self.ask(now, key, flight.id, flight.chunk, out);
        }
    }

    /// The request that the idle peer would answer sooner than the one that has it, by a margin.
    fn worth_stealing(&self, now: Moment, key: PeerKey) -> Option<(PeerKey, Ticket, Flight)> {
        let thief = self.peers.get(&key)?;
        let mut victims: Vec<_> = self
            .peers
            .iter()
            .filter(|(other, _)| **other != key)
            .collect();
        victims.sort_by_key(|(other, peer)| (std::cmp::Reverse(peer.remaining(now)), **other));
        victims.into_iter().find_map(|(victim, peer)| {
            let alone = peer.flights().nth(1).is_none();
            let mut flights = peer.flights().rev();
            flights.find_map(|(ticket, flight)| {
                let worth = 2 * thief.time_for(flight.bytes) + STEAL_GAIN_MIN < peer.remaining(now);
                let can = self.can_take(now, thief, flight) && (!alone || self.may_hedge(flight));
                (worth && can).then_some((*victim, ticket, *flight))
            })
        })
    }

    fn can_take(&self, now: Moment, thief: &Peer, flight: &Flight) -> bool {
        let Some(container) = self.containers.get(&flight.id) else {
            return false;
        };
        let theirs = thief
            .flights()
            .any(|(_, own)| (own.id, own.chunk) == (flight.id, flight.chunk));
        thief
            .holds(&flight.id)
            .is_some_and(|held| held.contains(flight.chunk))
            && !theirs
            && container.chunks.may_hedge(flight.chunk)
            && thief.has_room(now, flight.bytes)
            && self.may_book(flight.bytes)
    }

    fn may_hedge(&self, flight: &Flight) -> bool {
        self.containers.get(&flight.id).is_some_and(|container| {
            let allowed =
                container.layout.size() / HEDGE_SHARE + u64::from(container.layout.chunk_size());
            container.hedged_bytes + flight.bytes <= allowed
        })
    }

    /// Takes a request back.
    fn cancel(&mut self, key: PeerKey, ticket: Ticket, out: &mut VecDeque<Output>) {
        let Some(flight) = self
            .peers
            .get_mut(&key)
            .and_then(|peer| peer.on_void(ticket))
        else {
            return;
        };
        self.unbook(flight.bytes);
        self.release(ticket, flight);
        out.push_back(Output::Cancel { peer: key, ticket });
    }

    /// A request is void: its chunk may be wanted again.
    fn release(&mut self, ticket: Ticket, flight: Flight) {
        let Some(container) = self.containers.get_mut(&flight.id) else {
            return;
        };
        if container.chunks.on_void(flight.chunk, ticket) {
            self.everyone_is_hungry();
        }
    }

    /// A worker is done with an answer.
    fn settle(&mut self, ticket: Ticket) -> Option<Claim> {
        let claim = self.claims.remove(&ticket)?;
        self.unbook(claim.bytes);
        self.hungry.insert(claim.peer);
        Some(claim)
    }

    fn may_book(&self, bytes: u64) -> bool {
        self.budget_used == 0 || self.budget_used + bytes <= IN_FLIGHT_BYTES_MAX
    }

    fn unbook(&mut self, bytes: u64) {
        let full = !self.may_book(bytes);
        self.budget_used -= bytes;
        if full {
            self.everyone_is_hungry();
        }
    }

    fn everyone_is_hungry(&mut self) {
        self.hungry.extend(self.peers.keys());
    }
}

impl Container {
    /// The length of a chunk in bytes.
    pub(super) fn chunk_bytes(&self, chunk: ChunkIndex) -> u64 {
        self.layout.chunk_len(chunk).map_or(0, u64::from)
    }

    fn count(&mut self, held: &Bitfield) {
        held.iter()
            .for_each(|chunk| self.availability[chunk.as_usize()] += 1);
        self.complete_peers += u16::from(held.is_full());
    }

    fn discount(&mut self, held: &Bitfield) {
        held.iter()
            .for_each(|chunk| self.availability[chunk.as_usize()] -= 1);
        self.complete_peers -= u16::from(held.is_full());
    }
}
