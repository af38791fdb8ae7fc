//! The rate of a flow once it has settled.

use std::time::{Duration, Instant};

/// Takes down when how much had come.
pub(crate) struct Meter {
    began: Instant,
    settling: Duration,
    measured: Duration,
    first: Option<(Instant, u64)>,
    last: Option<(Instant, u64)>,
}

impl Meter {
    /// Begins now: first the flow settles, then it is measured.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) fn start(settling: Duration, measured: Duration) -> Self {
        Self {
            began: Instant::now(),
            settling,
            measured,
            first: None,
            last: None,
        }
    }

    /// So many bytes have come by now, in all.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) fn note(&mut self, bytes: u64) {
        let now = Instant::now();
        if now >= self.began + self.settling && self.first.is_none() {
            self.first = Some((now, bytes));
        }
        self.last = Some((now, bytes));
    }

    /// Whether there is no more to measure.
    pub(crate) fn is_over(&self) -> bool {
        self.began.elapsed() >= self.settling + self.measured
    }

    /// The rate between the first and the last that were taken down once settled.
    pub(crate) fn mb_per_s(&self) -> f64 {
        let (Some((from, before)), Some((to, after))) = (self.first, self.last) else {
            return 0.0;
        };
        (after - before) as f64 / 1e6 / (to - from).as_secs_f64()
    }
}
