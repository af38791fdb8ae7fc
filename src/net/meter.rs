//! How much one peer may ask, and how often it may think better of it.
//!
//! Both count what costs us work although it never adds up to a request that is under way
//! (CVE-2023-44487's pattern), which QUIC's stream limit therefore does not bound.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{REQUEST_BURST, REQUESTS_PER_SECOND, RESETS_MAX};

/// How long resets are counted together.
const RESETS_SPAN: Duration = Duration::from_secs(10);

/// Counts opened streams, also those that are reset at once: a bucket of tokens.
#[derive(Debug)]
pub(super) struct Meter {
    tokens: u32,
    since: Instant,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            tokens: REQUEST_BURST,
            since: Instant::now(),
        }
    }

    /// Whether one more is within the rate.
    pub(super) fn admits(&mut self) -> bool {
        if self.tokens == 0 {
            let elapsed = self.since.elapsed();
            let earned = elapsed.as_millis() * u128::from(REQUESTS_PER_SECOND) / 1000;
            self.tokens = u32::try_from(earned)
                .unwrap_or(REQUEST_BURST)
                .min(REQUEST_BURST);
            if self.tokens > 0 {
                self.since += elapsed;
            }
        }
        let admitted = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        admitted
    }
}

/// Counts requests that were reset before they had arrived whole, which no node of ours does.
#[derive(Debug)]
pub(super) struct Resets {
    count: u32,
    since: Instant,
}

impl Resets {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            since: Instant::now(),
        }
    }

    /// Counts one; whether it is one too many.
    pub(super) fn is_over(&mut self) -> bool {
        if self.since.elapsed() >= RESETS_SPAN {
            *self = Self::new();
        }
        self.count += 1;
        self.count > RESETS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_a_flood_does_not() {
        let mut meter = Meter::new();
        let passed = (0..10_000).take_while(|_| meter.admits()).count();
        assert_eq!(passed, REQUEST_BURST as usize);
        tokio::time::advance(Duration::from_millis(10)).await;
        assert!((0..REQUESTS_PER_SECOND / 200).all(|_| meter.admits()));
    }

    #[tokio::test(start_paused = true)]
    async fn resets_are_forgiven_unless_they_come_together() {
        let mut resets = Resets::new();
        for _ in 0..5 {
            assert!((0..RESETS_MAX).all(|_| !resets.is_over()));
            tokio::time::advance(RESETS_SPAN).await;
        }
        assert!((0..RESETS_MAX).all(|_| !resets.is_over()));
        assert!(resets.is_over());
    }
}
