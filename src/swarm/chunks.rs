//! The state of every chunk of one container, and the only writer of it.
//!
//! Each chunk is exactly one of
//! * *missing*: in `wanted`;
//! * *in flight*: in `flights` with one or two requests out, at different peers;
//! * *verifying*: in `flights` with one answer at a worker and no request out;
//! * *aside*: in `aside`, because its bytes are copied from elsewhere on this node (`local`);
//! * *have*: in `have`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::event::{PeerKey, Subnet, Ticket};
use super::planted::{Bug, is_planted};
use super::wanted::Wanted;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::Address;

/// Subnets whose peers fail one chunk before its manifest may be suspected instead of them.
const FAILURES_MIN: usize = 3;
/// Addresses remembered for one chunk.
const FAILURES_MAX: usize = 64;

/// The chunks of one container.
#[derive(Debug)]
pub(super) struct Chunks {
    have: Bitfield,
    wanted: Wanted,
    aside: Bitfield,
    flights: BTreeMap<ChunkIndex, Flight>,
    /// Those in flight.
    asked: Bitfield,
    hedges: usize,
    failed_by: BTreeMap<ChunkIndex, BTreeSet<(Subnet, Address)>>,
}

#[derive(Debug)]
enum Flight {
    Out((Ticket, PeerKey), Option<(Ticket, PeerKey)>),
    Verifying(Ticket),
}

impl Chunks {
    /// All chunks that are not in `have` are missing.
    pub(super) fn new(have: Bitfield) -> Self {
        let mut missing = Bitfield::full(have.len());
        have.iter().for_each(|chunk| {
            missing.remove(chunk);
        });
        Self {
            asked: Bitfield::empty(have.len()),
            aside: Bitfield::empty(have.len()),
            have,
            wanted: Wanted::new(missing),
            flights: BTreeMap::new(),
            hedges: 0,
            failed_by: BTreeMap::new(),
        }
    }

    /// Chunks that are stored.
    pub(super) fn have(&self) -> &Bitfield {
        &self.have
    }

    /// Chunks that nobody has been asked for.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether there is something to do about a chunk: nobody was asked for it, or it has not come yet.
    pub(super) fn is_open(&self, chunk: ChunkIndex) -> bool {
        self.asked.contains(chunk) || self.wanted.all().contains(chunk)
    }

    /// Chunks that are in flight.
    pub(super) fn asked(&self) -> &Bitfield {
        &self.asked
    }

    /// Chunks that are copied from elsewhere on this node.
    pub(super) fn aside(&self) -> &Bitfield {
        &self.aside
    }

    /// Missing becomes aside. False if it was not missing.
    pub(super) fn set_aside(&mut self, chunk: ChunkIndex) -> bool {
        self.wanted.remove(chunk) && self.aside.insert(chunk)
    }

    /// Aside becomes missing. False if it was not aside.
    pub(super) fn take_up(&mut self, chunk: ChunkIndex) -> bool {
        let was_aside = self.aside.remove(chunk);
        if was_aside {
            self.wanted.insert(chunk);
        }
        was_aside
    }

    /// Aside becomes have. False if it was not aside.
    pub(super) fn on_copied(&mut self, chunk: ChunkIndex) -> bool {
        self.aside.remove(chunk) && self.have.insert(chunk)
    }

    /// Whether nothing is on its way, nor being verified.
    pub(super) fn is_quiet(&self) -> bool {
        self.flights.is_empty()
    }

    /// How many chunks in flight are out twice.
    pub(super) fn hedges(&self) -> usize {
        self.hedges
    }

    /// Whether this peer may be asked for a chunk that one other peer was asked for.
    pub(super) fn may_hedge(&self, chunk: ChunkIndex, peer: PeerKey) -> bool {
        matches!(self.flights.get(&chunk), Some(Flight::Out((_, other), None)) if *other != peer)
    }

    /// Whether this peer may be asked for a chunk instead of one that was.
    pub(super) fn may_replace(&self, chunk: ChunkIndex, peer: PeerKey) -> bool {
        match self.flights.get(&chunk) {
            Some(Flight::Out((_, first), second)) => {
                *first != peer && second.is_none_or(|(_, second)| second != peer)
            }
            Some(Flight::Verifying(_)) | None => false,
        }
    }

    /// A peer says what it holds.
    pub(super) fn on_holder(&mut self, held: &Bitfield) {
        if !held.is_full() {
            held.iter().for_each(|chunk| self.wanted.on_held(chunk));
        }
    }

    /// A peer holds one more chunk, and this is now everything that it holds.
    pub(super) fn on_holder_has(&mut self, chunk: ChunkIndex, held: &Bitfield) {
        self.wanted.on_held(chunk);
        if held.is_full() {
            held.iter().for_each(|chunk| self.wanted.on_unheld(chunk));
        }
    }

    /// A peer that said this is gone, or says something else.
    pub(super) fn on_holder_gone(&mut self, held: &Bitfield) {
        if !held.is_full() {
            held.iter().for_each(|chunk| self.wanted.on_unheld(chunk));
        }
    }

    /// A request goes out: missing becomes in flight, or a flight gets its hedge.
    pub(super) fn on_asked(&mut self, chunk: ChunkIndex, ticket: Ticket, peer: PeerKey) {
        if self.wanted.remove(chunk) {
            self.asked.insert(chunk);
            self.flights
                .insert(chunk, Flight::Out((ticket, peer), None));
            return;
        }
        match self.flights.get_mut(&chunk) {
            Some(Flight::Out(_, hedge @ None)) => {
                self.hedges += 1;
                *hedge = Some((ticket, peer));
            }
            Some(Flight::Out(_, Some(_)) | Flight::Verifying(_)) | None => {
                unreachable!("chunk {chunk} is not askable")
            }
        }
    }

    /// A request is void: with the last one the chunk is missing again. True if it became so.
    pub(super) fn on_void(&mut self, chunk: ChunkIndex, ticket: Ticket) -> bool {
        let Some(Flight::Out(first, hedge)) = self.flights.get_mut(&chunk) else {
            return false;
        };
        match hedge.take() {
            Some(other) if first.0 == ticket || other.0 == ticket => {
                self.hedges -= 1;
                if is_planted(Bug::WantsWhatIsOut) {
                    self.wanted.insert(chunk);
                }
                if first.0 == ticket {
                    *first = other;
                }
                false
            }
            None if first.0 == ticket => {
                self.asked.remove(chunk);
                self.flights.remove(&chunk);
                self.wanted.insert(chunk);
                true
            }
            other => {
                *hedge = other;
                false
            }
        }
    }

    /// An answer is here: in flight becomes verifying. Returns the request that lost the race.
    pub(super) fn on_arrived(
        &mut self,
        chunk: ChunkIndex,
        ticket: Ticket,
    ) -> Option<(Ticket, PeerKey)> {
        let _ = is_planted(Bug::CountsUnproven) && self.have.insert(chunk);
        match self.flights.insert(chunk, Flight::Verifying(ticket)) {
            Some(Flight::Out(first, hedge)) => {
                self.asked.remove(chunk);
                self.hedges -= usize::from(hedge.is_some());
                Some(first)
                    .filter(|(other, _)| *other != ticket)
                    .or_else(|| hedge.filter(|(other, _)| *other != ticket))
            }
            Some(Flight::Verifying(_)) | None => unreachable!("chunk {chunk} was not in flight"),
        }
    }

    /// The answer was right: verifying becomes have. False if this is not what is being verified:
    /// the container was removed and added again in between.
    pub(super) fn on_stored(&mut self, chunk: ChunkIndex, ticket: Ticket) -> bool {
        let verified = self.take_verifying(chunk, ticket);
        if verified {
            self.have.insert(chunk);
            self.failed_by.remove(&chunk);
        }
        verified
    }

    /// The answer was wrong or could not be written: verifying becomes missing. False as above.
    pub(super) fn on_not_stored(&mut self, chunk: ChunkIndex, ticket: Ticket) -> bool {
        let verified = self.take_verifying(chunk, ticket);
        if verified {
            self.wanted.insert(chunk);
        }
        verified
    }

    /// Remembers who failed a chunk. Returns them all, if they are enough for the manifest to be
    /// suspected: one owner's wallets in one subnet are not.
    pub(super) fn on_failed_by(
        &mut self,
        chunk: ChunkIndex,
        subnet: Subnet,
        address: Address,
    ) -> Option<BTreeSet<Address>> {
        let by = self.failed_by.entry(chunk).or_default();
        if by.len() < FAILURES_MAX {
            by.insert((subnet, address));
        }
        let subnets: BTreeSet<Subnet> = by.iter().map(|(subnet, _)| *subnet).collect();
        let addresses = by.iter().map(|(_, address)| *address);
        (subnets.len() >= FAILURES_MIN).then(|| addresses.collect())
    }

    /// The store lost a chunk: have becomes missing. False if it was not there.
    pub(super) fn on_lost(&mut self, chunk: ChunkIndex) -> bool {
        let had = self.have.remove(chunk);
        if had && !is_planted(Bug::LosesForGood) {
            self.wanted.insert(chunk);
        }
        had
    }

    /// Every request that is out.
    pub(super) fn flights(&self) -> impl Iterator<Item = (ChunkIndex, Ticket, PeerKey)> + '_ {
        self.flights.iter().flat_map(|(chunk, flight)| {
            let out = match flight {
                Flight::Out(first, hedge) => [Some(*first), *hedge],
                Flight::Verifying(_) => [None, None],
            };
            let out = out.into_iter().flatten();
            out.map(|(ticket, peer)| (*chunk, ticket, peer))
        })
    }

    /// Requests for chunks from a range that one peer alone was asked for, the foremost first.
    pub(super) fn flights_in(
        &self,
        range: Range<u32>,
    ) -> impl Iterator<Item = (ChunkIndex, Ticket, PeerKey)> + '_ {
        let (from, to) = (range.start, range.end.max(range.start));
        let range = ChunkIndex::new(from)..ChunkIndex::new(to);
        let flights = self.flights.range(range);
        flights.filter_map(|(chunk, flight)| match flight {
            Flight::Out((ticket, peer), None) => Some((*chunk, *ticket, *peer)),
            Flight::Out(_, Some(_)) | Flight::Verifying(_) => None,
        })
    }

    /// Counts everything from scratch.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let in_flight = |chunk: ChunkIndex| self.flights.contains_key(&chunk);
        for chunk in (0..self.have.len()).map(ChunkIndex::new) {
            let states = [
                self.have.contains(chunk),
                self.wanted.contains(chunk),
                in_flight(chunk),
                self.aside.contains(chunk),
            ];
            let states = states.into_iter().filter(|state| *state).count();
            assert_eq!(states, 1, "chunk {chunk} is in {states} states");
        }
        let hedged = |flight: &&Flight| matches!(flight, Flight::Out(_, Some(_)));
        let out = |flight: &&Flight| matches!(flight, Flight::Out(..));
        assert_eq!(self.hedges, self.flights.values().filter(hedged).count());
        let out = self.flights.iter().filter(|(_, flight)| out(flight));
        assert!(self.asked.iter().eq(out.map(|(chunk, _)| *chunk)));
    }

    fn take_verifying(&mut self, chunk: ChunkIndex, ticket: Ticket) -> bool {
        let verifying =
            matches!(self.flights.get(&chunk), Some(Flight::Verifying(this)) if *this == ticket);
        if verifying {
            self.flights.remove(&chunk);
        }
        verifying
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    const CHUNK: ChunkIndex = ChunkIndex::new(3);
    const PEER: PeerKey = PeerKey(1);

    fn verifying(chunks: &mut Chunks) {
        chunks.on_asked(CHUNK, Ticket(1), PEER);
        assert_eq!(chunks.on_arrived(CHUNK, Ticket(1)), None);
    }

    #[test]
    fn a_chunk_goes_from_missing_to_have() {
        let mut chunks = Chunks::new(Bitfield::empty(8));
        verifying(&mut chunks);
        assert!(!chunks.wanted().contains(CHUNK) && !chunks.have().contains(CHUNK));
        assert!(chunks.on_stored(CHUNK, Ticket(1)));
        assert!(chunks.have().contains(CHUNK) && chunks.asked().count() == 0);
    }

    #[test]
    fn what_another_request_brought_changes_nothing() {
        let mut chunks = Chunks::new(Bitfield::empty(8));
        verifying(&mut chunks);
        assert!(!chunks.on_stored(CHUNK, Ticket(9)) && !chunks.on_not_stored(CHUNK, Ticket(9)));
        assert!(!chunks.on_stored(ChunkIndex::new(4), Ticket(1)));
        assert!(chunks.on_not_stored(CHUNK, Ticket(1)) && chunks.wanted().contains(CHUNK));
    }

    #[test]
    fn the_loser_of_a_hedge_is_named_once() {
        for winner in [Ticket(1), Ticket(2)] {
            let mut chunks = Chunks::new(Bitfield::empty(8));
            chunks.on_asked(CHUNK, Ticket(1), PEER);
            assert!(chunks.may_hedge(CHUNK, PeerKey(2)) && !chunks.may_hedge(CHUNK, PEER));
            chunks.on_asked(CHUNK, Ticket(2), PeerKey(2));
            assert!(!chunks.may_hedge(CHUNK, PeerKey(3)));
            assert_eq!((chunks.asked().count(), chunks.hedges()), (1, 1));
            let loser = chunks.on_arrived(CHUNK, winner).unwrap().0;
            assert_ne!(loser, winner);
            assert!(
                !chunks.on_void(CHUNK, loser),
                "it is being verified, not missing"
            );
            assert_eq!((chunks.asked().count(), chunks.hedges()), (0, 0));
        }
    }

    #[test]
    fn the_last_void_request_makes_a_chunk_missing() {
        for order in [[1, 2], [2, 1]] {
            let mut chunks = Chunks::new(Bitfield::empty(8));
            chunks.on_asked(CHUNK, Ticket(1), PEER);
            chunks.on_asked(CHUNK, Ticket(2), PeerKey(2));
            assert!(!chunks.on_void(CHUNK, Ticket(7)));
            assert!(!chunks.on_void(CHUNK, Ticket(order[0])));
            assert!(!chunks.on_void(CHUNK, Ticket(order[0])));
            assert!(chunks.on_void(CHUNK, Ticket(order[1])));
            assert!(chunks.wanted().contains(CHUNK));
            assert_eq!((chunks.asked().count(), chunks.hedges()), (0, 0));
        }
    }

    #[test]
    fn three_subnets_that_fail_one_chunk_speak_against_the_manifest() {
        let mut chunks = Chunks::new(Bitfield::empty(8));
        let address = |of: u8| Address::new(Digest::of(&[of]));
        let mut fail = |chunk, subnet, of| chunks.on_failed_by(chunk, Subnet(subnet), address(of));
        for (subnet, of) in [(1, 1), (1, 1), (2, 2), (2, 3), (1, 4)] {
            assert_eq!(fail(CHUNK, subnet, of), None);
        }
        let all = (1..=5).map(address).collect();
        assert_eq!(fail(CHUNK, 3, 5), Some(all));
        assert_eq!(fail(ChunkIndex::new(4), 4, 6), None);
    }
}
