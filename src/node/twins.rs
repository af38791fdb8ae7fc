//! Which chunks of the containers that take part, or that lend their chunks to one that does
//! (`similar`), should have the same bytes: an index by their hash.
//!
//! Memory: 16 bytes for each different chunk of each container and about as much again for the tree,
//! so 128 KiB for a container of 4096 chunks; at most [`ENTRIES_MAX`] entries in all, about 32 MiB.
//! A container that would go beyond that is not indexed: its chunks are fetched like any other's.
//!
//! Hashes are shortened to eight bytes, so an entry is a hint: whoever uses one compares the whole
//! hashes. It says nothing of what is here either.

use std::collections::{BTreeMap, BTreeSet};

use crate::chunk::ChunkIndex;
use crate::digest::{Digest, ManifestId};
use crate::manifest::Manifest;

/// Entries of all containers together: 256 of the largest.
const ENTRIES_MAX: usize = 1 << 20;

/// The index.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// Shortened hash, number of the container, first chunk in it that has the hash.
    entries: BTreeSet<(u64, u32, ChunkIndex)>,
    containers: BTreeMap<u32, ManifestId>,
    last: u32,
}

impl Twins {
    /// A container takes part.
    pub(super) fn add(&mut self, manifest: &Manifest) {
        let firsts = by_hash(manifest).into_values();
        let firsts: Vec<_> = firsts
            .filter_map(|chunks| chunks.first().copied())
            .collect();
        if self.entries.len() + firsts.len() > ENTRIES_MAX {
            tracing::info!(id = %manifest.id(), "too many chunks to look for in other containers");
            return;
        }
        self.last = self.last.wrapping_add(1);
        self.containers.insert(self.last, manifest.id());
        for chunk in firsts {
            let hash = manifest.chunk_hash(chunk).expect("it is one of its own");
            self.entries.insert((short(&hash), self.last, chunk));
        }
    }

    /// A container takes no part any more.
    pub(super) fn remove(&mut self, id: &ManifestId) {
        let mut containers = self.containers.iter();
        let Some(number) = containers.find(|(_, it)| *it == id).map(|it| *it.0) else {
            return;
        };
        self.containers.remove(&number);
        self.entries.retain(|(_, of, _)| *of != number);
    }

    /// Chunks that may have this hash, one of each container.
    pub(super) fn of(&self, hash: &Digest) -> impl Iterator<Item = (ManifestId, ChunkIndex)> + '_ {
        let short = short(hash);
        let first = (short, 0, ChunkIndex::new(0));
        let last = (short, u32::MAX, ChunkIndex::new(u32::MAX));
        let entries = self.entries.range(first..=last);
        entries.filter_map(|(_, number, chunk)| Some((*self.containers.get(number)?, *chunk)))
    }

    /// Whether there is more than one container to look in.
    pub(super) fn are_several(&self) -> bool {
        self.containers.len() > 1
    }
}

/// Chunks of one container that have the same hash, where those are two or more.
pub(super) fn repeats(manifest: &Manifest) -> Vec<Vec<ChunkIndex>> {
    let groups = by_hash(manifest).into_values();
    groups.filter(|group| group.len() > 1).collect()
}

fn by_hash(manifest: &Manifest) -> BTreeMap<Digest, Vec<ChunkIndex>> {
    let mut chunks: BTreeMap<Digest, Vec<ChunkIndex>> = BTreeMap::new();
    for chunk in manifest.layout().chunks() {
        let hash = manifest.chunk_hash(chunk).expect("it is one of its own");
        chunks.entry(hash).or_default().push(chunk);
    }
    chunks
}

/// The first eight bytes of a hash: enough to look it up by, not to believe it.
pub(super) fn short(hash: &Digest) -> u64 {
    let (first, _) = hash.as_bytes().split_first_chunk().expect("it is 32 bytes");
    u64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, ProgramId};
    use crate::manifest::{Draft, Layout};

    /// A container of these chunks, by what they are filled with.
    fn manifest(chunks: &[u8]) -> Manifest {
        let size = chunks.len() * 32_768;
        let hash = |fill: &u8| Digest::of(&vec![*fill; 32_768]);
        let draft = Draft {
            name: "chunks".into(),
            layout: Layout::for_size(size as u64).unwrap(),
            program_id: ProgramId::new(Digest::of(chunks)),
            chunk_hashes: chunks.iter().map(hash).collect(),
            reach: None,
            time: 0,
            peers: vec![],
        };
        draft.unsigned(Address::new(Digest::of(b"key"))).unwrap()
    }

    #[test]
    fn twins_are_found_until_their_container_goes() {
        let (one, two) = (manifest(&[1, 2, 2, 3]), manifest(&[9, 2]));
        let mut twins = Twins::default();
        twins.add(&one);
        assert!(!twins.are_several());
        twins.add(&two);
        let of = |twins: &Twins, fill: u8| -> BTreeSet<_> {
            let hash = Digest::of(&vec![fill; 32_768]);
            twins
                .of(&hash)
                .map(|(id, chunk)| (id, chunk.get()))
                .collect()
        };
        assert_eq!(of(&twins, 2), [(one.id(), 1), (two.id(), 1)].into());
        assert_eq!(of(&twins, 9), [(two.id(), 0)].into());
        assert_eq!(of(&twins, 7), [].into());
        twins.remove(&one.id());
        assert_eq!(of(&twins, 2), [(two.id(), 1)].into());
        assert_eq!(twins.entries.len(), 2);
    }

    #[test]
    fn repeats_are_chunks_with_the_same_hash() {
        let groups = repeats(&manifest(&[5, 1, 5, 2, 1, 5]));
        let groups: BTreeSet<Vec<u32>> = groups
            .into_iter()
            .map(|group| group.into_iter().map(ChunkIndex::get).collect())
            .collect();
        assert_eq!(groups, [vec![0, 2, 5], vec![1, 4]].into());
    }

    #[test]
    fn the_index_is_bounded() {
        let mut twins = Twins::default();
        let filler = (0..1 << 20).map(|at| (at, 0, ChunkIndex::new(0)));
        twins.entries.extend(filler);
        twins.add(&manifest(&[1]));
        assert_eq!(twins.entries.len(), ENTRIES_MAX);
        assert!(twins.containers.is_empty());
    }
}
