//! How a peer has kept its word lately: how long to wait for it, and when to ask it again.
//!
//! A peer that lets us down is on trial: it gets one request at a time until it answers one. If what
//! it was asked for failed, it rests before, twice as long each time in a row. If it was silent, it
//! keeps its oldest request, and is waited for twice as long each time: a peer that is slow because
//! many ask it must get its turn to answer, a silent one must cost little.
//!
//! A peer that chokes us is not asked, and what it does not serve meanwhile is no failure, whether we
//! hear of that before or after.
//!
//! This is what snubbing is elsewhere (a fixed minute after three misses in a row), made gradual: a
//! minute at the first misses starves a peer that many ask at once, and here the rest grows to that
//! minute. Rarity counts what peers say, not only peers that have served: a lie about a rare chunk
//! costs one request, which somebody else takes over.
//!
//! Invariant: what one cause makes fail counts once. Requests older than a counted failure were
//! made under the same hopes.

use std::time::Duration;

use super::event::Ticket;
use super::planted::{Bug, is_planted};
use crate::moment::Moment;

/// A peer that says nothing for this long is silent, if it has kept its word until now.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// The first rest after a failure.
const REST: Duration = Duration::from_secs(1);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(60);
/// The shortest rest that a busy peer gets, whatever it asks for.
const BUSY_MIN: Duration = Duration::from_millis(100);
/// How often patience doubles at most: to half an hour.
const DOUBLINGS_MAX: u32 = 10;
/// Chunks that a peer may lack although it said that it holds them, before that is a failure.
const BROKEN_PROMISES_MAX: u32 = 3;

/// One peer's record.
#[derive(Debug, Default)]
pub(super) struct Record {
    lapses: u32,
    broken_promises: u32,
    counted_below: Option<Ticket>,
    on_trial: bool,
    /// Whether it asked for a rest and has answered nothing since.
    was_busy: bool,
    is_choked: bool,
    is_denied: bool,
    /// The end of the rest after a failure, and of the one that the peer asked for.
    rests_until: Moment,
    busy_until: Moment,
}

impl Record {
    /// An answer is here whole: failures are forgiven. A rest that the peer asked for it still gets.
    pub(super) fn on_answer(&mut self) {
        self.lapses = 0;
        self.broken_promises = 0;
        self.on_trial = false;
        self.was_busy = false;
        self.rests_until = Moment::ORIGIN;
    }

    /// A request failed. `next` is the request that would be made next.
    pub(super) fn on_lapse(&mut self, now: Moment, ticket: Ticket, next: Ticket) {
        if self.is_counted(ticket) {
            return;
        }
        let rest = REST * (1 << self.lapses.min(DOUBLINGS_MAX));
        self.on_silence(ticket, next);
        self.broken_promises = 0;
        self.rests_until = now + rest.min(REST_MAX);
    }

    /// The peer has said nothing for longer than there was patience for.
    pub(super) fn on_silence(&mut self, ticket: Ticket, next: Ticket) {
        if !self.is_counted(ticket) {
            self.on_doubt();
            self.counted_below = Some(next);
        }
    }

    /// The peer lacks a chunk that it said it holds. Once is news, over and over is a failure.
    pub(super) fn on_broken_promise(&mut self, now: Moment, ticket: Ticket, next: Ticket) {
        if self.is_counted(ticket) {
            return;
        }
        self.broken_promises += 1;
        if self.broken_promises >= BROKEN_PROMISES_MAX {
            self.on_lapse(now, ticket, next);
        }
        self.counted_below = Some(next);
    }

    /// The peer asks for a rest.
    pub(super) fn on_busy(&mut self, now: Moment, retry_after: Duration) {
        self.was_busy = true;
        let rest = retry_after.clamp(BUSY_MIN, REST_MAX);
        self.busy_until = self.busy_until.max(now + rest);
    }

    /// The peer does not serve us.
    pub(super) fn on_choked(&mut self) {
        self.is_choked = true;
    }

    /// The peer serves us again: what it said while it did not means nothing any more.
    pub(super) fn on_unchoked(&mut self) {
        self.is_choked = false;
        self.was_busy = false;
        self.busy_until = Moment::ORIGIN;
    }

    /// The peer says that it gives us nothing.
    pub(super) fn on_denied(&mut self) {
        self.is_denied = true;
    }

    /// Whether the peer does not serve us, for now or at all.
    pub(super) fn is_choked(&self) -> bool {
        self.is_choked || self.is_denied
    }

    /// The peer was late, and lost a request for it.
    pub(super) fn on_doubt(&mut self) {
        self.lapses = self.lapses.saturating_add(1);
        self.on_trial = true;
    }

    /// How often in a row the peer let us down.
    pub(super) fn lapses(&self) -> u32 {
        self.lapses
    }

    /// Until when the peer is not asked, if it rests.
    pub(super) fn rests_until(&self, now: Moment) -> Option<Moment> {
        let until = self.rests_until.max(self.busy_until);
        let rests = until > now || (until > Moment::ORIGIN && is_planted(Bug::RestsForEver));
        rests.then_some(until)
    }

    /// Whether the peer has yet to answer after it let us down: it gets one request at a time.
    pub(super) fn is_on_trial(&self) -> bool {
        self.on_trial || self.was_busy
    }

    /// How long the peer may say nothing.
    pub(super) fn patience(&self, rtt: Duration) -> Duration {
        (PATIENCE * (1 << self.lapses.min(DOUBLINGS_MAX))).max(4 * rtt)
    }

    fn is_counted(&self, ticket: Ticket) -> bool {
        self.counted_below.is_some_and(|below| ticket < below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1);

    fn rest_of(record: &Record) -> Duration {
        record
            .rests_until(NOW)
            .map_or(Duration::ZERO, |at| at.since(NOW))
    }

    #[test]
    fn a_window_that_fails_at_once_is_one_failure() {
        let mut record = Record::default();
        (0..16).for_each(|ticket| record.on_lapse(NOW, Ticket(ticket), Ticket(16)));
        assert_eq!(rest_of(&record), REST);
        record.on_lapse(NOW, Ticket(16), Ticket(17));
        assert_eq!(rest_of(&record), 2 * REST);
        assert_eq!(record.patience(Duration::ZERO), 4 * PATIENCE);
    }

    #[test]
    fn rest_and_patience_are_bounded_and_an_answer_ends_them() {
        let mut record = Record::default();
        (0..100).for_each(|ticket| record.on_lapse(NOW, Ticket(ticket), Ticket(ticket + 1)));
        assert!(rest_of(&record) <= REST_MAX && record.is_on_trial());
        assert_eq!(record.patience(Duration::ZERO), 1024 * PATIENCE);
        record.on_answer();
        assert_eq!(rest_of(&record), Duration::ZERO);
        assert!(!record.is_on_trial() && record.patience(Duration::ZERO) == PATIENCE);
    }

    #[test]
    fn promises_may_be_broken_now_and_then() {
        let mut record = Record::default();
        record.on_broken_promise(NOW, Ticket(0), Ticket(16));
        (1..16).for_each(|ticket| record.on_broken_promise(NOW, Ticket(ticket), Ticket(16)));
        assert_eq!(rest_of(&record), Duration::ZERO, "one bitfield was wrong");
        record.on_broken_promise(NOW, Ticket(16), Ticket(17));
        record.on_broken_promise(NOW, Ticket(17), Ticket(18));
        assert_eq!(rest_of(&record), REST, "they are all wrong");
    }

    #[test]
    fn what_a_peer_does_not_serve_while_it_chokes_us_is_no_failure() {
        let mut record = Record::default();
        record.on_busy(NOW, REST);
        assert!(record.is_on_trial(), "nobody said why");
        record.on_choked();
        record.on_busy(NOW, REST);
        assert!(record.is_choked());
        record.on_unchoked();
        assert!(!record.is_choked() && !record.is_on_trial());
        assert_eq!((rest_of(&record), record.lapses()), (Duration::ZERO, 0));
        record.on_lapse(NOW, Ticket(0), Ticket(1));
        record.on_choked();
        record.on_unchoked();
        assert!(record.is_on_trial(), "that was its own failure");
    }

    #[test]
    fn a_busy_peer_names_its_rest_within_bounds() {
        for (asked, rest) in [
            (Duration::ZERO, BUSY_MIN),
            (Duration::from_millis(500), Duration::from_millis(500)),
            (Duration::MAX, REST_MAX),
        ] {
            let mut record = Record::default();
            record.on_busy(NOW, asked);
            record.on_answer();
            assert_eq!(rest_of(&record), rest);
        }
    }
}
