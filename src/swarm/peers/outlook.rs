//! What to expect of a peer: when it answers, from when on it is late, and what is lost with a request
//! that is taken back.
//!
//! A rate says how long answers take on the whole. How they come is another matter: a peer that serves
//! many lets each wait, and then gives it several at once. So a request that has some before it may still
//! be answered within a round trip, and what is expected to come of it counts as lost with it.

use std::time::Duration;

use super::{Flight, Peer, RATE_MIN, RATE_UNKNOWN};
use crate::moment::Moment;
use crate::swarm::event::Ticket;
use crate::swarm::record::PATIENCE;
use crate::swarm::window::micros;

/// Who let us down is taken for half as fast each time, as often as this.
const DOUBTS_MAX: u32 = 8;
/// The moment after a moment.
const SOON: Duration = Duration::from_micros(1);
/// A peer whose rate is known pauses when it has sent nothing for this many round trips; of others it is
/// said after more.
const PAUSE: u32 = 2;
const PAUSE_UNKNOWN: u32 = 16;
/// As long as this many silences may a peer trickle.
const TRICKLES_MAX: u32 = 8;

impl Peer {
    /// While nothing is known of the peer, it is taken for as fast as others are, in bytes per second.
    pub(in crate::swarm) fn guess(&mut self, rate: u64) {
        self.guess = rate.clamp(RATE_MIN, RATE_UNKNOWN);
    }

    /// How long until the peer would have answered what it owes and this many bytes more.
    pub(in crate::swarm) fn done_in(&self, now: Moment, bytes: u64) -> Duration {
        self.starts_in(now) + self.span_of(bytes)
    }

    /// How long until the peer would begin to answer one more request.
    pub(in crate::swarm) fn starts_in(&self, now: Moment) -> Duration {
        self.outlook(now).remaining.max(self.rtt)
    }

    /// What to expect of the peer. It may answer several requests at once, so what is here of them
    /// counts, not when the last one was whole.
    pub(in crate::swarm) fn outlook(&self, now: Moment) -> Outlook {
        let (since, turn) = self.turn(now);
        let late_after = self.late_after(since, turn);
        let all = self.rtt + self.span_of(self.flights.missing());
        let is_known = self.is_known();
        let remaining = if !is_known || now > late_after {
            all.max(now.since(since))
        } else {
            let unheard = now.since(since.max(self.heard_at));
            all.saturating_sub(unheard.min(turn))
        };
        Outlook {
            remaining,
            is_known,
            since,
            late_after,
            silent_after: self.silent_after(since, late_after),
        }
    }

    /// Until when the peer is not silent, given since when it owes what is next and until when it is not
    /// late. What trickles is as good as nothing, if it goes on for long.
    fn silent_after(&self, since: Moment, late_after: Moment) -> Moment {
        let silence = PATIENCE.max(4 * self.rtt);
        let silent_after = late_after.max(since.max(self.heard_at) + silence);
        if self.is_slow() {
            silent_after.min(since + TRICKLES_MAX * silence)
        } else {
            silent_after
        }
    }

    /// From when on the peer has sent nothing for a while, if it does not send all the time.
    pub(in crate::swarm) fn pauses_from(&self, now: Moment) -> Moment {
        if self.window.is_steady() {
            return now;
        }
        let (since, _) = self.turn(now);
        let pause = if self.rate() > 0 {
            PAUSE
        } else {
            PAUSE_UNKNOWN
        };
        (since.max(self.heard_at) + pause * self.rtt).max(now)
    }

    /// How much of an answer is here, or will be before the peer hears that nobody wants it any more:
    /// what is expected, in bytes, if it owes `before` bytes of older answers. An answer is lost that comes
    /// within a round trip, or has begun by then; the longer a peer has sent nothing, the less likely it
    /// is to begin just now.
    pub(in crate::swarm) fn at_risk(&self, now: Moment, flight: &Flight, before: u64) -> u64 {
        let burst = match self.window.burst() {
            0 => self.guess,
            burst => burst,
        };
        let (missing, rtt) = (flight.missing(), micros(self.rtt).max(1));
        let coming = if before == 0 {
            missing
        } else {
            let sent = burst.saturating_mul(rtt) / 1_000_000;
            sent.saturating_sub(before).min(missing)
        };
        let (since, _) = self.turn(now);
        let takes = rtt + micros(span_at(burst, missing));
        let all = takes.saturating_add(micros(now.since(since)));
        let likely = u128::from(coming) * u128::from(takes) / u128::from(all);
        flight.received + u64::try_from(likely).unwrap_or(coming)
    }

    /// The same, of the request with this ticket.
    pub(in crate::swarm) fn at_risk_of(&self, now: Moment, ticket: Ticket) -> u64 {
        let flight = self.flights.find(ticket);
        flight.map_or(0, |flight| {
            let before = self.flights.missing_before(ticket);
            self.at_risk(now, flight, before)
        })
    }

    /// Whether an answer has begun to come in and its rest takes no longer than this.
    pub(in crate::swarm) fn brings(&self, flight: &Flight, within: Duration) -> bool {
        flight.received > 0 && self.span_of(flight.missing()) <= within
    }

    /// Whether the answer that is next has taken twice as long as it should.
    pub(in crate::swarm) fn is_late(&self, now: Moment) -> bool {
        let (since, turn) = self.turn(now);
        now > self.late_after(since, turn)
    }

    /// The oldest request, if the peer has said nothing since it should have.
    pub(in crate::swarm) fn silent_on(&self, now: Moment) -> Option<Ticket> {
        let (ticket, oldest) = self.flights.oldest()?;
        let waited = now.since(self.heard_at.max(oldest.mark.at()));
        let ((_, turn), patience) = (self.turn(now), self.patience());
        (waited > (2 * turn).clamp(patience, 4 * patience)).then_some(*ticket)
    }

    /// Requests that the peer passes over while it answers others.
    pub(in crate::swarm) fn passed_over(&self, now: Moment) -> Vec<Ticket> {
        let is_over = |flight: &Flight| {
            now > flight.expected_by && now.since(flight.heard_at) > self.patience()
        };
        let over = self.flights.iter().filter(|(_, flight)| is_over(flight));
        over.map(|(ticket, _)| ticket).collect()
    }

    /// Since when the peer has owed the answer that is next, and how long that should take. What is
    /// as good as silent gets no longer for it than one that nothing is known of.
    fn turn(&self, now: Moment) -> (Moment, Duration) {
        self.flights
            .oldest()
            .map_or((now, Duration::ZERO), |(_, oldest)| {
                let since = self.answered_at.max(oldest.mark.at());
                let rate = if self.is_slow() {
                    self.guess
                } else {
                    self.rate()
                };
                (since, self.rtt + span_at(rate, oldest.bytes))
            })
    }

    /// Until when the peer is not late, given since when it owes what is next and how long that takes.
    /// On trial it has all the time that we have patience for: it may be slow because many ask it,
    /// and has to get its turn.
    fn late_after(&self, since: Moment, turn: Duration) -> Moment {
        if self.record.is_on_trial() {
            since + self.patience().max(2 * turn)
        } else {
            since + 2 * turn
        }
    }

    /// How long the peer takes to send this many bytes.
    pub(in crate::swarm) fn span_of(&self, bytes: u64) -> Duration {
        let rate = match self.rate() {
            0 => (self.guess >> self.record.lapses().min(DOUBTS_MAX)).max(1),
            rate => rate,
        };
        span_at(rate, bytes)
    }
}

/// What to expect of a peer that answers nothing from now on.
#[derive(Debug, Clone, Copy)]
pub(in crate::swarm) struct Outlook {
    /// How long until it has answered all it owes. One that is late, or has yet to show what it can
    /// do, will take as long again as it has taken already, as far as anyone can tell.
    pub(in crate::swarm) remaining: Duration,
    is_known: bool,
    since: Moment,
    late_after: Moment,
    silent_after: Moment,
}

impl Outlook {
    /// The first moment from now on at which the peer is late and has said nothing for long.
    pub(in crate::swarm) fn silent_from(&self, now: Moment) -> Moment {
        (self.silent_after + SOON).max(now)
    }

    /// The first moment from now on at which the peer is late.
    pub(in crate::swarm) fn late_from(&self, now: Moment) -> Moment {
        (self.late_after + SOON).max(now)
    }

    /// The first moment from now on at which `remaining` is over `span`.
    pub(in crate::swarm) fn slower_than(&self, now: Moment, span: Duration) -> Moment {
        if self.remaining > span {
            return now;
        }
        let at = if self.is_known {
            (self.since + span).max(self.late_after)
        } else {
            self.since + span
        };
        at.max(now) + SOON
    }
}

fn span_at(rate: u64, bytes: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / rate)
}
