//! How many bytes may be outstanding at one peer: enough to keep its path and its disk busy.
//!
//! The delivery rate is sampled as in BBR (draft-ietf-ccwg-bbr section 4.1): every request remembers
//! how much had been delivered when it was made, and its answer gives a rate over that span. The
//! window is the highest rate of the last two seconds times the round-trip time plus a slack for
//! the peer's own work, times a gain, so it grows geometrically while the rate grows with it.
//!
//! Bounds: two chunks or [`START_BYTES`], whichever is more, `<= target <=` [`BYTES_MAX`] or two
//! chunks.

use std::time::Duration;

use crate::moment::Moment;

/// The first window, in bytes.
const START_BYTES: u64 = 512 * 1024;
/// The largest window, in bytes: 1 Gbit/s at 128 ms.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Time that a peer needs to read, hash and compress what is asked, on top of the path.
const SLACK: Duration = Duration::from_millis(15);
/// How long a rate sample counts, at least; at most twice this.
const SAMPLE_SPAN: Duration = Duration::from_secs(1);

/// A peer's delivery so far, and what it says about the window.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    delivered: u64,
    /// Highest rates in bytes per second, of the current span and of the one before.
    best: [u64; 2],
    span_began: Moment,
}

/// Where a request stood in its peer's delivery when it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    at: Moment,
    delivered: u64,
}

impl Mark {
    /// When the request was made.
    pub(super) fn at(self) -> Moment {
        self.at
    }
}

impl Window {
    /// Notes that a request is made now.
    pub(super) fn mark(&self, now: Moment) -> Mark {
        Mark {
            at: now,
            delivered: self.delivered,
        }
    }

    /// Takes the answer to a request into account.
    pub(super) fn on_delivered(&mut self, now: Moment, mark: Mark, bytes: u64) {
        self.delivered += bytes;
        if now.since(self.span_began) >= SAMPLE_SPAN {
            self.best = [0, self.best[0]];
            self.span_began = now;
        }
        let micros = micros(now.since(mark.at)).max(1);
        let sample = (self.delivered - mark.delivered).saturating_mul(1_000_000) / micros;
        self.best[0] = self.best[0].max(sample);
    }

    /// The delivery rate in bytes per second; 0 while nothing has been delivered.
    pub(super) fn rate(&self) -> u64 {
        self.best[0].max(self.best[1])
    }

    /// How many bytes may be outstanding, for chunks of this size.
    pub(super) fn target(&self, rtt: Duration, chunk_bytes: u64) -> u64 {
        let floor = START_BYTES.max(2 * chunk_bytes);
        let product = self.rate().saturating_mul(micros(rtt + SLACK)) / 1_000_000;
        (product + product / 2).clamp(floor, BYTES_MAX.max(floor))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: u64 = 32 * 1024;

    fn ms(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn starts_small_and_grows_with_the_rate() {
        let mut window = Window::default();
        let rtt = Duration::from_millis(50);
        assert_eq!(window.target(rtt, CHUNK), START_BYTES);
        let mark = window.mark(ms(0));
        for arrival in 0..100 {
            window.on_delivered(ms(50 + arrival), mark, 125_000);
        }
        assert!(window.rate() > 80_000_000, "{}", window.rate());
        assert!(window.target(rtt, CHUNK) > 6_000_000);
    }

    #[test]
    fn forgets_a_rate_after_two_seconds() {
        let mut window = Window::default();
        window.on_delivered(
            ms(10),
            Mark {
                at: ms(0),
                delivered: 0,
            },
            1_000_000,
        );
        let fast = window.rate();
        for second in 1..=3 {
            let mark = window.mark(ms(1000 * second));
            window.on_delivered(ms(1000 * second + 999), mark, 1000);
        }
        assert!(
            window.rate() < fast / 1000,
            "{} after {fast}",
            window.rate()
        );
    }

    #[test]
    fn large_chunks_are_asked_for_two_at_a_time() {
        let chunk = 16 * 1024 * 1024;
        assert_eq!(Window::default().target(Duration::ZERO, chunk), 2 * chunk);
    }
}
