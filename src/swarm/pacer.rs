//! A download limit: how many bytes may be asked for by when.
//!
//! A bucket that fills at the limit. A chunk is asked for once the bucket holds its bytes, and takes
//! them out; so what has been asked for by any moment is never more than the limit allows by then. A
//! chunk that is larger than the bucket is asked for when that is full, and leaves it in debt: the
//! next one waits until the limit has caught up, which with the network reading at the limit (`net`)
//! is shortly before the last one is here. Bytes that will not come are put back.
//!
//! Why here and not in the network alone: what is not asked for waits nowhere. It pins no window, is
//! not late, and whoever is paused, cancelled or overtaken meanwhile costs nothing.
//!
//! Invariant: `credit <=` what the limit yields in [`AHEAD`].

use std::time::Duration;

use crate::moment::Moment;

/// What may be saved up while nothing is asked for: long enough that a late timer loses nothing,
/// short enough that nobody sees the burst.
const AHEAD: Duration = Duration::from_millis(250);
/// Parts of a byte that credit is counted in: what 1 B/s yields in 1 µs.
const PARTS: i128 = 1_000_000;

/// One limit, or none.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    limit: Option<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Bytes per second, at least 1.
    rate: u64,
    /// In parts of a byte; below 0 it is a debt.
    credit: i128,
    at: Moment,
}

impl Pacer {
    /// Another limit in bytes per second holds from now on, or none. A rate of 0 counts as 1. Debts
    /// stay, and are paid at the new rate.
    pub(super) fn on_limit(&mut self, now: Moment, rate_max: Option<u64>) {
        let rate_max = rate_max.map(|rate| rate.max(1));
        let before = self.limit.as_ref();
        if rate_max == before.map(|bucket| bucket.rate) {
            return;
        }
        let credit = before.map_or(0, |bucket| bucket.credit_at(now).min(0));
        let at = now;
        self.limit = rate_max.map(|rate| Bucket { rate, credit, at });
    }

    /// From when on so many bytes may be asked for; not before `now`.
    pub(super) fn next(&self, now: Moment, bytes: u64) -> Moment {
        let Some(bucket) = &self.limit else {
            return now;
        };
        let need = (i128::from(bytes) * PARTS).min(bucket.credit_max());
        let lacks = need - bucket.credit_at(now);
        if lacks <= 0 {
            return now;
        }
        let rate = i128::from(bucket.rate);
        let micros = u64::try_from((lacks + rate - 1) / rate).unwrap_or(u64::MAX);
        now + Duration::from_micros(micros)
    }

    /// So many bytes are asked for.
    pub(super) fn take(&mut self, now: Moment, bytes: u64) {
        if let Some(bucket) = &mut self.limit {
            bucket.credit = bucket.credit_at(now) - i128::from(bytes) * PARTS;
            bucket.at = now;
        }
    }

    /// So many bytes that were asked for will not come.
    pub(super) fn put_back(&mut self, bytes: u64) {
        if let Some(bucket) = &mut self.limit {
            let credit = bucket.credit + i128::from(bytes) * PARTS;
            bucket.credit = credit.min(bucket.credit_max());
        }
    }
}

impl Bucket {
    fn credit_max(&self) -> i128 {
        i128::from(self.rate) * i128::try_from(AHEAD.as_micros()).expect("it is short")
    }

    fn credit_at(&self, now: Moment) -> i128 {
        let micros = i128::try_from(now.since(self.at).as_micros()).unwrap_or(i128::MAX);
        let earned = micros.saturating_mul(self.rate.into());
        self.credit.saturating_add(earned).min(self.credit_max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{KIB, MIB};

    const START: Moment = Moment::from_micros(5_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn limited(rate: u64) -> Pacer {
        let mut pacer = Pacer::default();
        pacer.on_limit(START, Some(rate));
        pacer
    }

    /// Asks for chunks as early as it may; the moments.
    fn ask(pacer: &mut Pacer, from: Moment, chunk: u64, until: Moment) -> Vec<Moment> {
        let mut now = from;
        std::iter::from_fn(|| {
            now = pacer.next(now, chunk);
            pacer.take(now, chunk);
            (now <= until).then_some(now)
        })
        .collect()
    }

    #[test]
    fn what_is_asked_for_follows_the_limit_and_never_exceeds_it() {
        for rate in [16 * KIB, 100_000, MIB, 100 * MIB] {
            for chunk in [32 * KIB, 256 * KIB, MIB, 16 * MIB] {
                let (rate, chunk) = (rate as u64, chunk as u64);
                let chunks = 10.max(10 * rate / chunk);
                let span = Duration::from_micros(chunks * chunk * 1_000_000 / rate + 10);
                let mut pacer = limited(rate);
                let asked = ask(&mut pacer, START, chunk, START + span);
                let (count, ahead) = (asked.len() as u64, chunk.saturating_sub(rate / 4));
                let most =
                    rate.saturating_mul(u64::try_from(span.as_micros()).unwrap()) / 1_000_000;
                assert!(count * chunk <= most + ahead + 1, "{rate} B/s of {chunk}");
                assert!(
                    count >= chunks,
                    "{rate} B/s of {chunk}: {count} of {chunks}"
                );
                let even = asked.windows(2).map(|pair| pair[1].since(pair[0]));
                let each = Duration::from_micros(chunk * 1_000_000 / rate);
                let uneven = |gap: &Duration| gap.abs_diff(each) > Duration::from_micros(2);
                assert_eq!(even.filter(uneven).count(), 0, "{rate} B/s of {chunk}");
            }
        }
    }

    #[test]
    fn what_was_not_used_is_saved_for_a_quarter_of_a_second() {
        let mut pacer = limited(1_000_000);
        let later = START + 100 * SECOND;
        let at_once = ask(&mut pacer, later, 10_000, later);
        assert_eq!(at_once.len(), 25);
    }

    #[test]
    fn what_will_not_come_may_be_asked_for_again() {
        let mut pacer = limited(1000);
        let first = pacer.next(START, 100_000);
        assert_eq!(first, START + SECOND / 4);
        pacer.take(first, 100_000);
        assert_eq!(pacer.next(first, 250), first + 100 * SECOND);
        pacer.put_back(90_000);
        assert_eq!(pacer.next(first, 250), first + 10 * SECOND);
        pacer.put_back(u64::MAX);
        assert_eq!(pacer.next(first, 1_000_000), first);
    }

    #[test]
    fn a_limit_changes_and_goes() {
        let mut pacer = limited(1000);
        pacer.take(START, 100_000);
        pacer.on_limit(START, Some(100_000));
        assert_eq!(
            pacer.next(START, 50),
            START + SECOND + Duration::from_micros(500)
        );
        pacer.on_limit(START + SECOND, None);
        assert_eq!(pacer.next(START + SECOND, u64::MAX), START + SECOND);
        pacer.on_limit(START + 2 * SECOND, Some(0));
        assert_eq!(
            pacer.next(START + 2 * SECOND, 1),
            START + 2 * SECOND + SECOND / 4
        );
        assert_eq!(Pacer::default().next(START, u64::MAX), START);
    }
}
