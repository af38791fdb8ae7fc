//! The state of each peer: what it holds, what it was asked, how it has answered.
//!
//! Invariant: `in_flight_bytes` is the sum of the bytes of `flights`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::Ticket;
use super::window::{Mark, Window};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::limits::STREAMS_INBOUND_MAX;
use crate::moment::Moment;

/// Requests out at one peer: a few below what it lets us open, so that its control streams fit.
const FLIGHTS_MAX: usize = STREAMS_INBOUND_MAX as usize - 8;
/// A peer that says nothing for this long, and for as long as its record makes likely, is silent.
const PATIENCE_MIN: Duration = Duration::from_secs(2);
/// How often a peer that owes answers is looked at.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// Lapses in a row after which a peer is left alone for [`SNUB`].
const LAPSES_MAX: u32 = 3;
/// How long a peer that keeps failing is left alone.
const SNUB: Duration = Duration::from_secs(60);
/// The rate assumed of a peer that has delivered nothing yet, in bytes per second.
const RATE_UNKNOWN: u64 = 1024 * 1024;

/// One connection's state.
#[derive(Debug)]
pub(super) struct Peer {
    address: Address,
    rtt: Duration,
    holds: BTreeMap<ManifestId, Bitfield>,
    flights: BTreeMap<Ticket, Flight>,
    in_flight_bytes: u64,
    window: Window,
    heard_at: Moment,
    check_at: Moment,
    lapses: u32,
    quiet_until: Moment,
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
            address,
            rtt,
            holds: BTreeMap::new(),
            flights: BTreeMap::new(),
            in_flight_bytes: 0,
            window: Window::default(),
            heard_at: now,
            check_at: now,
            lapses: 0,
            quiet_until: now,
        }
    }

    pub(super) fn address(&self) -> Address {
        self.address
    }

    pub(super) fn holds(&self, id: &ManifestId) -> Option<&Bitfield> {
        self.holds.get(id)
    }

    pub(super) fn containers(&self) -> impl Iterator<Item = &ManifestId> {
        self.holds.keys()
    }

    pub(super) fn flights(&self) -> impl DoubleEndedIterator<Item = (Ticket, &Flight)> {
        self.flights
            .iter()
            .map(|(ticket, flight)| (*ticket, flight))
    }

    pub(super) fn flight(&self, ticket: Ticket) -> Option<Flight> {
        self.flights.get(&ticket).copied()
    }

    /// The measured delivery rate in bytes per second.
    pub(super) fn rate(&self) -> u64 {
        self.window.rate()
    }

    /// Replaces what the peer holds of a container; returns what it held before.
    pub(super) fn set_holds(&mut self, id: ManifestId, held: Bitfield) -> Option<Bitfield> {
        self.holds.insert(id, held)
    }

    /// Adds chunks to what the peer holds; returns those that are new.
    pub(super) fn add_holds(&mut self, id: &ManifestId, chunks: &[ChunkIndex]) -> Vec<ChunkIndex> {
        let Some(held) = self.holds.get_mut(id) else {
            return Vec::new();
        };
        let known = chunks
            .iter()
            .filter(|chunk| chunk.get() < held.len())
            .copied();
        known
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|chunk| held.insert(*chunk))
            .collect()
    }

    /// Forgets what the peer holds of a container.
    pub(super) fn forget(&mut self, id: &ManifestId) -> Option<Bitfield> {
        self.holds.remove(id)
    }

    /// Whether the peer may be asked for this many bytes more.
    pub(super) fn has_room(&self, now: Moment, bytes: u64) -> bool {
        now >= self.quiet_until
            && self.flights.len() < FLIGHTS_MAX
            && self.in_flight_bytes + bytes <= self.window.target(self.rtt, bytes)
    }

    /// How long the peer needs for what it owes and this many bytes more.
    pub(super) fn time_for(&self, bytes: u64) -> Duration {
        let rate = if self.rate() == 0 {
            RATE_UNKNOWN
        } else {
            self.rate()
        };
        self.rtt + Duration::from_micros((self.in_flight_bytes + bytes) * 1_000_000 / rate)
    }

    /// How long until the peer has answered all it owes: at least as long as it has been silent.
    pub(super) fn remaining(&self, now: Moment) -> Duration {
        let owed_since = self
            .flights
            .values()
            .next()
            .map_or(now, |flight| flight.mark.at());
        self.time_for(0)
            .max(now.since(self.heard_at.max(owed_since)))
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
        if self.flights.is_empty() {
            self.check_at = now + CHECK_EVERY;
        }
        let expected_by = now + PATIENCE_MIN + 4 * self.time_for(bytes);
        let mark = self.window.mark(now);
        let flight = Flight {
            id,
            chunk,
            bytes,
            mark,
            heard_at: now,
            expected_by,
        };
        self.flights.insert(ticket, flight);
        self.in_flight_bytes += bytes;
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
        self.heard_at = now;
        self.rtt = rtt;
        self.lapses = 0;
        Some(flight)
    }

    /// A request is over without an answer.
    pub(super) fn on_void(&mut self, ticket: Ticket) -> Option<Flight> {
        let flight = self.flights.remove(&ticket)?;
        self.in_flight_bytes -= flight.bytes;
        Some(flight)
    }

    /// The peer let us down: it is left alone for longer each time in a row.
    pub(super) fn on_lapse(&mut self, now: Moment) {
        self.lapses += 1;
        let pause = Duration::from_secs(1 << self.lapses.min(LAPSES_MAX));
        self.quiet(
            now,
            if self.lapses < LAPSES_MAX {
                pause
            } else {
                SNUB
            },
        );
    }

    /// The peer is not asked for anything for a while.
    pub(super) fn quiet(&mut self, now: Moment, pause: Duration) {
        self.quiet_until = self.quiet_until.max(now + pause.min(SNUB));
    }

    /// When a quiet peer may be asked again, if it is quiet.
    pub(super) fn quiet_until(&self, now: Moment) -> Option<Moment> {
        (self.quiet_until > now).then_some(self.quiet_until)
    }

    /// When to look whether the peer still answers, if it owes anything.
    pub(super) fn check_at(&self) -> Option<Moment> {
        (!self.flights.is_empty()).then_some(self.check_at)
    }

    /// Requests that will not be answered, as far as anyone can tell: all of them where the peer
    /// is silent, and those that it passes over while it answers others.
    pub(super) fn overdue(&mut self, now: Moment) -> Vec<Ticket> {
        self.check_at = now + CHECK_EVERY;
        let owed_since = self.flights.values().map(|flight| flight.mark.at()).min();
        let silent = owed_since.is_some_and(|since| {
            now.since(self.heard_at.max(since)) > PATIENCE_MIN.max(4 * self.rtt)
        });
        let passed_over =
            |flight: &Flight| now > flight.expected_by && now.since(flight.heard_at) > PATIENCE_MIN;
        let late = self
            .flights
            .iter()
            .filter(|(_, flight)| silent || passed_over(flight));
        late.map(|(ticket, _)| *ticket).collect()
    }
}
