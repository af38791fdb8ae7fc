//! One meeting, from the moment that both sides agreed on: what to send where, and when to give up.
//!
//! ```text
//!   0 ms   punches to every place, and again after 30, 60, 100, 200, 400, 800 and 1600 ms
//!   0 ms   the dialer dials what is in the same network; IPv6 after 50 ms, IPv4 after 100 ms
//!   1 s    a relay, beside it; after 500 ms where punches may not help, and at once where they cannot
//!   3 s    it is given up
//! ```
//!
//! Punches come first because a router drops what it did not ask for: a hello that is lost is said again only
//! after 300 ms. Invariants: at most [`DIALS_AT_ONCE`] dials are under way, at most
//! [`MEET_CANDIDATES_MAX`] places are sent anything, and nothing leaves that [`may_try`] refuses.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::candidate::{Near, may_try};
use super::mapping::{Prospect, Role};
use crate::limits::MEET_CANDIDATES_MAX;
use crate::moment::Moment;

/// When punches go out, from the beginning, in milliseconds.
pub const PUNCHES: [u64; 8] = [0, 30, 60, 100, 200, 400, 800, 1600];
/// Dials of one meeting that are under way at once.
pub const DIALS_AT_ONCE: usize = 3;
/// When a relay is asked for beside it, where punches may not help: by then those that do have, also where the first
/// hello was lost, which is said again after 300 ms.
pub const RELAY_SOON: Duration = Duration::from_millis(500);
/// When a relay is asked for beside it otherwise.
pub const RELAY_AFTER: Duration = Duration::from_secs(1);
/// When a meeting is given up.
pub const GIVE_UP: Duration = Duration::from_secs(3);
/// When IPv6 is dialed: its firewalls need the other side's punch as routers do.
const DIAL_V6_AFTER: Duration = Duration::from_millis(50);
/// When IPv4 is dialed.
const DIAL_V4_AFTER: Duration = Duration::from_millis(100);
/// How much later a dial is tried again for which there was no room.
const POSTPONE: Duration = Duration::from_millis(200);
/// How long to wait after each attempt that came to nothing; the last one counts for all that follow. The
/// second is longer than routers keep what confused them (30 seconds, `nf_conntrack_udp_timeout`).
const PAUSES_S: [u64; 4] = [5, 35, 120, 600];

/// What both sides agreed on.
#[derive(Debug, Clone)]
pub struct Terms {
    /// When it begins.
    pub begin: Moment,
    /// Which side this is.
    pub role: Role,
    /// Where the other side may be.
    pub places: Vec<SocketAddr>,
    /// How near it is.
    pub near: Near,
    /// What punches may come to.
    pub prospect: Prospect,
}

/// What a meeting is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A deadline has come.
    Wake,
    /// A dial of this meeting's came to nothing.
    DialFailed(SocketAddr),
    /// A dial cannot begin yet, because too much is under way.
    Postponed(SocketAddr),
    /// A direct connection to the other side is up, however it came about.
    Connected,
}

/// What a meeting wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Send eight bytes there.
    Punch(SocketAddr),
    /// Dial there, and expect the other side.
    Dial(SocketAddr),
    /// Have a master relay, until there is something better.
    Relay,
    /// It came to nothing. Nothing follows.
    GiveUp,
}

/// A meeting.
#[derive(Debug)]
pub struct Meeting {
    begin: Moment,
    places: Vec<SocketAddr>,
    /// Rounds of punches that have gone out.
    rounds: usize,
    /// What is to be dialed, and when: the soonest first.
    dials: VecDeque<(Moment, SocketAddr)>,
    /// What is being dialed: at most [`DIALS_AT_ONCE`].
    dialing: Vec<SocketAddr>,
    /// When a relay is asked for, unless that was done.
    relay_at: Option<Moment>,
    is_over: bool,
    outputs: VecDeque<Output>,
}

impl Meeting {
    /// Nothing happens before [`Terms::begin`].
    pub fn new(terms: Terms) -> Self {
        let mut places: Vec<SocketAddr> = Vec::new();
        for at in terms.places {
            let at = SocketAddr::new(at.ip().to_canonical(), at.port());
            let is_new = !places.contains(&at) && places.len() < MEET_CANDIDATES_MAX;
            if is_new && may_try(at, terms.near).is_ok() {
                places.push(at);
            }
        }
        let mut dials: Vec<(Moment, SocketAddr)> = Vec::new();
        let is_hopeless = terms.prospect == Prospect::None;
        if terms.role == Role::Dialer && !is_hopeless {
            let due = |at: &SocketAddr| (terms.begin + dial_after(*at, terms.near), *at);
            dials = places.iter().map(due).collect();
            // of those that are due together, those named first stay first
            dials.sort_by_key(|(at, _)| *at);
        }
        let relay_after = match terms.prospect {
            Prospect::None => Duration::ZERO,
            Prospect::Doubtful => RELAY_SOON,
            Prospect::Good => RELAY_AFTER,
        };
        Self {
            begin: terms.begin,
            places,
            rounds: if is_hopeless { PUNCHES.len() } else { 0 },
            dials: dials.into(),
            dialing: Vec::new(),
            relay_at: Some(terms.begin + relay_after),
            is_over: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Moment, input: Input) {
        match input {
            Input::Wake => {}
            Input::DialFailed(remote) => self.dialing.retain(|at| *at != remote),
            Input::Postponed(remote) => {
                self.dialing.retain(|at| *at != remote);
                self.dials.push_front((now + POSTPONE, remote));
            }
            Input::Connected => {
                self.is_over = true;
                self.outputs.clear();
            }
        }
        self.advance(now);
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants to be woken; none when it is over.
    pub fn deadline(&self) -> Option<Moment> {
        if self.is_over {
            return None;
        }
        let dial = self
            .dials
            .front()
            .filter(|_| self.dialing.len() < DIALS_AT_ONCE);
        let dial = dial.map(|(at, _)| *at);
        let next = [
            self.punch_at(),
            dial,
            self.relay_at,
            Some(self.begin + GIVE_UP),
        ];
        next.into_iter().flatten().min()
    }

    /// Whether nothing more comes of it.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether a dial there is under way.
    pub fn is_dialing(&self, remote: SocketAddr) -> bool {
        self.dialing.contains(&remote)
    }

    fn punch_at(&self) -> Option<Moment> {
        let after = PUNCHES.get(self.rounds)?;
        Some(self.begin + Duration::from_millis(*after))
    }

    fn advance(&mut self, now: Moment) {
        if self.is_over {
            return;
        }
        if now >= self.begin + GIVE_UP {
            self.is_over = true;
            return self.outputs.push_back(Output::GiveUp);
        }
        // rounds that were slept through are one
        let mut is_due = false;
        while self.punch_at().is_some_and(|at| at <= now) {
            self.rounds += 1;
            is_due = true;
        }
        if is_due {
            let punches = self.places.iter().copied().map(Output::Punch);
            self.outputs.extend(punches);
        }
        while self.dialing.len() < DIALS_AT_ONCE
            && self.dials.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, at)) = self.dials.pop_front()
        {
            self.dialing.push(at);
            self.outputs.push_back(Output::Dial(at));
        }
        if self.relay_at.is_some_and(|at| at <= now) {
            self.relay_at = None;
            self.outputs.push_back(Output::Relay);
        }
    }
}

/// How long to wait after so many attempts that came to nothing.
pub fn pause(attempts: u8) -> Duration {
    let at = usize::from(attempts).saturating_sub(1);
    Duration::from_secs(PAUSES_S[at.min(PAUSES_S.len() - 1)])
}

fn dial_after(at: SocketAddr, near: Near) -> Duration {
    let is_inside = may_try(at, Near::Far).is_err();
    match at {
        _ if is_inside && near >= Near::Network => Duration::ZERO,
        SocketAddr::V6(_) => DIAL_V6_AFTER,
        SocketAddr::V4(_) => DIAL_V4_AFTER,
    }
}

#[cfg(test)]
mod tests;
