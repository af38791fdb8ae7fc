//! Whose turn it is: round over subnets, then over the addresses in one, then over the connections
//! of one. However many connections and wallets somebody opens in a subnet, others wait no longer
//! for it than for one.
//!
//! Invariants: a member is there once; no ring within the ring is empty.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use crate::digest::Address;
use crate::swarm::event::{PeerKey, Subnet};

/// A connection, and what counts for its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::swarm) struct Who {
    pub(in crate::swarm) subnet: Subnet,
    pub(in crate::swarm) address: Address,
    pub(in crate::swarm) peer: PeerKey,
}

impl Who {
    pub(in crate::swarm) fn new(subnet: Subnet, address: Address, peer: PeerKey) -> Self {
        Self {
            subnet,
            address,
            peer,
        }
    }
}

/// Members in turn.
#[derive(Debug)]
pub(super) struct Turns<V> {
    subnets: Ring<Subnet, Ring<Address, Ring<PeerKey, V>>>,
}

/// Members in the order of their keys, beginning after the one that had the last turn.
#[derive(Debug)]
struct Ring<K, V> {
    members: BTreeMap<K, V>,
    last: Option<K>,
}

impl<V> Turns<V> {
    /// Nobody.
    pub(super) fn new() -> Self {
        Self {
            subnets: Ring::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.subnets.members.is_empty()
    }

    /// Everybody, the one whose turn it is first.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = (Who, &V)> {
        self.subnets.in_turn().flat_map(|(subnet, addresses)| {
            addresses.in_turn().flat_map(move |(address, peers)| {
                peers
                    .in_turn()
                    .map(move |(peer, value)| (Who::new(*subnet, *address, *peer), value))
            })
        })
    }

    pub(super) fn get_mut(&mut self, who: Who) -> Option<&mut V> {
        let addresses = self.subnets.members.get_mut(&who.subnet)?;
        let peers = addresses.members.get_mut(&who.address)?;
        peers.members.get_mut(&who.peer)
    }

    /// The member, who joins with `value` if it is not there yet.
    pub(super) fn enter(&mut self, who: Who, value: impl FnOnce() -> V) -> &mut V {
        let addresses = self.subnets.members.entry(who.subnet);
        let addresses = addresses.or_insert_with(Ring::new);
        let peers = addresses.members.entry(who.address);
        let peers = peers.or_insert_with(Ring::new);
        peers.members.entry(who.peer).or_insert_with(value)
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, who: Who) -> Option<V> {
        let addresses = self.subnets.members.get_mut(&who.subnet)?;
        let peers = addresses.members.get_mut(&who.address)?;
        let value = peers.members.remove(&who.peer);
        if peers.members.is_empty() {
            addresses.members.remove(&who.address);
        }
        if addresses.members.is_empty() {
            self.subnets.members.remove(&who.subnet);
        }
        value
    }

    /// A member has had its turn.
    pub(super) fn on_turn(&mut self, who: Who) {
        self.subnets.last = Some(who.subnet);
        let addresses = self.subnets.members.get_mut(&who.subnet);
        if let Some(addresses) = addresses {
            addresses.last = Some(who.address);
            if let Some(peers) = addresses.members.get_mut(&who.address) {
                peers.last = Some(who.peer);
            }
        }
    }
}

impl<K: Ord, V> Ring<K, V> {
    fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            last: None,
        }
    }

    fn in_turn(&self) -> impl Iterator<Item = (&K, &V)> {
        let after = self.last.as_ref().map_or(Unbounded, Excluded);
        let before = self.last.as_ref().map(|last| self.members.range(..=last));
        let rest = self.members.range((after, Unbounded));
        rest.chain(before.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn who(subnet: u64, address: u64, peer: u64) -> Who {
        Who {
            subnet: Subnet(subnet),
            address: Address::new(Digest::of(&address.to_le_bytes())),
            peer: PeerKey(peer),
        }
    }

    #[test]
    fn a_subnet_has_one_turn_however_many_wallets_and_connections_it_has() {
        let mut turns = Turns::new();
        for sybil in 0..50 {
            turns.enter(who(1, sybil, sybil), || ());
        }
        (0..8).for_each(|peer| _ = turns.enter(who(2, 100, 100 + peer), || ()));
        turns.enter(who(3, 200, 200), || ());
        let mut had = BTreeMap::new();
        for _ in 0..300 {
            let next = turns.in_turn().next().map(|(who, ())| who);
            let next = next.expect("nobody leaves");
            turns.on_turn(next);
            *had.entry(next.peer.0).or_insert(0) += 1;
        }
        let of = |range: std::ops::Range<u64>| had.range(range).map(|(_, n)| n).sum::<u32>();
        assert_eq!((of(0..50), of(100..108), of(200..201)), (100, 100, 100));
        assert!(had.values().take(50).all(|times| *times == 2), "{had:?}");
    }

    #[test]
    fn members_are_there_once_and_leave_nothing_behind() {
        let mut turns = Turns::new();
        *turns.enter(who(1, 1, 1), || 5) += 1;
        assert_eq!(turns.enter(who(1, 1, 1), || 9), &6);
        turns.enter(who(1, 1, 2), || 7);
        assert_eq!(turns.remove(who(1, 1, 1)), Some(6));
        assert_eq!(turns.get_mut(who(1, 1, 2)), Some(&mut 7));
        assert_eq!(turns.remove(who(1, 1, 2)), Some(7));
        assert!(turns.is_empty() && turns.remove(who(1, 1, 2)).is_none());
    }
}
