//! Carrying invitations between two nodes that are both connected, and saying when they begin.
//!
//! A master forwards nothing to anybody who has not enlisted on a connection of its own, and nothing that
//! does not begin with where it sees its sender. It counts what each wallet and subnet asks for, and what
//! each node is asked. It checks no signature: the one who is invited does, and the sender's connection has
//! proven who it is. It keeps an introduction for as long as the one invited may take to answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::driver::Driver;
use super::gate::Kind;
use crate::digest::Address;
use crate::index::{Meter, Pace};
use crate::limits::MEET_WAIT_US_MAX;
use crate::moment::Moment;
use crate::net::{Answer, Answered, Fault, Responder, SessionKey, View};
use crate::wire::{Invitation, Nonce, Reply, Request, Unmet};

/// Introductions under way.
const OPEN_MAX: usize = 4096;
/// How long the one invited may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a node waits to be told where its datagram came from.
const LOOK_PATIENCE: Duration = Duration::from_millis(600);
/// Invitations that one node is shown.
const SHOWN: Pace = Pace {
    per_second: 1,
    burst: 10,
};
/// What both sides are given beyond the time that the words take to them.
const MARGIN: Duration = Duration::from_millis(10);

/// All introductions.
#[derive(Debug)]
pub(super) struct Introductions {
    /// The UDP port that looks go to; none where there is no such port.
    port: Option<u16>,
    next: u64,
    open: BTreeMap<u64, Introduction>,
    /// The connection of each node that has enlisted: the latest.
    homes: BTreeMap<Address, SessionKey>,
    shown: Meter<Address>,
    /// Whose datagram carries this.
    tokens: BTreeMap<[u8; 8], SessionKey>,
    /// Who waits to be told what was seen, and since when.
    waiting: BTreeMap<SessionKey, (Responder, Moment)>,
}

/// One introduction.
#[derive(Debug)]
struct Introduction {
    asker: SessionKey,
    invited: SessionKey,
    nonce: Nonce,
    responder: Responder,
}

/// What a master sees of a node's router.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    token: Option<[u8; 8]>,
    there: Option<SocketAddr>,
}

impl Introductions {
    /// None yet; looks come to this port.
    pub(super) const fn new(port: Option<u16>) -> Self {
        Self {
            port,
            next: 0,
            open: BTreeMap::new(),
            homes: BTreeMap::new(),
            shown: Meter::new(SHOWN),
            tokens: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }
}

impl Driver {
    /// A node has enlisted: it can be invited.
    pub(super) fn on_home(&mut self, who: Address, key: SessionKey) {
        self.introductions.homes.insert(who, key);
    }

    /// A connection is over.
    pub(super) fn drop_introductions(&mut self, key: SessionKey, who: Address, seen: Seen) {
        let all = &mut self.introductions;
        if all.homes.get(&who) == Some(&key) {
            all.homes.remove(&who);
        }
        if let Some(token) = seen.token {
            all.tokens.remove(&token);
        }
        all.waiting.remove(&key);
        all.open.retain(|_, it| it.asker != key);
    }

    /// A node asks where to send a datagram that shows how its router maps.
    pub(super) fn on_locate(&mut self, key: SessionKey, responder: Responder) {
        let (Some(port), Some(client)) = (self.introductions.port, self.clients.get_mut(&key))
        else {
            return responder.answer(Answer::Header(Reply::Denied));
        };
        let token = match client.seen.token {
            Some(token) => token,
            None => {
                let mut token = [0; 8];
                if getrandom::fill(&mut token).is_err() {
                    return responder.answer(Answer::Header(Reply::Denied));
                }
                client.seen.token = Some(token);
                self.introductions.tokens.insert(token, key);
                token
            }
        };
        responder.answer(Answer::Header(Reply::Locate { port, token }));
    }

    /// A node asks what was seen: answered when it was, or after a moment.
    pub(super) fn on_located(&mut self, key: SessionKey, responder: Responder) {
        let Some(client) = self.clients.get(&key) else {
            return;
        };
        if client.seen.there.is_some() {
            return self.tell_seen(key, responder);
        }
        let waiting = (responder, self.clock.now());
        if let Some((before, _)) = self.introductions.waiting.insert(key, waiting) {
            self.tell_seen(key, before);
        }
    }

    /// A datagram has come to the second port.
    pub(super) fn on_view(&mut self, view: View) {
        let Some(key) = self.introductions.tokens.get(&view.token).copied() else {
            return;
        };
        if let Some(client) = self.clients.get_mut(&key) {
            client.seen.there = Some(view.from);
        }
        if let Some((responder, _)) = self.introductions.waiting.remove(&key) {
            self.tell_seen(key, responder);
        }
    }

    fn tell_seen(&self, key: SessionKey, responder: Responder) {
        let Some(client) = self.clients.get(&key) else {
            return;
        };
        let (here, there) = (client.session.remote(), client.seen.there);
        responder.answer(Answer::Header(Reply::Located { here, there }));
    }

    /// Answers those whose datagram has not come for too long.
    pub(super) fn review_introductions(&mut self) {
        let now = self.clock.now();
        let all = &mut self.introductions;
        let late = |(_, since): &(Responder, Moment)| now.since(*since) >= LOOK_PATIENCE;
        let late: Vec<SessionKey> = all
            .waiting
            .iter()
            .filter(|(_, it)| late(it))
            .map(|(key, _)| *key)
            .collect();
        for key in late {
            if let Some((responder, _)) = self.introductions.waiting.remove(&key) {
                self.tell_seen(key, responder);
            }
        }
    }

    /// A node would like to meet another.
    pub(super) fn on_meet(
        &mut self,
        key: SessionKey,
        invitation: Invitation,
        responder: Responder,
    ) {
        let Some(client) = self.clients.get(&key) else {
            return;
        };
        let (seat, subnet) = (client.seat(), client.subnet());
        if let Err(after) = self.admits(Kind::Meet, &seat, subnet) {
            return self.send_away(responder, after);
        }
        let first = invitation.at.first();
        let is_sender = invitation.from() == seat.address && first == Some(&seat.remote);
        if !is_sender || invitation.to == seat.address {
            return unmet(responder, Unmet::NotYou);
        }
        let to = invitation.to;
        let home = self.introductions.homes.get(&to).copied();
        let Some((invited, session)) =
            home.and_then(|home| Some((home, self.clients.get(&home)?.session.clone())))
        else {
            return unmet(responder, Unmet::NotHere);
        };
        let now = self.clock.now();
        if let Err(after) = self.introductions.shown.take(now, to) {
            return self.send_away(responder, after);
        }
        if self.introductions.open.len() >= OPEN_MAX {
            return self.turn_away(responder);
        }
        let all = &mut self.introductions;
        all.next += 1;
        let introduction = Introduction {
            asker: key,
            invited,
            nonce: invitation.nonce,
            responder,
        };
        all.open.insert(all.next, introduction);
        session.ask(all.next, Request::Invite(invitation), PATIENCE);
    }

    /// A node that was invited, or told to begin, has answered.
    pub(super) fn on_invited(
        &mut self,
        key: SessionKey,
        ticket: u64,
        answer: Result<Answered, Fault>,
    ) {
        let open = &mut self.introductions.open;
        if open.get(&ticket).is_none_or(|it| it.invited != key) {
            return;
        }
        let Some(introduction) = open.remove(&ticket) else {
            return;
        };
        let Introduction {
            asker,
            nonce,
            responder,
            ..
        } = introduction;
        let (Some(asker), Some(invited)) = (self.clients.get(&asker), self.clients.get(&key))
        else {
            return unmet(responder, Unmet::NotHere);
        };
        let acceptance = match answer.map(|it| it.reply) {
            Ok(Reply::Accepted(acceptance)) => acceptance,
            Ok(Reply::Unmet(why)) => return unmet(responder, why),
            Ok(_) | Err(_) => return unmet(responder, Unmet::Declined),
        };
        if acceptance.at.first() != Some(&invited.session.remote()) {
            return unmet(responder, Unmet::NotYou);
        }
        let (theirs, ours) = waits(asker.session.rtt(), invited.session.rtt());
        self.totals.meetings += 1;
        responder.answer(Answer::Header(Reply::Go {
            acceptance,
            wait_us: theirs,
        }));
        let start = Request::Start {
            nonce,
            wait_us: ours,
        };
        // what it says to that changes nothing
        invited.session.ask(0, start, PATIENCE);
    }
}

/// How long each of two waits after it is told, so that both begin at once: in microseconds.
fn waits(one: Duration, other: Duration) -> (u32, u32) {
    let begin = one.max(other) / 2 + MARGIN;
    let wait = |rtt: Duration| {
        let wait = begin.saturating_sub(rtt / 2).as_micros();
        u32::try_from(wait).map_or(MEET_WAIT_US_MAX, |wait| wait.min(MEET_WAIT_US_MAX))
    };
    (wait(one), wait(other))
}

fn unmet(responder: Responder, why: Unmet) {
    responder.answer(Answer::Header(Reply::Unmet(why)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_begin_at_once_however_far_each_is() {
        let ms = Duration::from_millis;
        for (one, other, expected) in [
            (ms(20), ms(20), (10_000, 10_000)),
            (ms(0), ms(100), (60_000, 10_000)),
            (ms(100), ms(0), (10_000, 60_000)),
            (ms(0), ms(9000), (MEET_WAIT_US_MAX, 10_000)),
        ] {
            assert_eq!(waits(one, other), expected);
        }
    }
}
