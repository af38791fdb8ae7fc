//! How fast datagrams leave on a fast path: quinn's own pace, in smaller bursts.
//!
//! quinn paces at 1.25 windows in a round-trip time out of a bucket that holds two milliseconds of that. A flow of
//! 1 Gbit/s whose thread was woken two milliseconds late, or whose acknowledgements came in a bunch, then sends 300 KiB
//! at once, which a router's buffer of 256 KiB does not hold, and its controller takes what is lost for congestion. Here the
//! same pace is kept out of a bucket of [`SPARE`]. Nobody is slower for it on average, unless woken later than that again
//! and again.
//!
//! quinn asks for no such thing, so it is done between quinn and the socket: a transmit that is ready waits there (in
//! `guard`, whose pollers know the path), one at a time, and quinn makes no other meanwhile.
//!
//! It is left to quinn where its bursts are small ([`BURST`]), where the path is shorter than its bucket, so that it
//! does not pace at all (loopback and local networks), and where packets have lately waited for so long that the buffer holds
//! such bursts: who is woken late may fill it up again.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What may leave at once after a pause, as a time at the pace.
const SPARE: Duration = Duration::from_micros(500);
/// Bursts of up to so many bytes are left to quinn: two calls of ten datagrams of an Ethernet.
const BURST: u64 = 32 * 1024;
/// A path of a shorter round-trip time is not paced.
const SHORT: Duration = Duration::from_millis(2);
/// Where packets have waited for longer, there is room for quinn's bursts: two of them.
const ROOM: Duration = Duration::from_millis(4);
/// For how long that is remembered.
const MEMORY: Duration = Duration::from_secs(10);

/// The pace of one path.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Bytes per second; 0 where it is left to quinn.
    rate: u64,
    /// Bytes that quinn has made ready and that have not left.
    ready: u64,
    /// Until when the buffer is taken to have room for quinn's bursts.
    roomy_until: Option<Instant>,
    /// When all that has left would have left at the pace.
    even_at: Option<Instant>,
}

impl Pace {
    /// The path has this window and this round-trip time, which was `floor` at its lowest.
    pub(super) fn set(&self, now: Instant, window: u64, rtt: Duration, floor: Duration) {
        let nanos = rtt.max(SHORT).as_nanos();
        let rate = u128::from(window) * 1_250_000_000 / nanos;
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        let is_smooth = rtt < SHORT || bytes_in(rate, SPARE) <= BURST;
        let mut state = self.lock();
        if rtt > floor + ROOM {
            state.roomy_until = Some(now + MEMORY);
        }
        let has_room = state.roomy_until.is_some_and(|until| now < until);
        state.rate = if is_smooth || has_room { 0 } else { rate };
    }

    /// So many bytes are ready to leave.
    pub(super) fn on_ready(&self, bytes: u64) {
        self.lock().ready += bytes;
    }

    /// What is ready leaves now, or else not before this time.
    pub(super) fn leave(&self, now: Instant) -> Result<(), Instant> {
        let mut state = self.lock();
        if state.rate == 0 {
            (state.ready, state.even_at) = (0, None);
            return Ok(());
        }
        let even_at = state.even_at.unwrap_or(now);
        if even_at > now {
            return Err(even_at);
        }
        let from = even_at.max(now.checked_sub(SPARE).unwrap_or(now));
        state.even_at = Some(from + time_of(state.ready, state.rate));
        state.ready = 0;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while holding it")
    }
}

fn bytes_in(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn time_of(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(10);
    /// 1 MB in 10 ms, so 125 bytes each microsecond.
    const WINDOW: u64 = 1_000_000;
    const TRANSMIT: u64 = 12_500;

    #[expect(
        clippy::disallowed_methods,
        reason = "an instant has no other beginning"
    )]
    fn epoch() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    /// Hands over as much as leaves until this time; bytes, and when the next may leave.
    fn leave_all(pace: &Pace, now: Instant) -> (u64, Instant) {
        let mut left = 0;
        loop {
            pace.on_ready(TRANSMIT);
            match pace.leave(now) {
                Ok(()) => left += TRANSMIT,
                Err(at) => {
                    pace.lock().ready = 0;
                    return (left, at);
                }
            }
        }
    }

    #[test]
    fn a_flow_gets_its_pace_in_small_bursts_however_late_it_is_woken() {
        let (pace, now) = (Pace::default(), epoch());
        pace.set(now, WINDOW, RTT, RTT);
        let (first, mut at) = leave_all(&pace, now);
        assert_eq!(first, TRANSMIT, "nothing is spare yet");
        let began = at;
        let mut left = 0;
        for _ in 0..100 {
            let (burst, next) = leave_all(&pace, at);
            assert_eq!(burst, TRANSMIT);
            (left, at) = (left + burst, next);
        }
        assert_eq!(at - began, Duration::from_millis(10), "woken in time");
        assert_eq!(left, WINDOW * 5 / 4);
        let (burst, _) = leave_all(&pace, at + Duration::from_millis(5));
        assert_eq!(
            burst,
            62_500 + TRANSMIT,
            "half a millisecond, and the one under way"
        );
    }

    #[test]
    fn what_was_spare_is_not_lost_to_who_is_woken_a_little_late() {
        let (pace, now) = (Pace::default(), epoch());
        pace.set(now, WINDOW, RTT, RTT);
        let mut left = 0;
        for step in 0..50_u32 {
            left += leave_all(&pace, now + step * Duration::from_micros(400)).0;
        }
        let evenly = 125 * 49 * 400;
        assert!((evenly..=evenly + 2 * TRANSMIT).contains(&left), "{left}");
    }

    #[test]
    fn narrow_short_and_roomy_paths_are_left_to_quinn() {
        for (window, rtt) in [
            (0, Duration::ZERO),
            (125_000, RTT),
            (500_000, RTT),
            (50_000_000, Duration::from_millis(1)),
            (50_000_000, RTT + Duration::from_millis(5)),
        ] {
            let (pace, now) = (Pace::default(), epoch());
            pace.set(now, window, rtt, RTT.min(rtt));
            for _ in 0..1000 {
                pace.on_ready(TRANSMIT);
                assert_eq!(pace.leave(now), Ok(()), "{window} bytes, {rtt:?}");
            }
        }
    }

    #[test]
    fn room_is_remembered_for_a_while() {
        let (pace, now) = (Pace::default(), epoch());
        let late = RTT + ROOM + Duration::from_millis(1);
        pace.set(now, WINDOW, late, RTT);
        for (after, is_paced) in [(0, false), (9, false), (10, true)] {
            let now = now + Duration::from_secs(after);
            pace.set(now, WINDOW, RTT, RTT);
            pace.on_ready(10 * TRANSMIT);
            assert_eq!(pace.leave(now), Ok(()));
            pace.on_ready(TRANSMIT);
            assert_eq!(pace.leave(now).is_err(), is_paced, "after {after} s");
        }
    }

    #[test]
    fn a_path_that_was_paced_and_is_no_more_owes_nothing() {
        let (pace, now) = (Pace::default(), epoch());
        pace.set(now, WINDOW, RTT, RTT);
        let (_, at) = leave_all(&pace, now);
        assert!(at > now);
        pace.set(now, 125_000, RTT, RTT);
        assert_eq!(pace.leave(now), Ok(()));
        pace.set(now, WINDOW, RTT, RTT);
        assert_eq!(pace.leave(now), Ok(()));
    }
}
