//! An upload limit that many answers share, in turn.
//!
//! The generic cell rate algorithm (ITU-T I.371): each piece moves the moment at which the line is
//! free again, and waits until that moment is near. Nothing ticks while nothing is sent.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// How far the line may run ahead of its rate: short enough to be smooth, long enough for timers.
const BURST: Duration = Duration::from_millis(10);

/// A limit in bytes per second, or none.
#[derive(Debug)]
pub struct Throttle {
    rate: Option<u64>,
    free_at: Mutex<Option<Instant>>,
}

impl Throttle {
    /// A line of this many bytes per second; `None` is unlimited. A rate of 0 counts as 1.
    pub fn new(rate: Option<u64>) -> Self {
        Self {
            rate: rate.map(|rate| rate.max(1)),
            free_at: Mutex::new(None),
        }
    }

    /// How much to ask for at once, so that answers take turns and the line stays smooth. A body
    /// never leaves less than half a piece for its last turn: all would be held up by a sliver.
    pub fn piece(&self, bytes: usize) -> usize {
        let smooth = |rate: u64| {
            usize::try_from(rate / 100)
                .unwrap_or(usize::MAX)
                .clamp(4096, 65536)
        };
        let piece = self.rate.map_or(bytes, smooth);
        if bytes <= piece + piece / 2 {
            bytes
        } else {
            piece
        }
    }

    /// Waits until this many bytes may be sent.
    pub async fn pass(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let cost = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let now = Instant::now();
        let start = {
            let mut free_at = self
                .free_at
                .lock()
                .expect("nothing panics while holding it");
            let start = free_at.map_or(now, |at| at.max(now));
            *free_at = Some(start + cost);
            start
        };
        if start > now + BURST {
            tokio::time::sleep_until(start - BURST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_over_many_pieces() {
        let throttle = Throttle::new(Some(1_000_000));
        let began = Instant::now();
        for _ in 0..100 {
            throttle.pass(10_000).await;
        }
        let took = began.elapsed();
        assert!(
            (Duration::from_millis(970)..=Duration::from_millis(1010)).contains(&took),
            "{took:?}"
        );
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
