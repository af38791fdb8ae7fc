//! Meeting peers behind routers: asking masters to carry invitations, taking up those of others, and doing
//! what each [`Meeting`] says at its time.
//!
//! ```text
//! a master names a holder -> dialed like any other (reach)
//!   not connected after a moment -> invitation, through a master that named it      asking
//!   somebody's invitation comes  -> judged, counted, answered                       answering
//!   both: punches and dials from the moment agreed on                               driving
//! ```
//!
//! What comes of it is an ordinary connection, known by who is at its other end and not by where that is:
//! of two that come about at the same time the roster keeps the one that both sides keep. What failed is
//! tried again with the other side dialing, less and less often. Everything is bounded: who is waited for,
//! meetings under way, and by [`Budget`] what is sent for others.

mod answering;
mod asking;
mod driving;
mod looking;
mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::masters::MasterId;
use super::quest::FetchId;
use crate::digest::Address;
use crate::moment::Moment;
use crate::nat::{Budget, DIAL_BYTES, Meeting, pause};
use crate::wire::{Invitation, Mapping, Nonce};

/// Peers that this node would like to meet, at most.
const WISHES_MAX: usize = 64;
/// Meetings of one node under way, others' included.
const MEETINGS_MAX: usize = 16;
/// Peers of whom it is remembered why there is no direct way.
const WHYS_MAX: usize = 256;
/// How long a peer is given to answer where it is said to be, before a meeting is asked for.
const DIRECT_FIRST: Duration = Duration::from_millis(250);
/// How soon a peer that was connected is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long after it was answered an invitation may begin.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// All that is under way.
#[derive(Debug, Default)]
pub(super) struct Meets {
    budget: Budget,
    wishes: BTreeMap<Address, Wish>,
    running: BTreeMap<Nonce, Running>,
    /// How each master sees our router.
    mappings: BTreeMap<MasterId, Mapping>,
    /// Why there is no direct way to somebody, in words.
    whys: BTreeMap<Address, String>,
    /// Our address towards masters, when last looked at.
    own_ip: Option<IpAddr>,
}

/// Somebody whom a fetch needs and who is not connected, or was not when this began.
#[derive(Debug)]
struct Wish {
    /// The masters that named it.
    by: BTreeSet<MasterId>,
    fetches: BTreeSet<FetchId>,
    /// Attempts that came to nothing.
    attempts: u8,
    /// When a master was first asked for this, unless it came to a connection since.
    asked_at: Option<Moment>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// To be asked for then, unless it is connected by then.
    Waiting(Moment),
    /// A master carries this invitation.
    Asked(Box<Invitation>, Moment),
    Meeting,
    Connected,
}

/// A meeting that was agreed on.
#[derive(Debug)]
struct Running {
    who: Address,
    /// When this side heard of it, or asked for it.
    since: Moment,
    /// How both routers map, ours first.
    mappings: (Mapping, Mapping),
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// We said yes; the master says when.
    Accepted(Box<Invitation>),
    Begun(Meeting),
}

impl Running {
    fn dials(&self, remote: SocketAddr) -> bool {
        match &self.stage {
            Stage::Accepted(_) => false,
            Stage::Begun(meeting) => meeting.is_dialing(remote),
        }
    }
}

impl Meets {
    /// A master has named somebody for a fetch.
    pub(super) fn wish(&mut self, now: Moment, who: Address, fetch: FetchId, by: MasterId) {
        let is_full = self.wishes.len() >= WISHES_MAX;
        if is_full && !self.wishes.contains_key(&who) {
            tracing::debug!(%who, "no room to meet another");
            return;
        }
        let wish = self.wishes.entry(who).or_insert_with(|| Wish {
            by: BTreeSet::new(),
            fetches: BTreeSet::new(),
            attempts: 0,
            asked_at: None,
            state: State::Waiting(now + DIRECT_FIRST),
        });
        wish.by.insert(by);
        wish.fetches.insert(fetch);
    }

    /// A fetch is over.
    pub(super) fn forget(&mut self, fetch: FetchId) {
        self.wishes.retain(|_, wish| {
            wish.fetches.remove(&fetch);
            !wish.fetches.is_empty()
        });
    }

    /// The fetches that somebody was named for.
    pub(super) fn wanted_of(&self, who: Address) -> impl Iterator<Item = FetchId> {
        let wish = self.wishes.get(&who);
        wish.into_iter()
            .flat_map(|wish| wish.fetches.iter().copied())
    }

    /// The masters that named somebody.
    pub(super) fn named_by(&self, who: Address) -> BTreeSet<MasterId> {
        let wish = self.wishes.get(&who);
        wish.map_or_else(BTreeSet::new, |wish| wish.by.clone())
    }

    /// A direct connection is up. Answers for how long a meeting with that peer has been under way, if one is.
    pub(super) fn on_connected(&mut self, now: Moment, who: Address) -> Option<Duration> {
        if let Some(wish) = self.wishes.get_mut(&who) {
            (wish.state, wish.attempts) = (State::Connected, 0);
            wish.asked_at = None;
        }
        self.whys.remove(&who);
        let theirs = self.running.values().filter(|it| it.who == who);
        let began = theirs.map(|it| it.since).min();
        self.running.retain(|_, it| it.who != who);
        began.map(|since| now.since(since))
    }

    /// A connection through a master is up; meetings go on. Answers for how long a direct one has been asked for,
    /// if it has: by us or by the other side.
    pub(super) fn on_relayed(&mut self, now: Moment, who: Address) -> Option<Duration> {
        let ours = self.wishes.get_mut(&who);
        let ours = ours.and_then(|wish| wish.asked_at.take());
        let theirs = self.running.values().filter(|it| it.who == who);
        let since = ours.or_else(|| theirs.map(|it| it.since).min())?;
        Some(now.since(since))
    }

    /// Why there is no direct way to somebody, as far as that was found out.
    pub(super) fn why(&self, who: Address) -> Option<String> {
        self.whys.get(&who).cloned()
    }

    /// There is no direct way to somebody, for this reason.
    fn note_why(&mut self, who: Address, why: &str) {
        if self.whys.len() >= WHYS_MAX && !self.whys.contains_key(&who) {
            self.whys.pop_first();
        }
        self.whys.insert(who, why.to_owned());
    }

    /// A place that a meeting dialed has proven itself.
    pub(super) fn on_proven(&mut self) {
        self.budget.give_back(DIAL_BYTES);
    }

    /// A connection is over.
    pub(super) fn on_closed(&mut self, now: Moment, who: Address) {
        if let Some(wish) = self.wishes.get_mut(&who)
            && matches!(wish.state, State::Connected)
        {
            wish.state = State::Waiting(now + AGAIN);
        }
    }

    /// Our address towards masters is this now; answers whether it was another. One of the other family is that of
    /// another master.
    pub(super) fn has_moved(&mut self, own: IpAddr) -> bool {
        let before = self.own_ip.replace(own);
        before.is_some_and(|before| before != own && before.is_ipv4() == own.is_ipv4())
    }

    /// Somebody we wait for is silent: asked for at once.
    pub(super) fn on_missing(&mut self, now: Moment, who: Address) {
        if let Some(wish) = self.wishes.get_mut(&who)
            && matches!(wish.state, State::Connected)
        {
            wish.state = State::Waiting(now);
        }
    }

    /// A master has welcomed us; how it sees our router is not known yet.
    pub(super) fn on_enlisted(&mut self, id: MasterId) {
        self.mappings.insert(id, Mapping::Unknown);
    }

    /// How a master sees our router.
    fn mapping(&self, id: MasterId) -> Mapping {
        self.mappings.get(&id).copied().unwrap_or(Mapping::Unknown)
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let wishes = self.wishes.values().filter_map(|wish| match wish.state {
            State::Waiting(at) => Some(at),
            State::Asked(..) | State::Meeting | State::Connected => None,
        });
        let running = self.running.values().filter_map(|it| match &it.stage {
            Stage::Begun(meeting) => meeting.deadline(),
            Stage::Accepted(_) => Some(it.since + START_PATIENCE),
        });
        wishes.chain(running).min()
    }

    /// An attempt came to nothing.
    fn on_failed(&mut self, now: Moment, who: Address) {
        if let Some(wish) = self.wishes.get_mut(&who)
            && !matches!(wish.state, State::Connected)
        {
            wish.attempts = wish.attempts.saturating_add(1);
            wish.state = State::Waiting(now + pause(wish.attempts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn at(ms: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(ms)
    }

    fn who(name: u32) -> Address {
        Address::new(Digest::of(&name.to_le_bytes()))
    }

    #[test]
    fn whoever_is_named_is_waited_for_first_and_as_long_as_a_fetch_wants_it() {
        let mut meets = Meets::default();
        let master = MasterId::default();
        meets.wish(at(0), who(1), FetchId(1), master);
        meets.wish(at(100), who(1), FetchId(2), master);
        assert_eq!(meets.deadline(), Some(at(250)));
        assert_eq!(meets.on_connected(at(100), who(1)), None);
        assert_eq!(meets.deadline(), None);
        meets.on_closed(at(200), who(1));
        assert_eq!(meets.deadline(), Some(at(1200)));
        let wanted: Vec<FetchId> = meets.wanted_of(who(1)).collect();
        assert_eq!(wanted, [FetchId(1), FetchId(2)]);
        meets.forget(FetchId(1));
        assert_eq!(meets.wanted_of(who(1)).count(), 1);
        meets.forget(FetchId(2));
        assert_eq!((meets.wishes.len(), meets.deadline()), (0, None));
    }

    #[test]
    fn what_failed_is_tried_again_less_and_less_often() {
        let mut meets = Meets::default();
        meets.wish(at(0), who(1), FetchId(1), MasterId::default());
        meets.on_failed(at(1000), who(1));
        assert_eq!(meets.deadline(), Some(at(6000)));
        meets.on_failed(at(9000), who(1));
        assert_eq!(meets.deadline(), Some(at(44_000)));
        meets.on_connected(at(10_000), who(1));
        meets.on_failed(at(11_000), who(1));
        assert_eq!(meets.deadline(), None, "a connection counts for more");
    }

    #[test]
    fn a_relay_is_timed_from_the_first_request_and_once() {
        let mut meets = Meets::default();
        meets.wish(at(0), who(1), FetchId(1), MasterId::default());
        assert_eq!(meets.on_relayed(at(100), who(1)), None, "nobody was asked");
        meets.wishes.get_mut(&who(1)).unwrap().asked_at = Some(at(250));
        let after = meets.on_relayed(at(700), who(1));
        assert_eq!(after, Some(Duration::from_millis(450)));
        assert_eq!(meets.on_relayed(at(900), who(1)), None);
    }

    #[test]
    fn why_there_is_no_direct_way_is_remembered_until_there_is_one() {
        let mut meets = Meets::default();
        meets.note_why(who(1), "both vary");
        assert_eq!(meets.why(who(1)), Some("both vary".to_owned()));
        meets.on_connected(at(0), who(1));
        assert_eq!(meets.why(who(1)), None);
        for name in 0..1000 {
            meets.note_why(who(name), "");
        }
        assert_eq!(meets.whys.len(), WHYS_MAX);
    }

    #[test]
    fn who_is_waited_for_is_bounded() {
        let mut meets = Meets::default();
        for name in 0..1000 {
            meets.wish(at(0), who(name), FetchId(1), MasterId::default());
        }
        assert_eq!(meets.wishes.len(), WISHES_MAX);
    }
}
