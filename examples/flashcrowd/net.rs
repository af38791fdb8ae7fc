//! The virtual network: what travels, what happens at a node and when, and a node's way out.
//!
//! Invariant: the order of a node's events is total and does not depend on who computed them when:
//! by time, then by who caused them, then by that one's count.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::moment::Moment;
use swarmhold::swarm::{AskKey, PeerKey, Ticket};

/// Something that happens at a node.
#[derive(Debug)]
pub(crate) enum Event {
    /// A peer said this.
    Heard(PeerKey, Message),
    /// The connection to a peer stands.
    Connected(PeerKey),
    /// An answer has come through the downlink.
    Received(PeerKey, Ticket, u32),
    /// The transfer with this number has left.
    Sent(u64),
    /// A chunk is proven and stored.
    Stored(Ticket),
    /// Subscribers are told the news.
    Feed,
}

/// What peers say to each other.
#[derive(Debug)]
pub(crate) enum Message {
    Ask(Ticket, ChunkIndex),
    TakeBack(Ticket),
    /// The last byte of an answer of this length.
    Data(Ticket, u32),
    /// So many bytes were sent of an answer that was taken back.
    Broken(u32),
    NotHeld(Ticket, Arc<Bitfield>),
    Busy(Ticket, Duration),
    Holds(Arc<Bitfield>),
    Has(Arc<[ChunkIndex]>),
    Choke,
    Unchoke,
}

/// An event and its place in the order.
#[derive(Debug)]
pub(crate) struct Scheduled {
    pub(crate) at: Moment,
    /// Who caused it, and its number among the events that this one caused.
    pub(crate) from: u32,
    pub(crate) number: u32,
    pub(crate) event: Event,
}

impl Scheduled {
    fn place(&self) -> (Moment, u32, u32) {
        (self.at, self.from, self.number)
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// What will happen at one node, the next first.
#[derive(Debug, Default)]
pub(crate) struct Events(BinaryHeap<Reverse<Scheduled>>);

impl Events {
    pub(crate) fn push(&mut self, event: Scheduled) {
        self.0.push(Reverse(event));
    }

    /// When the next one is.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        self.0.peek().map(|Reverse(next)| next.at)
    }

    pub(crate) fn pop(&mut self) -> Option<Scheduled> {
        self.0.pop().map(|Reverse(next)| next)
    }
}

/// An event on its way to another node.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) to: u32,
    pub(crate) event: Scheduled,
}

/// An answer on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) peer: PeerKey,
    pub(crate) ask: AskKey,
    pub(crate) bytes: u32,
}

/// A node's way out: one answer after the other, in the order in which the engine serves them.
#[derive(Debug)]
pub(crate) struct Uplink {
    rate: u64,
    queue: VecDeque<Transfer>,
    current: Option<(Transfer, Moment)>,
    number: u64,
}

impl Uplink {
    /// `rate` is in bytes per second.
    pub(crate) fn new(rate: u64) -> Self {
        Self {
            rate,
            queue: VecDeque::new(),
            current: None,
            number: 0,
        }
    }

    pub(crate) fn push(&mut self, transfer: Transfer) {
        self.queue.push_back(transfer);
    }

    /// Begins the next answer if none is under way: its number, and when it will have left.
    pub(crate) fn begin(&mut self, now: Moment) -> Option<(u64, Moment)> {
        if self.current.is_some() {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.current = Some((next, now));
        self.number += 1;
        Some((self.number, now + span(next.bytes, self.rate)))
    }

    /// The answer with this number has left, unless it was taken back.
    pub(crate) fn finish(&mut self, number: u64) -> Option<Transfer> {
        let is_current = number == self.number;
        let current = self.current.take_if(|_| is_current);
        current.map(|(transfer, _)| transfer)
    }

    /// Takes an answer back: how many bytes of it have left, if it was here.
    pub(crate) fn take_back(&mut self, now: Moment, ask: AskKey) -> Option<u32> {
        if let Some((transfer, began)) = self.current.take_if(|(it, _)| it.ask == ask) {
            let micros = u64::try_from(now.since(began).as_micros()).unwrap_or(u64::MAX);
            let sent = micros.saturating_mul(self.rate) / 1_000_000;
            return Some(u32::try_from(sent).map_or(transfer.bytes, |it| it.min(transfer.bytes)));
        }
        let at = self.queue.iter().position(|transfer| transfer.ask == ask)?;
        self.queue.remove(at);
        Some(0)
    }
}

/// How long a link of this rate takes for so many bytes.
pub(crate) fn span(bytes: u32, rate: u64) -> Duration {
    Duration::from_micros((u64::from(bytes) * 1_000_000).div_ceil(rate))
}
