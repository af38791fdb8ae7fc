//! The bottleneck's bandwidth: the highest delivery rate of two cycles, draft-ietf-ccwg-bbr
//! sections 5.5.3 to 5.5.6.

use super::rate::Rate;

/// The highest rates of the cycle under way and of the one before (`BBR.MaxBwFilterLen` = 2).
#[derive(Debug, Clone, Default)]
pub(super) struct MaxBandwidth {
    cycles: [Rate; 2],
}

impl MaxBandwidth {
    /// The estimate; 0 before the first sample.
    pub(super) fn rate(&self) -> Rate {
        self.cycles[0].max(self.cycles[1])
    }

    /// Takes a sample in. One that the application held down counts only where it shows more than
    /// was known (section 5.5.4).
    pub(super) fn on_sample(&mut self, rate: Rate, is_app_limited: bool) {
        if !is_app_limited || rate >= self.rate() {
            self.cycles[0] = self.cycles[0].max(rate);
        }
    }

    /// Begins a cycle (section 5.5.6).
    pub(super) fn advance(&mut self) {
        if self.cycles[0] > Rate::default() {
            self.cycles = [Rate::default(), self.cycles[0]];
        }
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
    fn a_rate_is_forgotten_after_two_cycles() {
        let mut bandwidth = MaxBandwidth::default();
        bandwidth.on_sample(rate(100), false);
        bandwidth.advance();
        bandwidth.on_sample(rate(60), false);
        assert_eq!(bandwidth.rate(), rate(100));
        bandwidth.advance();
        assert_eq!(bandwidth.rate(), rate(60));
        bandwidth.advance();
        bandwidth.advance();
        assert_eq!(bandwidth.rate(), rate(60), "nothing new was seen");
    }

    #[test]
    fn what_the_application_held_down_lowers_nothing() {
        let mut bandwidth = MaxBandwidth::default();
        bandwidth.on_sample(rate(50), true);
        assert_eq!(bandwidth.rate(), rate(50), "more than was known");
        bandwidth.advance();
        bandwidth.on_sample(rate(20), true);
        bandwidth.advance();
        assert_eq!(bandwidth.rate(), rate(50));
    }
}
