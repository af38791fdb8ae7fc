//! What is left to others on a path whose buffer is short. The draft has no such rule.
//!
//! A probe that overflows a buffer costs every flow on it. CUBIC answers with seven tenths of its window and is
//! back after `K` seconds (RFC 9438 section 4.2). Where the buffer is shorter than the path, the draft's probes
//! come every two or three seconds, so that a CUBIC flow never is; and what it gave up is kept by a flow that
//! holds its window between probes. In virtual time over 100 Mbit/s and 50 ms with 256 KiB, a CUBIC flow was left with a
//! quarter of what BBR took. So after a probe that overflowed a short buffer
//!
//! * the next one comes when a CUBIC flow of the same size could be back, and
//! * while packets go on waiting, although this flow sends no more than is delivered, others are there: the
//!   long-term bound gives way by [`GIVE`] each round, down to the seven tenths that the others paid.
//!
//! A flow alone sees no queue then, gives nothing, and only probes less often: what the path has been found to
//! carry is known. Where a buffer is long, CUBIC keeps it full, and giving way would be without end.

use std::time::{Duration, Instant};

use super::bounds::BETA;
use super::rate::scaled;

/// What a round with a queue costs, as a part of the long-term bound.
const GIVE: f64 = 0.02;
/// Bytes of the packets that CUBIC's constants count.
const PACKET: u64 = 1448;
/// Seconds to the power of three in which CUBIC regains a window of one packet: what it gave up over its `C`
/// of 0.4 (RFC 9438 section 4.2).
const SECONDS_CUBED: f64 = (1.0 - BETA) / 0.4;

/// Since the last probe that found too much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Courtesy {
    probes_from: Instant,
    least: u64,
}

impl Courtesy {
    /// A probe was answered with losses at this volume.
    pub(super) fn after(now: Instant, in_flight: u64) -> Self {
        let packets = (in_flight / PACKET) as f64;
        let others_need = Duration::from_secs_f64((SECONDS_CUBED * packets).cbrt());
        Self {
            probes_from: now + others_need,
            least: scaled(in_flight, BETA),
        }
    }

    /// A probe has ended with this long-term bound: what may be given is a part of what is held now.
    pub(super) fn on_probed(&mut self, long: u64) {
        self.least = self.least.max(scaled(long, BETA));
    }

    /// Whether others are still coming back.
    pub(super) fn forbids_a_probe(&self, now: Instant) -> bool {
        now < self.probes_from
    }

    /// The long-term bound after a round in which every packet waited.
    pub(super) fn give(&self, long: u64) -> u64 {
        scaled(long, 1.0 - GIVE).max(self.least).min(long)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::epoch;
    use super::*;

    #[test]
    fn a_cubic_flow_of_the_same_size_can_be_back_before_the_next_probe() {
        let now = epoch();
        // K of 300 packets is the cube root of 225
        let courtesy = Courtesy::after(now, 300 * PACKET);
        assert!(courtesy.forbids_a_probe(now + Duration::from_millis(6080)));
        assert!(!courtesy.forbids_a_probe(now + Duration::from_millis(6085)));
    }

    #[test]
    fn no_more_is_given_than_the_others_paid() {
        let courtesy = Courtesy::after(epoch(), 1_000_000);
        assert_eq!(courtesy.give(1_000_000), 980_000);
        let mut long = 1_000_000;
        for _ in 0..100 {
            long = courtesy.give(long);
        }
        assert_eq!(long, 700_000);
        assert_eq!(courtesy.give(650_000), 650_000, "what is lower stays");
    }

    #[test]
    fn of_a_path_that_has_widened_no_more_is_given_than_of_one_that_was_wide() {
        let mut courtesy = Courtesy::after(epoch(), 1_000_000);
        courtesy.on_probed(2_000_000);
        let mut long = 2_000_000;
        for _ in 0..100 {
            long = courtesy.give(long);
        }
        assert_eq!(long, 1_400_000);
        courtesy.on_probed(1_000_000);
        assert_eq!(courtesy.give(1_400_000), 1_400_000);
    }
}
