//! In which order the chunks of one container are asked for, and which of them somebody waits for.
//!
//! What a reader waits for comes first, nearest first; the rest goes by the order. What is waited for
//! also does not stay with a slow peer: `steal` gives it to a faster one that has room, although that
//! one has other things to ask for.

use std::ops::Range;

use super::chunks::Chunks;
use super::event::{PeerKey, Ticket};
use super::sections::Sections;
use super::spread::Place;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::limits::READERS_MAX;

/// Requests that are looked after because somebody waits for their chunks, at most: the first ones.
const PRESSING_MAX: usize = 8;

/// In which order the chunks of a container are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// What the fewest peers hold comes first; ties go by the node's seed. Best for the swarm.
    #[default]
    Rarest,
    /// From the first chunk to the last, for who reads along. What has come is without gaps but for
    /// what is on its way.
    Sequential,
    /// Each peer is given a contiguous section of its own; one that is done, or comes later, takes
    /// half of the largest that is left. Best for disks that seek and peers that read ahead.
    Sections,
}

/// What one container's chunks are asked for by.
#[derive(Debug)]
pub(super) struct Plan {
    order: Order,
    sections: Sections,
    /// What readers wait for, each from where it reads.
    readers: Vec<Range<u32>>,
}

impl Plan {
    /// Rarest first, and no reader.
    pub(super) fn new(chunks: u32) -> Self {
        Self {
            order: Order::default(),
            sections: Sections::new(chunks),
            readers: Vec::new(),
        }
    }

    /// Another order holds from now on.
    pub(super) fn on_order(&mut self, order: Order, chunks: u32) {
        if order != self.order {
            self.order = order;
            self.sections = Sections::new(chunks);
        }
    }

    /// Whether peers may be left out: none has a part of its own.
    pub(super) fn may_leave_out(&self) -> bool {
        self.order != Order::Sections
    }

    /// Readers wait for these chunks, and for no others. Only so many of them are listened to.
    pub(super) fn on_readers(&mut self, readers: Vec<Range<ChunkIndex>>) {
        let ranges = readers.into_iter().take(READERS_MAX);
        self.readers = ranges
            .map(|range| range.start.get()..range.end.get())
            .collect();
    }

    /// A peer is gone.
    pub(super) fn on_gone(&mut self, peer: PeerKey) {
        self.sections.on_gone(peer);
    }

    /// A peer is about to be asked for a chunk that was picked by the order.
    pub(super) fn on_picked(&mut self, peer: PeerKey, chunk: ChunkIndex) {
        if self.order == Order::Sections && !self.is_read(chunk) {
            self.sections.on_picked(peer, chunk);
        }
    }

    /// The chunk that the reader who is nearest to one waits for, of those that a peer may be asked
    /// for.
    pub(super) fn next_read(&self, wanted: &Bitfield, held: &Bitfield) -> Option<ChunkIndex> {
        let nearest = |reader: &Range<u32>| {
            let chunk = held.intersection_in(wanted, reader.clone()).next()?;
            Some((chunk.get() - reader.start, chunk))
        };
        let next = self.readers.iter().filter_map(nearest);
        next.min_by_key(|(distance, _)| *distance)
            .map(|(_, chunk)| chunk)
    }

    /// The chunk to ask a peer for, readers aside.
    pub(super) fn pick(
        &self,
        peer: PeerKey,
        chunks: &Chunks,
        held: &Bitfield,
        place: Place,
    ) -> Option<ChunkIndex> {
        let wanted = chunks.wanted();
        match self.order {
            Order::Rarest => wanted.pick(held, place),
            Order::Sequential => held.intersection(wanted.all()).next(),
            Order::Sections => self.sections.pick(peer, wanted.all(), held),
        }
    }

    /// Requests that somebody waits for: those of readers, and the foremost of a sequence.
    pub(super) fn pressing(&self, chunks: &Chunks) -> Vec<(Ticket, PeerKey)> {
        let front = (self.order == Order::Sequential).then_some(0..u32::MAX);
        let ranges = self.readers.iter().cloned().chain(front);
        let flights = ranges.flat_map(|range| chunks.flights_in(range));
        flights
            .take(PRESSING_MAX)
            .map(|(_, ticket, peer)| (ticket, peer))
            .collect()
    }

    fn is_read(&self, chunk: ChunkIndex) -> bool {
        let mut readers = self.readers.iter();
        readers.any(|reader| reader.contains(&chunk.get()))
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        self.sections.check();
        assert!(self.readers.len() <= READERS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerKey = PeerKey(1);

    fn chunk(at: u32) -> ChunkIndex {
        ChunkIndex::new(at)
    }

    #[test]
    fn the_nearest_chunk_of_any_reader_comes_first() {
        let mut plan = Plan::new(64);
        plan.on_readers(vec![chunk(40)..chunk(48), chunk(10)..chunk(20)]);
        let mut wanted = Bitfield::full(64);
        let mut held = Bitfield::full(64);
        held.remove(chunk(10));
        let order = std::iter::from_fn(|| {
            let next = plan.next_read(&wanted, &held)?;
            wanted.remove(next);
            Some(next.get())
        });
        let expected = [
            40, 41, 11, 42, 12, 43, 13, 44, 14, 45, 15, 46, 16, 47, 17, 18, 19,
        ];
        assert_eq!(order.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn readers_are_bounded_and_may_name_anything() {
        let mut plan = Plan::new(8);
        let all = Bitfield::full(8);
        #[expect(clippy::reversed_empty_ranges, reason = "it is what is tried")]
        let odd = [8..9, 5..2, 0..0, 4_000_000..u32::MAX, u32::MAX..0];
        let odd = odd.map(|range| chunk(range.start)..chunk(range.end));
        plan.on_readers(odd.to_vec());
        assert_eq!(plan.next_read(&all, &all), None);
        plan.on_readers(vec![chunk(3)..chunk(9); 1000]);
        plan.check();
        assert_eq!(plan.next_read(&all, &all), Some(chunk(3)));
        plan.on_readers(Vec::new());
        assert_eq!(plan.next_read(&all, &all), None);
    }

    #[test]
    fn a_sequence_goes_from_the_first_to_the_last() {
        let mut chunks = Chunks::new(Bitfield::empty(200));
        let mut plan = Plan::new(200);
        plan.on_order(Order::Sequential, 200);
        let all = Bitfield::full(200);
        for (at, ticket) in (0..200).zip(0..) {
            let next = plan.pick(PEER, &chunks, &all, Place::new(u64::MAX));
            assert_eq!(next, Some(chunk(at)));
            chunks.on_asked(chunk(at), Ticket(ticket), PEER);
        }
        let pressing: Vec<_> = plan
            .pressing(&chunks)
            .into_iter()
            .map(|it| it.0.0)
            .collect();
        assert_eq!(pressing, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
