//! How far a queue goes beyond what this flow could keep waiting by itself. The draft has no such rule.
//!
//! A flow may have [`cwnd_gain`](super::phase::Phase::cwnd_gain) products in flight, `g`. Beside one that fills a
//! long buffer whatever its size, that bound decides who gets what. Say a round trip takes `T` and this flow has the
//! part `p` of the path: `p * T * rate` of its bytes are in flight. The shortest round trip that it ever
//! sees is hardly less than the one without them, `(1 - p) * T`, so it may have some `g * p * (1 - p) * T * rate`
//! there. Both are the same at `p = 1 - 1/g`: a sixth with the gain of 1.2 that suits short buffers, half with the
//! draft's 2. Beside the kernel's CUBIC over 100 Mbit/s and 50 ms with 5 MiB it was a fifth, and is a half.
//!
//! So where every packet waits for longer than this flow can cause, the bound is the draft's. What the empty path
//! takes cannot be had from the floor that the draft keeps for ten seconds, since a queue that stands for longer passes
//! for the path: it is the shortest round trip of [`SPAN`] to twice that. Where the path itself becomes longer, the
//! bound is the draft's until that is forgotten; the rate is held as ever.

use std::time::{Duration, Instant};

/// How long a shortest round trip counts, at least: as long as the longer transfers last.
const SPAN: Duration = Duration::from_secs(300);
/// Round trips of an empty path up to which a queue may be this flow's own: a probe keeps 1.6 products in
/// flight. On a path whose buffer is as long as itself CUBIC would get less from a lower bound.
const OWN: f64 = 1.75;
/// And from which on it is others' for certain.
const OTHERS: f64 = 2.25;

/// What the path takes when it is empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    /// The shortest round trips of the span under way and of the one before.
    shortest: [Option<Duration>; 2],
    began: Instant,
}

impl Crowd {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            shortest: [None; 2],
            began: now,
        }
    }

    /// Takes a round-trip time in.
    pub(super) fn on_sample(&mut self, now: Instant, rtt: Duration) {
        if now > self.began + SPAN {
            self.shortest = [None, self.shortest[0]];
            self.began = now;
        }
        self.shortest[0] = Some(self.shortest[0].map_or(rtt, |it| it.min(rtt)));
    }

    /// The round trip of the empty path, as far as it has been seen.
    pub(super) fn empty(&self) -> Option<Duration> {
        self.shortest.iter().flatten().min().copied()
    }

    /// How much of a queue in which packets take `lowest` at least must be others': 0 is perhaps nothing, 1 is
    /// most of it.
    pub(super) fn degree(&self, lowest: Option<Duration>) -> f64 {
        let (Some(empty), Some(lowest)) = (self.empty(), lowest) else {
            return 0.0;
        };
        let trips = lowest.as_secs_f64() / empty.as_secs_f64().max(1e-6);
        ((trips - OWN) / (OTHERS - OWN)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::epoch;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_queue_that_this_flow_can_cause_is_no_crowd() {
        let mut crowd = Crowd::new(epoch());
        assert!(crowd.degree(Some(50 * MS)) < f64::EPSILON, "nothing known");
        crowd.on_sample(epoch(), 50 * MS);
        for (lowest, degree) in [(50, 0.0), (87, 0.0), (100, 0.5), (113, 1.0), (400, 1.0)] {
            let found = crowd.degree(Some(lowest * MS));
            assert!((found - degree).abs() < 0.01, "{lowest} ms: {found}");
        }
        assert!(crowd.degree(None) < f64::EPSILON);
    }

    #[test]
    fn a_queue_that_stands_does_not_pass_for_the_path_for_minutes() {
        let mut crowd = Crowd::new(epoch());
        crowd.on_sample(epoch(), 50 * MS);
        for second in 0..300 {
            crowd.on_sample(epoch() + Duration::from_secs(second), 400 * MS);
        }
        assert_eq!(crowd.empty(), Some(50 * MS));
        crowd.on_sample(epoch() + Duration::from_secs(310), 400 * MS);
        assert_eq!(crowd.empty(), Some(50 * MS), "of the span before");
        crowd.on_sample(epoch() + Duration::from_secs(620), 400 * MS);
        assert_eq!(crowd.empty(), Some(400 * MS));
    }
}
