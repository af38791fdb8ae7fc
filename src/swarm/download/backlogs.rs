//! What each peer still owes, as it looks at one moment: whom others may take work over from.
//!
//! A look for work to take over compares idle peers with busy ones. So what to expect of the busy ones
//! is worked out once.

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
