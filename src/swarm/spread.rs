//! Where a node picks among equally rare chunks, so that nodes that lack the same ones ask for
//! different ones.
//!
//! Near the end of a download everyone lacks much the same chunks, and only the publisher has them.
//! Nodes that went round from a place in the container would all come to the front of the same gap,
//! ask the publisher for the same chunks in the same order, and have nothing to trade. So a place is
//! a share of the chunks that are left, not of the container, and it moves every [`SECTION`]
//! requests. While it stays, picks follow each other: a taken chunk gives its number to the next.

/// Requests made before the place moves: enough to be contiguous on disk, few enough that two nodes
/// in the same place soon part.
const SECTION: u64 = 16;

/// A place among any number of chunks, in parts of 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    /// Before all others.
    pub(super) const FRONT: Self = Self(0);

    /// The place for request number `asked` of the node with this seed.
    pub(super) fn of(seed: u64, asked: u64) -> Self {
        let section = (asked / SECTION).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(mix(seed ^ section))
    }

    /// Which of `count` chunks it is: below `count`, and none of none.
    pub(super) fn among(self, count: u32) -> Option<u32> {
        let at = (u128::from(self.0) * u128::from(count)) >> 64;
        let at = u32::try_from(at).expect("below a count");
        (count > 0).then_some(at)
    }

    #[cfg(test)]
    pub(super) fn new(place: u64) -> Self {
        Self(place)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): each bit of the input moves half of
/// the output's.
pub(super) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::wanted::Wanted;
    use super::*;
    use crate::chunk::{Bitfield, ChunkIndex};

    const CHUNKS: u32 = 1536;

    /// What a node asks for that lacks these chunks, request by request.
    fn picks(seed: u64, lacks: std::ops::Range<u32>, requests: u64) -> Vec<ChunkIndex> {
        let (mut wanted, all) = (Bitfield::empty(CHUNKS), Bitfield::full(CHUNKS));
        lacks.for_each(|chunk| {
            wanted.insert(ChunkIndex::new(chunk));
        });
        let mut wanted = Wanted::new(wanted);
        let next = |asked| {
            let chunk = wanted.pick(&all, Place::of(seed, asked))?;
            wanted.remove(chunk);
            Some(chunk)
        };
        (0..requests).map_while(next).collect()
    }

    #[test]
    fn places_cover_everything_evenly() {
        let mut times = [0; 8];
        for turn in 0..8000 {
            let at = Place::of(7, turn * SECTION).among(8).unwrap();
            times[at as usize] += 1;
        }
        assert!(
            times.iter().all(|times| (900..1100).contains(times)),
            "{times:?}"
        );
        assert_eq!(
            (Place::new(u64::MAX).among(5), Place::FRONT.among(5)),
            (Some(4), Some(0))
        );
        assert_eq!(Place::new(u64::MAX).among(0), None);
    }

    #[test]
    fn one_node_gets_everything_in_contiguous_runs() {
        let picks = picks(7, 0..CHUNKS, u64::MAX);
        assert_eq!(picks.iter().collect::<BTreeSet<_>>().len(), CHUNKS as usize);
        let next_to = |pair: &&[ChunkIndex]| pair[0].get().abs_diff(pair[1].get()) <= 16;
        let near = picks[..1000].windows(2).filter(next_to).count();
        assert!(
            near > 750,
            "{near} of 1000 requests are near the one before"
        );
    }

    #[test]
    fn nodes_that_lack_the_same_chunks_ask_for_different_ones() {
        let asked: Vec<_> = (0..4)
            .flat_map(|seed| picks(seed, 1000..1256, 64))
            .collect();
        let different = asked.iter().collect::<BTreeSet<_>>().len();
        // 4 times 64 out of 256 at random: 175 different ones
        assert!(different > 150, "{different} of {}", asked.len());
    }
}
