//! The state of each peer: what it holds, what it was asked, how it has answered.
//!
//! Invariant: `in_flight_bytes` is the sum of the bytes of `flights`.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::time::Duration;

use super::event::Ticket;
use super::record::Record;
use super::window::{Mark, Window};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::limits::STREAMS_INBOUND_MAX;
use crate::moment::Moment;

/// Requests out at one peer: a few below what it lets us open, so that its control streams fit.
const FLIGHTS_MAX: usize = STREAMS_INBOUND_MAX as usize - 8;
/// The rate assumed of a peer that has delivered nothing yet, in bytes per second.
const RATE_UNKNOWN: u64 = 1024 * 1024;
/// Round-trip times count up to this. Whoever delays acknowledgements gains no more by it.
const RTT_MAX: Duration = Duration::from_secs(5);

/// One connection's state.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) record: Record,
    address: Address,
    rtt: Duration,
    holds: BTreeMap<ManifestId, Bitfield>,
    flights: BTreeMap<Ticket, Flight>,
    in_flight_bytes: u64,
    window: Window,
    /// When an answer last came in whole, and when bytes of one last came in.
    answered_at: Moment,
    heard_at: Moment,
    /// The container that it was last asked for: the next one has the next turn.
    last: Option<ManifestId>,
}

/// One request that is out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    /// The container's manifest.
    pub(super) id: ManifestId,
    /// The chunk.
    pub(super) chunk: ChunkIndex,
    /// The chunk's length.
    pub(super) bytes: u64,
    mark: Mark,
    heard_at: Moment,
    expected_by: Moment,
}

impl Peer {
    /// A peer that has just said hello.
    pub(super) fn new(address: Address, rtt: Duration, now: Moment) -> Self {
        Self {
            record: Record::default(),
            address,
            rtt: rtt.min(RTT_MAX),
            holds: BTreeMap::new(),
            flights: BTreeMap::new(),
            in_flight_bytes: 0,
            window: Window::default(),
            answered_at: now,
            heard_at: now,
            last: None,
        }
    }

    pub(super) fn address(&self) -> Address {
        self.address
    }

    pub(super) fn holds(&self, id: &ManifestId) -> Option<&Bitfield> {
        self.holds.get(id)
    }

    /// What the peer takes part in, beginning after what it was last asked for.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = (&ManifestId, &Bitfield)> {
        let after = self.last.map_or(Unbounded, Excluded);
        let before = self
            .last
            .map(|last| self.holds.range((Unbounded, Included(last))));
        let rest = self.holds.range((after, Unbounded));
        rest.chain(before.into_iter().flatten())
    }

    /// Requests that are out, the oldest first.
    pub(super) fn flights(&self) -> impl DoubleEndedIterator<Item = (Ticket, &Flight)> {
        self.flights
            .iter()
            .map(|(ticket, flight)| (*ticket, flight))
    }

    /// The request that has been out longest.
    pub(super) fn oldest(&self) -> Option<Ticket> {
        self.flights.keys().next().copied()
    }

    pub(super) fn flight(&self, ticket: Ticket) -> Option<Flight> {
        self.flights.get(&ticket).copied()
    }

    pub(super) fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes
    }

    /// The measured delivery rate in bytes per second; 0 while nothing has been delivered.
    pub(super) fn rate(&self) -> u64 {
        self.window.rate()
    }

    /// Replaces what the peer holds of a container; returns what it held before.
    pub(super) fn set_holds(&mut self, id: ManifestId, held: Bitfield) -> Option<Bitfield> {
        self.holds.insert(id, held)
    }

    /// Adds a chunk to what the peer holds of a container; returns all of it if that is news.
    pub(super) fn add_holds(&mut self, id: &ManifestId, chunk: ChunkIndex) -> Option<&Bitfield> {
        let held = self.holds.get_mut(id)?;
        (chunk.get() < held.len() && held.insert(chunk)).then_some(held)
    }

    /// Forgets what the peer holds of a container.
    pub(super) fn forget(&mut self, id: &ManifestId) {
        self.holds.remove(id);
    }

    /// What the peer holds, for taking it out of the counts.
    pub(super) fn all_held(&self) -> impl Iterator<Item = (&ManifestId, &Bitfield)> {
        self.holds.iter()
    }

    /// Whether the peer may be asked for one more chunk of this size.
    pub(super) fn has_room(&self, now: Moment, chunk_bytes: u64) -> bool {
        let flights_max = if self.record.is_on_trial() {
            1
        } else {
            FLIGHTS_MAX
        };
        self.flights.len() < flights_max
            && self.in_flight_bytes < self.window.target(self.rtt, chunk_bytes)
            && self.record.rests_until(now).is_none()
    }

    /// How long until the peer would have answered what it owes and this many bytes more.
    pub(super) fn done_in(&self, now: Moment, bytes: u64) -> Duration {
        self.remaining(now).max(self.rtt) + self.span_of(bytes)
    }

    /// How long until the peer has answered all it owes. One that is late will be late for as long
    /// again, as far as anyone can tell.
    pub(super) fn remaining(&self, now: Moment) -> Duration {
        let (since, turn) = self.turn(now);
        let waited = now.since(since);
        let expected =
            (self.rtt + self.span_of(self.in_flight_bytes)).saturating_sub(waited.min(turn));
        if waited > 2 * turn {
            expected.max(waited)
        } else {
            expected
        }
    }

    /// The first moment from now on at which [`remaining`](Self::remaining) is over `span`, if the
    /// peer answers nothing until then.
    pub(super) fn slower_than(&self, now: Moment, span: Duration) -> Moment {
        if self.remaining(now) > span {
            return now;
        }
        let (since, turn) = self.turn(now);
        let late = since + span.max(2 * turn) + Duration::from_micros(1);
        late.max(now + Duration::from_micros(1))
    }

    /// A request goes out.
    pub(super) fn on_asked(
        &mut self,
        now: Moment,
        ticket: Ticket,
        id: ManifestId,
        chunk: ChunkIndex,
        bytes: u64,
    ) {
        let expected = self.rtt + self.span_of(self.in_flight_bytes + bytes);
        let expected_by = now + self.record.patience(self.rtt) + 4 * expected;
        let flight = Flight {
            id,
            chunk,
            bytes,
            mark: self.window.mark(now),
            heard_at: now,
            expected_by,
        };
        self.flights.insert(ticket, flight);
        self.in_flight_bytes += bytes;
        self.last = Some(id);
    }

    /// Bytes of an answer are coming in.
    pub(super) fn on_progress(&mut self, now: Moment, ticket: Ticket) {
        if let Some(flight) = self.flights.get_mut(&ticket) {
            flight.heard_at = now;
            self.heard_at = now;
        }
    }

    /// An answer is here whole.
    pub(super) fn on_arrived(
        &mut self,
        now: Moment,
        ticket: Ticket,
        rtt: Duration,
    ) -> Option<Flight> {
        let flight = self.on_void(ticket)?;
        self.window.on_delivered(now, flight.mark, flight.bytes);
        self.record.on_answer();
        self.answered_at = now;
        self.heard_at = now;
        self.rtt = rtt.min(RTT_MAX);
        Some(flight)
    }

    /// A request is over without an answer.
    pub(super) fn on_void(&mut self, ticket: Ticket) -> Option<Flight> {
        let flight = self.flights.remove(&ticket)?;
        self.in_flight_bytes -= flight.bytes;
        Some(flight)
    }

    /// Requests that will not be answered, as far as anyone can tell: all of them where the peer
    /// is silent, and those that it passes over while it answers others.
    pub(super) fn overdue(&self, now: Moment) -> Vec<Ticket> {
        let patience = self.record.patience(self.rtt);
        let Some((_, oldest)) = self.flights.first_key_value() else {
            return Vec::new();
        };
        let silent = now.since(self.heard_at.max(oldest.mark.at())) > patience;
        let passed_over =
            |flight: &Flight| now > flight.expected_by && now.since(flight.heard_at) > patience;
        let late = self
            .flights
            .iter()
            .filter(|(_, flight)| silent || passed_over(flight));
        late.map(|(ticket, _)| *ticket).collect()
    }

    /// Since when the peer has owed the answer that is next, and how long that should take.
    fn turn(&self, now: Moment) -> (Moment, Duration) {
        self.flights
            .values()
            .next()
            .map_or((now, Duration::ZERO), |oldest| {
                let since = self.answered_at.max(oldest.mark.at());
                (since, self.rtt + self.span_of(oldest.bytes))
            })
    }

    fn span_of(&self, bytes: u64) -> Duration {
        let rate = if self.rate() == 0 {
            RATE_UNKNOWN
        } else {
            self.rate()
        };
        Duration::from_micros(bytes.saturating_mul(1_000_000) / rate)
    }
}
