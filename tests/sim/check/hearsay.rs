//! What others say, and what they are to be blamed for.

use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::{Address, ManifestId};
use swarmhold::limits::BAD_CHUNKS_MAX;
use swarmhold::swarm::PeerKey;

use super::{Ledger, Request};

impl Ledger {
    /// A peer says everything that it holds.
    pub(crate) fn on_told(&mut self, peer: PeerKey, id: ManifestId, held: Bitfield) {
        self.told.entry(peer).or_default().insert(id, held);
    }

    /// A peer lacks what it was asked for, and says what it holds.
    pub(crate) fn on_told_not_held(&mut self, peer: PeerKey, request: &Request, held: &Bitfield) {
        let told = self.told.entry(peer).or_default().get_mut(&request.id);
        if let Some(told) = told {
            if told.len() == held.len() {
                told.clone_from(held);
            }
            told.remove(request.chunk);
        }
    }

    /// A peer says what it holds as well.
    pub(crate) fn on_told_more(&mut self, peer: PeerKey, id: &ManifestId, chunks: &[ChunkIndex]) {
        if let Some(held) = self.told.get_mut(&peer).and_then(|told| told.get_mut(id)) {
            chunks.iter().for_each(|chunk| {
                held.insert(*chunk);
            });
        }
    }

    /// An address is to be blamed, for a chunk of this container if for one.
    pub(crate) fn on_blame(&mut self, address: Address, of: Option<ManifestId>) {
        self.on_wrong(address);
        if of.is_none_or(|id| !self.excused.contains(&id)) {
            self.bad.entry(address).or_default().push(of);
        }
    }

    /// What did not fit a manifest is its own fault.
    pub(crate) fn on_suspected(&mut self, id: ManifestId) {
        self.excused.insert(id);
        for blamed in self.bad.values_mut() {
            blamed.retain(|of| *of != Some(id));
        }
    }

    /// A container takes part, maybe again.
    pub(crate) fn on_added(&mut self, id: &ManifestId) {
        self.excused.remove(id);
        self.stopped.remove(id);
    }

    /// A container does not go on.
    pub(crate) fn on_stopped(&mut self, id: ManifestId) {
        self.stopped.insert(id);
    }

    /// An answer of this address was not what was asked for.
    pub(crate) fn on_wrong(&mut self, address: Address) {
        *self.wrong.entry(address).or_default() += 1;
    }

    /// An address is banned.
    pub(crate) fn on_ban(&self, address: &Address) {
        let times = self.wrong.get(address).copied().unwrap_or_default();
        assert!(
            times >= BAD_CHUNKS_MAX,
            "I7: {} is banned for {times} bad answers",
            address.short()
        );
    }
}
