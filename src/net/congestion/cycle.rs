//! The steady cycle of probing for bandwidth: draft-ietf-ccwg-bbr section 5.3.3.

use std::time::{Duration, Instant};

use super::bbr::Bbr;
use super::losses;
use super::phase::Phase;
use super::sampler::Sample;

/// How long a cycle waits before it probes, at least; at most half as long again (section 5.3.3.8).
const WAIT: Duration = Duration::from_secs(2);
/// Rounds after which it probes anyway, so that a Reno or CUBIC flow would have grown as much.
const ROUNDS_MAX: u64 = 63;

/// Which acknowledgements come in: those before, during or after a probe (`BBR.ack_phase`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acks {
    Other,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// Where the flow stands in its cycle.
#[derive(Debug, Clone)]
pub(super) struct Cycle {
    began: Instant,
    wait: Duration,
    rounds: u64,
    acks: Acks,
    is_probe_sample: bool,
    was_too_much: bool,
    was_cautious: bool,
}

impl Cycle {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            wait: WAIT,
            rounds: 0,
            acks: Acks::Other,
            is_probe_sample: false,
            was_too_much: false,
            was_cautious: false,
        }
    }

    /// Whether what is acknowledged was sent by a probe that has not been answered yet.
    pub(super) fn is_probe_sample(&self) -> bool {
        self.is_probe_sample
    }

    /// A round trip has passed.
    pub(super) fn on_round(&mut self) {
        self.rounds += 1;
    }

    /// The probe found too much in flight; it is answered once.
    pub(super) fn on_too_much(&mut self) {
        self.was_too_much = true;
        self.is_probe_sample = false;
    }

    /// The probe's last acknowledgements come in.
    pub(super) fn on_stopping(&mut self) {
        self.acks = Acks::ProbeStopping;
    }
}

impl Bbr {
    /// Slows down, for the queue to run off.
    pub(super) fn start_down(&mut self, now: Instant) {
        self.losses.reset();
        self.bounds.reset_latest();
        let chance = chance(self.sampler.delivered(), self.path.stay());
        self.cycle.rounds = chance & 1;
        self.cycle.wait = WAIT + Duration::from_micros(chance % 1_000_000);
        self.cycle.began = now;
        self.cycle.on_stopping();
        self.begin_round();
        self.phase = Phase::Down;
    }

    /// Moves the cycle on (`UpdateProbeBWCyclePhase`).
    pub(super) fn update_cycle(&mut self, now: Instant, sample: &Sample) {
        if !self.pipe.was_reached() || self.adapt_long_term(sample) {
            return;
        }
        match self.phase {
            Phase::Down if self.is_time_to_probe(now) => self.start_refill(),
            Phase::Down if self.is_time_to_cruise() => self.phase = Phase::Cruise,
            Phase::Cruise if self.is_time_to_probe(now) => self.start_refill(),
            Phase::Refill if self.rounds.is_start() => {
                self.cycle.is_probe_sample = true;
                self.start_up(sample);
            }
            Phase::Up => {
                if self.is_time_to_go_down(sample) {
                    self.cycle.was_too_much = false;
                    self.start_down(now);
                }
            }
            Phase::Startup
            | Phase::Drain
            | Phase::Down
            | Phase::Cruise
            | Phase::Refill
            | Phase::ProbeRtt => (),
        }
    }

    fn start_refill(&mut self) {
        self.bounds.reset_short();
        self.cycle.was_cautious = false;
        self.cycle.acks = Acks::Refilling;
        self.begin_round();
        self.phase = Phase::Refill;
    }

    fn start_up(&mut self, sample: &Sample) {
        self.cycle.acks = Acks::ProbeStarting;
        self.begin_round();
        self.pipe.restart(sample.rate.unwrap_or_default());
        self.bounds
            .begin_climb(self.window.cwnd(), self.window.mtu());
        self.phase = Phase::Up;
    }

    pub(super) fn begin_round(&mut self) {
        self.rounds.begin(self.sampler.delivered());
    }

    /// Follows the acknowledgements of a probe (`AdaptLongTermModel`); whether that decided.
    fn adapt_long_term(&mut self, sample: &Sample) -> bool {
        if self.rounds.is_start() {
            match self.cycle.acks {
                Acks::ProbeStarting => self.cycle.acks = Acks::ProbeFeedback,
                Acks::ProbeStopping => {
                    if self.end_feedback(sample) {
                        return true;
                    }
                }
                Acks::Other | Acks::Refilling | Acks::ProbeFeedback => (),
            }
        }
        let is_too_much = losses::is_too_much(sample.lost, sample.sent_in_flight, self.tolerance());
        if !is_too_much && self.bounds.long() < u64::MAX {
            self.bounds.on_safe(sample.sent_in_flight);
            if self.phase == Phase::Up {
                self.climb(sample);
            }
        }
        false
    }

    /// All that the probe sent has been answered; whether the next probe begins at once.
    fn end_feedback(&mut self, sample: &Sample) -> bool {
        self.cycle.is_probe_sample = false;
        self.cycle.acks = Acks::Other;
        if !self.phase.is_cycle() {
            return false;
        }
        if !sample.is_app_limited {
            self.bandwidth.advance();
        }
        if let Some(courtesy) = &mut self.courtesy {
            courtesy.on_probed(self.bounds.long());
        }
        let goes_on = self.cycle.was_cautious && !self.cycle.was_too_much;
        if goes_on {
            self.start_refill();
        }
        goes_on
    }

    fn climb(&mut self, sample: &Sample) {
        let (cwnd, mtu) = (self.window.cwnd(), self.window.mtu());
        if !self.window.is_bound_by_cwnd() || cwnd < self.bounds.long() {
            return;
        }
        self.bounds.climb(sample.newly_acked, mtu);
        if self.rounds.is_start() {
            self.bounds.steepen(cwnd, mtu);
        }
    }

    fn is_time_to_cruise(&self) -> bool {
        let in_flight = self.sampler.in_flight();
        in_flight <= self.bounds.long_with_headroom()
            && in_flight <= self.quantized(self.product(1.0))
    }

    fn is_time_to_probe(&self, now: Instant) -> bool {
        if self.courtesy.is_some_and(|it| it.forbids_a_probe(now)) {
            return false;
        }
        let packets = self.target() / self.window.mtu();
        now > self.cycle.began + self.cycle.wait || self.cycle.rounds >= packets.min(ROUNDS_MAX)
    }

    /// Section 5.3.3.7.
    fn is_time_to_go_down(&mut self, sample: &Sample) -> bool {
        if self.cycle.was_too_much && self.sampler.in_flight() >= self.bounds.long() {
            self.cycle.was_cautious = true;
            return true;
        }
        if self.window.is_bound_by_cwnd() && self.window.cwnd() >= self.bounds.long() {
            self.pipe.restart(sample.rate.unwrap_or_default());
            return false;
        }
        self.pipe.is_full_now()
    }
}

/// Chance enough to keep flows from probing in step: what each of them has measured differs.
fn chance(delivered: u64, stay: Duration) -> u64 {
    let seed = delivered ^ u64::from(stay.subsec_nanos()).rotate_left(32);
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}
