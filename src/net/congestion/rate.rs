//! A rate of bytes, and the arithmetic of rates, times and volumes.
//!
//! Volumes are bytes in `u64`, times are `Duration`, gains are plain factors. What would overflow
//! saturates: a rate beyond `u64` is not a rate of this world.

use std::time::Duration;

/// Bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Rate(u64);

impl Rate {
    /// No bound at all.
    pub(super) const UNBOUNDED: Self = Self(u64::MAX);

    /// This many bytes in this time; nothing where no time has passed.
    pub(super) fn of(bytes: u64, time: Duration) -> Option<Self> {
        let nanos = time.as_nanos();
        let rate = (u128::from(bytes) * 1_000_000_000).checked_div(nanos)?;
        Some(Self(u64::try_from(rate).unwrap_or(u64::MAX)))
    }

    /// Bytes in this time.
    pub(super) fn over(self, time: Duration) -> u64 {
        let bytes = u128::from(self.0).saturating_mul(time.as_nanos()) / 1_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// This rate with a gain.
    pub(super) fn scaled(self, gain: f64) -> Self {
        Self(scaled(self.0, gain))
    }

    /// In bytes per second.
    pub(super) fn bytes_per_second(self) -> u64 {
        self.0
    }
}

/// A volume with a gain. `u64::MAX` stays what it is: no bound.
pub(super) fn scaled(bytes: u64, gain: f64) -> u64 {
    if bytes == u64::MAX {
        return bytes;
    }
    whole(bytes as f64 * gain)
}

/// The whole bytes of a volume.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and a negative volume is none"
)]
pub(super) fn whole(bytes: f64) -> u64 {
    bytes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_gives_back_the_volume_that_made_it() {
        let rate = Rate::of(125_000, Duration::from_millis(10)).unwrap();
        assert_eq!(rate.bytes_per_second(), 12_500_000);
        assert_eq!(rate.over(Duration::from_millis(200)), 2_500_000);
        assert_eq!(rate.scaled(0.9).over(Duration::from_secs(1)), 11_250_000);
    }

    #[test]
    fn nothing_overflows() {
        assert_eq!(Rate::of(1, Duration::ZERO), None);
        assert_eq!(Rate::UNBOUNDED.over(Duration::from_secs(3600)), u64::MAX);
        assert_eq!(scaled(u64::MAX, 0.5), u64::MAX);
    }
}
