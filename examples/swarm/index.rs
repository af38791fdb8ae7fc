//! Who is where: the part that a SwarmMaster will play, kept in this process.
//!
//! A node that begins to fetch registers, and everyone who fetches the same container hears of it.
//! The index is believed by nobody: what it says are hints, and peers prove who they are.

use std::collections::{BTreeMap, BTreeSet};

use swarmhold::{ManifestId, PeerHint};
use tokio::sync::watch;

/// The nodes of each container's swarm.
#[derive(Debug, Default)]
pub(crate) struct Index {
    swarms: watch::Sender<BTreeMap<ManifestId, BTreeSet<PeerHint>>>,
}

/// One node's view of the index: it hears of every other node once.
#[derive(Debug)]
pub(crate) struct Follower {
    swarms: watch::Receiver<BTreeMap<ManifestId, BTreeSet<PeerHint>>>,
    id: ManifestId,
    known: BTreeSet<PeerHint>,
}

impl Index {
    /// Registers a node, and lets it follow who else takes part.
    pub(crate) fn register(&self, id: ManifestId, own: PeerHint) -> Follower {
        let mut swarms = self.swarms.subscribe();
        swarms.mark_changed();
        self.swarms.send_modify(|swarms| {
            swarms.entry(id).or_default().insert(own);
        });
        let known = BTreeSet::from([own]);
        Follower { swarms, id, known }
    }
}

impl Follower {
    /// Waits for nodes that it has not heard of yet. Losing the race to another future loses nothing.
    pub(crate) async fn newcomers(&mut self) -> Vec<PeerHint> {
        loop {
            let changed = self.swarms.changed().await;
            if changed.is_err() {
                // The index is gone, so nobody will come any more.
                std::future::pending::<()>().await;
            }
            let swarms = self.swarms.borrow_and_update();
            let all = swarms.get(&self.id).into_iter().flatten();
            let new: Vec<_> = all
                .copied()
                .filter(|hint| self.known.insert(*hint))
                .collect();
            if !new.is_empty() {
                return new;
            }
        }
    }
}
