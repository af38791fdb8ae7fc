//! Congestion control: BBR version 3 (draft-ietf-ccwg-bbr-06) for quinn's connections.
//!
//! Loss is no sign of congestion on a long or wireless line; a flow that halves its window for each
//! lost packet, as Cubic does, gets a twentieth of 100 Mbit/s at 50 ms and 1 % loss. BBR measures
//! what the path delivers and how long it takes, and keeps just so much in flight.
//!
//! ```text
//! bbr         the model and the states, in the draft's order
//! cycle       the steady states: down, cruise, refill, up
//! probe_rtt   the look for the floor of the round-trip time
//! window      the window, and how it holds the rate as well
//! sampler     delivery rate samples        sent   what was true when each burst left
//! path        round-trip times             round  round trips counted by packets
//! bandwidth   the highest rate of late     full_pipe  whether more still delivers more
//! aggregation what arrives in a bunch      bounds     what losses have taught
//! losses      which losses mean congestion    line   what the line loses by itself
//! courtesy    what is left to others       phase  states and gains
//! crowd       whose a queue is            rate   rates, times, volumes
//! ```
//!
//! Sans-IO: time comes with each call. Cited sections are those of the draft.

mod aggregation;
mod bandwidth;
mod bbr;
mod bounds;
mod courtesy;
mod crowd;
mod cycle;
mod full_pipe;
mod line;
mod losses;
mod path;
mod phase;
mod probe_rtt;
mod rate;
mod round;
mod sampler;
mod sent;
mod window;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

use bbr::Bbr;

/// Makes a BBR controller for each connection, and for each new path of one.
#[derive(Debug, Clone, Copy, Default)]
pub struct BbrFactory;

impl ControllerFactory for BbrFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Bbr::new(now, current_mtu))
    }
}

impl Controller for Bbr {
    fn on_sent(&mut self, now: Instant, bytes: u64, _last_packet_number: u64) {
        Self::on_sent(self, now, bytes);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, _: bool, _: &RttEstimator) {
        Self::on_ack(self, now, sent, bytes);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, _: Option<u64>) {
        Self::on_end_acks(self, now, in_flight, app_limited);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.on_lost(now, sent, lost_bytes);
        if is_persistent_congestion {
            self.window.collapse();
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.window.set_mtu(new_mtu);
    }

    fn window(&self) -> u64 {
        self.window.bytes()
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = ControllerMetrics::default();
        metrics.congestion_window = self.window.bytes();
        metrics.pacing_rate = Some(self.rate().bytes_per_second().saturating_mul(8));
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.window.initial()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
