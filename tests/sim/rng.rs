//! The simulator's only source of chance.

use std::time::Duration;

use crate::splitmix::SplitMix;

/// Numbers that follow from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Rng(SplitMix);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number from `low` up to and without `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// A number from `low` to about `high`, each power of two as likely as the next.
    pub(crate) fn scale(&mut self, low: u64, high: u64) -> u64 {
        let doublings = (high / low).ilog2();
        let base = low << self.between(0, u64::from(doublings).max(1));
        base + self.between(0, base)
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.between(0, len as u64)).expect("below a length")
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 100) < percent
    }

    pub(crate) fn micros(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low, high))
    }

    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        self.micros(low * 1000, high * 1000)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }
}
