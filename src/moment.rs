//! Points in time as the pure layers see them: microseconds since an origin that the caller chose.
//!
//! The node counts from its start, the simulator from zero. Being a plain number, a moment can be
//! hashed, printed and replayed, which `std::time::Instant` cannot.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Microseconds since the origin. Never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The origin.
    pub const ORIGIN: Self = Self(0);

    /// The moment this many microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let moment = Moment::from_micros(5);
        assert_eq!(moment - Duration::from_secs(1), Moment::ORIGIN);
        assert_eq!(moment + Duration::MAX, Moment::from_micros(u64::MAX));
        assert_eq!(Moment::ORIGIN.since(moment), Duration::ZERO);
        assert_eq!(
            (moment + Duration::from_micros(7)).since(moment),
            Duration::from_micros(7)
        );
    }
}
