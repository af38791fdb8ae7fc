//! Which chunk next: rarest first, ties in a fixed turn that starts at another place on each node.
//!
//! Pure. The turn keeps requests of one node contiguous on disk while nodes that start together
//! spread over the container, so that they soon have something to trade.

use crate::chunk::{Bitfield, ChunkIndex};

/// The chunk to ask a peer for: wanted by us, held by it, and held by the fewest peers.
///
/// `availability[i]` is how many peers hold chunk `i`, and `floor` how many hold everything, below
/// which no availability can lie: the first chunk at the floor ends the search.
pub(super) fn pick(
    wanted: &Bitfield,
    held: &Bitfield,
    availability: &[u16],
    floor: u16,
    start: ChunkIndex,
) -> Option<ChunkIndex> {
    let mut best: Option<(u16, ChunkIndex)> = None;
    for chunk in held.intersection_from(wanted, start) {
        let rarity = availability[chunk.as_usize()];
        if best.is_none_or(|(rarest, _)| rarity < rarest) {
            best = Some((rarity, chunk));
        }
        if rarity <= floor {
            break;
        }
    }
    best.map(|(_, chunk)| chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(len: u32, chunks: &[u32]) -> Bitfield {
        let mut set = Bitfield::empty(len);
        for chunk in chunks {
            set.insert(ChunkIndex::new(*chunk));
        }
        set
    }

    #[test]
    fn the_rarest_wins_and_ties_follow_the_turn() {
        let (wanted, held) = (set(8, &[0, 2, 3, 5, 7]), set(8, &[0, 1, 2, 3, 7]));
        let pick_from = |availability: &[u16], start| {
            pick(&wanted, &held, availability, 0, ChunkIndex::new(start)).map(ChunkIndex::get)
        };
        assert_eq!(pick_from(&[3, 1, 3, 2, 3, 1, 3, 3], 0), Some(3));
        assert_eq!(pick_from(&[3; 8], 0), Some(0));
        assert_eq!(pick_from(&[3; 8], 1), Some(2));
        assert_eq!(pick_from(&[3; 8], 4), Some(7));
    }

    #[test]
    fn nothing_in_common_is_nothing_to_ask_for() {
        assert_eq!(
            pick(&set(8, &[1]), &set(8, &[2]), &[1; 8], 0, ChunkIndex::new(0)),
            None
        );
    }
}
