//! The chunks that nobody has been asked for, by how many peers hold them: rarest first.
//!
//! Peers that hold everything make no chunk rarer than another, so they are not counted. Among
//! those that are equally rare the caller names a place (`spread`).
//!
//! Invariant: a wanted chunk is in the bucket of its number of holders and in no other; a chunk
//! that is not wanted is in none; `all` is the union of the buckets. So a pick looks at few words, not
//! at every chunk.

use super::spread::Place;
use crate::chunk::{Bitfield, ChunkIndex};

/// Wanted chunks, sorted by rarity.
#[derive(Debug)]
pub(super) struct Wanted {
    /// How many of the peers that hold a part hold each chunk, wanted or not.
    holders: Vec<u16>,
    /// At `n`, the wanted chunks that have `n` such holders.
    buckets: Vec<Bitfield>,
    /// All wanted chunks.
    all: Bitfield,
}

impl Wanted {
    /// These chunks, held by nobody yet.
    pub(super) fn new(wanted: Bitfield) -> Self {
        Self {
            holders: vec![0; wanted.len() as usize],
            buckets: vec![wanted.clone()],
            all: wanted,
        }
    }

    /// All wanted chunks.
    pub(super) fn all(&self) -> &Bitfield {
        &self.all
    }

    /// Whether a chunk is wanted.
    #[cfg(test)]
    pub(super) fn contains(&self, chunk: ChunkIndex) -> bool {
        let wanted = self.all.contains(chunk);
        assert_eq!(wanted, self.buckets[self.holders_of(chunk)].contains(chunk));
        wanted
    }

    /// A chunk becomes wanted.
    pub(super) fn insert(&mut self, chunk: ChunkIndex) {
        let holders = self.holders_of(chunk);
        self.buckets[holders].insert(chunk);
        self.all.insert(chunk);
    }

    /// A chunk is not wanted any more. True if it was.
    pub(super) fn remove(&mut self, chunk: ChunkIndex) -> bool {
        let holders = self.holders_of(chunk);
        self.buckets[holders].remove(chunk);
        self.all.remove(chunk)
    }

    /// A peer that holds a part holds this chunk too.
    pub(super) fn on_held(&mut self, chunk: ChunkIndex) {
        let before = self.holders_of(chunk);
        self.holders[chunk.as_usize()] += 1;
        if self.buckets.len() == before + 1 {
            self.buckets.push(Bitfield::empty(self.all.len()));
        }
        if self.buckets[before].remove(chunk) {
            self.buckets[before + 1].insert(chunk);
        }
    }

    /// A peer that held a part does not hold this chunk any more, or holds everything now.
    pub(super) fn on_unheld(&mut self, chunk: ChunkIndex) {
        let before = self.holders_of(chunk);
        self.holders[chunk.as_usize()] -= 1;
        if self.buckets[before].remove(chunk) {
            self.buckets[before - 1].insert(chunk);
        }
    }

    /// The chunk to ask a peer for: wanted by us, held by it, and held by the fewest.
    pub(super) fn pick(&self, held: &Bitfield, place: Place) -> Option<ChunkIndex> {
        let filled = self.buckets.iter().filter(|bucket| !bucket.is_empty());
        filled.into_iter().find_map(|bucket| {
            let nth = place.among(held.intersection_count(bucket))?;
            held.intersection_nth(bucket, nth)
        })
    }

    fn holders_of(&self, chunk: ChunkIndex) -> usize {
        self.holders[chunk.as_usize()].into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(len: u32, chunks: &[u32]) -> Bitfield {
        let mut set = Bitfield::empty(len);
        for chunk in chunks {
            set.insert(ChunkIndex::new(*chunk));
        }
        set
    }

    #[test]
    fn the_rarest_wins_and_ties_go_by_place() {
        let held = set(8, &[0, 1, 2, 3, 7]);
        let pick_at = |holders: [u16; 8], place| {
            let mut wanted = Wanted::new(set(8, &[0, 2, 3, 5, 7]));
            for (chunk, times) in (0..).zip(holders) {
                (0..times).for_each(|_| wanted.on_held(ChunkIndex::new(chunk)));
            }
            let pick = wanted.pick(&held, place);
            pick.map(ChunkIndex::get)
        };
        assert_eq!(pick_at([3, 1, 3, 2, 3, 1, 3, 3], Place::FRONT), Some(3));
        assert_eq!(pick_at([3; 8], Place::FRONT), Some(0));
        // of 0, 2, 3 and 7
        assert_eq!(pick_at([3; 8], Place::new(u64::MAX / 2 + 1)), Some(3));
        assert_eq!(pick_at([3; 8], Place::new(u64::MAX)), Some(7));
    }

    #[test]
    fn nothing_in_common_is_nothing_to_ask_for() {
        let wanted = Wanted::new(set(8, &[1]));
        assert_eq!(wanted.pick(&set(8, &[2]), Place::FRONT), None);
    }

    proptest! {
        #[test]
        fn picks_what_a_search_over_all_chunks_would(
            steps in prop::collection::vec((0u8..4, 0u32..70), 0..300), place: u64,
            held in prop::collection::vec(0u32..70, 0..40),
        ) {
            let (mut wanted, held) = (Wanted::new(Bitfield::full(70)), set(70, &held));
            let (mut want, mut holders) = (vec![true; 70], vec![0u16; 70]);
            for (step, at) in steps {
                let chunk = ChunkIndex::new(at);
                let at = at as usize;
                match step {
                    0 => {
                        prop_assert_eq!(wanted.remove(chunk), want[at]);
                        want[at] = false;
                    }
                    1 => {
                        wanted.insert(chunk);
                        want[at] = true;
                    }
                    2 => {
                        wanted.on_held(chunk);
                        holders[at] += 1;
                    }
                    _ if holders[at] > 0 => {
                        wanted.on_unheld(chunk);
                        holders[at] -= 1;
                    }
                    _ => {}
                }
            }
            let all = (0..70).map(ChunkIndex::new);
            let askable = all.filter(|chunk| want[chunk.as_usize()] && held.contains(*chunk));
            let askable: Vec<_> = askable.collect();
            let rarest = askable.iter().map(|chunk| holders[chunk.as_usize()]).min();
            let fewest = |chunk: &&ChunkIndex| Some(holders[chunk.as_usize()]) == rarest;
            let best: Vec<_> = askable.iter().filter(fewest).collect();
            let place = Place::new(place);
            let count = u32::try_from(best.len()).unwrap();
            let expected = place.among(count).map(|nth| *best[nth as usize]);
            prop_assert_eq!(wanted.pick(&held, place), expected);
        }
    }
}
