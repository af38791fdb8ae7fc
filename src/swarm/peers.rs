//! The state of each peer: what it holds, what it was asked, how it has answered.

mod outlook;

pub(super) use outlook::Outlook;

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::time::Duration;

use super::budget::Share;
use super::event::{Subnet, Ticket};
use super::flights::Flights;
use super::planted::{Bug, is_planted};
use super::record::Record;
use super::upload::Who;
use super::window::{Mark, Window};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::limits::REQUESTS_OUT_MAX;
use crate::moment::Moment;

/// The rate assumed of a peer that has delivered nothing yet, in bytes per second.
const RATE_UNKNOWN: u64 = 1024 * 1024;
/// A peer that is slower than this, in bytes per second, is as good as silent.
const RATE_MIN: u64 = 4 * 1024;
/// Round-trip times count up to this. Whoever delays acknowledgements gains no more by it.
const RTT_MAX: Duration = Duration::from_secs(5);

/// One connection's state.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) record: Record,
    /// What it may share with others of its owner.
    pub(super) subnet: Subnet,
    address: Address,
    rtt: Duration,
    holds: BTreeMap<ManifestId, Bitfield>,
    flights: Flights,
    window: Window,
    /// What it is taken to deliver while nothing is known, in bytes per second.
    guess: u64,
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
    /// How much of it is here, as far as is known.
    received: u64,
    mark: Mark,
    heard_at: Moment,
    expected_by: Moment,
}

impl Flight {
    /// How much of it is not here, as far as is known.
    pub(super) fn missing(&self) -> u64 {
        self.bytes - self.received
    }

    /// So many bytes are here. How many of them are news.
    pub(super) fn receive(&mut self, bytes: u64) -> u64 {
        let more = bytes.min(self.bytes).saturating_sub(self.received);
        self.received += more;
        more
    }
}

impl Peer {
    /// A peer that has just said hello.
    pub(super) fn new(who: Who, rtt: Duration, now: Moment) -> Self {
        Self {
            record: Record::default(),
            address: who.address,
            subnet: who.subnet,
            rtt: rtt.min(RTT_MAX),
            holds: BTreeMap::new(),
            flights: Flights::default(),
            window: Window::default(),
            guess: RATE_UNKNOWN,
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
        self.flights.iter()
    }

    /// Whether a request is the one that has been out longest.
    pub(super) fn is_oldest(&self, flight: &Flight) -> bool {
        let oldest = self.flights.oldest();
        oldest.is_some_and(|(_, oldest)| (oldest.id, oldest.chunk) == (flight.id, flight.chunk))
    }

    pub(super) fn flight(&self, ticket: Ticket) -> Option<Flight> {
        self.flights.find(ticket).copied()
    }

    /// A length that no request that is out is below, in bytes.
    pub(super) fn shortest_flight(&self) -> u64 {
        self.flights.shortest()
    }

    pub(super) fn in_flight_bytes(&self) -> u64 {
        self.flights.bytes()
    }

    /// How much of what it was asked for is not here, in bytes, as far as is known.
    pub(super) fn missing(&self) -> u64 {
        self.flights.missing()
    }

    /// What it has of the budget.
    pub(super) fn share(&self) -> Share {
        match self.flights.bytes() {
            held if self.record.is_on_trial() => Share::OnTrial(held),
            0 => Share::Nothing,
            held => Share::Bytes(held),
        }
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

    /// Forgets what the peer holds of a container; returns what that was.
    pub(super) fn forget(&mut self, id: &ManifestId) -> Option<Bitfield> {
        self.holds.remove(id)
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
            REQUESTS_OUT_MAX as usize
        };
        self.flights.len() < flights_max
            && self.flights.bytes() < self.window.target(self.rtt, chunk_bytes)
            && (!self.record.is_choked() || is_planted(Bug::AsksWhoChokes))
            && self.record.rests_until(now).is_none()
    }

    /// Whether anything is known of how fast the peer is, and it has kept to it.
    pub(super) fn is_known(&self) -> bool {
        self.rate() > 0 && !self.record.is_on_trial()
    }

    /// Whether the peer can be relied on: it has delivered, is not silent, and may be asked now.
    pub(super) fn is_fit(&self, now: Moment) -> bool {
        let rests = self.record.is_choked() || self.record.rests_until(now).is_some();
        self.is_known() && !rests
    }

    /// Whether the peer is so slow that whatever it may be sending is no loss, if it is late.
    pub(super) fn is_slow(&self) -> bool {
        self.rate() < RATE_MIN
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
        let expected = self.rtt + self.span_of(self.flights.bytes() + bytes);
        let expected_by = now + self.patience() + 4 * expected;
        let flight = Flight {
            id,
            chunk,
            bytes,
            received: 0,
            mark: self.window.mark(now),
            heard_at: now,
            expected_by,
        };
        self.flights.push(ticket, flight);
        self.last = Some(id);
    }

    /// So many bytes of an answer are here.
    pub(super) fn on_progress(&mut self, now: Moment, ticket: Ticket, bytes: u64) {
        if let Some((flight, more)) = self.flights.on_progress(ticket, bytes) {
            flight.heard_at = now;
            self.heard_at = now;
            self.window.on_delivered(now, flight.mark, more);
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
        let rest = flight.missing();
        self.window.on_delivered(now, flight.mark, rest);
        self.record.on_answer();
        self.answered_at = now;
        self.heard_at = now;
        self.rtt = rtt.min(RTT_MAX);
        Some(flight)
    }

    /// The peer has said nothing since it should have. How fast it was says nothing about how fast it
    /// is.
    pub(super) fn on_silence(&mut self, ticket: Ticket, next: Ticket) {
        self.record.on_silence(ticket, next);
        self.window.forget_rate();
    }

    /// The peer was late, and lost a request for it.
    pub(super) fn on_doubt(&mut self) {
        self.record.on_doubt();
        self.window.forget_rate();
    }

    /// A request is over without an answer.
    pub(super) fn on_void(&mut self, ticket: Ticket) -> Option<Flight> {
        self.flights.remove(ticket)
    }

    /// How long the peer may say nothing.
    pub(super) fn patience(&self) -> Duration {
        self.record.patience(self.rtt)
    }
}
