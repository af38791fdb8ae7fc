//! Whether compressing a container's chunks pays, and the compressed ones that may be asked again.
//!
//! Content that did not shrink is looked at less and less often. While a container leaves this
//! node faster than the compressor works, nothing is compressed: the link outruns it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::chunk::ChunkIndex;
use crate::limits::COMPRESSED_CACHE_BYTES;

/// Chunks in a row that did not shrink, after which only every [`LOOK_EVERY`]th is looked at.
const STREAK_MAX: u32 = 8;
/// See [`STREAK_MAX`].
const LOOK_EVERY: u32 = 16;
/// Bytes per second of one container above which a link outruns zstd on one core beside the
/// network's own work.
const LINK_RATE_MAX: u64 = 100_000_000;

/// What is known of one container's compressibility.
#[derive(Debug, Default)]
pub(super) struct Squeeze {
    streak: AtomicU32,
    outrun: AtomicBool,
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

    /// Whether to try to compress this chunk.
    pub(super) fn is_worth_a_look(&self, chunk: ChunkIndex) -> bool {
        let promising = self.streak.load(Ordering::Relaxed) < STREAK_MAX
            || chunk.get().is_multiple_of(LOOK_EVERY);
        promising && !self.outrun.load(Ordering::Relaxed)
    }

    /// A chunk was tried: this is what it shrank to, if it did.
    pub(super) fn on_tried(&self, chunk: ChunkIndex, packed: Option<&Bytes>) {
        let Some(packed) = packed else {
            self.streak.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.streak.store(0, Ordering::Relaxed);
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

    /// The rate at which the container's bytes have been leaving, in bytes per second.
    pub(super) fn on_link_rate(&self, rate: u64) {
        self.outrun.store(rate > LINK_RATE_MAX, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_does_not_shrink_is_looked_at_rarely() {
        let squeeze = Squeeze::default();
        (0..STREAK_MAX).for_each(|chunk| squeeze.on_tried(ChunkIndex::new(chunk), None));
        let looks = (0..1600).filter(|chunk| squeeze.is_worth_a_look(ChunkIndex::new(*chunk)));
        assert_eq!(looks.count(), 100);
        squeeze.on_tried(ChunkIndex::new(0), Some(&Bytes::from_static(b"small")));
        assert!(squeeze.is_worth_a_look(ChunkIndex::new(1)));
    }

    #[test]
    fn a_link_faster_than_the_compressor_is_left_alone() {
        let squeeze = Squeeze::default();
        squeeze.on_link_rate(LINK_RATE_MAX + 1);
        assert!(!squeeze.is_worth_a_look(ChunkIndex::new(0)));
        squeeze.on_link_rate(1000);
        assert!(squeeze.is_worth_a_look(ChunkIndex::new(0)));
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
