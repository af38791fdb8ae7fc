//! What a line loses by itself, for want of a better line and not of room.
//!
//! Losses while no packet waits at the bottleneck are no overflow. Their share, averaged over the
//! last megabytes that were delivered so, is what to expect; only more than that says something
//! about the volume in flight. The draft has no such rule: see `losses.rs`.

/// Whether packets wait at the bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// They do.
    Seen,
    /// Not that it shows.
    Unseen,
}

/// Bytes over which losses are averaged, at least; at most twice as many.
const SPAN: u64 = 1 << 20;

/// Bytes that were delivered and lost without a queue, in the span under way and the one before.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    delivered: [u64; 2],
    lost: [u64; 2],
}

impl Line {
    /// The share that the line loses, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        let lost = (self.lost[0] + self.lost[1]) as f64;
        let delivered = (self.delivered[0] + self.delivered[1]) as f64;
        if delivered > 0.0 {
            lost / (lost + delivered)
        } else {
            0.0
        }
    }

    /// Bytes were delivered.
    pub(super) fn on_delivered(&mut self, bytes: u64, queue: Queue) {
        if queue == Queue::Seen {
            return;
        }
        if self.delivered[0] >= SPAN {
            self.delivered = [0, self.delivered[0]];
            self.lost = [0, self.lost[0]];
        }
        self.delivered[0] += bytes;
    }

    /// Bytes were lost.
    pub(super) fn on_lost(&mut self, bytes: u64, queue: Queue) {
        if queue == Queue::Unseen {
            self.lost[0] += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_lost_without_a_queue_is_the_lines() {
        let mut line = Line::default();
        assert!(line.share() < f64::EPSILON);
        for _ in 0..5000 {
            line.on_delivered(980, Queue::Unseen);
            line.on_lost(20, Queue::Unseen);
            line.on_lost(500, Queue::Seen);
        }
        assert!((line.share() - 0.02).abs() < 1e-3, "{}", line.share());
        for _ in 0..5000 {
            line.on_delivered(1000, Queue::Unseen);
        }
        assert!(line.share() < f64::EPSILON, "the line has become good");
    }
}
