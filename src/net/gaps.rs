//! How long the bytes of answers wait for others that were lost.
//!
//! What is lost comes a round trip later, and what follows it on its stream waits. Where one packet in a hundred is
//! lost, hardly a chunk of 256 KiB comes without: its answer takes a round trip longer, so that much more has to be
//! asked for, for the path to be full.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One body in so many makes the mean.
const BODIES: u64 = 8;

/// The mean over a connection's last bodies, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Gaps(AtomicU64);

impl Gaps {
    /// A body is here whole; its bytes were waited for so long at a time, at most. More than one round trip says
    /// something about the peer, and not about the path.
    pub(super) fn on_body(&self, longest: Duration, rtt: Duration) {
        let gap = u64::try_from(longest.min(rtt).as_micros()).unwrap_or(u64::MAX);
        let mean = self.0.load(Ordering::Relaxed);
        // of two at once one may be lost, which is of no consequence
        let mean = mean - mean / BODIES + gap / BODIES;
        self.0.store(mean, Ordering::Relaxed);
    }

    /// How much longer than a round trip an answer takes.
    pub(super) fn mean(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(200);

    #[test]
    fn a_gap_in_each_body_is_another_round_trip_and_none_is_nothing() {
        let gaps = Gaps::default();
        assert_eq!(gaps.mean(), Duration::ZERO);
        for _ in 0..100 {
            gaps.on_body(5 * RTT, RTT);
            assert!(gaps.mean() <= RTT);
        }
        assert!(gaps.mean() > RTT * 99 / 100, "{:?}", gaps.mean());
        for _ in 0..100 {
            gaps.on_body(Duration::ZERO, RTT);
        }
        assert!(gaps.mean() < Duration::from_micros(10), "{:?}", gaps.mean());
    }
}
