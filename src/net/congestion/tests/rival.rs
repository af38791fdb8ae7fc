//! A flow of another kind on the same link: CUBIC as RFC 9438 has it, without pacing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{PACKET, Packet};

/// What is left of the window after a loss (section 4.6), and `C` (section 5.1).
const BETA: f64 = 0.7;
const C: f64 = 0.4;
/// What Reno would gain in a round trip, as section 4.3 has it.
const RENO: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// One CUBIC flow. Windows are in packets.
pub(super) struct Rival {
    window: f64,
    /// What its socket holds, which its window does not grow beyond.
    most: f64,
    /// The window at the last loss, and what Reno would have by now; nothing in slow start.
    last: Option<Cut>,
    pub(super) in_flight: VecDeque<Packet>,
    pub(super) delivered: u64,
}

#[derive(Clone, Copy)]
struct Cut {
    at: Instant,
    window: f64,
    reno: f64,
}

impl Rival {
    pub(super) fn new() -> Self {
        Self::with_socket(f64::INFINITY)
    }

    /// A flow whose socket holds so many packets.
    pub(super) fn with_socket(most: f64) -> Self {
        Self {
            window: 10.0,
            most,
            last: None,
            in_flight: VecDeque::new(),
            delivered: 0,
        }
    }

    /// How many packets may leave now.
    pub(super) fn may_send(&self) -> bool {
        (self.in_flight.len() as f64) < self.window
    }

    /// Takes in what has arrived by now. What is older than an arrival and did not arrive is lost.
    pub(super) fn acknowledge(&mut self, now: Instant, rtt: Duration) {
        let is_here = |packet: &Packet| packet.arrives_at.is_some_and(|at| at <= now);
        while let Some(newest) = self.in_flight.iter().position(is_here) {
            let older: Vec<Packet> = self.in_flight.drain(..=newest).collect();
            for packet in older {
                match packet.arrives_at {
                    Some(_) => self.grow(now, rtt),
                    None => self.cut(now, packet.sent_at),
                }
            }
        }
    }

    fn grow(&mut self, now: Instant, rtt: Duration) {
        self.delivered += PACKET;
        let window = self.window;
        if window >= self.most {
            return;
        }
        let Some(last) = &mut self.last else {
            self.window += 1.0;
            return;
        };
        last.reno += RENO / window;
        let k = (last.window * (1.0 - BETA) / C).cbrt();
        let since = (now - last.at + rtt).as_secs_f64() - k;
        let cubic = C * since.powi(3) + last.window;
        let next = window + (cubic - window).clamp(0.0, window / 2.0) / window;
        self.window = next.max(last.reno);
    }

    /// Answers the losses of a round trip once.
    fn cut(&mut self, now: Instant, sent_at: Instant) {
        if self.last.is_some_and(|last| sent_at <= last.at) {
            return;
        }
        let window = self.window;
        self.window = (BETA * window).max(2.0);
        self.last = Some(Cut {
            at: now,
            window,
            reno: self.window,
        });
    }
}
