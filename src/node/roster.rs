//! The connections that are up, and what each is for.
//!
//! Invariants: a session is listed from its hello until it is closed by either side; its
//! subscriptions end with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::status::PeerPath;
use crate::digest::{Address, ManifestId};
use crate::limits::{CONNECTIONS_MAX, KEEP_ALIVE};
use crate::moment::Moment;
use crate::net::{self, Aside, Origin, Session, SessionKey};

/// From how many connections on the idle ones are closed.
const CROWDED: usize = CONNECTIONS_MAX / 4 * 3;
/// How long a connection may be of no use to anybody while places are short.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// After how long without a packet somebody whom we wait for is looked for elsewhere. Whoever is there answers
/// the ping of a connection on which nothing else happens.
const MISSING: Duration = KEEP_ALIVE.saturating_add(Duration::from_secs(1));
/// After how long without a packet a connection makes way for a new one of the same two: the other side has
/// looked at it within a second, too.
const STALE: Duration = KEEP_ALIVE.saturating_sub(Duration::from_millis(500));
/// How long peers are given at most to hear that we stop.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
/// Containers that we do not have and that one connection is remembered to want.
const ASKED_IN_VAIN_MAX: usize = 64;

/// One connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) session: Session,
    pub(super) origin: Origin,
    /// How it came about.
    pub(super) path: PeerPath,
    /// When it said hello.
    since: Moment,
    /// Datagrams that had come on it when last looked at, and when that had last grown.
    heard: (u64, Moment),
    /// Containers of which the peer tells us what it holds.
    pub(super) subscriptions: BTreeMap<ManifestId, AbortHandle>,
    /// Containers of which we tell the peer what we hold.
    pub(super) follows: BTreeSet<ManifestId>,
    /// Containers of which it wanted to know that before we took part in them.
    asked_in_vain: BTreeSet<ManifestId>,
    /// Containers of which it was taken to hold the beginning before it said anything.
    presumed: BTreeSet<ManifestId>,
    /// Until when what is under way on it may arrive, where a direct connection has taken over.
    draining_until: Option<Moment>,
    /// Whether it owes us something and has been silent for too long.
    is_missing: bool,
    /// What we tell it and nobody else.
    pub(super) aside: Arc<Aside>,
    /// Whether we have asked it for chunks, and it us.
    pub(super) downloads: bool,
    pub(super) uploads: bool,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Roster {
    peers: BTreeMap<SessionKey, Peer>,
}

/// What to do about a new connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Keep it.
    Keep,
    /// Keep it, and close this one: both sides dialed, and this is the one that both give up.
    Replace(SessionKey),
    /// Keep it, and let this relayed one end when what is under way on it has arrived.
    Supersede(SessionKey),
    /// Close it: this other connection to the same address is kept.
    Refuse(SessionKey),
}

impl Roster {
    /// Decides which of several connections between the same two addresses are kept.
    ///
    /// A direct one takes over from one through a SwarmMaster. The dialer of two closes the newer. Where
    /// each side dialed the other, both keep the connection that the lower address dialed. One on which
    /// nothing has come for a while makes way for any new one: whoever is at the other end has moved, or
    /// begun anew.
    pub(super) fn admit(
        &self,
        now: Moment,
        own: Address,
        session: &Session,
        origin: Origin,
    ) -> Admission {
        let theirs = session.address();
        let ours_wins = own < theirs;
        for (key, peer) in &self.peers {
            if peer.session.address() != theirs || peer.draining_until.is_some() {
                continue;
            }
            let paths = (peer.session.path(), session.path());
            if let (net::Path::Relayed { .. }, net::Path::Direct) = paths {
                return Admission::Supersede(*key);
            }
            if peer.silence(now) >= STALE {
                return Admission::Replace(*key);
            }
            if let (net::Path::Direct, net::Path::Relayed { .. }) = paths {
                return Admission::Refuse(*key);
            }
            match (is_ours(peer.origin), is_ours(origin)) {
                (true, true) => return Admission::Refuse(*key),
                (false, false) => {}
                (had_ours, _) if had_ours == ours_wins => return Admission::Refuse(*key),
                _ => return Admission::Replace(*key),
            }
        }
        Admission::Keep
    }

    pub(super) fn insert(&mut self, now: Moment, session: Session, origin: Origin, path: PeerPath) {
        let peer = Peer {
            session: session.clone(),
            origin,
            path,
            since: now,
            heard: (session.heard(), now),
            subscriptions: BTreeMap::new(),
            follows: BTreeSet::new(),
            asked_in_vain: BTreeSet::new(),
            presumed: BTreeSet::new(),
            draining_until: None,
            is_missing: false,
            aside: Arc::default(),
            downloads: false,
            uploads: false,
        };
        self.peers.insert(session.key(), peer);
    }

    /// We ask a connection for chunks: from now on it has its share of what sources may pin.
    pub(super) fn note_download(&mut self, key: SessionKey) {
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| !peer.downloads) else {
            return;
        };
        peer.downloads = true;
        self.share_windows();
    }

    /// We serve a connection: from now on it has its share of what may wait to be acknowledged.
    pub(super) fn note_upload(&mut self, key: SessionKey) {
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| !peer.uploads) else {
            return;
        };
        peer.uploads = true;
        self.share_send_windows();
    }

    fn share_windows(&self) {
        let sources = || self.peers.values().filter(|peer| peer.downloads);
        let count = sources().count();
        sources().for_each(|peer| peer.session.expect_downloads(count));
    }

    fn share_send_windows(&self) {
        let served = || self.peers.values().filter(|peer| peer.uploads);
        let count = served().count();
        served().for_each(|peer| peer.session.expect_requests(count));
    }

    /// Takes a connection off the list and ends its subscriptions.
    pub(super) fn remove(&mut self, key: SessionKey) -> Option<Peer> {
        let peer = self.peers.remove(&key)?;
        peer.subscriptions.values().for_each(AbortHandle::abort);
        if peer.downloads {
            self.share_windows();
        }
        if peer.uploads {
            self.share_send_windows();
        }
        Some(peer)
    }

    pub(super) fn get(&self, key: SessionKey) -> Option<&Peer> {
        self.peers.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Peer> {
        self.peers.get_mut(&key)
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn keys(&self) -> Vec<SessionKey> {
        self.peers.keys().copied().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionKey, &Peer)> {
        self.peers.iter().map(|(key, peer)| (*key, peer))
    }

    /// Whether a peer is connected otherwise than through a SwarmMaster.
    pub(super) fn has_direct(&self, address: Address) -> bool {
        let is_direct = |it: &Peer| it.session.path() == net::Path::Direct && !it.is_missing;
        let mut all = self.peers.values().filter(|it| is_direct(it));
        all.any(|peer| peer.session.address() == address)
    }

    pub(super) fn has_address(&self, address: Address) -> bool {
        self.peers
            .values()
            .any(|peer| peer.session.address() == address && !peer.is_missing)
    }

    /// Whether there is any connection to a peer, heard of lately or not.
    pub(super) fn has_connection(&self, address: Address) -> bool {
        let mut all = self.peers.values();
        all.any(|peer| peer.session.address() == address)
    }

    /// Notes what has come since the last time. Answers those of whom something is awaited, by `awaits`, and who
    /// have been silent for too long since: each once, until they are heard again.
    pub(super) fn newly_missing(
        &mut self,
        now: Moment,
        awaits: impl Fn(SessionKey) -> bool,
    ) -> Vec<SessionKey> {
        let mut missing = Vec::new();
        for (key, peer) in &mut self.peers {
            let heard = peer.session.heard();
            if heard != peer.heard.0 {
                peer.heard = (heard, now);
                peer.is_missing = false;
            } else if !peer.is_missing && peer.silence(now) >= MISSING && awaits(*key) {
                peer.is_missing = true;
                missing.push(*key);
            }
        }
        missing
    }

    /// Connections that take places from others: where few are left, those that somebody else opened
    /// and that have been of no use to either side for [`IDLE_MAX`].
    pub(super) fn idlers(&self, now: Moment) -> Vec<SessionKey> {
        if self.peers.len() < CROWDED {
            return Vec::new();
        }
        let idle = |peer: &Peer| {
            let used = peer.downloads || peer.uploads || !peer.follows.is_empty();
            let asked = used || !peer.subscriptions.is_empty();
            !is_ours(peer.origin) && !asked && now.since(peer.since) > IDLE_MAX
        };
        let idlers = self.peers.iter().filter(|(_, peer)| idle(peer));
        idlers.map(|(key, _)| *key).collect()
    }

    /// How long those who are connected may take to hear that we stop: three times what QUIC waits for an answer
    /// (RFC 9000 section 10.2), which a new connection takes for three round trips and a pause of the other side's.
    /// Dials that nobody has answered would have all wait for a second, for nobody.
    pub(super) fn farewell_max(&self) -> Duration {
        let slowest = self.peers.values().map(|peer| peer.session.rtt()).max();
        let slowest = slowest.unwrap_or_default().min(GOODBYE_MAX);
        (slowest * 9 + Duration::from_millis(300)).min(GOODBYE_MAX)
    }

    /// Whether a direct connection has taken over from this one.
    pub(super) fn is_draining(&self, key: SessionKey) -> bool {
        let peer = self.peers.get(&key);
        peer.is_some_and(|peer| peer.draining_until.is_some())
    }

    /// The connections that had their time to end.
    pub(super) fn drained(&self, now: Moment) -> Vec<SessionKey> {
        let is_over = |peer: &Peer| peer.draining_until.is_some_and(|until| until <= now);
        let all = self.peers.iter().filter(|(_, peer)| is_over(peer));
        all.map(|(key, _)| *key).collect()
    }

    /// Ends our subscriptions to a container everywhere.
    pub(super) fn unsubscribe(&mut self, id: &ManifestId) {
        for peer in self.peers.values_mut() {
            if let Some(handle) = peer.subscriptions.remove(id) {
                handle.abort();
            }
        }
    }
}

impl Peer {
    /// It wants to know what we hold of a container in which we take no part.
    pub(super) fn on_asked_in_vain(&mut self, id: ManifestId) {
        if self.asked_in_vain.len() < ASKED_IN_VAIN_MAX {
            self.asked_in_vain.insert(id);
        }
    }

    /// A direct connection has taken over: what is under way here may arrive until then.
    pub(super) fn drain(&mut self, until: Moment) {
        self.draining_until = Some(until);
    }

    /// For how long nothing has come, to a second.
    fn silence(&self, now: Moment) -> Duration {
        match self.session.heard() == self.heard.0 {
            true => now.since(self.heard.1),
            false => Duration::ZERO,
        }
    }

    /// Whether it has not yet been taken to hold anything of a container; from now on it has.
    pub(super) fn presume(&mut self, id: ManifestId) -> bool {
        self.presumed.insert(id)
    }

    /// Whether it wants to know what we hold of a container, and so takes part in it.
    pub(super) fn cares_for(&self, id: &ManifestId) -> bool {
        self.follows.contains(id) || self.asked_in_vain.contains(id)
    }

    /// Where we dialed it, if we did.
    pub(super) fn dialed(&self) -> Option<SocketAddr> {
        match self.origin {
            Origin::Dialed(remote) => Some(remote),
            Origin::Met(_) | Origin::Accepted => None,
        }
    }
}

fn is_ours(origin: Origin) -> bool {
    matches!(origin, Origin::Dialed(_) | Origin::Met(_))
}
