//! Amounts that count for less the older they are.
//!
//! Time goes in steps of an eighth of the half-life, so that an amount decays alike however often it
//! is looked at or added to.

use std::time::Duration;

use crate::moment::Moment;

/// Steps in a half-life.
const STEPS: u64 = 8;
/// What is left after one step, in parts of 65536: the eighth root of a half.
const LEFT: u64 = 60_097;

/// Bytes, halved every so often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Decaying {
    amount: u64,
    /// The step up to which it has decayed.
    step: u64,
}

impl Decaying {
    /// This amount, now.
    pub(super) fn new(now: Moment, half_life: Duration, amount: u64) -> Self {
        let step = step_at(now, half_life);
        Self { amount, step }
    }

    /// What is left of it now.
    pub(super) fn left(self, now: Moment, half_life: Duration) -> u64 {
        let steps = step_at(now, half_life).saturating_sub(self.step);
        let halved = u32::try_from(steps / STEPS)
            .ok()
            .and_then(|times| self.amount.checked_shr(times))
            .unwrap_or(0);
        (0..steps % STEPS).fold(halved, |amount, _| {
            let left = (u128::from(amount) * u128::from(LEFT)) >> 16;
            u64::try_from(left).expect("less than before")
        })
    }

    /// Adds to what is left.
    pub(super) fn add(&mut self, now: Moment, half_life: Duration, more: u64) {
        let amount = self.left(now, half_life).saturating_add(more);
        *self = Self::new(now, half_life, amount);
    }
}

fn step_at(now: Moment, half_life: Duration) -> u64 {
    let step = u64::try_from(half_life.as_micros()).unwrap_or(u64::MAX) / STEPS;
    now.as_micros() / step.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_secs(10);

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn half_is_left_after_a_half_life_however_often_it_is_touched() {
        let once = Decaying::new(at(0), HALF, 1 << 30);
        let mut often = once;
        (0..10_000).for_each(|ms| often.add(at(ms), HALF, 0));
        let (once, often) = (once.left(at(10_000), HALF), often.left(at(10_000), HALF));
        assert_eq!(once, 1 << 29);
        assert!(once.abs_diff(often) < (1 << 29) / 1000, "{once} {often}");
    }

    #[test]
    fn nothing_is_left_in_the_end_and_nothing_overflows() {
        let mut decaying = Decaying::new(at(0), HALF, u64::MAX);
        decaying.add(at(0), HALF, u64::MAX);
        assert_eq!(decaying.left(at(0), HALF), u64::MAX);
        assert_eq!(decaying.left(at(640_000), HALF), 0);
        assert_eq!(decaying.left(Moment::from_micros(u64::MAX), HALF), 0);
    }
}
