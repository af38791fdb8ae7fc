//! What peers do that have nothing left to ask for: they take over the work of slower ones.
//!
//! A peer that is done takes over from the one that will be busy longest, or has stopped answering
//! (seed `flashget-torrent`, special case 1). A request moves, or the one that may be being answered is
//! asked twice and the slower answer is taken back. What that costs, answers that come although nobody
//! wants them any more, is estimated beforehand, entered into the container's account together with what
//! is known to have come for nothing, and bounded by a share of its bytes. Where that is spent, only what
//! a pausing peer will hardly begin now is moved, and what a silent one keeps. Where the budget is used
//! up, a request moves as well, if that saves much.
//!
//! Progress is certain: only a peer that has delivered, and is not late itself, may make another
//! lose the answer it may be sending, so no crowd of silent peers can keep a chunk going round. A
//! peer that was late when it lost a request takes nothing over until it has answered one.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::Download;
use super::backlogs::Backlogs;
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::swarm::event::{Output, PeerKey, Ticket};
use crate::swarm::peers::{Flight, Outlook, Peer};

/// Work is taken over only where that saves more than this.
pub(super) const GAIN_MIN: Duration = Duration::from_millis(20);
/// How much faster a taker must be.
const FASTER: u32 = 2;
/// How much faster a taker must be where an answer is lost that may be on its way.
pub(super) const MUCH_FASTER: u32 = 4;

/// Where nothing may be lost any more, this part of an answer is nothing.
const UNLIKELY: u64 = 16;

/// Peers that look for somebody to evict after one input: those that wait longest. If none of them
/// finds one, more would not either.
const STARVED_MAX: usize = 16;

/// A request that another peer would answer sooner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    pub(super) victim: PeerKey,
    pub(super) ticket: Ticket,
    pub(super) flight: Flight,
    pub(super) way: Way,
}

/// How a request is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The other peer is not asked any more.
    Move,
    /// Both peers are asked.
    Hedge,
    /// The other peer is not asked any more, to make room in the budget for something else.
    Evict,
}

impl Download {
    /// Gives work to those of these peers that are idle, and sees to it that each is looked at again
    /// when that could help. Those come first that have waited longest for room in the budget.
    pub(super) fn share_work(
        &mut self,
        now: Moment,
        peers: BTreeSet<PeerKey>,
        out: &mut VecDeque<Output>,
    ) {
        let mut backlogs = Backlogs::new(now, self.peers());
        for taker in self.takers(peers) {
            self.later.disarm(taker);
            while self.idle.contains(&taker) {
                let (at, chance) = self.best_chance(now, taker, &backlogs);
                let Some(chance) = chance else {
                    if let Some(at) = at {
                        self.later.arm(taker, at);
                    }
                    break;
                };
                self.take_over(now, taker, chance, out);
                backlogs = Backlogs::new(now, self.peers());
                // Room in the budget is shared out anew before anybody needs more of it.
                if chance.way == Way::Evict {
                    break;
                }
            }
        }
    }

    /// Those of these peers that are idle, in the order in which they get work.
    fn takers(&self, peers: BTreeSet<PeerKey>) -> Vec<PeerKey> {
        let idle = peers.into_iter().filter(|it| self.idle.contains(it));
        let (mut starved, mut idle): (Vec<_>, Vec<_>) =
            idle.partition(|it| self.budget.is_starved(*it));
        let peer = |key: &PeerKey| self.peers.get(key);
        starved.sort_by_key(|key| {
            let known = peer(key).is_some_and(Peer::is_known);
            (!known, self.budget.starved_since(*key))
        });
        starved.truncate(STARVED_MAX);
        idle.sort_by_key(|key| peer(key).map(|it| it.record.lapses()));
        starved.into_iter().chain(idle).collect()
    }

    /// The best request to take over now, if there is one; else a moment before which there is none,
    /// as far as can be told. Of peers that cannot have a better one, the requests are not looked at.
    fn best_chance(
        &self,
        now: Moment,
        taker: PeerKey,
        backlogs: &Backlogs,
    ) -> (Option<Moment>, Option<Chance>) {
        let Some(peer) = self.peers.get(&taker) else {
            return (None, None);
        };
        let is_starved = self.budget.is_starved(taker);
        if peer.record.rests_until(now).is_some() || !(is_starved || self.may_take(now, peer)) {
            return (None, None);
        }
        let starts_in = peer.starts_in(now);
        let (mut again, mut best) = (None::<Moment>, None::<((_, PeerKey), Chance)>);
        for it in backlogs.iter().filter(|it| it.peer != taker) {
            let rank = (Reverse(it.outlook.remaining), it.peer);
            if best.is_some_and(|(best, _)| best <= rank) {
                continue;
            }
            let soonest = if is_starved {
                now
            } else {
                let done_in = starts_in + peer.span_of(it.shortest);
                it.outlook.slower_than(now, GAIN_MIN + FASTER * done_in)
            };
            if soonest > now {
                again = Some(again.map_or(soonest, |other| other.min(soonest)));
                continue;
            }
            let Some(victim) = self.peers.get(&it.peer) else {
                continue;
            };
            let (taker, victim) = ((taker, peer), (it.peer, victim, it.outlook));
            let chance = if is_starved {
                self.chance_to_evict(now, taker, victim)
            } else {
                self.chance_to_take(now, taker, victim, starts_in)
            };
            match chance {
                Some((at, chance)) if at <= now => best = Some((rank, chance)),
                Some((at, _)) => again = Some(again.map_or(at, |other| other.min(at))),
                None => {}
            }
        }
        (again, best.map(|(_, chance)| chance))
    }

    /// Whether a peer has room for anything that another one was asked for.
    fn may_take(&self, now: Moment, peer: &Peer) -> bool {
        peer.all_held().any(|(id, held)| {
            self.containers.get(id).is_some_and(|it| {
                peer.has_room(now, it.layout.chunk_size().into())
                    && held.intersects(it.chunks.asked())
            })
        })
    }

    /// When a peer that is starved may have another one's place in the budget: at once that of one
    /// on trial. If it has nothing at all, also another's, once it has waited for as long as it will
    /// need, and if it is much faster, as far as is known. Where nothing is known of either, the other
    /// must be late.
    fn chance_to_evict(
        &self,
        now: Moment,
        (taker, peer): (PeerKey, &Peer),
        (victim, other, outlook): (PeerKey, &Peer, Outlook),
    ) -> Option<(Moment, Chance)> {
        let (ticket, flight) = other.flights().next_back()?;
        let since = self.budget.is_helped_by(taker, flight.bytes)?;
        let done_in = peer.done_in(now, flight.bytes);
        let is_first = peer.in_flight_bytes() == 0;
        // Beyond what may arrive for nothing, only a late answer is given up.
        let container = self.containers.get(&flight.id)?;
        let from = if container.may_waste(flight.bytes) {
            now
        } else {
            outlook.late_from(now)
        };
        let at = if peer.is_known() && other.record.is_on_trial() {
            from
        } else if peer.is_known() && is_first {
            let much_slower = outlook.slower_than(now, GAIN_MIN + MUCH_FASTER * done_in);
            much_slower.max(since + done_in).max(from)
        } else if other.is_slow() && is_first {
            outlook.late_from(now).max(since + done_in)
        } else {
            return None;
        };
        let chance = Chance {
            victim,
            ticket,
            flight: *flight,
            way: Way::Evict,
        };
        Some((at, chance))
    }

    /// When a peer that has nothing left to ask for may take over a request of another one: the
    /// newest that it can.
    fn chance_to_take(
        &self,
        now: Moment,
        taker: (PeerKey, &Peer),
        (victim, other, outlook): (PeerKey, &Peer, Outlook),
        starts_in: Duration,
    ) -> Option<(Moment, Chance)> {
        let mut before = other.missing();
        let mut flights = other.flights().rev();
        flights.find_map(|(ticket, flight)| {
            before -= flight.missing();
            let risk = other.at_risk(now, flight, before);
            let done_in = starts_in + taker.1.span_of(flight.bytes);
            let (at, way) =
                self.way_to_take(now, taker, (other, outlook), (flight, risk), done_in)?;
            let chance = Chance {
                victim,
                ticket,
                flight: *flight,
                way,
            };
            Some((at, chance))
        })
    }

    /// When and how a peer may take over this request, if it may. So many bytes would be lost with it.
    pub(super) fn way_to_take(
        &self,
        now: Moment,
        (taker, peer): (PeerKey, &Peer),
        (other, outlook): (&Peer, Outlook),
        (flight, risk): (&Flight, u64),
        done_in: Duration,
    ) -> Option<(Moment, Way)> {
        if !peer.holds(&flight.id)?.contains(flight.chunk) {
            return None;
        }
        let container = self.containers.get(&flight.id);
        let container = container.filter(|it| it.is_active())?;
        let (chunks, chunk_size) = (&container.chunks, container.layout.chunk_size());
        if !peer.has_room(now, chunk_size.into()) {
            return None;
        }
        let silent = outlook.silent_from(now);
        let free = if container.may_waste(risk) {
            Some(now)
        } else {
            (risk <= flight.bytes / UNLIKELY).then(|| other.pauses_from(now))
        };
        let is_new = !other.is_known() && !other.record.is_on_trial();
        let late = if is_new && other.is_oldest(flight) {
            outlook.late_from(now)
        } else {
            now
        };
        let alone = chunks.may_hedge(flight.chunk, taker);
        let is_first = peer.in_flight_bytes() == 0 && !peer.record.is_on_trial();
        let waits = alone && (peer.is_known() || is_first) && !other.is_oldest(flight);
        let hedges = alone && self.budget.admits(taker, peer.share(), flight.bytes);
        let moves = alone && peer.is_known();
        let may_lose = container.may_waste(flight.bytes);
        let tries = hedges && !peer.is_known() && chunks.hedges() == 0;
        let hopeless = other.is_slow() && chunks.may_replace(flight.chunk, taker);
        let ways = [
            free.filter(|_| waits).map(|at| (at, Way::Move, FASTER)),
            free.filter(|_| moves)
                .map(|at| (at.max(late), Way::Move, MUCH_FASTER)),
            (hedges && may_lose).then_some((now, Way::Hedge, FASTER)),
            tries.then_some((silent, Way::Hedge, FASTER)),
            moves.then_some((silent, Way::Move, FASTER)),
            hopeless.then_some((silent, Way::Move, FASTER)),
        ];
        let paced = self.may_ask_at(now, container, flight.bytes);
        let ways = ways.into_iter().flatten().map(|(from, way, factor)| {
            let at = outlook.slower_than(now, GAIN_MIN + factor * done_in);
            // What moves is not asked for a second time.
            let paced = if way == Way::Hedge { paced } else { now };
            (at.max(from).max(paced), way)
        });
        ways.min_by_key(|(at, _)| *at)
    }

    pub(super) fn take_over(
        &mut self,
        now: Moment,
        taker: PeerKey,
        chance: Chance,
        out: &mut VecDeque<Output>,
    ) {
        let Chance {
            victim,
            ticket,
            flight,
            way,
        } = chance;
        if way != Way::Evict {
            self.note_taken_over(victim, taker, flight.id);
        }
        match way {
            Way::Hedge => self.ask(now, taker, flight.id, flight.chunk, out),
            Way::Move => {
                let all_hungry = self.all_hungry;
                self.cancel(now, victim, ticket, out);
                self.ask(now, taker, flight.id, flight.chunk, out);
                // The chunk is in flight again, so nobody else has to look for it.
                self.all_hungry = all_hungry;
            }
            Way::Evict => {
                self.cancel(now, victim, ticket, out);
                self.fill_one(now, taker, out);
            }
        }
    }

    /// Enters into the accounts who took work over from whom.
    fn note_taken_over(&mut self, victim: PeerKey, taker: PeerKey, id: ManifestId) {
        let address = |peer: PeerKey| self.peers.get(&peer).map(Peer::address);
        let (victim, taker) = (address(victim), address(taker));
        if let Some(container) = self.containers.get_mut(&id) {
            let tally = &mut container.tally;
            if let (Some(victim), Some(taker)) = (victim, taker) {
                tally.enter(victim, |account| account.given_up += 1);
                tally.enter(taker, |account| account.taken_over += 1);
            }
        }
    }
}
