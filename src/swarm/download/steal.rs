//! What peers do that have nothing left to ask for: they take over the work of slower ones.
//!
//! A peer that is done takes over from the one that will be busy longest, or has stopped answering
//! (seed `flashget-torrent`, special case 1): requests that are not being answered yet move, the one
//! that may be is asked twice, and the slower answer is taken back. That costs at most a bounded
//! share of bytes; beyond it, or where the budget is used up, the request moves as well, if that
//! saves much.
//!
//! Progress is certain: only a peer that has delivered may make another lose the answer it may be
//! sending, so no crowd of silent peers can keep a chunk going round.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::Download;
use crate::moment::Moment;
use crate::swarm::event::{Output, PeerKey, Reason, Ticket};
use crate::swarm::peers::{Flight, Peer};

/// Work is taken over only where that saves more than this.
const GAIN_MIN: Duration = Duration::from_millis(20);
/// How much faster a taker must be.
const FASTER: u32 = 2;
/// How much faster a taker must be where an answer is lost that may be on its way.
const MUCH_FASTER: u32 = 4;

/// A request that another peer would answer sooner.
#[derive(Debug, Clone, Copy)]
struct Chance {
    victim: PeerKey,
    ticket: Ticket,
    flight: Flight,
    way: Way,
}

/// How a request is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The other peer is not asked any more.
    Move,
    /// Both peers are asked.
    Hedge,
    /// The other peer is not asked any more, to make room in the budget for something else.
    Evict,
}

impl Download {
    /// Gives work to those of these peers that are idle, and sees to it that it is looked again
    /// when that could help.
    pub(super) fn share_work(
        &mut self,
        now: Moment,
        peers: BTreeSet<PeerKey>,
        out: &mut VecDeque<Output>,
    ) {
        let mut again = None::<Moment>;
        for taker in peers {
            while self.idle.contains(&taker) {
                match self.best_chance(now, taker) {
                    Some((at, chance)) if at <= now => self.take_over(now, taker, chance, out),
                    Some((at, _)) => {
                        again = Some(again.map_or(at, |other| other.min(at)));
                        break;
                    }
                    None => break,
                }
            }
        }
        if let Some(at) = again {
            self.timers.arm_sooner(Reason::Steal, at);
        }
    }

    /// The best request to take over now, or else the one for which it is time first.
    fn best_chance(&self, now: Moment, taker: PeerKey) -> Option<(Moment, Chance)> {
        let peer = self.peers.get(&taker)?;
        if peer.record.is_on_trial() || peer.record.rests_until(now).is_some() {
            return None;
        }
        let others = self.peers.iter().filter(|(other, _)| **other != taker);
        let chances = others.filter_map(|(other, victim)| {
            let (chance, factor) = self.chance_at(now, (taker, peer), (*other, victim))?;
            let gain = GAIN_MIN + factor * peer.done_in(now, chance.flight.bytes);
            let rank = std::cmp::Reverse(victim.remaining(now));
            Some((victim.slower_than(now, gain), rank, *other, chance))
        });
        let best = chances.min_by_key(|(at, rank, other, _)| (*at, *rank, *other));
        best.map(|(at, _, _, chance)| (at, chance))
    }

    /// Which of a peer's requests another one could take over, the newest first, and how much
    /// faster it has to be.
    fn chance_at(
        &self,
        now: Moment,
        (taker, peer): (PeerKey, &Peer),
        (victim, other): (PeerKey, &Peer),
    ) -> Option<(Chance, u32)> {
        let oldest = other.oldest()?;
        let chance = |ticket, flight, way| Chance {
            victim,
            ticket,
            flight,
            way,
        };
        if self.budget.is_starved(taker) {
            let (ticket, flight) = other.flights().next_back()?;
            let first = peer.in_flight_bytes() == 0 && peer.rate() > 0;
            return first.then(|| (chance(ticket, *flight, Way::Evict), MUCH_FASTER));
        }
        let mut flights = other.flights().rev();
        let (ticket, flight) =
            flights.find(|(_, flight)| self.can_take(now, taker, peer, flight))?;
        let (way, factor) = if ticket != oldest {
            (Way::Move, FASTER)
        } else if self.may_hedge(taker, peer, flight) {
            (Way::Hedge, FASTER)
        } else if peer.rate() > 0 {
            (Way::Move, MUCH_FASTER)
        } else {
            return None;
        };
        Some((chance(ticket, *flight, way), factor))
    }

    fn can_take(&self, now: Moment, taker: PeerKey, peer: &Peer, flight: &Flight) -> bool {
        let holds = peer.holds(&flight.id);
        let container = self.containers.get(&flight.id);
        holds.is_some_and(|held| held.contains(flight.chunk))
            && container.is_some_and(|it| {
                it.chunks.may_hedge(flight.chunk, taker)
                    && peer.has_room(now, it.layout.chunk_size().into())
            })
    }

    fn may_hedge(&self, taker: PeerKey, peer: &Peer, flight: &Flight) -> bool {
        let container = self.containers.get(&flight.id);
        container.is_some_and(|it| it.may_hedge(flight.bytes))
            && self
                .budget
                .admits(taker, peer.in_flight_bytes(), flight.bytes)
    }

    fn take_over(
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
        match way {
            Way::Hedge => self.ask(now, taker, flight.id, flight.chunk, out),
            Way::Move => {
                let all_hungry = self.all_hungry;
                self.cancel(victim, ticket, out);
                self.ask(now, taker, flight.id, flight.chunk, out);
                // The chunk is in flight again, so nobody else has to look for it.
                self.all_hungry = all_hungry;
            }
            Way::Evict => {
                self.cancel(victim, ticket, out);
                self.fill_one(now, taker, out);
            }
        }
    }
}
