//! Delivery rate samples: draft-ietf-ccwg-bbr section 4.1.
//!
//! Every burst remembers how much had been delivered when it left; its acknowledgement gives a rate
//! over that span, the lower of how fast the span was sent and how fast it was acknowledged, so that
//! acknowledgements which arrive in a bunch do not pass for bandwidth (section 4.1.1.2.4).
//!
//! quinn's part of it: `on_sent` with each burst, `on_ack` with each packet, then the end of the
//! batch with the bytes still in flight, and losses after that.

use std::time::{Duration, Instant};

use super::rate::Rate;
use super::sent::{Burst, Sent};

/// How long beyond the newest acknowledged burst older ones are remembered: far beyond the time
/// after which quinn gives a packet up for lost (RFC 9002 section 6.1.2).
const REORDERING: Duration = Duration::from_millis(500);

/// What one batch of acknowledgements says (`RS` of the draft).
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// The delivery rate; nothing where the span was too short to tell.
    pub(super) rate: Option<Rate>,
    /// Bytes delivered in the sample's span.
    pub(super) delivered: u64,
    /// Bytes delivered before the newest acknowledged packet was sent.
    pub(super) prior_delivered: u64,
    /// Bytes acknowledged by this batch.
    pub(super) newly_acked: u64,
    /// Bytes lost since the newest acknowledged packet was sent.
    pub(super) lost: u64,
    /// Bytes in flight when it was sent.
    pub(super) sent_in_flight: u64,
    /// Whether the application held the rate down.
    pub(super) is_app_limited: bool,
    /// The round-trip time of the newest acknowledged packet (section 5.5.7.1).
    pub(super) rtt: Duration,
    /// How long the acknowledged bytes were in flight, on average.
    pub(super) stay: Duration,
}

/// The connection's side of the samples (`C` of the draft).
#[derive(Debug, Clone)]
pub(super) struct Sampler {
    sent: Sent,
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    lost: u64,
    in_flight: u64,
    /// Samples of packets sent until this much is delivered are limited by the application.
    app_limited_until: Option<u64>,
    batch: Batch,
}

/// The acknowledgements of one batch so far.
#[derive(Debug, Clone, Default)]
struct Batch {
    newest: Option<Burst>,
    bytes: u64,
    /// Bytes times nanoseconds in flight.
    stays: u128,
}

impl Sampler {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            sent: Sent::default(),
            delivered: 0,
            delivered_at: now,
            first_sent_at: now,
            lost: 0,
            in_flight: 0,
            app_limited_until: None,
            batch: Batch::default(),
        }
    }

    /// Bytes delivered so far.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Bytes in flight, as far as is known.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether samples are limited by the application for now.
    pub(super) fn is_app_limited(&self) -> bool {
        self.app_limited_until.is_some()
    }

    /// The state when a packet sent at this instant left, and the bytes lost since.
    pub(super) fn burst(&self, sent_at: Instant) -> Option<(Burst, u64)> {
        let burst = self.sent.at(sent_at)?;
        Some((burst, self.lost - burst.lost))
    }

    /// A burst leaves (section 4.1.2.2).
    pub(super) fn on_sent(&mut self, now: Instant, bytes: u64) {
        if self.in_flight == 0 {
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        self.in_flight += bytes;
        self.sent.push(Burst {
            sent_at: now,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            lost: self.lost,
            in_flight: self.in_flight,
            is_app_limited: self.app_limited_until.is_some(),
        });
    }

    /// A packet is acknowledged (section 4.1.2.3).
    pub(super) fn on_ack(&mut self, now: Instant, sent_at: Instant, bytes: u64) {
        self.delivered += bytes;
        self.delivered_at = now;
        self.batch.bytes += bytes;
        let stay = now.saturating_duration_since(sent_at).as_nanos();
        self.batch.stays += stay * u128::from(bytes);
        let is_newer = |newest: Burst| newest.sent_at <= sent_at;
        if self.batch.newest.is_none_or(is_newer)
            && let Some(burst) = self.sent.at(sent_at)
        {
            self.batch.newest = Some(burst);
        }
    }

    /// The batch is complete, and this much is still in flight. Nothing where no packet of the
    /// batch is one that we know.
    pub(super) fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        min_rtt: Duration,
    ) -> Option<Sample> {
        self.in_flight = in_flight;
        let batch = std::mem::take(&mut self.batch);
        if self.app_limited_until.is_some_and(|at| self.delivered > at) {
            self.app_limited_until = None;
        }
        let newest = batch.newest?;
        self.first_sent_at = newest.sent_at;
        self.sent
            .forget_before(newest.sent_at.checked_sub(REORDERING)?);
        let stay = batch.stays / u128::from(batch.bytes.max(1));
        let delivered = self.delivered - newest.delivered;
        Some(Sample {
            rate: rate(&newest, delivered, self.delivered_at, min_rtt),
            delivered,
            prior_delivered: newest.delivered,
            newly_acked: batch.bytes,
            lost: self.lost - newest.lost,
            sent_in_flight: newest.in_flight,
            is_app_limited: newest.is_app_limited,
            rtt: now.saturating_duration_since(newest.sent_at),
            stay: Duration::from_nanos(u64::try_from(stay).unwrap_or(u64::MAX)),
        })
    }

    /// Packets are lost.
    pub(super) fn on_lost(&mut self, bytes: u64) {
        self.lost += bytes;
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }

    /// There is nothing to send (section 4.1.2.4): what is in flight now shows no full pipe.
    pub(super) fn mark_app_limited(&mut self) {
        self.app_limited_until = Some((self.delivered + self.in_flight).max(1));
    }
}

/// Section 4.1.1.2.4. Spans shorter than the path itself say nothing (section 4.1.2.3).
fn rate(newest: &Burst, delivered: u64, delivered_at: Instant, min_rtt: Duration) -> Option<Rate> {
    let sending = newest
        .sent_at
        .saturating_duration_since(newest.first_sent_at);
    let acking = delivered_at.saturating_duration_since(newest.delivered_at);
    let span = sending.max(acking);
    if span < min_rtt {
        return None;
    }
    Rate::of(delivered, span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::congestion::tests::epoch;

    const RTT: Duration = Duration::from_millis(50);

    /// Sends `count` packets of 1000 bytes at this spacing and acknowledges each after one RTT.
    fn steady(sampler: &mut Sampler, start: Instant, spacing: Duration, count: u32) -> Sample {
        let rtts = u32::try_from(RTT.as_nanos() / spacing.as_nanos()).unwrap();
        let mut last = None;
        for n in 0..count + rtts {
            let now = start + spacing * n;
            if n >= rtts {
                sampler.on_ack(now, now - RTT, 1000);
                last = sampler.on_end_acks(now, u64::from(rtts - 1) * 1000, RTT);
            }
            sampler.on_sent(now, 1000);
        }
        last.unwrap()
    }

    #[test]
    fn a_steady_flow_is_measured_exactly() {
        let start = epoch();
        let mut sampler = Sampler::new(start);
        let sample = steady(&mut sampler, start, Duration::from_millis(1), 200);
        assert_eq!(sample.rate.unwrap().bytes_per_second(), 1_000_000);
        assert_eq!((sample.rtt, sample.stay), (RTT, RTT));
        assert!(!sample.is_app_limited);
    }

    #[test]
    fn acknowledgements_in_a_bunch_do_not_pass_for_bandwidth() {
        let start = epoch();
        let mut sampler = Sampler::new(start);
        for n in 0..50 {
            sampler.on_sent(start + Duration::from_millis(n), 1000);
        }
        let now = start + Duration::from_millis(100);
        for n in 0..50 {
            sampler.on_ack(now, start + Duration::from_millis(n), 1000);
        }
        let sample = sampler.on_end_acks(now, 0, RTT).unwrap();
        assert_eq!(sample.rate.unwrap().bytes_per_second(), 500_000);
    }

    #[test]
    fn an_idle_application_marks_what_is_in_flight() {
        let start = epoch();
        let mut sampler = Sampler::new(start);
        sampler.on_sent(start, 1000);
        sampler.mark_app_limited();
        let later = start + Duration::from_millis(1);
        sampler.on_sent(later, 1000);
        sampler.on_ack(start + RTT, start, 1000);
        let first = sampler.on_end_acks(start + RTT, 1000, RTT).unwrap();
        assert!(!first.is_app_limited, "sent before the idleness");
        sampler.on_ack(later + RTT, later, 1000);
        let second = sampler.on_end_acks(later + RTT, 0, RTT).unwrap();
        assert!(second.is_app_limited);
        assert!(!sampler.is_app_limited(), "all that was in flight arrived");
    }

    #[test]
    fn losses_since_a_packet_left_are_counted_with_it() {
        let start = epoch();
        let mut sampler = Sampler::new(start);
        sampler.on_sent(start, 3000);
        sampler.on_lost(1000);
        let (burst, lost) = sampler.burst(start).unwrap();
        assert_eq!((burst.in_flight, lost), (3000, 1000));
        assert_eq!(sampler.in_flight(), 2000);
    }
}
