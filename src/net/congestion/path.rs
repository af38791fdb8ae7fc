//! The path's round-trip time: its floor, and what stands above it now.
//!
//! * `min_rtt`, the lowest of the last ten seconds, and when it wants a fresh look
//!   (draft-ietf-ccwg-bbr sections 5.3.4.3 and 5.5.7.2).
//! * `stay`, how long bytes are in flight on average now. A flow that sends at rate `r` has
//!   `r * stay` bytes in flight (Little's law), which is how a window paces: see `window.rs`.
//! * whether the path shows a queue, which tells losses of a full buffer from those of a bad line:
//!   see `losses.rs`.

use std::time::{Duration, Instant};

use super::crowd::Crowd;
use super::sampler::Sample;

/// How long a minimum counts (`BBR.MinRTTFilterLen`).
const MIN_RTT_SPAN: Duration = Duration::from_secs(10);
/// How often it is looked at afresh (`BBR.ProbeRTTInterval`).
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// A sample that is above the floor by no more than this part of it sees the floor again, and no
/// look for it is needed: a flow alone on its path, whose window holds no queue, needs none at all.
const FLOOR_PART: u32 = 32;
/// A queue is what raises the round-trip time by a part of its floor, within these bounds: less is
/// noise of timers, and more than 5 ms is a queue on any path.
const QUEUE_MIN: Duration = Duration::from_millis(1);
const QUEUE_MAX: Duration = Duration::from_millis(5);
/// That part, as a divisor.
const QUEUE_PART: u32 = 8;
/// Round-trip times of one path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    min_rtt: Option<Duration>,
    min_rtt_at: Instant,
    probe_min: Option<Duration>,
    probe_min_at: Instant,
    is_probe_due: bool,
    stay: Duration,
    /// The lowest of the round under way, and of the one before.
    lowest: [Option<Duration>; 2],
    crowd: Crowd,
}

impl Path {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            min_rtt: None,
            min_rtt_at: now,
            probe_min: None,
            probe_min_at: now,
            is_probe_due: false,
            stay: Duration::ZERO,
            lowest: [None; 2],
            crowd: Crowd::new(now),
        }
    }

    /// The floor; nothing before the first sample.
    pub(super) fn min_rtt(&self) -> Option<Duration> {
        self.min_rtt
    }

    /// How long bytes are in flight on average now.
    pub(super) fn stay(&self) -> Duration {
        self.stay
    }

    /// Whether the floor has not been seen for [`PROBE_INTERVAL`].
    pub(super) fn is_probe_due(&self) -> bool {
        self.is_probe_due
    }

    /// The floor has just been looked at.
    pub(super) fn on_probed(&mut self, now: Instant) {
        self.probe_min_at = now;
        self.is_probe_due = false;
    }

    /// Whether every packet of the last round and of this one has waited at the bottleneck. One
    /// that did not is enough: a host that is busy delays many, but not all.
    pub(super) fn has_queue(&self) -> bool {
        let Some(floor) = self.min_rtt else {
            return false;
        };
        let above = (floor / QUEUE_PART).clamp(QUEUE_MIN, QUEUE_MAX);
        self.lowest
            .iter()
            .all(|lowest| lowest.is_none_or(|rtt| rtt > floor + above))
    }

    /// Whether the buffer, which is full now, is shorter than half the path: CUBIC's window, cut to seven
    /// tenths, no longer fills the path then. One of less than 5 ms does not count: a host that is woken late
    /// overflows it alone.
    pub(super) fn has_short_buffer(&self) -> bool {
        let (Some(empty), Some(lowest)) = (self.crowd.empty(), self.lowest()) else {
            return false;
        };
        (empty + QUEUE_MAX..empty + empty / 2).contains(&lowest)
    }

    /// How much of the queue must be others', 0 to 1: see `crowd.rs`.
    pub(super) fn crowd(&self) -> f64 {
        self.crowd.degree(self.lowest())
    }

    fn lowest(&self) -> Option<Duration> {
        self.lowest.iter().flatten().min().copied()
    }

    /// A round trip begins.
    pub(super) fn on_round(&mut self) {
        self.lowest = [None, self.lowest[0]];
    }

    /// Takes a sample in (section 5.3.4.3). `in_flight` says how much of a round it stands for.
    pub(super) fn on_sample(&mut self, now: Instant, sample: &Sample, in_flight: u64) {
        self.is_probe_due = now > self.probe_min_at + PROBE_INTERVAL;
        match self.probe_min {
            Some(min) if !self.is_probe_due && sample.rtt >= min => {
                if sample.rtt <= min + min / FLOOR_PART {
                    self.probe_min_at = now;
                }
            }
            _ => {
                self.probe_min = Some(sample.rtt);
                self.probe_min_at = now;
            }
        }
        let is_old = now > self.min_rtt_at + MIN_RTT_SPAN;
        if is_old || self.min_rtt.is_none_or(|min| self.probe_min < Some(min)) {
            self.min_rtt = self.probe_min;
            self.min_rtt_at = self.probe_min_at;
        }
        let lowest = self.lowest[0].map_or(sample.rtt, |low| low.min(sample.rtt));
        self.lowest[0] = Some(lowest);
        self.crowd.on_sample(now, sample.rtt);
        self.average(sample, in_flight);
    }

    /// Smooths the stay over about one round.
    fn average(&mut self, sample: &Sample, in_flight: u64) {
        if self.stay.is_zero() {
            self.stay = sample.stay;
            return;
        }
        let round = (in_flight + sample.newly_acked).max(1);
        let weight = sample.newly_acked as f64 / round as f64;
        let (old, new) = (self.stay.as_secs_f64(), sample.stay.as_secs_f64());
        self.stay = Duration::from_secs_f64(old + (new - old) * weight);
    }
}
