//! The look for the floor of the round-trip time: draft-ietf-ccwg-bbr section 5.3.4.
//!
//! A flow that keeps the path full never sees it empty. Where five seconds have not, it keeps half
//! a bandwidth-delay product in flight for 200 ms and a round.
//!
//! The draft looks whenever five seconds are over. Here a probe for bandwidth is not cut short: where another flow
//! keeps a queue of half a second, a probe needs longer than that to climb, and one that is cut short each time
//! leaves its flow with a tenth of the path for a minute.

use std::time::{Duration, Instant};

use super::bbr::Bbr;
use super::phase::Phase;

/// How long the look lasts, at least (`BBR.ProbeRTTDuration`).
const DURATION: Duration = Duration::from_millis(200);

/// A look under way.
#[derive(Debug, Clone, Default)]
pub(super) struct ProbeRtt {
    /// When it may end; nothing while too much is still in flight.
    ends_at: Option<Instant>,
    has_seen_round: bool,
    is_restart: bool,
    /// One is due, and begins when a probe for bandwidth has ended.
    is_wanted: bool,
}

impl ProbeRtt {
    /// The flow was idle: the path was seen empty without a look.
    pub(super) fn on_restart(&mut self) {
        self.is_restart = true;
        self.is_wanted = false;
    }
}

impl Bbr {
    /// Begins, continues or ends a look (`CheckProbeRTT`).
    pub(super) fn update_probe_rtt(&mut self, now: Instant) {
        self.probe_rtt.is_wanted |= self.path.is_probe_due() && !self.probe_rtt.is_restart;
        let may_begin = !matches!(self.phase, Phase::ProbeRtt | Phase::Refill | Phase::Up);
        if may_begin && self.probe_rtt.is_wanted {
            self.probe_rtt.is_wanted = false;
            self.phase = Phase::ProbeRtt;
            self.window.save();
            self.probe_rtt.ends_at = None;
            self.cycle.on_stopping();
            self.begin_round();
        }
        if self.phase == Phase::ProbeRtt {
            self.look(now);
        }
        self.probe_rtt.is_restart = false;
    }

    /// Ends a look whose time is over (`CheckProbeRTTDone`).
    pub(super) fn end_probe_rtt_if_due(&mut self, now: Instant) {
        if self.probe_rtt.ends_at.is_none_or(|at| now <= at) {
            return;
        }
        self.path.on_probed(now);
        self.window.restore();
        self.bounds.reset_short();
        if self.pipe.was_reached() {
            self.start_down(now);
            self.phase = Phase::Cruise;
        } else {
            self.phase = Phase::Startup;
        }
    }

    fn look(&mut self, now: Instant) {
        if self.probe_rtt.ends_at.is_none() {
            if self.sampler.in_flight() <= self.probe_rtt_window() {
                self.probe_rtt.ends_at = Some(now + DURATION);
                self.probe_rtt.has_seen_round = false;
                self.begin_round();
            }
            return;
        }
        self.probe_rtt.has_seen_round |= self.rounds.is_start();
        if self.probe_rtt.has_seen_round {
            self.end_probe_rtt_if_due(now);
        }
    }
}
