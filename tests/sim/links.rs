//! Bandwidth: what a node sends goes out one after the other, what it gets comes in side by side.
//!
//! A long answer counts as half there when it has left, and as whole when it has come in.

use std::collections::VecDeque;
use std::time::Duration;

use swarmhold::digest::ManifestId;
use swarmhold::moment::Moment;
use swarmhold::swarm::{AskKey, Ticket};

use crate::net::SessionId;

/// Bytes on their way out of a node.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) session: SessionId,
    pub(crate) to: usize,
    pub(crate) ticket: Ticket,
    pub(crate) id: ManifestId,
    pub(crate) body: Vec<u8>,
    pub(crate) bytes: u64,
    /// What the sender's core calls it, if that knows of it.
    pub(crate) ask: Option<AskKey>,
}

/// A node's way out: one transfer after the other.
#[derive(Debug)]
pub(crate) struct Uplink {
    /// Bytes per second.
    pub(crate) rate: u64,
    queue: VecDeque<Transfer>,
    current: Option<(Transfer, Moment)>,
    serial: u64,
}

impl Uplink {
    pub(crate) fn new(rate: u64) -> Self {
        Self {
            rate,
            queue: VecDeque::new(),
            current: None,
            serial: 0,
        }
    }

    pub(crate) fn push(&mut self, transfer: Transfer) {
        self.queue.push_back(transfer);
    }

    /// Begins the next transfer if none is under way: its serial number, and when it ends.
    pub(crate) fn begin(&mut self, now: Moment) -> Option<(u64, Moment)> {
        if self.current.is_some() {
            return None;
        }
        let next = self.queue.pop_front()?;
        let takes = Duration::from_micros(next.bytes * 1_000_000 / self.rate.max(1) + 1);
        self.current = Some((next, now));
        self.serial += 1;
        Some((self.serial, now + takes))
    }

    /// The transfer with this serial number, if it is still under way, and how much of it is sent.
    pub(crate) fn current(&self, now: Moment, serial: u64) -> Option<(&Transfer, u64)> {
        let (transfer, began) = self.current.as_ref()?;
        (serial == self.serial).then(|| (transfer, self.sent(now, transfer, *began)))
    }

    fn sent(&self, now: Moment, transfer: &Transfer, began: Moment) -> u64 {
        let micros = u64::try_from(now.since(began).as_micros()).unwrap_or(u64::MAX);
        let sent = micros.saturating_mul(self.rate) / 1_000_000;
        sent.min(transfer.bytes)
    }

    /// The transfer with this serial number is over.
    pub(crate) fn finish(&mut self, serial: u64) -> Option<Transfer> {
        let is_current = serial == self.serial;
        self.current
            .take_if(|_| is_current)
            .map(|(transfer, _)| transfer)
    }

    /// Takes out every transfer of this kind, with the bytes that were sent of it already.
    pub(crate) fn take_back(
        &mut self,
        now: Moment,
        of: impl Fn(&Transfer) -> bool,
    ) -> Vec<(Transfer, u64)> {
        let mut taken = Vec::new();
        if let Some((transfer, began)) = self.current.take_if(|(transfer, _)| of(transfer)) {
            let sent = self.sent(now, &transfer, began);
            taken.push((transfer, sent));
        }
        if self.queue.iter().any(&of) {
            let (out, rest) = std::mem::take(&mut self.queue).into_iter().partition(of);
            self.queue = rest;
            let out: VecDeque<_> = out;
            taken.extend(out.into_iter().map(|transfer| (transfer, 0)));
        }
        taken
    }
}

/// An answer on its way into a node.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) session: SessionId,
    pub(crate) ticket: Ticket,
    pub(crate) id: ManifestId,
    pub(crate) body: Vec<u8>,
    pub(crate) bytes: u64,
    /// The turn at which it began, and the one at which it is through.
    began: u64,
    ends: u64,
}

/// A node's way in: all that comes in at once shares it evenly.
///
/// `turn` counts what each of them has got since the beginning, in millionths of a byte.
#[derive(Debug)]
pub(crate) struct Downlink {
    /// Bytes per second.
    pub(crate) rate: u64,
    arrivals: Vec<Arrival>,
    turn: u64,
    at: Moment,
    /// Counts changes: what was foreseen before one means nothing after it.
    pub(crate) serial: u64,
}

impl Downlink {
    pub(crate) fn new(rate: u64) -> Self {
        Self {
            rate: rate.max(1),
            arrivals: Vec::new(),
            turn: 0,
            at: Moment::ORIGIN,
            serial: 0,
        }
    }

    pub(crate) fn push(
        &mut self,
        now: Moment,
        session: SessionId,
        (ticket, id, bytes): (Ticket, ManifestId, u64),
        body: Vec<u8>,
    ) {
        self.advance(now);
        self.arrivals.push(Arrival {
            session,
            ticket,
            id,
            body,
            bytes,
            began: self.turn,
            ends: self.turn + bytes * 1_000_000,
        });
    }

    /// When the next answer is through, as it looks now.
    pub(crate) fn next(&mut self, now: Moment) -> Option<Moment> {
        self.advance(now);
        self.serial += 1;
        let ends = self.arrivals.iter().map(|it| it.ends).min()?;
        let left = ends.saturating_sub(self.turn) * self.arrivals.len() as u64;
        Some(now + Duration::from_micros(left.div_ceil(self.rate)))
    }

    /// Answers that are through.
    pub(crate) fn take_landed(&mut self, now: Moment) -> Vec<Arrival> {
        self.advance(now);
        let turn = self.turn;
        self.take(|it| it.ends <= turn)
    }

    /// Answers that nobody waits for any more.
    pub(crate) fn take_back(
        &mut self,
        now: Moment,
        of: impl Fn(&Arrival) -> bool,
    ) -> Vec<(Arrival, u64)> {
        self.advance(now);
        let turn = self.turn;
        let taken = self.take(of).into_iter();
        taken
            .map(|it| (turn - it.began, it))
            .map(|(got, it)| (it, got / 1_000_000))
            .collect()
    }

    /// What is coming in, and how much of it is here.
    pub(crate) fn progress(&mut self, now: Moment) -> Vec<(Ticket, SessionId, u64)> {
        self.advance(now);
        let got = |it: &Arrival| it.bytes / 2 + (self.turn - it.began) / 2_000_000;
        let all = self.arrivals.iter();
        all.map(|it| (it.ticket, it.session, got(it))).collect()
    }

    fn take(&mut self, of: impl Fn(&Arrival) -> bool) -> Vec<Arrival> {
        if !self.arrivals.iter().any(&of) {
            return Vec::new();
        }
        let (out, rest) = std::mem::take(&mut self.arrivals).into_iter().partition(of);
        self.arrivals = rest;
        out
    }

    fn advance(&mut self, now: Moment) {
        let micros = now.since(self.at).as_micros();
        self.at = now;
        if !self.arrivals.is_empty() {
            let each = micros * u128::from(self.rate) / self.arrivals.len() as u128;
            self.turn += u64::try_from(each).expect("no answer takes that long");
        }
    }
}
