//! What each peer still owes, as it looks at one moment: whom others may take work over from.
//!
//! A look for work to take over compares idle peers with busy ones. So what to expect of the busy ones
//! is worked out once, and an idle peer is not looked at again before something happens to it, or its
//! moment has come.

use std::collections::{BTreeMap, BTreeSet};

use crate::moment::Moment;
use crate::swarm::event::PeerKey;
use crate::swarm::peers::{Outlook, Peer};

/// One peer that owes something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backlog {
    pub(super) peer: PeerKey,
    pub(super) outlook: Outlook,
    /// No request that is out at it is shorter, in bytes.
    pub(super) shortest: u64,
}

/// All peers that owe something, by key.
#[derive(Debug)]
pub(super) struct Backlogs(Vec<Backlog>);

impl Backlogs {
    pub(super) fn new<'a>(now: Moment, peers: impl Iterator<Item = (PeerKey, &'a Peer)>) -> Self {
        let busy = peers.filter(|(_, peer)| peer.in_flight_bytes() > 0);
        let backlogs = busy.map(|(key, peer)| Backlog {
            peer: key,
            outlook: peer.outlook(now),
            shortest: peer.shortest_flight(),
        });
        Self(backlogs.collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Backlog> {
        self.0.iter()
    }
}

/// When which idle peer may find something to take over, if nothing happens before.
///
/// Invariant: `due` and `at` hold the same pairs.
#[derive(Debug, Default)]
pub(super) struct Later {
    due: BTreeSet<(Moment, PeerKey)>,
    at: BTreeMap<PeerKey, Moment>,
}

impl Later {
    pub(super) fn remember(&mut self, peer: PeerKey, at: Moment) {
        self.forget(peer);
        self.due.insert((at, peer));
        self.at.insert(peer, at);
    }

    pub(super) fn forget(&mut self, peer: PeerKey) {
        if let Some(at) = self.at.remove(&peer) {
            self.due.remove(&(at, peer));
        }
    }

    /// The earliest moment.
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes out a peer whose moment has come.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<PeerKey> {
        let (_, peer) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.forget(peer);
        Some(peer)
    }
}
