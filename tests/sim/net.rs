//! The virtual network: events in order, connections with latency, uplinks with bandwidth.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::ManifestId;
use swarmhold::moment::Moment;
use swarmhold::swarm::{AskKey, PeerKey, Ticket};

use crate::faults::Turn;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message arrives at this side of a connection.
    Message(SessionId, usize, Message),
    /// A node has sent the transfer with this serial number.
    Sent(usize, u64),
    /// A transfer that takes long lets its receiver know that it goes on.
    Dripped(usize, u64),
    /// A tarpit lets its victim know that it goes on.
    Tarred(SessionId, usize, Ticket),
    /// A worker has read a chunk that is to be sent. The number is the node's life.
    Read(usize, u64, AskKey),
    /// A worker has looked at an answer.
    Verified(usize, u64, Ticket),
    /// A node's deadline has come: the one that was set last, or an older one.
    Wake(usize, u64, Moment),
    /// A node tells its peers its news.
    Feed(usize, u64),
    /// Two nodes find each other.
    Meet(usize, usize),
    /// A connection breaks.
    Break(SessionId),
    /// A user ends or begins a fetch.
    Remove(usize, u64, usize),
    Add(usize, u64, usize),
    /// A node loses everything but its disk.
    Restart(usize),
    /// A node leaves for a while.
    Depart(usize),
    /// The plan says so.
    Turn(Turn),
    /// Faults of the world stop.
    Calm,
}

/// What peers say to each other.
#[derive(Debug)]
pub(crate) enum Message {
    Ask(Ticket, ManifestId, ChunkIndex),
    TakeBack(Ticket),
    Answer(Ticket, Answer),
    Holds(ManifestId, Bitfield),
    Has(ManifestId, Vec<ChunkIndex>),
    Choke,
    Unchoke,
    Wasted(ManifestId, u64),
}

#[derive(Debug)]
pub(crate) enum Answer {
    Data(Vec<u8>),
    NotHeld(Bitfield),
    Busy(Duration),
    Refused,
    Garbage,
    /// So many bytes so far.
    Progress(u64),
}

/// Events by time, and by order of scheduling within one moment.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: BTreeMap<(Moment, u64), Event>,
    count: u64,
}

impl Events {
    pub(crate) fn push(&mut self, at: Moment, event: Event) {
        self.count += 1;
        self.queue.insert((at, self.count), event);
    }

    pub(crate) fn pop(&mut self) -> Option<(Moment, Event)> {
        self.queue.pop_first().map(|((at, _), event)| (at, event))
    }
}

pub(crate) type SessionId = usize;

/// A connection: its two sides, each with the node there and what that calls the other.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) nodes: [usize; 2],
    pub(crate) keys: [PeerKey; 2],
    pub(crate) open: bool,
    pub(crate) latency: Duration,
    /// What one side says arrives in order.
    pub(crate) last: [Moment; 2],
}

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
        let (out, rest) = std::mem::take(&mut self.queue).into_iter().partition(of);
        self.queue = rest;
        let out: VecDeque<_> = out;
        taken.extend(out.into_iter().map(|transfer| (transfer, 0)));
        taken
    }
}
