//! Which losses say that too much is in flight: draft-ietf-ccwg-bbr section 5.5.10.
//!
//! The draft takes a round that lost more than 2 % for congestion. On a line that loses 2 % by
//! itself that is every other round, and a flow that yields to it ends with a fraction of the path.
//! But a buffer that overflows is a full one, and a full buffer shows in the round-trip time. So where
//! packets wait, 2 % more than what the line is known to lose by itself is too much; where they do
//! not, [`TOO_MUCH_ANYWAY`]: high enough for a bad line, low enough to stay within what a policer, or
//! a buffer too small to notice, lets through. This is the one rule here that the draft lacks.

use super::line::Queue;

/// The share of losses in a round that is too much (`BBR.LossThresh`).
const TOO_MUCH: f64 = 0.02;
/// And the share that is too much whatever the line loses by itself.
const TOO_MUCH_ANYWAY: f64 = 0.1;
/// Chance makes a round lose more than the line does on average: this many times as much at most.
const CHANCE: f64 = 2.0;
/// Losses in a round that end startup, at least (`BBRStartupFullLossCnt`).
const STARTUP_EVENTS: u32 = 6;

/// The share of a volume whose loss is too much, where the line loses this share by itself.
pub(super) fn tolerance(queue: Queue, line: f64) -> f64 {
    match queue {
        Queue::Seen => (TOO_MUCH + CHANCE * line).min(TOO_MUCH_ANYWAY),
        Queue::Unseen => TOO_MUCH_ANYWAY,
    }
}

/// Losses of the round under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    /// The round ends with what is sent after its first loss.
    ends_at: u64,
    is_round_start: bool,
    bytes: u64,
    events: u32,
    is_marked: bool,
}

impl Losses {
    /// Whether the last acknowledgement ended a round.
    pub(super) fn is_round_start(&self) -> bool {
        self.is_round_start
    }

    /// Bytes were lost, or none but the path marked packets (RFC 3168).
    pub(super) fn on_lost(&mut self, bytes: u64, delivered: u64) {
        if self.bytes == 0 && !self.is_marked {
            self.ends_at = delivered;
        }
        self.bytes += bytes;
        self.events += 1;
        self.is_marked |= bytes == 0;
    }

    /// Takes in what had been delivered when the newest acknowledged packet was sent, and is now.
    pub(super) fn on_ack(&mut self, prior_delivered: u64, delivered: u64) {
        self.is_round_start = prior_delivered >= self.ends_at;
        if self.is_round_start {
            self.ends_at = delivered;
        }
    }

    /// Forgets the round's losses.
    pub(super) fn reset(&mut self) {
        (self.bytes, self.events, self.is_marked) = (0, 0, false);
    }

    /// Whether the round's losses say that the path carries less than is sent.
    pub(super) fn is_congestion(&self, delivered_in_round: u64, tolerance: f64) -> bool {
        self.is_marked || is_too_much(self.bytes, delivered_in_round + self.bytes, tolerance)
    }

    /// Whether they end startup (section 5.3.1.3).
    pub(super) fn ends_startup(&self, delivered_in_round: u64, tolerance: f64) -> bool {
        self.events >= STARTUP_EVENTS && self.is_congestion(delivered_in_round, tolerance)
    }
}

/// Whether these losses of this volume are too much.
pub(super) fn is_too_much(lost: u64, volume: u64, tolerance: f64) -> bool {
    lost as f64 > volume as f64 * tolerance
}

/// How much was in flight when losses became too much, given what was when the last lost packets
/// left, and the losses with and without them (`InflightAtLoss`, section 5.5.10.2).
pub(super) fn in_flight_at_loss(in_flight: u64, lost: u64, lost_now: u64, tolerance: f64) -> u64 {
    let before = in_flight.saturating_sub(lost_now) as f64;
    let lost_before = lost.saturating_sub(lost_now) as f64;
    let prefix = (tolerance * before - lost_before) / (1.0 - tolerance);
    super::rate::whole(before + prefix.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: f64 = 0.02;
    const PASSING: f64 = 0.1;

    #[test]
    fn a_bad_line_is_expected_and_a_queue_is_not() {
        assert!((tolerance(Queue::Seen, 0.0) - WAITING).abs() < 1e-9);
        assert!((tolerance(Queue::Seen, 0.02) - 0.06).abs() < 1e-9);
        assert!((tolerance(Queue::Seen, 0.3) - PASSING).abs() < 1e-9);
        assert!((tolerance(Queue::Unseen, 0.0) - PASSING).abs() < 1e-9);
    }

    #[test]
    fn a_bad_line_is_no_congestion_until_packets_wait() {
        let mut losses = Losses::default();
        losses.on_ack(0, 0);
        for _ in 0..6 {
            losses.on_lost(1000, 0);
        }
        assert!(!losses.is_congestion(94_000, PASSING));
        assert!(losses.is_congestion(94_000, WAITING));
        assert!(losses.ends_startup(94_000, WAITING));
        assert!(losses.is_congestion(50_000, PASSING), "a policer");
        losses.reset();
        assert!(!losses.is_congestion(94_000, WAITING));
    }

    #[test]
    fn a_mark_is_congestion_whatever_was_lost() {
        let mut losses = Losses::default();
        losses.on_lost(0, 0);
        assert!(losses.is_congestion(94_000, PASSING));
    }

    #[test]
    fn the_volume_at_which_losses_became_too_much_lies_before_the_last() {
        let at = in_flight_at_loss(100_000, 10_000, 10_000, WAITING);
        assert!((90_000..100_000).contains(&at), "{at}");
    }
}
