//! How many bytes may be outstanding at one peer: enough to keep its path and its disk busy.
//!
//! The delivery rate is sampled as in BBR (draft-ietf-ccwg-bbr section 4.1): every request remembers
//! how much had been delivered when it was made, and its answer gives a rate over that span. The
//! window is the highest rate of the last two seconds times the round-trip time plus a slack for
//! the peer's own work, times a gain, so it grows geometrically while the rate grows with it. On top
//! of that comes the chunk that is being delivered, so that a peer has the next one before it is done
//! with the last.
//!
//! Requests are made while less than the target is outstanding, so one chunk may reach over it.
//! Bounds: `target <=` [`BYTES_MAX`] or two chunks; once a rate is known, no more than the path holds
//! and what the peer delivers in [`FLOOR_SPAN`]: a slow peer has one chunk at a time.

use std::time::Duration;

use crate::moment::Moment;

/// The first window, in bytes.
const START_BYTES: u64 = 512 * 1024;
/// The largest window, in bytes: 1 Gbit/s at 128 ms.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What a peer delivers in this time may always be outstanding, up to [`START_BYTES`], so that a
/// transport that is still speeding up does not run dry.
const FLOOR_SPAN: Duration = Duration::from_secs(1);
/// Time that a peer needs to read, hash and compress what is asked, on top of the path.
const SLACK: Duration = Duration::from_millis(15);
/// How long a rate sample counts, at least; at most twice this.
const SAMPLE_SPAN: Duration = Duration::from_secs(1);

/// Shorter pauses between two answers count as this many microseconds.
const PAUSE_MIN: u64 = 1_000;

/// After so many arrivals it can be told how they come.
const STEADY_MIN: u32 = 4;

/// A peer's delivery so far, and what it says about the window.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    delivered: u64,
    /// Highest rates in bytes per second, of the current span and of the one before.
    best: [u64; 2],
    /// The same for what came at once, each since the last time.
    burst: [u64; 2],
    /// How often something came.
    arrivals: u32,
    delivered_at: Moment,
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
            self.burst = [0, self.burst[0]];
            self.span_began = now;
        }
        let pause = micros(now.since(self.delivered_at.max(mark.at))).max(PAUSE_MIN);
        self.delivered_at = now;
        self.arrivals = self.arrivals.saturating_add(1);
        let micros = micros(now.since(mark.at)).max(1);
        let sample = (self.delivered - mark.delivered).saturating_mul(1_000_000) / micros;
        self.best[0] = self.best[0].max(sample).max(1);
        self.burst[0] = self.burst[0].max(bytes.saturating_mul(1_000_000) / pause);
    }

    /// The rate that was measured means nothing any more.
    pub(super) fn forget_rate(&mut self) {
        self.best = [0, 0];
    }

    /// The delivery rate in bytes per second; 0 while nothing has been delivered.
    pub(super) fn rate(&self) -> u64 {
        self.best[0].max(self.best[1])
    }

    /// How fast answers come once they come, in bytes per second: a peer that serves many lets each wait,
    /// and then gives it several at once.
    pub(super) fn burst(&self) -> u64 {
        self.rate().max(self.burst[0]).max(self.burst[1])
    }

    /// Whether answers come one after the other, as far as can be told.
    pub(super) fn is_steady(&self) -> bool {
        self.arrivals >= STEADY_MIN && self.burst() <= 2 * self.rate()
    }

    /// Below how many outstanding bytes the peer is asked for one more chunk of this size.
    pub(super) fn target(&self, rtt: Duration, chunk_bytes: u64) -> u64 {
        if self.rate() == 0 {
            return START_BYTES;
        }
        let ahead = self.product(rtt + SLACK);
        let floor = self.product(FLOOR_SPAN);
        let target = ahead + ahead / 2 + floor.min(chunk_bytes);
        target
            .max(floor.min(START_BYTES))
            .clamp(1, BYTES_MAX.max(2 * chunk_bytes))
    }

    /// Bytes that the peer delivers in this time.
    fn product(&self, span: Duration) -> u64 {
        self.rate().saturating_mul(micros(span)) / 1_000_000
    }
}

/// A span in microseconds, as far as that can be said.
pub(super) fn micros(span: Duration) -> u64 {
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

    /// A path with this bottleneck, asked as the window says; the targets after each chunk.
    fn run(rate: u64, rtt_ms: u64, chunk: u64, chunks: usize) -> Vec<(u64, u64)> {
        let (mut window, rtt) = (Window::default(), Duration::from_millis(rtt_ms));
        let (mut now, mut free_at) = (ms(0), ms(0));
        let mut flights = std::collections::VecDeque::new();
        let mut seen = Vec::new();
        while seen.len() < chunks {
            while (flights.len() as u64) * chunk < window.target(rtt, chunk) {
                free_at =
                    free_at.max(now + rtt / 2) + Duration::from_micros(chunk * 1_000_000 / rate);
                flights.push_back((window.mark(now), free_at + rtt / 2));
            }
            let (mark, at) = flights.pop_front().unwrap();
            now = at;
            window.on_delivered(now, mark, chunk);
            seen.push((window.rate(), window.target(rtt, chunk)));
        }
        seen
    }

    #[test]
    fn settles_at_what_the_path_holds() {
        for (rate, rtt_ms, chunk) in [
            (12_500_000, 50, 32 * 1024),
            (1_000_000, 200, 32 * 1024),
            (125_000_000, 60, 256 * 1024),
            (125_000_000, 1, 256 * 1024),
            (10_000_000, 100, 1024 * 1024),
        ] {
            let (found, target) = run(rate, rtt_ms, chunk, 1500)[1499];
            let holds = rate * (rtt_ms + 15) / 1000;
            assert!(
                (rate * 9 / 10..=rate * 12 / 10).contains(&found),
                "rate {rate}, rtt {rtt_ms} ms: measured {found}"
            );
            assert!(
                (holds..=holds * 2 + chunk).contains(&target) || target == START_BYTES,
                "rate {rate}, rtt {rtt_ms} ms: target {target}, the path holds {holds}"
            );
        }
    }

    #[test]
    fn fills_a_long_fat_path_within_a_few_round_trips() {
        let seen = run(125_000_000, 100, 32 * 1024, 2000);
        let full = seen.iter().position(|(rate, _)| *rate > 100_000_000);
        // 16, 27, 43, 68 ... chunks in flight, one step for each round trip
        assert!(
            full.is_some_and(|chunks| chunks < 1200),
            "after {full:?} chunks"
        );
    }

    #[test]
    fn a_slow_peer_has_one_chunk_at_a_time() {
        for (rate, chunk) in [(50_000, 256 * 1024), (1_000_000, 16 * 1024 * 1024)] {
            let (_, target) = run(rate, 20, chunk, 3)[2];
            assert!(target <= chunk, "{target}");
        }
    }

    #[test]
    fn large_chunks_are_asked_for_two_at_a_time() {
        let chunk = 16 * 1024 * 1024;
        let target = Window::default().target(Duration::ZERO, chunk);
        assert!(target <= chunk, "one, until it is known to come");
        let (_, target) = run(100_000_000, 20, chunk, 10)[9];
        assert!((chunk + 1..=2 * chunk).contains(&target), "{target}");
    }
}
