//! Where the peers of our fetches may be reached, and when to dial them again.
//!
//! Every candidate is somebody's hint. A dial that fails is repeated after a pause that doubles; a
//! candidate that turned out to be somebody we are connected to already is left alone meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::config::PeerHint;
use super::masters::MasterId;
use super::quest::FetchId;
use crate::digest::Address;
use crate::host::Host;
use crate::limits::{CANDIDATES_MAX, DIALS_MAX};
use crate::moment::Moment;
use crate::nat::{Later, Targets};

/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two dials of one candidate.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The candidates.
#[derive(Debug, Default)]
pub(super) struct Reach {
    candidates: BTreeMap<SocketAddr, Candidate>,
    targets: Targets,
}

#[derive(Debug)]
struct Candidate {
    expected: Option<Address>,
    wanted_by: BTreeSet<FetchId>,
    state: State,
    failures: u32,
    /// The SwarmMasters that named it; none where anybody else did.
    named_by: BTreeSet<MasterId>,
    /// When it was first dialed.
    dialed_at: Option<Moment>,
    /// Who answered there the last time.
    known: Option<Address>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting(Moment),
    /// Its host has been dialed enough for now.
    Postponed(Moment),
    Dialing,
    Connected,
}

impl Reach {
    /// Adds a hint for a fetch. Hints past [`CANDIDATES_MAX`] are dropped.
    pub(super) fn add(&mut self, now: Moment, fetch: FetchId, hint: PeerHint) {
        self.put(now, fetch, hint);
        if let Some(candidate) = self.candidates.get_mut(&hint.remote) {
            candidate.named_by.clear();
        }
    }

    /// Adds a hint of a SwarmMaster. All masters together name half of the candidates at most, and one
    /// of theirs that is not there is forgotten.
    pub(super) fn add_named(&mut self, now: Moment, fetch: FetchId, hint: PeerHint, by: MasterId) {
        let named = self
            .candidates
            .values()
            .filter(|it| !it.named_by.is_empty());
        let is_known = self.candidates.get(&hint.remote);
        let is_others = is_known.is_some_and(|it| it.named_by.is_empty());
        if is_known.is_none() && named.count() >= CANDIDATES_MAX / 2 {
            return;
        }
        self.put(now, fetch, hint);
        if let Some(candidate) = self.candidates.get_mut(&hint.remote).filter(|_| !is_others) {
            candidate.named_by.insert(by);
        }
    }

    /// The masters that alone named a candidate.
    pub(super) fn named_by(&self, remote: SocketAddr) -> BTreeSet<MasterId> {
        let candidate = self.candidates.get(&remote);
        candidate.map_or_else(BTreeSet::new, |it| it.named_by.clone())
    }

    /// A candidate was not where it should be: where only masters named it, and it was never there, it
    /// is forgotten after two attempts, and they are told of.
    pub(super) fn take_false(&mut self, remote: SocketAddr) -> BTreeSet<MasterId> {
        let is_false =
            |it: &Candidate| !it.named_by.is_empty() && it.known.is_none() && it.failures >= 2;
        match self.candidates.get(&remote).is_some_and(is_false) {
            true => self.candidates.remove(&remote).map(|it| it.named_by),
            false => None,
        }
        .unwrap_or_default()
    }

    fn put(&mut self, now: Moment, fetch: FetchId, hint: PeerHint) {
        let full = self.candidates.len() >= CANDIDATES_MAX;
        if full && !self.candidates.contains_key(&hint.remote) {
            tracing::debug!(remote = %hint.remote, "no room for another candidate");
            return;
        }
        let candidate = self.candidates.entry(hint.remote).or_insert(Candidate {
            expected: hint.expected,
            wanted_by: BTreeSet::new(),
            state: State::Waiting(now),
            failures: 0,
            named_by: BTreeSet::new(),
            dialed_at: None,
            known: None,
        });
        candidate.wanted_by.insert(fetch);
        candidate.expected = candidate.expected.or(hint.expected);
    }

    /// Forgets what only this fetch wanted.
    pub(super) fn forget(&mut self, fetch: FetchId) {
        self.candidates.retain(|_, candidate| {
            candidate.wanted_by.remove(&fetch);
            !candidate.wanted_by.is_empty()
        });
    }

    /// The fetches that a candidate was given for.
    pub(super) fn wanted_by(&self, remote: SocketAddr) -> Vec<FetchId> {
        let candidate = self.candidates.get(&remote);
        candidate.map_or_else(Vec::new, |candidate| {
            candidate.wanted_by.iter().copied().collect()
        })
    }

    /// The fetches that a peer was given for: where we dialed it, and wherever else it is known to be.
    pub(super) fn wanted_of(&self, dialed: Option<SocketAddr>, who: Address) -> BTreeSet<FetchId> {
        let theirs = self
            .candidates
            .iter()
            .filter(|(remote, it)| dialed == Some(**remote) || it.is(who));
        theirs
            .flat_map(|(_, candidate)| candidate.wanted_by.iter().copied())
            .collect()
    }

    /// Takes the candidates whose time has come: they count as being dialed from here on.
    pub(super) fn take_due(
        &mut self,
        now: Moment,
        is_connected: impl Fn(Address) -> bool,
        is_banned: impl Fn(Address) -> bool,
    ) -> Vec<PeerHint> {
        let mut room = DIALS_MAX.saturating_sub(self.dialing());
        let mut under_way = self.under_way();
        let mut hints = Vec::new();
        for (remote, candidate) in &mut self.candidates {
            if candidate.due_at().is_none_or(|at| at > now) {
                continue;
            }
            let known = candidate.known;
            if known.is_some_and(|who| is_connected(who) || is_banned(who)) {
                candidate.state = State::Waiting(now + PAUSE_MIN);
            } else if room > 0 {
                let host = under_way.entry(Host::of(remote.ip())).or_default();
                candidate.state = match self.targets.admit(now, *remote, *host) {
                    Ok(()) => State::Dialing,
                    Err(Later::Soon(at)) => State::Waiting(at),
                    Err(Later::Enough(until)) => State::Postponed(until),
                };
                if candidate.state != State::Dialing {
                    continue;
                }
                (room, *host) = (room - 1, *host + 1);
                candidate.dialed_at.get_or_insert(now);
                hints.push(PeerHint {
                    remote: *remote,
                    expected: candidate.expected,
                });
            }
        }
        hints
    }

    /// Who is known by address and did not answer, within this time of being dialed; with the masters that
    /// alone named them.
    pub(super) fn silent(
        &self,
        now: Moment,
        patience: Duration,
    ) -> BTreeMap<Address, BTreeSet<MasterId>> {
        let mut all: BTreeMap<Address, BTreeSet<MasterId>> = BTreeMap::new();
        for candidate in self.candidates.values() {
            let is_late = candidate
                .dialed_at
                .is_some_and(|at| now.since(at) >= patience);
            let is_silent = candidate.failures > 0 || is_late;
            if let Some(who) = candidate.expected.filter(|_| is_silent)
                && candidate.state != State::Connected
            {
                all.entry(who).or_default().extend(&candidate.named_by);
            }
        }
        all
    }

    /// Who is expected at a candidate.
    pub(super) fn expected_at(&self, remote: SocketAddr) -> Option<Address> {
        self.candidates.get(&remote)?.expected
    }

    /// The masters that alone named where this peer is.
    pub(super) fn namers_of(&self, who: Address) -> BTreeSet<MasterId> {
        let theirs = self.candidates.values().filter(|it| it.is(who));
        theirs.flat_map(|it| it.named_by.iter().copied()).collect()
    }

    fn dialing(&self) -> usize {
        let dialing = |candidate: &&Candidate| candidate.state == State::Dialing;
        self.candidates.values().filter(dialing).count()
    }

    /// Dials under way by host.
    fn under_way(&self) -> BTreeMap<Host, usize> {
        let mut all = BTreeMap::new();
        for (remote, candidate) in &self.candidates {
            if candidate.state == State::Dialing {
                *all.entry(Host::of(remote.ip())).or_default() += 1;
            }
        }
        all
    }

    /// A dial succeeded.
    pub(super) fn on_connected(&mut self, now: Moment, remote: SocketAddr, who: Address) {
        self.targets.on_answered(now, remote);
        if let Some(candidate) = self.candidates.get_mut(&remote) {
            candidate.state = State::Connected;
            candidate.known = Some(who);
        }
    }

    /// A connection that we dialed was worth something: the next pause starts short again.
    pub(super) fn on_useful(&mut self, remote: SocketAddr) {
        if let Some(candidate) = self.candidates.get_mut(&remote) {
            candidate.failures = 0;
        }
    }

    /// A dial failed, or a connection that we dialed ended: another attempt later.
    pub(super) fn on_over(&mut self, now: Moment, remote: SocketAddr) {
        if let Some(candidate) = self.candidates.get_mut(&remote) {
            let pause = PAUSE_MIN * (1 << candidate.failures.min(6));
            candidate.failures += 1;
            candidate.state = State::Waiting(now + pause.min(PAUSE_MAX));
        }
    }

    /// When the next candidate is due; none while no further dial may begin.
    pub(super) fn deadline(&self) -> Option<Moment> {
        if self.dialing() >= DIALS_MAX {
            return None;
        }
        self.candidates.values().filter_map(Candidate::due_at).min()
    }

    /// Whether every candidate of a fetch has been tried and none is being dialed, but for those whom we have
    /// reached another way.
    pub(super) fn is_settled(&self, fetch: FetchId, is_here: impl Fn(Address) -> bool) -> bool {
        let mut theirs = self
            .candidates
            .values()
            .filter(|c| c.wanted_by.contains(&fetch));
        theirs.all(|c| match c.state {
            _ if c.expected.is_some_and(&is_here) => true,
            State::Waiting(_) => c.failures > 0 || c.known.is_some(),
            State::Dialing => false,
            State::Postponed(_) | State::Connected => true,
        })
    }

    /// Whether every candidate of a fetch has failed at least once and none is up or under way.
    pub(super) fn has_failed(&self, fetch: FetchId) -> bool {
        let mut theirs = self
            .candidates
            .values()
            .filter(|c| c.wanted_by.contains(&fetch));
        theirs.all(|c| match c.state {
            State::Waiting(_) => c.failures > 0,
            State::Postponed(_) => true,
            State::Dialing | State::Connected => false,
        })
    }
}

impl Candidate {
    /// When it is to be dialed; none while it is, or is connected.
    const fn due_at(&self) -> Option<Moment> {
        match self.state {
            State::Waiting(at) | State::Postponed(at) => Some(at),
            State::Dialing | State::Connected => None,
        }
    }

    /// Whether this peer is there, or is to be.
    fn is(&self, who: Address) -> bool {
        self.known == Some(who) || self.expected == Some(who)
    }
}

/// Whether an address means the same host everywhere: not loopback, link-local, unspecified, or
/// private (RFC 1918, RFC 4193, RFC 6598).
pub(super) fn is_global(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            let local = v4.is_loopback() || v4.is_link_local() || v4.is_private() || shared;
            !local && !v4.is_unspecified() && !v4.is_broadcast() && !v4.is_multicast()
        }
        IpAddr::V6(v6) => {
            let local = v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local();
            !local && !v6.is_unspecified() && !v6.is_multicast()
        }
    }
}

#[cfg(test)]
mod tests;
