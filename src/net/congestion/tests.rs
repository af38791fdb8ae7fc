//! Tests of the whole controller on a small link in virtual time; those of its parts stand with them.
//!
//! The sender is quinn's in what matters here: it keeps less than the window in flight, paces at 1.25
//! windows in a round trip, takes a packet for lost when three later ones have arrived, and hears of
//! every twentieth packet or after 5 ms. Chance comes from a seed.

mod rival;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::bbr::Bbr;
use rival::Rival;

/// Bytes of a packet.
const PACKET: u64 = 1452;
/// One step of the model.
const STEP: Duration = Duration::from_micros(50);

/// Where a test's time begins.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to an Instant, and no test asks how far it is from another"
)]
pub(super) fn epoch() -> Instant {
    Instant::now()
}

/// A packet that has been sent: when, and when its acknowledgement is due if it arrives.
#[derive(Clone, Copy)]
struct Packet {
    sent_at: Instant,
    arrives_at: Option<Instant>,
}

/// One flow on one link.
struct Model {
    flow: Bbr,
    start: Instant,
    now: Instant,
    /// Bytes per second.
    rate: f64,
    rtt: Duration,
    buffer: Duration,
    loss: f64,
    chance: u64,
    link_free_at: Instant,
    in_flight: VecDeque<Packet>,
    tokens: f64,
    delivered: u64,
    /// The longest wait at the bottleneck since it was last looked at.
    wait: Duration,
    /// Bytes per second that the application offers, where it holds back.
    offers: Option<f64>,
    offered: f64,
    /// Who else is on the link.
    rival: Option<Rival>,
}

impl Model {
    fn new(mbit: f64, rtt_ms: u64, loss: f64, buffer_kib: f64) -> Self {
        let (now, rate) = (epoch(), mbit * 125_000.0);
        Self {
            flow: Bbr::new(now, 1452),
            start: now,
            now,
            rate,
            rtt: Duration::from_millis(rtt_ms),
            buffer: Duration::from_secs_f64(buffer_kib * 1024.0 / rate),
            loss,
            chance: 1,
            link_free_at: now,
            in_flight: VecDeque::new(),
            tokens: 0.0,
            delivered: 0,
            wait: Duration::ZERO,
            offers: None,
            offered: 0.0,
            rival: None,
        }
    }

    /// Lets time pass; the share of the link that was used.
    fn run(&mut self, seconds: u64) -> f64 {
        let (before, end) = (self.delivered, self.now + Duration::from_secs(seconds));
        self.wait = Duration::ZERO;
        while self.now < end {
            self.step();
        }
        (self.delivered - before) as f64 / (self.rate * seconds as f64)
    }

    fn step(&mut self) {
        self.now += STEP;
        self.acknowledge();
        self.send();
        if let Some(rival) = self.rival.take() {
            self.rival = Some(self.step_rival(rival));
        }
    }

    fn step_rival(&mut self, mut rival: Rival) -> Rival {
        rival.acknowledge(self.now, self.rtt);
        while rival.may_send() {
            let (sent_at, arrives_at) = (self.now, self.pass());
            rival.in_flight.push_back(Packet {
                sent_at,
                arrives_at,
            });
        }
        rival
    }

    /// Both flows' shares of the link while time passes.
    fn shares(&mut self, seconds: u64) -> (f64, f64) {
        let rivals = |model: &Self| model.rival.as_ref().map_or(0, |rival| rival.delivered);
        let before = rivals(self);
        let own = self.run(seconds);
        let bytes = (rivals(self) - before) as f64;
        (own, bytes / (self.rate * seconds as f64))
    }

    /// Both shares once a rival that comes late has had time to settle.
    fn beside(&mut self, rival: Rival, seconds: u64) -> (f64, f64) {
        self.run(2);
        self.rival = Some(rival);
        self.run(18);
        self.shares(seconds)
    }

    fn send(&mut self) {
        let window = self.flow.window.bytes();
        let pace = 1.25 * window as f64 / self.rtt.as_secs_f64();
        self.tokens = (self.tokens + pace * STEP.as_secs_f64()).min(10.0 * PACKET as f64);
        self.offered += self.offers.unwrap_or(0.0) * STEP.as_secs_f64();
        let packet = PACKET as f64;
        let mut sent = 0;
        while self.tokens >= packet
            && (self.in_flight.len() as u64 + 1) * PACKET < window
            && (self.offers.is_none() || self.offered >= packet)
        {
            self.tokens -= packet;
            self.offered -= packet;
            sent += PACKET;
            let arrives_at = self.pass();
            self.in_flight.push_back(Packet {
                sent_at: self.now,
                arrives_at,
            });
        }
        if sent > 0 {
            self.flow.on_sent(self.now, sent);
        }
    }

    /// Puts a packet on the link; when its acknowledgement could come, if it is not lost.
    fn pass(&mut self) -> Option<Instant> {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let wait = self.link_free_at.saturating_duration_since(self.now);
        if ((self.chance >> 33) as f64) < self.loss * f64::from(1u32 << 31) || wait > self.buffer {
            return None;
        }
        self.wait = self.wait.max(wait);
        let takes = Duration::from_secs_f64(PACKET as f64 / self.rate);
        self.link_free_at = self.link_free_at.max(self.now) + takes;
        Some(self.link_free_at + self.rtt)
    }

    fn acknowledge(&mut self) {
        let now = self.now;
        let is_here = |packet: &Packet| packet.arrives_at.is_some_and(|at| at <= now);
        let here: Vec<usize> = (0..self.in_flight.len())
            .filter(|n| is_here(&self.in_flight[*n]))
            .collect();
        let Some(first) = here.first().and_then(|n| self.in_flight[*n].arrives_at) else {
            return;
        };
        if here.len() < 20 && now < first + Duration::from_millis(5) {
            return;
        }
        let newest = *here.last().expect("not empty");
        for n in &here {
            self.flow.on_ack(now, self.in_flight[*n].sent_at, PACKET);
        }
        self.delivered += here.len() as u64 * PACKET;
        let lost: Vec<Packet> = (0..newest.saturating_sub(2))
            .map(|n| self.in_flight[n])
            .filter(|packet| packet.arrives_at.is_none())
            .collect();
        let lost_at = lost.last().map(|packet| packet.sent_at);
        let mut place = 0;
        self.in_flight.retain(|packet| {
            place += 1;
            let is_lost = packet.arrives_at.is_none() && place + 2 <= newest;
            !is_here(packet) && !is_lost
        });
        let in_flight = (self.in_flight.len() + lost.len()) as u64 * PACKET;
        let is_limited = self.offers.is_some() && self.offered < PACKET as f64;
        self.flow.on_end_acks(now, in_flight, is_limited);
        if let Some(sent_at) = lost_at {
            self.flow.on_lost(now, sent_at, lost.len() as u64 * PACKET);
        }
    }
}

#[test]
fn a_flow_fills_its_path_and_no_buffer() {
    for (mbit, rtt_ms, buffer_kib) in [
        (100.0, 10, 256.0),
        (100.0, 50, 256.0),
        (100.0, 50, 5120.0),
        (100.0, 200, 256.0),
        (10.0, 50, 5120.0),
    ] {
        let mut model = Model::new(mbit, rtt_ms, 0.0, buffer_kib);
        model.run(4);
        let share = model.run(8);
        assert!(share > 0.93, "{mbit} Mbit/s, {rtt_ms} ms: {share:.3}");
        let (wait, rtt) = (model.wait, model.rtt);
        assert!(
            wait < rtt,
            "{mbit} Mbit/s, {rtt_ms} ms: {wait:?} in the queue"
        );
    }
}

#[test]
fn the_first_chunk_leaves_at_once_and_no_more_than_the_initial_window() {
    let mut model = Model::new(100.0, 200, 0.0, 5120.0);
    let initial = model.flow.window.initial();
    while model.in_flight.len() < 28 {
        model.step();
    }
    let took = model.now - model.start;
    assert!(took < model.rtt / 10, "28 datagrams in {took:?}");
    while model.now < model.start + model.rtt {
        model.step();
    }
    let bytes = model.in_flight.len() as u64 * PACKET;
    assert!(bytes <= initial, "{bytes} in flight, {initial} allowed");
    assert!(model.flow.window.bytes() == initial);
}

#[test]
fn a_loss_ends_the_hurry() {
    let now = epoch();
    let mut flow = Bbr::new(now, 1200);
    let initial = flow.window.initial();
    assert_eq!(flow.window.bytes(), 4 * initial);
    flow.on_sent(now, 1200);
    assert_eq!(flow.window.bytes(), 4 * initial);
    flow.on_lost(now, now, 1200);
    assert_eq!(flow.window.bytes(), initial - 1200);
}

#[test]
fn a_bad_line_costs_what_it_loses() {
    for rtt_ms in [10, 50, 200] {
        let mut model = Model::new(100.0, rtt_ms, 0.02, 256.0);
        model.run(6);
        let share = model.run(8);
        assert!(share > 0.92, "{rtt_ms} ms: {share:.3}");
    }
}

#[test]
fn a_path_that_widens_is_found() {
    let mut model = Model::new(10.0, 50, 0.0, 256.0);
    model.run(5);
    model.rate *= 10.0;
    model.run(20);
    let share = model.run(5);
    assert!(share > 0.9, "{share:.3}");
}

#[test]
fn a_path_that_narrows_is_not_flooded_for_long() {
    let mut model = Model::new(100.0, 50, 0.0, 5120.0);
    model.run(5);
    model.rate /= 10.0;
    model.run(20);
    let share = model.run(10);
    assert!(share > 0.9, "{share:.3}");
    assert!(model.wait < 3 * model.rtt, "{:?}", model.wait);
}

#[test]
fn a_cubic_flow_gets_its_part_of_short_buffers() {
    for (rtt_ms, buffer_kib) in [(10, 256.0), (50, 256.0), (50, 625.0)] {
        let mut model = Model::new(100.0, rtt_ms, 0.0, buffer_kib);
        let (own, other) = model.beside(Rival::new(), 30);
        let what = format!("{rtt_ms} ms, {buffer_kib} KiB: {own:.3} and {other:.3}");
        assert!(own.max(other) < 2.0 * own.min(other), "{what}");
        assert!(own + other > 0.9, "{what}");
    }
}

#[test]
fn a_queue_that_must_be_others_squeezes_less() {
    let mut model = Model::new(100.0, 50, 0.0, 5120.0);
    model.run(5);
    // as if others had queued a tenth of a second at once
    model.rtt = Duration::from_millis(150);
    model.run(1);
    let share = model.run(3);
    // two products of 50 ms in 150, where 1.2 would be 0.4
    assert!(share > 0.6, "{share:.3}");
}

#[test]
fn beside_a_cubic_flow_that_keeps_a_long_buffer_full_its_part_is_had() {
    let mut model = Model::new(50.0, 50, 0.0, 2560.0);
    // what its socket holds is less than the buffer, so that it loses nothing and stays
    let (own, other) = model.beside(Rival::with_socket(1300.0), 40);
    let what = format!("{own:.3} and {other:.3}");
    assert!(own.max(other) < 2.0 * own.min(other), "{what}");
    assert!(own + other > 0.9, "{what}");
}

#[test]
fn an_application_that_holds_back_does_not_lower_the_estimate() {
    let mut model = Model::new(100.0, 50, 0.0, 256.0);
    model.run(5);
    let full = model.flow.rate().bytes_per_second();
    model.offers = Some(100_000.0);
    model.run(12);
    let after = model.flow.rate().bytes_per_second();
    assert!(after >= full * 9 / 10, "{after} after {full}");
    model.offers = None;
    let share = model.run(2);
    assert!(share > 0.85, "at once again: {share:.3}");
}

#[test]
fn a_longer_path_is_noticed() {
    let mut model = Model::new(100.0, 20, 0.0, 5120.0);
    model.run(5);
    model.rtt = Duration::from_millis(80);
    model.run(20);
    let share = model.run(5);
    assert!(share > 0.9, "{share:.3}");
}

#[test]
fn a_silence_shrinks_the_window_to_four_packets_and_it_grows_again() {
    let mut model = Model::new(100.0, 50, 0.0, 256.0);
    model.run(5);
    model.flow.window.collapse();
    assert_eq!(model.flow.window.bytes(), 4 * PACKET);
    model.run(2);
    assert!(model.run(2) > 0.9);
    assert!(model.start < model.now);
}
