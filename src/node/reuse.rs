//! Bytes that this node has already are copied, not fetched: tells the core where there are such, and
//! has them copied by workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::driver::Driver;
use super::twins::repeats;
use super::work::{Job, Place};
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::swarm::{Input, Ticket};

impl Driver {
    /// A container takes part: what it lacks may be elsewhere, and what it holds may be lacking
    /// elsewhere.
    pub(super) fn look_for_twins(&mut self, id: ManifestId) {
        let (Some(entry), Some(have)) = (self.catalog.get(&id), self.swarm.have(&id)) else {
            return;
        };
        let manifest = Arc::clone(entry.manifest());
        let (held, mut missing): (Vec<_>, Vec<_>) = manifest
            .layout()
            .chunks()
            .partition(|chunk| have.contains(*chunk));
        let groups = repeats(&manifest);
        if !missing.is_empty() && !groups.is_empty() {
            self.tell(Input::Repeats { id, groups });
        }
        missing.retain(|chunk| !self.held_twins(&id, *chunk).is_empty());
        if !missing.is_empty() {
            let chunks = missing;
            self.tell(Input::Local { id, chunks });
        }
        self.offer(&id, &held);
    }

    /// These chunks are here: containers that lack their bytes may copy them.
    pub(super) fn offer(&mut self, id: &ManifestId, chunks: &[ChunkIndex]) {
        if !self.catalog.twins().are_several() {
            return;
        }
        let mut lacking: BTreeMap<ManifestId, Vec<ChunkIndex>> = BTreeMap::new();
        for chunk in chunks {
            for (other, twin) in self.twins_of(id, *chunk) {
                let have = self.swarm.have(&other).filter(|_| other != *id);
                if have.is_some_and(|have| !have.contains(twin)) {
                    lacking.entry(other).or_default().push(twin);
                }
            }
        }
        for (id, chunks) in lacking {
            self.tell(Input::Local { id, chunks });
        }
    }

    /// Has a chunk copied from where its bytes are: other containers, or else its own.
    pub(super) fn copy(
        &mut self,
        ticket: Ticket,
        (id, chunk): (ManifestId, ChunkIndex),
        like: Option<ChunkIndex>,
    ) {
        let mut places = self.held_twins(&id, chunk);
        let Some(entry) = self.catalog.get(&id) else {
            return self.tell(Input::NotCopied { ticket });
        };
        let content = Arc::clone(&entry.content);
        if let Some(chunk) = like.filter(|_| places.is_empty()) {
            let content = Arc::clone(&content);
            let of = Some(id);
            places.push(Place { of, chunk, content });
        }
        if places.is_empty() {
            return self.tell(Input::NotCopied { ticket });
        }
        self.pool.submit(Job::Copy {
            ticket,
            id,
            content,
            chunk,
            places,
        });
    }

    /// Where else a chunk's bytes are said to be: in another copy of the container, or in others.
    fn held_twins(&self, id: &ManifestId, chunk: ChunkIndex) -> Vec<Place> {
        let copy = self.catalog.copy(id, chunk).map(|content| Place {
            of: None,
            chunk,
            content: Arc::clone(content),
        });
        let twins = self.twins_of(id, chunk).into_iter();
        let places = twins.filter_map(|(id, chunk)| {
            let have = self.swarm.have(&id);
            let of = have.filter(|have| have.contains(chunk)).map(|_| id);
            let held = of.is_some() || self.catalog.lends(&id, chunk);
            let content = Arc::clone(self.catalog.content(&id).filter(|_| held)?);
            Some(Place { of, chunk, content })
        });
        copy.into_iter().chain(places).collect()
    }

    /// Chunks that should have the same bytes, one of each other container.
    fn twins_of(&self, id: &ManifestId, chunk: ChunkIndex) -> Vec<(ManifestId, ChunkIndex)> {
        let hash_of = |id: &ManifestId, chunk: ChunkIndex| {
            let content = self.catalog.content(id)?;
            content.manifest().chunk_hash(chunk)
        };
        let Some(hash) = hash_of(id, chunk) else {
            return Vec::new();
        };
        let others = self.catalog.twins().of(&hash);
        let is_like = |(other, twin): &(ManifestId, ChunkIndex)| {
            other != id && hash_of(other, *twin) == Some(hash)
        };
        others.filter(is_like).collect()
    }
}
