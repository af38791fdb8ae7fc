//! Limits in bytes per second that many transfers share, in turn, and that change while they run.
//!
//! The line of the generic cell rate algorithm (ITU-T I.371): each piece takes the next place in a
//! line that moves on at the rate, and waits until its place is near. Places are counted in bytes and
//! not in time, so another rate holds for those who wait already. Nothing ticks while nothing is sent.
//!
//! Invariant: `passed <=` `taken`; what was not used while nobody waited is not saved up.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How far the line may run ahead of its rate: short enough to be smooth, long enough for timers.
const BURST: Duration = Duration::from_millis(10);

/// One limit, or none.
#[derive(Debug)]
pub struct Throttle {
    line: Mutex<Line>,
    changed: watch::Sender<()>,
}

/// What a transfer has to pass: the limit of its container, then that for all.
#[derive(Debug, Clone)]
pub struct Lane {
    all: Arc<Throttle>,
    own: Option<Arc<Throttle>>,
}

#[derive(Debug)]
struct Line {
    /// Bytes per second.
    rate: Option<u64>,
    /// The place in the line that was served at `at`, in bytes.
    passed: f64,
    at: Instant,
    /// The first free place.
    taken: f64,
}

impl Throttle {
    /// A line of this many bytes per second; `None` is unlimited. A rate of 0 counts as 1.
    pub fn new(rate: Option<u64>) -> Self {
        Self {
            line: Mutex::new(Line {
                rate: rate.map(|rate| rate.max(1)),
                passed: 0.0,
                at: Instant::now(),
                taken: 0.0,
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Another rate holds from now on, also for those who wait.
    pub fn limit(&self, rate: Option<u64>) {
        let mut line = self.line();
        line.advance(Instant::now());
        line.rate = rate.map(|rate| rate.max(1));
        if line.rate.is_none() {
            line.passed = line.taken;
        }
        drop(line);
        self.changed.send_replace(());
    }

    /// How much to ask for at once, so that answers take turns and the line stays smooth. A body
    /// never leaves less than half a piece for its last turn: all would be held up by a sliver.
    pub fn piece(&self, bytes: usize) -> usize {
        let smooth = |rate: u64| {
            usize::try_from(rate / 100)
                .unwrap_or(usize::MAX)
                .clamp(4096, 65536)
        };
        let piece = self.line().rate.map_or(bytes, smooth);
        if bytes <= piece + piece / 2 {
            bytes
        } else {
            piece
        }
    }

    /// Waits until this many bytes may be sent.
    pub async fn pass(&self, bytes: usize) {
        let Some(place) = self.line().take(Instant::now(), bytes) else {
            return;
        };
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let now = Instant::now();
            let start = self.line().start_of(place);
            let Some(start) = start.filter(|start| *start > now + BURST) else {
                return;
            };
            tokio::select! {
                () = sleep_until(start - BURST) => return,
                news = changed.changed() => news.expect("the throttle at hand keeps its sender"),
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().expect("nothing panics while holding it")
    }
}

impl Lane {
    /// Everything passes this.
    pub fn all(all: &Arc<Throttle>) -> Self {
        Self {
            all: Arc::clone(all),
            own: None,
        }
    }

    /// The way for one container.
    pub fn of(all: &Arc<Throttle>, own: &Arc<Throttle>) -> Self {
        Self {
            all: Arc::clone(all),
            own: Some(Arc::clone(own)),
        }
    }

    /// How much to ask for at once: what suits both limits.
    pub(super) fn piece(&self, bytes: usize) -> usize {
        let own = self.own.as_ref().map_or(bytes, |own| own.piece(bytes));
        own.min(self.all.piece(bytes))
    }

    /// Waits until this many bytes may be sent. Whoever waits for a limit of its own takes no place
    /// in the line for all.
    pub(super) async fn pass(&self, bytes: usize) {
        if let Some(own) = &self.own {
            own.pass(bytes).await;
        }
        self.all.pass(bytes).await;
    }
}

impl Line {
    /// Serves those whose time has come.
    fn advance(&mut self, now: Instant) {
        if let Some(rate) = self.rate {
            let served = now.saturating_duration_since(self.at).as_secs_f64() * rate as f64;
            self.passed = (self.passed + served).min(self.taken);
        }
        self.at = now;
    }

    /// The next place, if there is a limit.
    fn take(&mut self, now: Instant, bytes: usize) -> Option<f64> {
        self.rate?;
        self.advance(now);
        let place = self.taken;
        self.taken += bytes as f64;
        Some(place)
    }

    /// When a place's turn comes, if there is a limit.
    fn start_of(&self, place: f64) -> Option<Instant> {
        let rate = self.rate?;
        let wait = (place - self.passed).max(0.0) / rate as f64;
        Some(self.at + Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX / 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_about(took: Duration, ms: u64) -> bool {
        (Duration::from_millis(ms * 97 / 100)..=Duration::from_millis(ms + 10)).contains(&took)
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_over_many_pieces() {
        let throttle = Throttle::new(Some(1_000_000));
        let began = Instant::now();
        for _ in 0..100 {
            throttle.pass(10_000).await;
        }
        assert!(is_about(began.elapsed(), 1000), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_saved_up_while_nobody_sends() {
        let throttle = Throttle::new(Some(1_000_000));
        throttle.pass(10_000).await;
        sleep_until(Instant::now() + Duration::from_secs(100)).await;
        let began = Instant::now();
        for _ in 0..101 {
            throttle.pass(10_000).await;
        }
        assert!(is_about(began.elapsed(), 1000), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn another_rate_holds_for_those_who_wait_already() {
        for (rate, ms) in [
            (Some(1_000_000), 1000 + 1000),
            (None, 1000),
            (Some(500), 3000),
        ] {
            let throttle = Arc::new(Throttle::new(Some(1000)));
            throttle.pass(2000).await;
            let began = Instant::now();
            let waiting = Arc::clone(&throttle);
            let other = tokio::spawn(async move {
                waiting.pass(1_000_000).await;
                waiting.pass(1).await;
            });
            sleep_until(began + Duration::from_secs(1)).await;
            throttle.limit(rate);
            let wait = tokio::time::timeout(Duration::from_secs(60), other).await;
            match rate {
                // 1000 B are left of the first, which take twice as long now; then a million.
                Some(500) => assert!(wait.is_err()),
                _ => assert!(is_about(began.elapsed(), ms), "{:?}", began.elapsed()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn both_limits_of_a_lane_hold_and_others_pass_by() {
        let (all, own) = (
            Arc::new(Throttle::new(Some(100_000))),
            Arc::new(Throttle::new(Some(10_000))),
        );
        let began = Instant::now();
        let slow = Lane::of(&all, &own);
        let slow = tokio::spawn(async move {
            for _ in 0..11 {
                slow.pass(1000).await;
            }
        });
        let fast = Lane::of(&all, &Arc::new(Throttle::new(None)));
        for _ in 0..90 {
            fast.pass(1000).await;
        }
        let took = began.elapsed();
        assert!(took > Duration::from_millis(870), "{took:?}");
        assert!(took < Duration::from_millis(1010), "{took:?}");
        slow.await.unwrap();
        assert!(is_about(began.elapsed(), 1000), "{:?}", began.elapsed());
    }

    #[test]
    fn no_sliver_is_left_for_a_last_turn() {
        let throttle = Throttle::new(Some(3 * 1024 * 1024));
        let chunk = 32 * 1024;
        assert_eq!(
            throttle.piece(chunk),
            chunk,
            "a chunk is one piece and a bit"
        );
        for body in 1..20 * chunk {
            let (first, whole) = (throttle.piece(body), throttle.piece(usize::MAX));
            let rest = body - first;
            assert!(
                rest == 0 || (first == whole && rest > whole / 2),
                "{body}: {rest}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_never_waits() {
        let began = Instant::now();
        Throttle::new(None).pass(usize::MAX).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
