//! What a peer is asked as soon as it is there: for the manifest of a fetch, for what it holds, and for
//! the first chunks at once.

use super::driver::{Driver, peer_key};
use super::quest::{FetchId, Stage};
use crate::chunk::Bitfield;
use crate::digest::ManifestId;
use crate::net::SessionKey;
use crate::swarm::Input;

/// Bytes that a peer which was named for a fetch is asked for before it has said what it holds: what
/// it may send in its first flight.
const PRESUMED_BYTES: u64 = 128 * 1024;

impl Driver {
    /// Asks a peer for whatever our fetches need to know from it and have not asked yet.
    pub(super) fn engage(&mut self, key: SessionKey) {
        let Some(peer) = self.roster.get(key) else {
            return;
        };
        let wanted = self.wanted_of(peer.dialed(), peer.session.address());
        let relevant: Vec<FetchId> = self
            .quests
            .iter()
            .filter(|(fetch, quest)| {
                let cares = quest.manifest_id().is_some_and(|id| peer.cares_for(&id));
                wanted.contains(fetch) || cares
            })
            .map(|(fetch, _)| *fetch)
            .collect();
        for fetch in relevant {
            self.engage_for(fetch, key);
        }
    }

    fn engage_for(&mut self, fetch: FetchId, key: SessionKey) {
        let (Some(quest), Some(peer)) = (self.quests.get_mut(&fetch), self.roster.get(key)) else {
            return;
        };
        match (quest.stage, &quest.manifest, quest.want.manifest_id) {
            (Stage::Finding, _, Some(id)) => {
                if quest.asked.insert(key) {
                    peer.session.ask_manifest(id);
                }
            }
            (Stage::Finding, _, None) => {
                if quest.asked.insert(key) {
                    peer.session.ask_deluges(Some(quest.want.program_id));
                }
            }
            (Stage::Downloading, Some(manifest), named) => {
                // Who vouches for what is good to know before this manifest turns out to be wrong.
                let is_heard = quest.ballot.has_heard(&peer.session.address());
                if named.is_none() && !is_heard && quest.asked.insert(key) {
                    peer.session.ask_deluges(Some(quest.want.program_id));
                }
                let (id, chunks) = (manifest.id(), manifest.layout().chunk_count());
                let is_known = peer.subscriptions.contains_key(&id);
                self.subscribe(key, id, chunks);
                // Whoever was named for a program id may have another manifest of it.
                if !is_known && named.is_some() {
                    self.presume(fetch, key, id);
                }
            }
            (Stage::Downloading | Stage::Opening | Stage::Finishing, _, _) => {}
        }
    }

    /// Asks a peer to tell us what it holds of a container, if it does not yet.
    pub(super) fn subscribe(&mut self, key: SessionKey, id: ManifestId, chunks: u32) {
        let Some(peer) = self.roster.get_mut(key) else {
            return;
        };
        // What was said on a subscription that is over need not hold any more.
        let is_first = peer.subscriptions.is_empty();
        let session = &peer.session;
        peer.subscriptions
            .entry(id)
            .or_insert_with(|| session.subscribe(id, chunks));
        if is_first {
            let peer = peer_key(key);
            self.tell(Input::Unchoked { peer });
        }
    }

    /// Takes a peer that was named for a fetch to hold the beginning of what is missing, until it says
    /// what it holds: so the first chunks are asked for a round trip earlier. If it does not hold them,
    /// that costs the question.
    fn presume(&mut self, fetch: FetchId, key: SessionKey, id: ManifestId) {
        let Some(peer) = self.roster.get(key) else {
            return;
        };
        let named = self.wanted_of(peer.dialed(), peer.session.address());
        let Some(peer) = self.roster.get_mut(key) else {
            return;
        };
        let (Some(have), Some(entry)) = (self.swarm.have(&id), self.catalog.get(&id)) else {
            return;
        };
        if !named.contains(&fetch) || !peer.presume(id) {
            return;
        }
        let layout = entry.manifest().layout();
        let count = PRESUMED_BYTES.div_ceil(u64::from(layout.chunk_size()));
        let missing = layout.chunks().filter(|chunk| !have.contains(*chunk));
        let mut held = Bitfield::empty(layout.chunk_count());
        for chunk in missing.take(usize::try_from(count).unwrap_or(1)) {
            held.insert(chunk);
        }
        let peer = peer_key(key);
        self.tell(Input::PeerHolds { peer, id, held });
    }
}
