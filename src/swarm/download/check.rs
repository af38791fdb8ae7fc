//! The invariants of [`Download`], counted from scratch after every step of every test.

use std::collections::BTreeMap;

use super::Download;
use crate::limits::IN_FLIGHT_BYTES_MAX;
use crate::swarm::event::{PeerKey, Reason};

impl Download {
    pub(in crate::swarm) fn booked(&self) -> u64 {
        self.budget.used()
    }

    pub(in crate::swarm) fn check(&self) {
        let flights = self.peers.values().flat_map(|peer| peer.flights());
        let in_flight: u64 = flights.map(|(_, flight)| flight.bytes).sum();
        let claimed: u64 = self.claims.values().map(|claim| claim.bytes).sum();
        assert_eq!(self.booked(), in_flight + claimed, "the budget is the sum");
        let largest = self
            .containers
            .values()
            .map(|it| u64::from(it.layout.chunk_size()));
        let most = IN_FLIGHT_BYTES_MAX.max(largest.max().unwrap_or(0));
        assert!(self.booked() <= most, "{} bytes booked", self.booked());

        let mut at_peers = BTreeMap::new();
        for (key, peer) in &self.peers {
            let sum: u64 = peer.flights().map(|(_, flight)| flight.bytes).sum();
            assert_eq!(sum, peer.in_flight_bytes(), "{key:?}");
            for (ticket, flight) in peer.flights() {
                at_peers.insert((flight.id, flight.chunk, ticket), *key);
            }
            let armed = self.timers.is_armed(Reason::Patience(*key));
            assert!(armed || sum == 0, "nobody watches {key:?}");
            for (id, held) in peer.all_held() {
                let container = self.containers.get(id);
                let chunks = container.map(|it| it.layout.chunk_count());
                assert_eq!(chunks, Some(held.len()), "{key:?} holds what is not here");
            }
        }
        let out = self.containers.iter().flat_map(|(id, container)| {
            let tickets = container.chunks.flights();
            tickets.map(|(chunk, ticket, peer)| ((*id, chunk, ticket), peer))
        });
        assert_eq!(at_peers, out.collect(), "flights at peers and in chunks");

        for container in self.containers.values() {
            container.chunks.check();
            container.plan.check();
            container.local.check(&container.chunks);
        }
        assert!(
            self.hungry.is_empty() && !self.all_hungry,
            "somebody is not fed"
        );
        let known = |key: PeerKey| self.peers.contains_key(&key);
        assert!(self.idle.iter().all(|key| known(*key)), "{:?}", self.idle);
        assert!(self.budget.starved().all(known));
        assert!(self.paced.iter().all(|key| known(*key)), "{:?}", self.paced);
        let waits = self.timers.is_armed(Reason::Pace);
        assert!(
            waits || self.paced.is_empty(),
            "nobody wakes {:?}",
            self.paced
        );
    }
}
