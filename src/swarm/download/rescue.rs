//! Requests that somebody waits for do not stay with a slow peer: a faster one takes them over as
//! soon as it has room, although it has other things to ask for.
//!
//! Which those are, the container's plan says (`order`); when and how one may be taken over, `steal`
//! does. So it costs what stealing costs; where nothing may be lost any more, one request at a time is
//! still asked twice, because whoever waits would otherwise wait for the slowest peer.

use std::collections::VecDeque;

use super::Download;
use super::steal::{Chance, GAIN_MIN, MUCH_FASTER, Way};
use crate::moment::Moment;
use crate::swarm::event::{Output, PeerKey, Ticket};
use crate::swarm::peers::{Flight, Peer};

impl Download {
    /// Gives a peer a request of a slower one that somebody waits for. True if there was one.
    pub(super) fn rescue(&mut self, now: Moment, key: PeerKey, out: &mut VecDeque<Output>) -> bool {
        let Some(peer) = self.peers.get(&key).filter(|peer| peer.is_known()) else {
            return false;
        };
        let containers = peer
            .in_turn()
            .filter_map(|(id, _)| self.containers.get(id))
            .filter(|it| it.is_active() && it.asks(key));
        let pressing = containers.flat_map(|it| it.plan.pressing(&it.chunks));
        let chance = pressing
            .filter(|(_, victim)| *victim != key)
            .find_map(|(ticket, victim)| self.chance_to_rescue(now, (key, peer), ticket, victim));
        let Some(chance) = chance else {
            return false;
        };
        self.take_over(now, key, chance, out);
        true
    }

    fn chance_to_rescue(
        &self,
        now: Moment,
        taker: (PeerKey, &Peer),
        ticket: Ticket,
        victim: PeerKey,
    ) -> Option<Chance> {
        let other = self.peers.get(&victim)?;
        let flight = other.flight(ticket)?;
        let other = (other, other.outlook(now));
        let done_in = taker.1.done_in(now, flight.bytes);
        let risk = other.0.at_risk_of(now, ticket);
        let (at, way) = self.way_to_take(now, taker, other, (&flight, risk), done_in)?;
        let much_slower = other.1.slower_than(now, GAIN_MIN + MUCH_FASTER * done_in);
        let (at, way) = if at > now && self.may_ask_again(now, taker, &flight) {
            (much_slower, Way::Hedge)
        } else {
            (at, way)
        };
        let chance = Chance {
            victim,
            ticket,
            flight,
            way,
        };
        (at <= now).then_some(chance)
    }

    /// Whether a peer may be asked for what another one was asked for although nothing may be lost any
    /// more: one such request at a time.
    fn may_ask_again(&self, now: Moment, (taker, peer): (PeerKey, &Peer), flight: &Flight) -> bool {
        let Some(container) = self.containers.get(&flight.id) else {
            return false;
        };
        container.chunks.may_hedge(flight.chunk, taker)
            && container.chunks.hedges() == 0
            && self.budget.admits(taker, peer.share(), flight.bytes)
            && self.may_ask_at(now, container, flight.bytes) <= now
    }
}
