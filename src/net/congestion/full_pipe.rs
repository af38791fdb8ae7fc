//! Whether sending more still delivers more: draft-ietf-ccwg-bbr section 5.3.1.2.

use super::rate::Rate;

/// Growth in one round that counts as growth.
const GROWTH: f64 = 1.25;
/// Rounds without it that make a plateau.
const ROUNDS: u32 = 3;

/// The search for a plateau of the delivery rate.
#[derive(Debug, Clone, Default)]
pub(super) struct FullPipe {
    best: Rate,
    rounds: u32,
    is_full_now: bool,
    was_reached: bool,
}

impl FullPipe {
    /// Whether this search has found a plateau.
    pub(super) fn is_full_now(&self) -> bool {
        self.is_full_now
    }

    /// Whether any search ever has.
    pub(super) fn was_reached(&self) -> bool {
        self.was_reached
    }

    /// Begins a search from this rate.
    pub(super) fn restart(&mut self, best: Rate) {
        self.best = best;
        self.rounds = 0;
        self.is_full_now = false;
    }

    /// Takes it as found: losses show it.
    pub(super) fn declare_reached(&mut self) {
        self.was_reached = true;
    }

    /// Takes in the rate at the start of a round in which the application held nothing back.
    pub(super) fn on_round(&mut self, rate: Rate) {
        if self.is_full_now {
            return;
        }
        if rate >= self.best.scaled(GROWTH) {
            self.restart(rate);
            return;
        }
        self.rounds += 1;
        self.is_full_now = self.rounds >= ROUNDS;
        self.was_reached |= self.is_full_now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate(bytes: u64) -> Rate {
        Rate::of(bytes, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn three_rounds_without_growth_are_a_plateau() {
        let mut pipe = FullPipe::default();
        for round in [100, 200, 400, 420, 430] {
            pipe.on_round(rate(round));
            assert!(!pipe.is_full_now(), "at {round}");
        }
        pipe.on_round(rate(440));
        assert!(pipe.is_full_now() && pipe.was_reached());
        pipe.restart(rate(440));
        assert!(!pipe.is_full_now() && pipe.was_reached());
    }
}
