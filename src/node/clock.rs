//! The only reader of the clock: everything below gets its time from here.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::moment::Moment;

/// Time since the node started, and the calendar's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts counting.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Now, in the core's terms.
    pub(super) fn now(&self) -> Moment {
        Moment::ORIGIN + self.started.elapsed()
    }

    /// A moment in the runtime's terms, to sleep until it.
    pub(super) fn instant(&self, moment: Moment) -> tokio::time::Instant {
        let since_start = moment.since(Moment::ORIGIN);
        tokio::time::Instant::from_std(self.started + since_start)
    }
}

/// Measures how long something takes, for surfaces that show it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Clock);

impl Stopwatch {
    /// Starts counting.
    pub fn start() -> Self {
        Self(Clock::start())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.now().since(Moment::ORIGIN)
    }
}

/// Seconds since 1970 by the system's clock, which may be wrong and may go back.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn unix_time() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
