//! How much is acknowledged at once beyond what the bandwidth explains: draft-ietf-ccwg-bbr
//! section 5.5.9. The window grows by it, or it would run dry between acknowledgements.

use std::time::Instant;

use super::rate::Rate;

/// Rounds that a maximum counts, at least; at most twice this (`BBR.ExtraAckedFilterLen` is 10).
const ROUNDS: u64 = 5;

/// The largest excess of the last rounds.
#[derive(Debug, Clone)]
pub(super) struct ExtraAcked {
    began: Instant,
    delivered: u64,
    /// Maxima in bytes, of the span under way and of the one before.
    spans: [u64; 2],
    span_began: u64,
}

impl ExtraAcked {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            delivered: 0,
            spans: [0, 0],
            span_began: 0,
        }
    }

    /// In bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.spans[0].max(self.spans[1])
    }

    /// The flow was idle: nothing was expected (section 5.4.1).
    pub(super) fn on_idle(&mut self, now: Instant) {
        self.began = now;
        self.delivered = 0;
    }

    /// Takes a batch in. In startup, where `is_settled` is not yet, only the last round counts.
    pub(super) fn on_ack(&mut self, now: Instant, bandwidth: Rate, acked: u64, round: Turn) {
        let mut expected = bandwidth.over(now.saturating_duration_since(self.began));
        if self.delivered <= expected {
            self.on_idle(now);
            expected = 0;
        }
        self.delivered += acked;
        let span = if round.is_settled { ROUNDS } else { 1 };
        if round.number >= self.span_began + span {
            self.spans = [0, self.spans[0]];
            self.span_began = round.number;
        }
        let extra = (self.delivered - expected).min(round.cwnd);
        self.spans[0] = self.spans[0].max(extra);
    }
}

/// Where the flow stands when a batch arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// The round's number.
    pub(super) number: u64,
    /// Whether the pipe has been full.
    pub(super) is_settled: bool,
    /// The window, which bounds what can come at once.
    pub(super) cwnd: u64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::congestion::tests::epoch;

    #[test]
    fn a_bunch_counts_for_ten_rounds_at_most() {
        let start = epoch();
        let mut extra = ExtraAcked::new(start);
        let bandwidth = Rate::of(1000, Duration::from_millis(1)).unwrap();
        let turn = |number| Turn {
            number,
            is_settled: true,
            cwnd: 1_000_000,
        };
        for ms in 1..=10u64 {
            let now = start + Duration::from_millis(10 * ms);
            extra.on_ack(now, bandwidth, 10_000, turn(ms));
        }
        assert_eq!(extra.bytes(), 10_000, "ten packets at a time");
        for ms in 112..=151u64 {
            let now = start + Duration::from_millis(ms);
            extra.on_ack(now, bandwidth, 1000, turn(10 + ms / 2));
        }
        assert_eq!(extra.bytes(), 1000);
    }
}
