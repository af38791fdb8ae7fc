//! Giving way to network threads between two pieces of work.
//!
//! Who computes keeps its processor for a slice of the scheduler's, some milliseconds, and a network thread that
//! is woken there waits for the end of it. At 1 Gbit/s more comes together meanwhile than the buffer of a
//! router holds. So whatever hashes for long pauses on the way, and offers its processor to who waits for it
//! (sched_yield(2)). Where nobody does, that costs less than a microsecond.
//!
//! Linux puts who yields behind everybody who could run, strangers too: beside a program that computes, a worker that
//! yielded in every pause would be left with a thirtieth of a processor. So a thread lets itself be kept away for a
//! quarter of the time at most ([`SHARE`]), and offers nothing once that is used up.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// One part in so many of a thread's time is what others may take, besides what the scheduler gives them.
const SHARE: u32 = 4;
/// Time of which the share may be taken at once.
const SPAN: Duration = Duration::from_millis(100);

thread_local! {
    static YIELDS: Cell<Yields> = const { Cell::new(Yields { even_at: None }) };
}

/// Offers this thread's processor to others, unless they had enough of it lately.
#[expect(
    clippy::disallowed_methods,
    reason = "it measures the scheduler, and when to yield is all that follows"
)]
pub(crate) fn give_way() {
    let mut yields = YIELDS.get();
    let before = Instant::now();
    if yields.are_left(before) {
        thread::yield_now();
        yields.take(before, before.elapsed());
        YIELDS.set(yields);
    }
}

/// What others had of a thread's time.
#[derive(Debug, Clone, Copy)]
struct Yields {
    /// When what they had is no more than their share.
    even_at: Option<Instant>,
}

impl Yields {
    fn are_left(self, now: Instant) -> bool {
        self.even_at.is_none_or(|even_at| even_at <= now)
    }

    fn take(&mut self, now: Instant, away: Duration) {
        let earliest = now.checked_sub(SPAN).unwrap_or(now);
        let even_at = self.even_at.map_or(earliest, |it| it.max(earliest));
        self.even_at = Some(even_at + away * SHARE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "an instant has no other beginning"
    )]
    fn epoch() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    /// Works and pauses for a second; how long it was away if each pause takes so long.
    fn away(work: Duration, pause: Duration) -> Duration {
        let (mut yields, begin) = (Yields { even_at: None }, epoch());
        let (mut now, mut away) = (begin, Duration::ZERO);
        while now - begin < Duration::from_secs(1) {
            now += work;
            if yields.are_left(now) {
                yields.take(now, pause);
                now += pause;
                away += pause;
            }
        }
        away
    }

    #[test]
    fn short_turns_of_others_are_never_refused() {
        let work = Duration::from_micros(100);
        assert_eq!(away(work, work / 4), Duration::from_millis(200));
    }

    #[test]
    fn who_takes_more_than_a_quarter_of_the_time_gets_no_more() {
        let away = away(Duration::from_micros(100), Duration::from_millis(3));
        let most = Duration::from_millis(250) + SPAN / SHARE + Duration::from_millis(3);
        assert!(away <= most, "{away:?}");
        assert!(away >= Duration::from_millis(240), "{away:?}");
    }
}
