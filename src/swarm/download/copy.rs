//! Chunks that are copied from this node's own containers instead of being fetched.

use std::collections::VecDeque;

use super::Download;
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::swarm::event::{Output, Ticket};

/// Copies under way at once, of all containers: enough to keep the workers busy, few enough that
/// answers from peers do not wait behind them.
const COPIES_MAX: usize = 8;

impl Download {
    /// Other containers of this node hold these chunks.
    pub(in crate::swarm) fn on_local(&mut self, id: &ManifestId, found: &[ChunkIndex]) {
        if let Some(container) = self.containers.get_mut(id) {
            container.local.on_found(&mut container.chunks, found);
            self.copyable.insert(*id);
        }
    }

    /// Groups of chunks of this container have the same bytes.
    pub(in crate::swarm) fn on_repeats(&mut self, id: &ManifestId, groups: Vec<Vec<ChunkIndex>>) {
        if let Some(container) = self.containers.get_mut(id) {
            container.local.on_repeats(&mut container.chunks, groups);
            self.copyable.insert(*id);
        }
    }

    /// A copy is stored. Says of what, if it was still to be.
    pub(in crate::swarm) fn on_copied(
        &mut self,
        ticket: Ticket,
    ) -> Option<(ManifestId, ChunkIndex)> {
        let (id, chunk) = self.copies.remove(&ticket)?;
        let container = self.containers.get_mut(&id)?;
        if !container.local.on_over(chunk, ticket) || !container.chunks.on_copied(chunk) {
            return None;
        }
        container.local.on_here(&mut container.chunks, chunk);
        self.copyable.insert(id);
        container.tally.reused_chunks += 1;
        container.tally.reused_bytes += container.layout.chunk_len(chunk).map_or(0, u64::from);
        Some((id, chunk))
    }

    /// A copy came to nothing: its chunk is fetched. Says of what, as above.
    pub(in crate::swarm) fn on_not_copied(&mut self, ticket: Ticket) -> Option<ManifestId> {
        let (id, chunk) = self.copies.remove(&ticket)?;
        let container = self.containers.get_mut(&id)?;
        if !container.local.on_over(chunk, ticket) || !container.chunks.take_up(chunk) {
            return None;
        }
        self.all_hungry = true;
        Some(id)
    }

    /// Has copied what can be. Looks at those containers only that may have something: there may be many.
    pub(in crate::swarm) fn copy(&mut self, out: &mut VecDeque<Output>) {
        let (containers, copies) = (&mut self.containers, &mut self.copies);
        self.copyable.retain(|id| {
            let Some(container) = containers.get_mut(id) else {
                return false;
            };
            while container.is_active() && copies.len() < COPIES_MAX {
                let (id, ticket) = (*id, Ticket(self.tickets));
                let Some(chunk) = container.local.next(ticket) else {
                    return false;
                };
                self.tickets += 1;
                copies.insert(ticket, (id, chunk));
                let like = container.local.like(&container.chunks, chunk);
                out.push_back(Output::Copy {
                    ticket,
                    id,
                    chunk,
                    like,
                });
            }
            true
        });
    }
}
