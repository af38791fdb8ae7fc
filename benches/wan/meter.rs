//! The rate of a flow once it has settled, and how it went.

use std::fmt::Write;
use std::time::{Duration, Instant};

/// How long a part of a course is.
pub(crate) const PART: Duration = Duration::from_secs(10);

/// Takes down when how much had come.
pub(crate) struct Meter {
    began: Instant,
    settling: Duration,
    measured: Duration,
    first: Option<(Instant, u64)>,
    last: Option<(Instant, u64)>,
    /// The first that were taken down in each part.
    parts: Vec<(Instant, u64)>,
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
            parts: Vec::new(),
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
        if let Some((first, _)) = self.first {
            let begun = u32::try_from(self.parts.len()).expect("minutes");
            if now >= first + begun * PART {
                self.parts.push((now, bytes));
            }
        }
    }

    /// Whether there is no more to measure.
    pub(crate) fn is_over(&self) -> bool {
        self.began.elapsed() >= self.settling + self.measured
    }

    /// Rates in MB/s, once settled: that of the whole, then that of each [`PART`] of it, the last one if it is
    /// nearly over.
    pub(crate) fn rates(&self) -> String {
        let whole = self.first.zip(self.last).map_or(0.0, rate);
        let mut text = whole.to_string();
        let is_whole = |last: &(Instant, u64)| {
            let begun = self.parts.last().map(|part| part.0);
            begun.is_some_and(|begun| last.0 > begun + 9 * PART / 10)
        };
        let mut ends = self.parts.clone();
        ends.extend(self.last.filter(is_whole));
        for ends in ends.windows(2) {
            // Writing to a text cannot fail.
            let _ = write!(text, " {}", rate((ends[0], ends[1])));
        }
        text
    }
}

fn rate(((from, before), (to, after)): ((Instant, u64), (Instant, u64))) -> f64 {
    (after - before) as f64 / 1e6 / (to - from).as_secs_f64()
}
