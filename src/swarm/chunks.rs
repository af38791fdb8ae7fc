//! The state of every chunk of one container, and the only writer of it.
//!
//! Each chunk is exactly one of
//! * *missing*: in `wanted`, and in neither `flights` nor `have`;
//! * *in flight*: in `flights` with one to [`TICKETS_MAX`] requests out;
//! * *verifying*: in `flights` with one answer at a worker and no request out;
//! * *have*: in `have`.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{PeerKey, Ticket};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::Address;

/// Requests that may be out for one chunk: one, and one hedge.
pub(super) const TICKETS_MAX: usize = 2;
/// Different addresses that fail one chunk before the manifest is suspected instead of them.
const FAILURES_MAX: usize = 3;

/// The chunks of one container.
#[derive(Debug)]
pub(super) struct Chunks {
    have: Bitfield,
    wanted: Bitfield,
    flights: BTreeMap<ChunkIndex, Flight>,
    failed_by: BTreeMap<ChunkIndex, BTreeSet<Address>>,
}

#[derive(Debug)]
enum Flight {
    Out(Vec<(Ticket, PeerKey)>),
    Verifying,
}

/// What a failed chunk says about whom to blame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The peer that sent it.
    Peer,
    /// The manifest: these addresses all failed the same chunk.
    Manifest(BTreeSet<Address>),
}

impl Chunks {
    /// All chunks that are not in `have` are missing.
    pub(super) fn new(have: Bitfield) -> Self {
        let mut wanted = Bitfield::full(have.len());
        have.iter().for_each(|chunk| {
            wanted.remove(chunk);
        });
        Self {
            have,
            wanted,
            flights: BTreeMap::new(),
            failed_by: BTreeMap::new(),
        }
    }

    /// Chunks that are stored.
    pub(super) fn have(&self) -> &Bitfield {
        &self.have
    }

    /// Chunks that nobody has been asked for.
    pub(super) fn wanted(&self) -> &Bitfield {
        &self.wanted
    }

    /// Chunks asked for, or being verified.
    pub(super) fn pending(&self) -> usize {
        self.flights.len()
    }

    /// Whether one more request may go out for this chunk.
    pub(super) fn may_hedge(&self, chunk: ChunkIndex) -> bool {
        matches!(self.flights.get(&chunk), Some(Flight::Out(out)) if out.len() < TICKETS_MAX)
    }

    /// A request goes out: missing becomes in flight, or a flight gets its hedge.
    pub(super) fn on_asked(&mut self, chunk: ChunkIndex, ticket: Ticket, peer: PeerKey) {
        let missing = self.wanted.remove(chunk);
        let flight = self.flights.entry(chunk).or_insert(Flight::Out(Vec::new()));
        match flight {
            Flight::Out(out) if missing == out.is_empty() => out.push((ticket, peer)),
            Flight::Out(_) | Flight::Verifying => unreachable!("chunk {chunk} is not askable"),
        }
    }

    /// A request is void: with the last one the chunk is missing again. True if it became so.
    pub(super) fn on_void(&mut self, chunk: ChunkIndex, ticket: Ticket) -> bool {
        let Some(Flight::Out(out)) = self.flights.get_mut(&chunk) else {
            return false;
        };
        out.retain(|(other, _)| *other != ticket);
        let missing = out.is_empty();
        if missing {
            self.flights.remove(&chunk);
            self.wanted.insert(chunk);
        }
        missing
    }

    /// An answer is here: in flight becomes verifying. Returns the requests that lost the race.
    pub(super) fn on_arrived(
        &mut self,
        chunk: ChunkIndex,
        ticket: Ticket,
    ) -> Vec<(Ticket, PeerKey)> {
        match self.flights.insert(chunk, Flight::Verifying) {
            Some(Flight::Out(mut out)) => {
                out.retain(|(other, _)| *other != ticket);
                out
            }
            Some(Flight::Verifying) | None => unreachable!("chunk {chunk} was not in flight"),
        }
    }

    /// The answer was right: verifying becomes have.
    pub(super) fn on_stored(&mut self, chunk: ChunkIndex) {
        let flight = self.flights.remove(&chunk);
        assert!(
            matches!(flight, Some(Flight::Verifying)),
            "chunk {chunk} was not verifying"
        );
        self.have.insert(chunk);
        self.failed_by.remove(&chunk);
    }

    /// The answer was wrong: verifying becomes missing.
    pub(super) fn on_bad(&mut self, chunk: ChunkIndex, address: Address) -> Failure {
        self.on_not_stored(chunk);
        let by = self.failed_by.entry(chunk).or_default();
        by.insert(address);
        if by.len() < FAILURES_MAX {
            Failure::Peer
        } else {
            Failure::Manifest(by.clone())
        }
    }

    /// The answer could not be written: verifying becomes missing.
    pub(super) fn on_not_stored(&mut self, chunk: ChunkIndex) {
        let flight = self.flights.remove(&chunk);
        assert!(
            matches!(flight, Some(Flight::Verifying)),
            "chunk {chunk} was not verifying"
        );
        self.wanted.insert(chunk);
    }

    /// The store lost a chunk: have becomes missing. False if it was not there.
    pub(super) fn on_lost(&mut self, chunk: ChunkIndex) -> bool {
        let had = self.have.remove(chunk);
        if had {
            self.wanted.insert(chunk);
        }
        had
    }

    /// Every request that is out, for cancelling them all.
    pub(super) fn tickets(&self) -> impl Iterator<Item = (Ticket, PeerKey)> + '_ {
        self.flights
            .values()
            .flat_map(|flight| match flight {
                Flight::Out(out) => out.as_slice(),
                Flight::Verifying => &[],
            })
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    const CHUNK: ChunkIndex = ChunkIndex::new(3);
    const PEER: PeerKey = PeerKey(1);

    fn address(of: u8) -> Address {
        Address::new(Digest::of(&[of]))
    }

    fn verifying(chunks: &mut Chunks) {
        chunks.on_asked(CHUNK, Ticket(1), PEER);
        assert!(chunks.on_arrived(CHUNK, Ticket(1)).is_empty());
    }

    #[test]
    fn a_chunk_goes_from_missing_to_have() {
        let mut chunks = Chunks::new(Bitfield::empty(8));
        verifying(&mut chunks);
        assert!(!chunks.wanted().contains(CHUNK) && !chunks.have().contains(CHUNK));
        chunks.on_stored(CHUNK);
        assert!(chunks.have().contains(CHUNK) && chunks.pending() == 0);
    }

    #[test]
    fn the_loser_of_a_hedge_is_named_once() {
        let mut chunks = Chunks::new(Bitfield::empty(8));
        chunks.on_asked(CHUNK, Ticket(1), PEER);
        assert!(chunks.may_hedge(CHUNK));
        chunks.on_asked(CHUNK, Ticket(2), PeerKey(2));
        assert!(!chunks.may_hedge(CHUNK));
        assert_eq!(chunks.on_arrived(CHUNK, Ticket(2)), [(Ticket(1), PEER)]);
        assert!(
            !chunks.on_void(CHUNK, Ticket(1)),
            "it is being verified, not missing"
        );
    }

    #[test]
    fn three_addresses_that_fail_one_chunk_clear_each_other() {
        let mut chunks = Chunks::new(Bitfield::empty(8));
        for (times, of) in [1, 1, 2].into_iter().enumerate() {
            verifying(&mut chunks);
            assert_eq!(
                chunks.on_bad(CHUNK, address(of)),
                Failure::Peer,
                "failure {times}"
            );
        }
        verifying(&mut chunks);
        let all = [1, 2, 3].map(address).into_iter().collect();
        assert_eq!(chunks.on_bad(CHUNK, address(3)), Failure::Manifest(all));
    }

    #[test]
    fn the_last_void_request_makes_a_chunk_missing() {
        let mut chunks = Chunks::new(Bitfield::empty(8));
        chunks.on_asked(CHUNK, Ticket(1), PEER);
        chunks.on_asked(CHUNK, Ticket(2), PeerKey(2));
        assert!(!chunks.on_void(CHUNK, Ticket(1)));
        assert!(chunks.on_void(CHUNK, Ticket(2)));
        assert!(chunks.wanted().contains(CHUNK));
    }
}
