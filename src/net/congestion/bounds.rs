//! What losses have taught about the path: draft-ietf-ccwg-bbr section 3.4.2.
//!
//! The long-term bound is the volume at which a probe lost too much; probes raise it again. The
//! short-term bounds follow what is delivered while others press, and last until the next probe.
//!
//! The draft keeps the short-term bounds as they are until then. Here each round without congestion
//! raises them by [`RELAX`]: a host that was busy for a few milliseconds sends a burst, a shallow
//! buffer drops a part of it, and at 1 Gbit/s and 10 ms a flow would pay for that with a third of its
//! rate for the sixty round trips that remain until the probe.

use super::rate::{Rate, scaled};

/// What remains of a bound after a round of congestion, at least (`BBR.Beta`).
pub(super) const BETA: f64 = 0.7;
/// By how much a round without congestion raises the short-term bounds: back in eleven rounds.
const RELAX: f64 = 1.0 / 32.0;
/// The part of the long-term bound that is left to others while cruising (`BBR.Headroom`).
const HEADROOM: f64 = 0.15;
/// Rounds after which a probe's growth doubles no more.
const DOUBLINGS_MAX: u32 = 30;

/// The bounds, each unbounded until losses set it.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    rate_short: Rate,
    in_flight_short: u64,
    in_flight_long: u64,
    rate_latest: Rate,
    delivered_latest: u64,
    climb: Climb,
}

/// How fast a probe raises the long-term bound: one packet for so many acknowledged bytes.
#[derive(Debug, Clone, Default)]
struct Climb {
    rounds: u32,
    acked: u64,
    bytes_per_packet: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            rate_short: Rate::UNBOUNDED,
            in_flight_short: u64::MAX,
            in_flight_long: u64::MAX,
            rate_latest: Rate::default(),
            delivered_latest: 0,
            climb: Climb::default(),
        }
    }
}

impl Bounds {
    /// The bound on the rate.
    pub(super) fn rate(&self) -> Rate {
        self.rate_short
    }

    /// The volume that probes found to be too much, or `u64::MAX`.
    pub(super) fn long(&self) -> u64 {
        self.in_flight_long
    }

    /// The short-term bound on the volume, or `u64::MAX`.
    pub(super) fn short(&self) -> u64 {
        self.in_flight_short
    }

    /// The long-term bound less what is left to others.
    pub(super) fn long_with_headroom(&self) -> u64 {
        scaled(self.in_flight_long, 1.0 - HEADROOM)
    }

    /// Bytes delivered in the last round trip, at most.
    pub(super) fn delivered_latest(&self) -> u64 {
        self.delivered_latest
    }

    /// Takes a sample in (`UpdateLatestDeliverySignals`).
    pub(super) fn on_sample(&mut self, rate: Rate, delivered: u64) {
        self.rate_latest = self.rate_latest.max(rate);
        self.delivered_latest = self.delivered_latest.max(delivered);
    }

    /// A loss round has ended: the latest signals begin with its last sample.
    pub(super) fn advance(&mut self, rate: Rate, delivered: u64) {
        (self.rate_latest, self.delivered_latest) = (rate, delivered);
    }

    /// Forgets the latest signals.
    pub(super) fn reset_latest(&mut self) {
        self.advance(Rate::default(), 0);
    }

    /// A round was congested while nothing was probed (`AdaptLowerBoundsFromCongestion`).
    pub(super) fn lower(&mut self, bandwidth: Rate, cwnd: u64) {
        if self.rate_short == Rate::UNBOUNDED {
            self.rate_short = bandwidth;
        }
        if self.in_flight_short == u64::MAX {
            self.in_flight_short = cwnd;
        }
        self.rate_short = self.rate_latest.max(self.rate_short.scaled(BETA));
        self.in_flight_short = self
            .delivered_latest
            .max(scaled(self.in_flight_short, BETA));
    }

    /// A round without congestion while nothing was probed: the short-term bounds give a little way.
    pub(super) fn relax(&mut self, bandwidth: Rate) {
        if self.rate_short != Rate::UNBOUNDED {
            self.rate_short = self.rate_short.scaled(1.0 + RELAX);
            if self.rate_short >= bandwidth {
                self.rate_short = Rate::UNBOUNDED;
            }
        }
        self.in_flight_short = scaled(self.in_flight_short, 1.0 + RELAX);
        if self.in_flight_short >= self.in_flight_long {
            self.in_flight_short = u64::MAX;
        }
    }

    /// Forgets the short-term bounds (`ResetShortTermModel`).
    pub(super) fn reset_short(&mut self) {
        self.rate_short = Rate::UNBOUNDED;
        self.in_flight_short = u64::MAX;
    }

    /// A probe found this volume to be too much.
    pub(super) fn set_long(&mut self, in_flight: u64) {
        self.in_flight_long = in_flight;
    }

    /// This volume passed without too much loss.
    pub(super) fn on_safe(&mut self, in_flight: u64) {
        self.in_flight_long = self.in_flight_long.max(in_flight);
    }

    /// A probe sets out to climb, slowly at first (`RaiseInflightLongtermSlope`).
    pub(super) fn begin_climb(&mut self, cwnd: u64, mtu: u64) {
        self.climb = Climb::default();
        self.steepen(cwnd, mtu);
    }

    /// A probe that fills the bound raises it (`ProbeInflightLongtermUpward`).
    pub(super) fn climb(&mut self, acked: u64, mtu: u64) {
        self.climb.acked += acked;
        let packets = self.climb.acked / self.climb.bytes_per_packet.max(1);
        self.climb.acked -= packets * self.climb.bytes_per_packet;
        self.in_flight_long = self.in_flight_long.saturating_add(packets * mtu);
    }

    /// Each round of a probe climbs twice as fast as the one before.
    pub(super) fn steepen(&mut self, cwnd: u64, mtu: u64) {
        let packets = 1u64 << self.climb.rounds;
        self.climb.rounds = (self.climb.rounds + 1).min(DOUBLINGS_MAX);
        self.climb.bytes_per_packet = (cwnd / packets).max(mtu);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate(bytes: u64) -> Rate {
        Rate::of(bytes, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn congestion_lowers_the_short_term_and_a_probe_forgets_it() {
        let mut bounds = Bounds::default();
        bounds.on_sample(rate(900), 90);
        bounds.lower(rate(1000), 100);
        assert_eq!((bounds.rate(), bounds.short()), (rate(900), 90));
        bounds.advance(rate(100), 10);
        bounds.lower(rate(1000), 100);
        assert_eq!(
            bounds.rate(),
            rate(630),
            "no more than three tenths a round"
        );
        assert_eq!(bounds.short(), 62);
        bounds.reset_short();
        assert_eq!(bounds.short(), u64::MAX);
    }

    #[test]
    fn rounds_without_congestion_forget_the_short_term_bit_by_bit() {
        let mut bounds = Bounds::default();
        bounds.set_long(100_000);
        bounds.on_sample(rate(500), 50_000);
        bounds.lower(rate(1000), 100_000);
        assert_eq!((bounds.rate(), bounds.short()), (rate(700), 70_000));
        bounds.relax(rate(1000));
        assert_eq!((bounds.rate(), bounds.short()), (rate(721), 72_187));
        for _ in 0..11 {
            bounds.relax(rate(1000));
        }
        assert_eq!((bounds.rate(), bounds.short()), (Rate::UNBOUNDED, u64::MAX));
    }

    #[test]
    fn a_climb_doubles_with_each_round() {
        let mut bounds = Bounds::default();
        bounds.set_long(100_000);
        bounds.begin_climb(100_000, 1000);
        let mut heights = Vec::new();
        for _ in 0..4 {
            bounds.climb(100_000, 1000);
            heights.push(bounds.long());
            bounds.steepen(100_000, 1000);
        }
        assert_eq!(heights, [101_000, 103_000, 107_000, 115_000]);
    }
}
