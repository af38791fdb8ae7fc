//! The downloading side of a node: which peers and containers there are, and what is out.
//!
//! The rest of it: `ask` (who is asked for what), `steal` (what peers do that have nothing left to
//! ask for), `rescue` (what somebody waits for), `muster` (who is asked where not all are), `answer` (what becomes of a request), `steer` (what
//! surfaces wish), `copy` (what need not be asked for).
//!
//! Invariants: a request is out at a peer if and only if it is out in its container's
//! [`Chunks`](super::chunks::Chunks); the budget is the sum of the bytes of flights and claims; a
//! peer with a flight has its patience armed.

mod answer;
mod ask;
mod backlogs;
#[cfg(test)]
mod check;
mod copy;
mod muster;
mod rescue;
mod steal;
mod steer;

pub(super) use answer::{Cause, Claim};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::budget::Budget;
use super::container::Container;
use super::crew::Crew;
use super::event::{Output, PeerKey, Reason, Ticket, Trust};
use super::pacer::Pacer;
use super::peers::{Flight, Peer};
use super::planted::{Bug, is_planted};
use super::timers::Timers;
use super::upload::Who;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::ManifestId;
use crate::manifest::Layout;
use crate::moment::Moment;

/// How often a peer that owes answers is looked at: this often, and more rarely the longer it may
/// say nothing.
const CHECK_MIN: Duration = Duration::from_millis(500);
const CHECK_MAX: Duration = Duration::from_secs(10);
/// How often it is looked how fast peers are.
const SURVEY_EVERY: Duration = Duration::from_millis(100);
/// A peer that nothing is known of is not taken to need longer than this many seconds for a chunk.
const GUESS_S: u64 = 16;

/// The downloading side of a node: every container and every peer.
#[derive(Debug, Default)]
pub(super) struct Download {
    containers: BTreeMap<ManifestId, Container>,
    peers: BTreeMap<PeerKey, Peer>,
    claims: BTreeMap<Ticket, Claim>,
    /// Chunks that workers copy.
    copies: BTreeMap<Ticket, (ManifestId, ChunkIndex)>,
    /// Containers that may have more of them.
    copyable: BTreeSet<ManifestId>,
    budget: Budget,
    /// How many peers are asked, where not all are.
    crew: Crew,
    /// Whether somebody may be left out of a container now.
    is_mustered: bool,
    pacer: Pacer,
    timers: Timers,
    tickets: u64,
    seed: u64,
    /// When it was last looked how fast peers are.
    surveyed_at: Moment,
    /// Whether no peer lacked anything then of a container that it takes part in.
    all_complete: bool,
    /// Peers that may be able to take one more request.
    hungry: BTreeSet<PeerKey>,
    all_hungry: bool,
    /// The peer that was asked last.
    turn: PeerKey,
    /// Peers that could take one, while nobody is left unasked for anything that they hold.
    idle: BTreeSet<PeerKey>,
    /// Those of them that may find work to take over now.
    restless: BTreeSet<PeerKey>,
    /// When each of the others may, if nothing happens to it before.
    later: Timers<PeerKey>,
    /// From when on such work is looked for again.
    look_from: Moment,
    /// Peers that would be asked for more, but for a download limit.
    paced: BTreeSet<PeerKey>,
    /// Until when somebody has to wait for the limit for all: then the others wait behind that one,
    /// so that small chunks do not overtake large ones for ever.
    dry_until: Option<Moment>,
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

    /// The earliest moment at which something has to be looked at, and what.
    pub(super) fn deadline(&self) -> Option<(Moment, Reason)> {
        self.timers.next()
    }

    /// A container takes part. What peers hold of it they say from now on.
    pub(super) fn on_add(&mut self, id: ManifestId, layout: Layout, have: Bitfield, trust: Trust) {
        self.containers
            .insert(id, Container::new(layout, have, trust));
    }

    /// A container takes no part any more. Answers at a worker are released when it is done.
    pub(super) fn on_remove(&mut self, now: Moment, id: &ManifestId, out: &mut VecDeque<Output>) {
        if !is_planted(Bug::KeepsFlightsOfRemoved) {
            self.take_all_back(now, id, out);
        }
        self.containers.remove(id);
        for peer in self.peers.values_mut() {
            peer.forget(id);
        }
    }

    /// Takes a container's requests back. The caller has seen to it that no more are made.
    pub(super) fn take_all_back(
        &mut self,
        now: Moment,
        id: &ManifestId,
        out: &mut VecDeque<Output>,
    ) {
        let flights = self.containers.get(id).map(|it| it.chunks.flights());
        for (_, ticket, peer) in flights.into_iter().flatten().collect::<Vec<_>>() {
            self.cancel(now, peer, ticket, out);
        }
    }

    pub(super) fn on_connected(&mut self, now: Moment, who: Who, rtt: Duration) {
        self.peers
            .entry(who.peer)
            .or_insert_with(|| Peer::new(who, rtt, now));
    }

    pub(super) fn on_gone(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(&key) else {
            return;
        };
        for (id, held) in peer.all_held() {
            if let Some(container) = self.containers.get_mut(id) {
                container.chunks.on_holder_gone(held);
            }
        }
        for (ticket, flight) in peer.flights() {
            if is_planted(Bug::KeepsFlightsOfGone) {
                break;
            }
            if is_planted(Bug::LeaksOnGone) {
                self.budget.book(flight.bytes);
            }
            self.release(ticket, *flight);
        }
        let containers = self.containers.values_mut();
        containers.for_each(|container| container.plan.on_gone(key));
        self.timers.disarm(Reason::Patience(key));
        self.timers.disarm(Reason::Again(key));
        self.budget.on_content(key);
        self.hungry.remove(&key);
        self.paced.remove(&key);
        self.idle.remove(&key);
        self.restless.remove(&key);
        self.later.disarm(key);
    }

    /// A bitfield that does not fit its container is not taken: the caller reports who sent it.
    pub(super) fn on_holds(&mut self, key: PeerKey, id: ManifestId, held: Bitfield) {
        let (Some(peer), Some(container)) =
            (self.peers.get_mut(&key), self.containers.get_mut(&id))
        else {
            return;
        };
        if held.len() != container.layout.chunk_count() {
            return;
        }
        container.chunks.on_holder(&held);
        if let Some(before) = peer.set_holds(id, held) {
            container.chunks.on_holder_gone(&before);
        }
        self.hungry.insert(key);
    }

    /// A peer takes no part in a container any more.
    pub(super) fn on_left(&mut self, key: PeerKey, id: &ManifestId) {
        let (Some(peer), Some(container)) = (self.peers.get_mut(&key), self.containers.get_mut(id))
        else {
            return;
        };
        if let Some(held) = peer.forget(id) {
            container.chunks.on_holder_gone(&held);
        }
        self.hungry.insert(key);
    }

    pub(super) fn on_has(&mut self, key: PeerKey, id: &ManifestId, chunks: &[ChunkIndex]) {
        let (Some(peer), Some(container)) = (self.peers.get_mut(&key), self.containers.get_mut(id))
        else {
            return;
        };
        let mut is_useful = false;
        for chunk in chunks {
            if let Some(held) = peer.add_holds(id, *chunk) {
                container.chunks.on_holder_has(*chunk, held);
                is_useful |= container.chunks.is_open(*chunk);
            }
        }
        if is_useful {
            self.hungry.insert(key);
        }
    }

    /// A peer does not serve us. What is out at it, it answers yet, one way or the other.
    pub(super) fn on_choked(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.record.on_choked();
            self.hungry.insert(key);
        }
    }

    /// A peer serves us again.
    pub(super) fn on_unchoked(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.record.on_unchoked();
            self.hungry.insert(key);
        }
    }

    /// Gives up on what is overdue, and lets peers that rested work again.
    pub(super) fn on_wake(&mut self, now: Moment, out: &mut VecDeque<Output>) {
        for reason in self.timers.take_due(now) {
            match reason {
                Reason::Patience(key) => self.on_impatience(now, key, out),
                Reason::Again(key) => {
                    self.hungry.insert(key);
                }
                Reason::Steal => self.restless.extend(self.later.take_due(now)),
                // Whoever waits for a limit is looked at after any input.
                Reason::Pace => {}
                Reason::Serve => {}
            }
        }
    }

    /// Takes back what a peer should have answered long ago. One that is silent keeps the request
    /// that it has had longest, and with it its place among those that wait for the peer, until
    /// somebody else takes that over.
    fn on_impatience(&mut self, now: Moment, key: PeerKey, out: &mut VecDeque<Output>) {
        let next = Ticket(self.tickets);
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        if peer.is_late(now) {
            // Whoever is idle may help out now, even if it could not when it last looked.
            self.hungry.extend(&self.idle);
        }
        let overdue = match peer.silent_on(now) {
            Some(oldest) => {
                peer.on_silence(oldest, next);
                let others = peer.flights().skip(1);
                others.map(|(ticket, _)| ticket).collect()
            }
            None => peer.passed_over(now),
        };
        for ticket in &overdue {
            peer.record.on_lapse(now, *ticket, next);
        }
        let left = peer.flights().nth(overdue.len()).is_some();
        if left && !is_planted(Bug::WatchesOnce) {
            let pause = (peer.patience() / 4).clamp(CHECK_MIN, CHECK_MAX);
            self.timers.arm(Reason::Patience(key), now + pause);
        }
        for ticket in overdue {
            self.cancel(now, key, ticket, out);
        }
        self.arm_again(now, key);
    }

    /// Takes peers that nothing is known of for as fast as those are that something is known of.
    fn survey(&mut self, now: Moment) {
        if now.since(self.surveyed_at) < SURVEY_EVERY {
            return;
        }
        self.surveyed_at = now;
        self.look_who_lacks();
        self.muster(now);
        let known = self.peers.values().filter(|it| it.is_known());
        let (sum, count) = known.fold((0_u64, 0), |(sum, count), it| {
            (sum.saturating_add(it.rate()), count + 1)
        });
        if let Some(mean) = sum.checked_div(count) {
            let chunks = self.containers.values().map(|it| it.layout.chunk_size());
            let least = u64::from(chunks.max().unwrap_or(0)) / GUESS_S;
            let peers = self.peers.values_mut();
            peers.for_each(|peer| peer.guess(mean.max(least)));
        }
    }

    fn arm_again(&mut self, now: Moment, key: PeerKey) {
        let until = self
            .peers
            .get(&key)
            .and_then(|peer| peer.record.rests_until(now));
        match until {
            Some(until) => self.timers.arm(Reason::Again(key), until),
            None => {
                self.hungry.insert(key);
            }
        }
    }

    /// Takes a request back. If its peer was late with it, that has to answer one before more is
    /// expected of it.
    fn cancel(&mut self, now: Moment, key: PeerKey, ticket: Ticket, out: &mut VecDeque<Output>) {
        if let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.is_late(now)) {
            peer.on_doubt();
        }
        let risk = self.peers.get(&key).map(|it| it.at_risk_of(now, ticket));
        let Some((_, flight)) = self.take_flight(key, ticket) else {
            return;
        };
        if let Some(container) = self.containers.get_mut(&flight.id) {
            container.on_risked(risk.unwrap_or_default());
        }
        if is_planted(Bug::LeaksOnCancel) {
            self.budget.book(flight.bytes);
        }
        self.release(ticket, flight);
        out.push_back(Output::Cancel { peer: key, ticket });
    }

    fn take_flight(&mut self, key: PeerKey, ticket: Ticket) -> Option<(&mut Peer, Flight)> {
        let peer = self.peers.get_mut(&key)?;
        let flight = peer.on_void(ticket)?;
        self.hungry.insert(key);
        Some((peer, flight))
    }

    /// A request is void: its bytes will not come, its chunk may be wanted again.
    fn release(&mut self, ticket: Ticket, flight: Flight) {
        self.budget.release(flight.bytes);
        self.hungry.extend(self.budget.starved());
        self.put_back(&flight.id, flight.missing());
        let container = self.containers.get_mut(&flight.id);
        self.all_hungry |= container.is_some_and(|it| it.chunks.on_void(flight.chunk, ticket));
    }
}
