//! Whether compressing a container's chunks pays, and the compressed ones that may be asked again.
//!
//! Chunks are asked for in any order, and content that shrinks lies beside content that does not. So
//! what a few chunks showed holds for their neighbours, and for nobody else. How hard they are compressed
//! is not a matter of the container, and decided elsewhere (`outflow`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::chunk::ChunkIndex;
use crate::limits::{CHUNKS_MAX, COMPRESSED_CACHE_BYTES};
use crate::wire::compress::Effort;

/// Neighbouring chunks that are judged together.
const REGION: usize = 16;
/// Tries in a row of one region that did not shrink, after which it is hardly looked at any more.
const TRIES: u32 = 2;
/// Of the chunks passed over for that, one in this many is looked at all the same.
const LOOK_EVERY: u32 = 16;
/// What is known of one container's compressibility.
#[derive(Debug)]
pub(super) struct Squeeze {
    /// For each region, its tries in a row that did not shrink.
    failures: [AtomicU32; CHUNKS_MAX as usize / REGION],
    passed_over: AtomicU32,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    packed: VecDeque<(ChunkIndex, Bytes)>,
    bytes: usize,
}

impl Squeeze {
    /// The compressed form of a chunk that was sent a short while ago.
    pub(super) fn cached(&self, chunk: ChunkIndex) -> Option<Bytes> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache
            .packed
            .iter()
            .find(|(at, _)| *at == chunk)
            .map(|(_, packed)| packed.clone())
    }

    /// Whether to try to compress this chunk. Where there is time for more than the least effort, there is
    /// time to look at every chunk, which costs much less.
    pub(super) fn is_worth_a_look(&self, chunk: ChunkIndex, effort: Effort) -> bool {
        let hopeless = self.failures(chunk).load(Ordering::Relaxed) >= TRIES;
        !hopeless
            || effort != Effort::Least
            || self
                .passed_over
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(LOOK_EVERY)
    }

    /// A chunk was tried: this is what it shrank to, if it did.
    pub(super) fn on_tried(&self, chunk: ChunkIndex, packed: Option<&Bytes>) {
        let Some(packed) = packed else {
            self.failures(chunk).fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.failures(chunk).store(0, Ordering::Relaxed);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.bytes += packed.len();
        cache.packed.push_back((chunk, packed.clone()));
        while cache.bytes > COMPRESSED_CACHE_BYTES {
            let Some((_, oldest)) = cache.packed.pop_front() else {
                break;
            };
            cache.bytes -= oldest.len();
        }
    }

    fn failures(&self, chunk: ChunkIndex) -> &AtomicU32 {
        &self.failures[chunk.as_usize() / REGION]
    }
}

impl Default for Squeeze {
    fn default() -> Self {
        Self {
            failures: std::array::from_fn(|_| AtomicU32::new(0)),
            passed_over: AtomicU32::new(0),
            cache: Mutex::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these chunks are looked at, where those shrink for which `shrinks` says so.
    fn looks(
        squeeze: &Squeeze,
        chunks: impl Iterator<Item = u32>,
        shrinks: fn(u32) -> bool,
    ) -> usize {
        let packed = Bytes::from_static(b"small");
        let look = |chunk: &u32| {
            let at = ChunkIndex::new(*chunk);
            let looked = squeeze.is_worth_a_look(at, Effort::Least);
            if looked {
                squeeze.on_tried(at, shrinks(*chunk).then_some(&packed));
            }
            looked
        };
        chunks.filter(look).count()
    }

    #[test]
    fn content_that_does_not_shrink_is_looked_at_rarely() {
        let squeeze = Squeeze::default();
        // 2 of each 16, and 1 in 16 of the rest
        assert_eq!(
            looks(&squeeze, 0..1600, |_| false),
            200 + 1400_usize.div_ceil(16)
        );
        assert_eq!(looks(&squeeze, 0..1600, |_| false), 1600 / 16);
    }

    #[test]
    fn content_that_shrinks_is_found_beside_content_that_does_not_in_any_order() {
        let squeeze = Squeeze::default();
        let is_text = |chunk: u32| (chunk / 32).is_multiple_of(2);
        let scattered = (0..1024).map(|at| at * 331 % 1024);
        let of_text = scattered.clone().filter(|chunk| is_text(*chunk)).count();
        let noise = scattered.clone().filter(|chunk| !is_text(*chunk)).count();
        let all = looks(&squeeze, scattered, is_text);
        assert!(
            (of_text..of_text + noise / 4).contains(&all),
            "{all} of {of_text} and {noise}"
        );
    }

    #[test]
    fn where_there_is_time_everything_is_looked_at() {
        let squeeze = Squeeze::default();
        looks(&squeeze, 0..16, |_| false);
        for effort in [Effort::Usual, Effort::Most] {
            assert!((0..16).all(|chunk| squeeze.is_worth_a_look(ChunkIndex::new(chunk), effort)));
        }
    }

    #[test]
    fn a_region_that_changes_its_mind_is_looked_at_again() {
        let squeeze = Squeeze::default();
        assert_eq!(looks(&squeeze, 0..2, |_| false), 2);
        assert!((1..=16).contains(&looks(&squeeze, (0..16).map(|_| 5), |_| true)));
        assert!(squeeze.is_worth_a_look(ChunkIndex::new(6), Effort::Least));
    }

    #[test]
    fn the_cache_is_bounded_and_drops_the_oldest() {
        let squeeze = Squeeze::default();
        let big = Bytes::from(vec![0; COMPRESSED_CACHE_BYTES / 2]);
        (0..3).for_each(|chunk| squeeze.on_tried(ChunkIndex::new(chunk), Some(&big)));
        assert_eq!(squeeze.cached(ChunkIndex::new(0)), None);
        assert_eq!(squeeze.cached(ChunkIndex::new(2)), Some(big));
    }
}
