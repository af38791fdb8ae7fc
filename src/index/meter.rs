//! How much one wallet, or one subnet, may ask for: buckets of tokens, as many as are in use.
//!
//! Whoever has not asked for a while has a full bucket, which need not be remembered. Two generations
//! of buckets are kept and the older is dropped in turn, so that memory is bounded: by dropping one early,
//! a flood of wallets gains each of them one more burst, and no more.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::moment::Moment;

/// Buckets of one generation.
const GENERATION_MAX: usize = 32_768;

/// How fast a bucket fills, and how much is in it when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Tokens a second.
    pub per_second: u32,
    /// Tokens at once.
    pub burst: u32,
}

impl Pace {
    /// The same, so many times.
    pub const fn times(self, count: u32) -> Self {
        Self {
            per_second: self.per_second.saturating_mul(count),
            burst: self.burst.saturating_mul(count),
        }
    }
}

/// The buckets of all who ask, for one kind of question.
#[derive(Debug)]
pub struct Meter<K> {
    pace: Pace,
    young: BTreeMap<K, Bucket>,
    old: BTreeMap<K, Bucket>,
}

/// Tokens in millionths, at a time.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    millionths: u64,
    at: Moment,
}

impl<K: Ord + Copy> Meter<K> {
    /// Everybody's bucket is full.
    pub const fn new(pace: Pace) -> Self {
        Self {
            pace,
            young: BTreeMap::new(),
            old: BTreeMap::new(),
        }
    }

    /// Takes a token, or says how long to wait for one.
    pub fn take(&mut self, now: Moment, who: K) -> Result<(), Duration> {
        let full = u64::from(self.pace.burst) * 1_000_000;
        let bucket = self.young.get(&who).or_else(|| self.old.get(&who)).copied();
        let mut bucket = bucket.unwrap_or(Bucket {
            millionths: full,
            at: now,
        });
        let micros = u64::try_from(now.since(bucket.at).as_micros()).unwrap_or(u64::MAX);
        let earned = micros.saturating_mul(u64::from(self.pace.per_second));
        bucket.millionths = bucket.millionths.saturating_add(earned).min(full);
        bucket.at = now;
        let outcome = match bucket.millionths.checked_sub(1_000_000) {
            Some(left) => {
                bucket.millionths = left;
                Ok(())
            }
            None => {
                let missing = 1_000_000 - bucket.millionths;
                let rate = u64::from(self.pace.per_second.max(1));
                Err(Duration::from_micros(missing.div_ceil(rate)))
            }
        };
        if self.young.len() >= GENERATION_MAX && !self.young.contains_key(&who) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(who, bucket);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        per_second: 10,
        burst: 3,
    };

    fn at(ms: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut meter = Meter::new(PACE);
        let passed = (0..9).filter(|_| meter.take(at(0), 1).is_ok()).count();
        assert_eq!(passed, 3);
        assert_eq!(meter.take(at(40), 1), Err(Duration::from_millis(60)));
        assert_eq!(
            meter.take(at(40), 2),
            Ok(()),
            "somebody else is not affected"
        );
        assert_eq!(meter.take(at(100), 1), Ok(()));
        assert!(meter.take(at(100), 1).is_err());
        let later = (0..9).filter(|_| meter.take(at(99_000), 1).is_ok()).count();
        assert_eq!(later, 3, "no more than a burst is saved up");
    }

    #[test]
    fn a_flood_of_wallets_is_bounded() {
        let mut meter = Meter::new(PACE);
        for who in 0..200_000u32 {
            meter.take(at(0), who).unwrap();
        }
        assert!(meter.young.len() + meter.old.len() <= 2 * GENERATION_MAX);
        let last = 199_999;
        let passed = (0..9).filter(|_| meter.take(at(0), last).is_ok()).count();
        assert_eq!(passed, 2, "those of late are remembered");
    }
}
