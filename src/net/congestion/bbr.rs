//! BBR version 3 as draft-ietf-ccwg-bbr-06 has it: the model of the path and the states.
//!
//! This file routes what happens to the parts in the draft's order (section 5.2.3). `cycle.rs` has
//! the steady states, `probe_rtt.rs` the look for the floor, `window.rs` what comes of it all.

use std::time::{Duration, Instant};

use super::aggregation::{ExtraAcked, Turn};
use super::bandwidth::MaxBandwidth;
use super::bounds::{BETA, Bounds};
use super::courtesy::Courtesy;
use super::cycle::Cycle;
use super::full_pipe::FullPipe;
use super::line::{Line, Queue};
use super::losses::{self, Losses};
use super::path::Path;
use super::phase::Phase;
use super::probe_rtt::ProbeRtt;
use super::rate::{Rate, scaled};
use super::round::Rounds;
use super::sampler::{Sample, Sampler};
use super::window::Window;

/// Rounds after which draining is given up (section 5.3.2).
const DRAIN_ROUNDS: u64 = 3;

/// One flow.
#[derive(Debug, Clone)]
pub(super) struct Bbr {
    pub(super) phase: Phase,
    pub(super) sampler: Sampler,
    pub(super) path: Path,
    pub(super) rounds: Rounds,
    pub(super) losses: Losses,
    line: Line,
    pub(super) bandwidth: MaxBandwidth,
    pub(super) pipe: FullPipe,
    pub(super) extra: ExtraAcked,
    pub(super) bounds: Bounds,
    pub(super) cycle: Cycle,
    pub(super) probe_rtt: ProbeRtt,
    pub(super) window: Window,
    /// Where a probe has overflowed a short buffer.
    pub(super) courtesy: Option<Courtesy>,
    drain_began: u64,
}

impl Bbr {
    /// A flow whose datagrams have this many bytes.
    pub(super) fn new(now: Instant, mtu: u16) -> Self {
        Self {
            phase: Phase::Startup,
            sampler: Sampler::new(now),
            path: Path::new(now),
            rounds: Rounds::default(),
            losses: Losses::default(),
            line: Line::default(),
            bandwidth: MaxBandwidth::default(),
            pipe: FullPipe::default(),
            extra: ExtraAcked::new(now),
            bounds: Bounds::default(),
            cycle: Cycle::new(now),
            probe_rtt: ProbeRtt::default(),
            window: Window::new(mtu),
            courtesy: None,
            drain_began: 0,
        }
    }

    /// The bandwidth that the flow goes by now (`BBR.bw`).
    pub(super) fn rate(&self) -> Rate {
        self.bandwidth.rate().min(self.bounds.rate())
    }

    /// The bandwidth-delay product with a gain; the initial window before it is known.
    pub(super) fn product(&self, gain: f64) -> u64 {
        match self.path.min_rtt() {
            Some(min_rtt) => scaled(self.rate().over(min_rtt), gain),
            None => self.window.initial(),
        }
    }

    /// A burst leaves.
    pub(super) fn on_sent(&mut self, now: Instant, bytes: u64) {
        if self.sampler.in_flight() == 0 && self.sampler.is_app_limited() {
            self.on_restart(now);
        }
        self.sampler.on_sent(now, bytes);
        self.window.on_sent(bytes);
    }

    /// A packet is acknowledged.
    pub(super) fn on_ack(&mut self, now: Instant, sent_at: Instant, bytes: u64) {
        self.sampler.on_ack(now, sent_at, bytes);
    }

    /// A batch of acknowledgements is complete.
    pub(super) fn on_end_acks(&mut self, now: Instant, in_flight: u64, is_app_limited: bool) {
        let min_rtt = self.path.min_rtt().unwrap_or(Duration::ZERO);
        let sample = self.sampler.on_end_acks(now, in_flight, min_rtt);
        if is_app_limited || self.phase == Phase::ProbeRtt {
            self.sampler.mark_app_limited();
        }
        if let Some(sample) = sample {
            self.update_model(now, &sample);
            self.update_phase(now, &sample);
            self.finish_round(&sample);
            self.update_window(&sample);
        }
    }

    /// Packets sent up to this instant are lost; none where the path marked some.
    pub(super) fn on_lost(&mut self, now: Instant, sent_at: Instant, bytes: u64) {
        self.window.on_lost(bytes, self.phase);
        self.sampler.on_lost(bytes);
        self.losses.on_lost(bytes, self.sampler.delivered());
        self.line.on_lost(bytes, self.queue());
        if !self.cycle.is_probe_sample() {
            return;
        }
        let Some((burst, lost)) = self.sampler.burst(sent_at) else {
            return;
        };
        let tolerance = self.tolerance();
        if bytes == 0 || losses::is_too_much(lost, burst.in_flight, tolerance) {
            let volume = losses::in_flight_at_loss(burst.in_flight, lost, bytes, tolerance);
            self.on_too_much(now, volume, burst.is_app_limited);
        }
    }

    /// The share of a volume whose loss is too much now.
    pub(super) fn tolerance(&self) -> f64 {
        losses::tolerance(self.queue(), self.line.share())
    }

    /// Whether packets have been waiting at the bottleneck lately.
    fn queue(&self) -> Queue {
        if self.path.has_queue() {
            Queue::Seen
        } else {
            Queue::Unseen
        }
    }

    /// What the flow wants in flight, unless congestion cut its window (`TargetInflight`).
    pub(super) fn target(&self) -> u64 {
        self.product(1.0).min(self.window.cwnd())
    }

    fn update_model(&mut self, now: Instant, sample: &Sample) {
        let (rate, delivered) = (sample.rate.unwrap_or_default(), self.sampler.delivered());
        self.losses.on_ack(sample.prior_delivered, delivered);
        self.line.on_delivered(sample.newly_acked, self.queue());
        self.bounds.on_sample(rate, sample.delivered);
        self.rounds.on_ack(sample.prior_delivered, delivered);
        self.bandwidth.on_sample(rate, sample.is_app_limited);
        if self.losses.is_round_start() {
            self.end_loss_round();
        }
        let turn = Turn {
            number: self.rounds.count(),
            is_settled: self.pipe.was_reached(),
            cwnd: self.window.cwnd(),
        };
        self.extra
            .on_ack(now, self.rate(), sample.newly_acked, turn);
        if self.rounds.is_start() {
            self.cycle.on_round();
            self.give_way();
            self.path.on_round();
            if let (Some(rate), false) = (sample.rate, sample.is_app_limited) {
                self.pipe.on_round(rate);
            }
        }
    }

    /// A round has ended: whether others want what this flow holds.
    fn give_way(&mut self) {
        let courtesy = self.courtesy.filter(|_| self.phase == Phase::Cruise);
        if let Some(courtesy) = courtesy.filter(|_| self.path.has_queue()) {
            self.bounds.set_long(courtesy.give(self.bounds.long()));
        }
    }

    /// Answers a round's losses once (section 5.5.10.3).
    fn end_loss_round(&mut self) {
        let (delivered, tolerance) = (self.bounds.delivered_latest(), self.tolerance());
        if self.phase == Phase::Startup && self.losses.ends_startup(delivered, tolerance) {
            self.pipe.declare_reached();
            self.bounds.set_long(self.product(1.0).max(delivered));
        } else if !self.phase.is_accelerating() && self.losses.is_congestion(delivered, tolerance) {
            self.bounds.lower(self.bandwidth.rate(), self.window.cwnd());
        } else if !self.phase.is_accelerating() {
            self.bounds.relax(self.bandwidth.rate());
        }
        self.losses.reset();
    }

    fn update_phase(&mut self, now: Instant, sample: &Sample) {
        if self.phase == Phase::Startup && self.pipe.was_reached() {
            self.phase = Phase::Drain;
            self.drain_began = self.rounds.count();
        }
        if self.phase == Phase::Drain && self.is_drained() {
            self.start_down(now);
        }
        self.update_cycle(now, sample);
        self.path.on_sample(now, sample, self.sampler.in_flight());
        self.update_probe_rtt(now);
    }

    fn is_drained(&self) -> bool {
        let has_waited = self.rounds.count() > self.drain_began + DRAIN_ROUNDS;
        has_waited || self.sampler.in_flight() <= self.quantized(self.product(1.0))
    }

    fn finish_round(&mut self, sample: &Sample) {
        if self.losses.is_round_start() {
            let rate = sample.rate.unwrap_or_default();
            self.bounds.advance(rate, sample.delivered);
        }
    }

    /// A probe found that too much is in flight (`HandleInflightTooHigh`).
    fn on_too_much(&mut self, now: Instant, in_flight: u64, is_app_limited: bool) {
        self.cycle.on_too_much();
        if !is_app_limited {
            let floor = scaled(self.target(), BETA);
            let long = in_flight.max(floor);
            self.bounds.set_long(long);
            let is_short = self.path.has_short_buffer();
            self.courtesy = is_short.then(|| Courtesy::after(now, long));
        }
        if self.phase == Phase::Up {
            self.start_down(now);
        }
    }

    /// The flow was idle and sends again (section 5.4.1).
    fn on_restart(&mut self, now: Instant) {
        self.probe_rtt.on_restart();
        self.extra.on_idle(now);
        if self.phase == Phase::ProbeRtt {
            self.end_probe_rtt_if_due(now);
        }
    }
}
