//! Chunks of one container whose bytes are on this node already, or will be: copied, not fetched.
//!
//! A chunk that another container holds is *ready*; one that repeats another of the same container
//! *waits* until any of its likes is here, so that all of them are fetched once. Both are aside in
//! [`Chunks`]: nobody is asked for them. Where a copy fails the chunk is fetched like any other.
//!
//! Invariant: `ready` and `copying` are disjoint, and all of both is aside. Other chunks that are
//! aside wait, and are in a group.

use std::collections::{BTreeMap, BTreeSet};

use super::chunks::Chunks;
use super::event::Ticket;
use crate::chunk::{Bitfield, ChunkIndex};

/// What is to be copied of one container.
#[derive(Debug, Default)]
pub(super) struct Local {
    ready: BTreeSet<ChunkIndex>,
    copying: BTreeMap<ChunkIndex, Ticket>,
    /// Chunks with the same bytes.
    groups: Vec<Vec<ChunkIndex>>,
    group_of: BTreeMap<ChunkIndex, usize>,
}

impl Local {
    /// Another container holds these chunks.
    pub(super) fn on_found(&mut self, chunks: &mut Chunks, found: &[ChunkIndex]) {
        for chunk in found {
            self.make_ready(chunks, *chunk);
        }
    }

    /// The chunks of each group have the same bytes. One of each is fetched, unless it is here.
    pub(super) fn on_repeats(&mut self, chunks: &mut Chunks, groups: Vec<Vec<ChunkIndex>>) {
        for group in groups {
            let number = self.groups.len();
            let fits = |chunk: &ChunkIndex| chunk.get() < chunks.have().len();
            let mut group: Vec<_> = group.into_iter().filter(fits).collect();
            group.retain(|chunk| !self.group_of.contains_key(chunk));
            group.sort_unstable();
            group.dedup();
            let here = group.iter().find(|chunk| chunks.have().contains(**chunk));
            let here = here.copied();
            for chunk in group.iter().skip(1) {
                chunks.set_aside(*chunk);
            }
            for chunk in &group {
                self.group_of.insert(*chunk, number);
            }
            self.groups.push(group);
            if let Some(here) = here {
                self.on_here(chunks, here);
            }
        }
    }

    /// A chunk is stored: its likes can be copied.
    pub(super) fn on_here(&mut self, chunks: &mut Chunks, chunk: ChunkIndex) {
        let Some(group) = self.group_of.get(&chunk) else {
            return;
        };
        for like in self.groups[*group].clone() {
            self.make_ready(chunks, like);
        }
    }

    /// The next chunk to copy, which is being copied from now on under this name.
    pub(super) fn next(&mut self, ticket: Ticket) -> Option<ChunkIndex> {
        let chunk = self.ready.pop_first()?;
        self.copying.insert(chunk, ticket);
        Some(chunk)
    }

    /// Whether anything is ready.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A chunk of the same container that is here and has the same bytes.
    pub(super) fn like(&self, chunks: &Chunks, chunk: ChunkIndex) -> Option<ChunkIndex> {
        let group = &self.groups[*self.group_of.get(&chunk)?];
        group.iter().copied().find(|it| chunks.have().contains(*it))
    }

    /// A copy has ended. False if this is not the one that is under way.
    pub(super) fn on_over(&mut self, chunk: ChunkIndex, ticket: Ticket) -> bool {
        let this = self.copying.get(&chunk) == Some(&ticket);
        if this {
            self.copying.remove(&chunk);
        }
        this
    }

    /// A chunk that waits for one of its likes, and that somebody holds who may hold none of those.
    pub(super) fn waiting(&self, chunks: &Chunks, held: &Bitfield) -> Option<ChunkIndex> {
        let idle =
            |chunk: &ChunkIndex| !self.ready.contains(chunk) && !self.copying.contains_key(chunk);
        held.intersection(chunks.aside()).find(idle)
    }

    fn make_ready(&mut self, chunks: &mut Chunks, chunk: ChunkIndex) {
        if chunk.get() >= chunks.have().len() || self.copying.contains_key(&chunk) {
            return;
        }
        if chunks.set_aside(chunk) || chunks.aside().contains(chunk) {
            self.ready.insert(chunk);
        }
    }

    #[cfg(test)]
    pub(super) fn check(&self, chunks: &Chunks) {
        let both = self.ready.iter().chain(self.copying.keys());
        assert_eq!(
            both.clone().collect::<BTreeSet<_>>().len(),
            self.ready.len() + self.copying.len()
        );
        assert!(both.clone().all(|chunk| chunks.aside().contains(*chunk)));
        let mut aside = chunks.aside().iter();
        let known = |chunk: ChunkIndex| {
            self.ready.contains(&chunk)
                || self.copying.contains_key(&chunk)
                || self.group_of.contains_key(&chunk)
        };
        assert!(aside.all(known));
    }
}
