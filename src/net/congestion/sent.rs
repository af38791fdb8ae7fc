//! What was true when each burst left: the per-packet state of draft-ietf-ccwg-bbr section 4.1.2.1.2.
//!
//! quinn tells when an acknowledged packet was sent, not which one it was; packets that leave in one
//! call share their instant. So the state is kept once for each instant, in order, which serves as
//! well and takes less room.
//!
//! Invariant: instants rise strictly, and at most [`BURSTS_MAX`] are kept. A burst that was dropped
//! for room costs a sample and nothing else.

use std::collections::VecDeque;
use std::time::Instant;

/// Bursts that are remembered: one every 25 microseconds for 200 ms.
const BURSTS_MAX: usize = 8192;

/// The state of the flow when a burst was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    /// When it was sent (`P.send_time`).
    pub(super) sent_at: Instant,
    /// Bytes delivered by then (`P.delivered`).
    pub(super) delivered: u64,
    /// When the last of them was (`P.delivered_time`).
    pub(super) delivered_at: Instant,
    /// When the first packet of the sampling interval was sent (`P.first_send_time`).
    pub(super) first_sent_at: Instant,
    /// Bytes lost by then (`P.lost`).
    pub(super) lost: u64,
    /// Bytes in flight, this burst included (`P.tx_in_flight`).
    pub(super) in_flight: u64,
    /// Whether the application had left room unused (`P.is_app_limited`).
    pub(super) is_app_limited: bool,
}

/// The bursts that may still be acknowledged.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    bursts: VecDeque<Burst>,
}

impl Sent {
    /// Remembers a burst. One of the same instant as the last joins it.
    pub(super) fn push(&mut self, burst: Burst) {
        match self.bursts.back_mut() {
            Some(last) if last.sent_at >= burst.sent_at => last.in_flight = burst.in_flight,
            _ => {
                if self.bursts.len() == BURSTS_MAX {
                    self.bursts.pop_front();
                }
                self.bursts.push_back(burst);
            }
        }
    }

    /// The burst that was sent at this instant.
    pub(super) fn at(&self, sent_at: Instant) -> Option<Burst> {
        let place = self
            .bursts
            .binary_search_by_key(&sent_at, |burst| burst.sent_at);
        place.ok().map(|place| self.bursts[place])
    }

    /// Forgets the bursts sent before this instant.
    pub(super) fn forget_before(&mut self, instant: Instant) {
        while self.bursts.front().is_some_and(|b| b.sent_at < instant) {
            self.bursts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::congestion::tests::epoch;

    fn burst(at: Instant, in_flight: u64) -> Burst {
        Burst {
            sent_at: at,
            delivered: 0,
            delivered_at: at,
            first_sent_at: at,
            lost: 0,
            in_flight,
            is_app_limited: false,
        }
    }

    #[test]
    fn bursts_of_one_instant_are_one() {
        let (mut sent, start) = (Sent::default(), epoch());
        sent.push(burst(start, 1));
        sent.push(burst(start, 2));
        assert_eq!(sent.bursts.len(), 1);
        assert_eq!(sent.at(start).unwrap().in_flight, 2);
        assert!(sent.at(start + Duration::from_nanos(1)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_the_old_goes_first() {
        let (mut sent, start) = (Sent::default(), epoch());
        for n in 0..2 * BURSTS_MAX as u64 {
            sent.push(burst(start + Duration::from_micros(n), n));
        }
        assert_eq!(sent.bursts.len(), BURSTS_MAX);
        assert!(sent.at(start).is_none());
        let late = start + Duration::from_micros(2 * BURSTS_MAX as u64 - 1);
        sent.forget_before(late);
        assert_eq!(sent.bursts.len(), 1);
    }
}
