//! Round trips counted by packets: draft-ietf-ccwg-bbr section 5.5.1.
//!
//! A round ends when a packet is acknowledged that was sent after the round began.

/// The rounds of a flow.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    count: u64,
    ends_at: u64,
    is_start: bool,
}

impl Rounds {
    /// Rounds so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether the last acknowledgement began a round.
    pub(super) fn is_start(&self) -> bool {
        self.is_start
    }

    /// Begins a round that ends with what is sent from now on.
    pub(super) fn begin(&mut self, delivered: u64) {
        self.ends_at = delivered;
    }

    /// Takes in what had been delivered when the newest acknowledged packet was sent, and is now.
    pub(super) fn on_ack(&mut self, prior_delivered: u64, delivered: u64) {
        self.is_start = prior_delivered >= self.ends_at;
        if self.is_start {
            self.begin(delivered);
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_lasts_until_something_sent_in_it_arrives() {
        let mut rounds = Rounds::default();
        rounds.on_ack(0, 10);
        assert!(rounds.is_start());
        rounds.on_ack(5, 20);
        assert!(!rounds.is_start(), "sent before the round began");
        rounds.on_ack(10, 30);
        assert_eq!((rounds.is_start(), rounds.count()), (true, 2));
    }
}
