//! The virtual network: events in order, and connections with latency. `links` has bandwidth.
//!
//! QUIC delivers what it accepts: loss and reordering of packets show as latency, and answers, each
//! on a stream of its own, may overtake each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
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
    /// The next answer has come through a node's way in, unless that has changed since.
    Landed(usize, u64),
    /// Answers on a node's way in are not through yet.
    Seeped(usize, u64),
    /// A tarpit lets its victim know that it goes on.
    Tarred(SessionId, usize, Ticket),
    /// A node that takes its time answers now.
    Dallied(SessionId, usize, Ticket, ManifestId, ChunkIndex),
    /// A worker has read a chunk that is to be sent. The number is the node's life.
    Read(usize, u64, AskKey),
    /// A worker has looked at an answer.
    Verified(usize, u64, Ticket),
    /// A worker has copied a chunk, or could not.
    Copied(usize, u64, Ticket, ManifestId, ChunkIndex),
    /// A node's deadline has come: the one that was set last, or an older one.
    Wake(usize, u64, Moment),
    /// A node tells its peers its news.
    Feed(usize, u64),
    /// A node that lies about what it holds says something new.
    Fidget(usize, u64),
    /// Two nodes find each other.
    Meet(usize, usize),
    /// A connection breaks.
    Break(SessionId),
    /// A user ends or begins a fetch.
    Remove(usize, u64, usize),
    /// A node has given a container up for good.
    GiveUp(usize, u64, usize),
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
    Has(ManifestId, Rc<[ChunkIndex]>),
    Choke,
    Unchoke,
    Wasted(ManifestId, u64),
}

#[derive(Debug)]
pub(crate) enum Answer {
    /// A body, and how many bytes of a container it stands for.
    Data(Vec<u8>, ManifestId, u64),
    NotHeld(Bitfield),
    Busy(Duration),
    Denied,
    Refused,
    Garbage,
    /// So many bytes so far.
    Progress(u64),
}

/// Events by time, and by order of scheduling within one moment.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: BinaryHeap<Reverse<(Moment, u64, u32)>>,
    /// The events of `queue`, each at its place, and the places that are free.
    slots: Vec<Option<Event>>,
    free: Vec<u32>,
    count: u64,
}

impl Events {
    pub(crate) fn push(&mut self, at: Moment, event: Event) {
        self.count += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("few events wait at once")
        });
        self.slots[slot as usize] = Some(event);
        self.queue.push(Reverse((at, self.count, slot)));
    }

    pub(crate) fn pop(&mut self) -> Option<(Moment, Event)> {
        let Reverse((at, _, slot)) = self.queue.pop()?;
        self.free.push(slot);
        let event = self.slots[slot as usize].take();
        Some((at, event.expect("a queued event is in its slot")))
    }
}

pub(crate) type SessionId = usize;

/// A connection between two nodes. What the node at side `s` calls the other is `peer_at(id, s)`.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) nodes: [usize; 2],
    pub(crate) open: bool,
    pub(crate) latency: Duration,
    /// A message takes up to this much longer.
    pub(crate) jitter: Duration,
    /// Percent of messages of which a packet is lost and sent again.
    pub(crate) loss: u64,
    /// What one side says arrives in order.
    pub(crate) last: [Moment; 2],
}

/// The name that the node at a side of a connection has for the other one.
pub(crate) fn peer_at(session: SessionId, side: usize) -> PeerKey {
    PeerKey((2 * session + side + 1) as u64)
}

/// The connection and the own side that a name stands for.
pub(crate) fn place_of(peer: PeerKey) -> (SessionId, usize) {
    let place = usize::try_from(peer.0 - 1).expect("few connections");
    (place / 2, place % 2)
}
