//! The requests that are out at one peer, the oldest first.
//!
//! They are few and next to each other in memory, because every look for work to take over passes
//! them. Invariants: tickets ascend; `bytes` is the sum over `list`, and `missing`
//! of what is not here of it; no flight is shorter than `shortest`.

use std::collections::VecDeque;

use super::event::Ticket;
use super::peers::Flight;

/// Requests that are out at one peer.
#[derive(Debug, Default)]
pub(super) struct Flights {
    list: VecDeque<(Ticket, Flight)>,
    bytes: u64,
    missing: u64,
    shortest: u64,
}

impl Flights {
    /// A request goes out; its ticket is newer than all others.
    pub(super) fn push(&mut self, ticket: Ticket, flight: Flight) {
        let newest = self.list.back();
        debug_assert!(newest.is_none_or(|(newest, _)| *newest < ticket));
        self.shortest = match newest {
            Some(_) => self.shortest.min(flight.bytes),
            None => flight.bytes,
        };
        self.bytes += flight.bytes;
        self.missing += flight.missing();
        self.list.push_back((ticket, flight));
    }

    /// A request is over.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Flight> {
        let (_, flight) = self.list.remove(self.place(ticket)?)?;
        self.bytes -= flight.bytes;
        self.missing -= flight.missing();
        debug_assert!(!self.list.is_empty() || (self.bytes, self.missing) == (0, 0));
        Some(flight)
    }

    pub(super) fn find(&self, ticket: Ticket) -> Option<&Flight> {
        self.list.get(self.place(ticket)?).map(|(_, flight)| flight)
    }

    /// So many bytes of an answer are here. Its request and what is news of that, if anything is.
    pub(super) fn on_progress(&mut self, ticket: Ticket, bytes: u64) -> Option<(&mut Flight, u64)> {
        let place = self.place(ticket)?;
        let (_, flight) = self.list.get_mut(place)?;
        let more = flight.receive(bytes);
        self.missing -= more;
        (more > 0).then_some((flight, more))
    }

    /// How much is not here of those that are older than this one.
    pub(super) fn missing_before(&self, ticket: Ticket) -> u64 {
        let older = self.list.iter().take_while(|(other, _)| *other < ticket);
        older.map(|(_, flight)| flight.missing()).sum()
    }

    /// The one that has been out longest.
    pub(super) fn oldest(&self) -> Option<&(Ticket, Flight)> {
        self.list.front()
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Ticket, &Flight)> {
        self.list.iter().map(|(ticket, flight)| (*ticket, flight))
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Their bytes together.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How much of them is not here, as far as is known.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// A length that none of them is below, in bytes.
    pub(super) fn shortest(&self) -> u64 {
        self.shortest
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.list.binary_search_by_key(&ticket, |(it, _)| *it).ok()
    }
}
