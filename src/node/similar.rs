//! Containers of the whole library that share chunks with one that is about to be fetched: also those
//! that nobody uses now.
//!
//! What it costs: for each container at most [`SKETCH_MAX`] rows of the state, the smallest of its
//! chunks' hashes, shortened to eight bytes (about 2 KiB), and nothing in memory. When a fetch begins, all
//! its hashes are looked up there, and the manifests of at most [`SIMILAR_MAX`] containers are read and
//! lent to the fetch until it ends: about 300 KiB each, index and all, where they have 4096 chunks.
//!
//! What it finds: a container of up to [`SKETCH_MAX`] different chunks if a single one is shared. Of a
//! larger one each chunk is in the sketch by chance: where a tenth of 4096 is shared, all 64 miss with
//! a chance of 0.9 to the 64th, one in 800. What is overlooked is fetched.

use std::path::Path;
use std::sync::Arc;

use super::driver::Driver;
use super::library::Library;
use super::twins::short;
use crate::digest::ManifestId;
use crate::manifest::Manifest;
use crate::store::{Content, Form, Holding};

/// Hashes in a sketch.
pub(super) const SKETCH_MAX: usize = 64;
/// Containers that lend their chunks to one fetch.
const SIMILAR_MAX: usize = 8;

/// The smallest of the shortened hashes of a container's chunks.
pub(super) fn sketch(manifest: &Manifest) -> Vec<u64> {
    let mut sketch = shortened(manifest);
    sketch.truncate(SKETCH_MAX);
    sketch
}

/// The different hashes of a container's chunks, shortened, in order.
fn shortened(manifest: &Manifest) -> Vec<u64> {
    let mut hashes: Vec<u64> = manifest.chunk_hashes().iter().map(short).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

impl Library {
    /// Whole containers that may share chunks with this one and that this process does not use already.
    /// Their bytes are believed until they are read. Blocks on the disk.
    pub(super) fn similar(&self, manifest: &Manifest) -> Vec<Content> {
        // some of those that are found may be in use here, or not be whole
        let found = self.state.similar(shortened(manifest), 2 * SIMILAR_MAX);
        let found = found.unwrap_or_else(|error| {
            tracing::warn!("what the library shares with it is not known: {error}");
            Vec::new()
        });
        let idle = found.into_iter().filter(|id| !self.in_use.contains(*id));
        let contents = idle.filter_map(|id| self.whole(id));
        contents.take(SIMILAR_MAX).collect()
    }

    /// All of a container that is about to be fetched to a path, or into the node's own folder, if it lies
    /// in another place already. Its bytes are believed until they are read. Blocks on the disk.
    pub(super) fn copy_of(
        &self,
        manifest: &Arc<Manifest>,
        output: Option<&Path>,
    ) -> Option<Content> {
        let output = output.and_then(|path| std::path::absolute(path).ok());
        let row = self.state.container(manifest.id()).ok()??;
        let users = row.path.filter(|path| output.as_ref() != Some(path));
        let users = users.and_then(|path| Content::seed(Arc::clone(manifest), &path).ok());
        let own = || output.and_then(|_| self.own_content(Arc::clone(manifest)));
        users.or_else(own)
    }

    /// All of a container, if it is here and can be read.
    pub(super) fn whole(&self, id: ManifestId) -> Option<Content> {
        let row = self.state.container(id).ok()??;
        let manifest = Arc::new(self.folders.load_manifest(id).ok()??);
        match &row.path {
            Some(path) => Content::seed(manifest, path).ok(),
            None => self.own_content(manifest),
        }
    }

    /// All of a container in the node's own folder, if it is there and can be read.
    fn own_content(&self, manifest: Arc<Manifest>) -> Option<Content> {
        let id = manifest.program_id();
        let Holding::Whole(form, _) = self.folders.holding(id) else {
            return None;
        };
        let path = self.folders.container_in(form, id);
        match form {
            Form::Open => Content::seed(manifest, &path).ok(),
            Form::Sealed => Content::keep_sealed(manifest, &path, self.vault_for(id).ok()?).ok(),
        }
    }
}

impl Driver {
    /// These containers lend their chunks to a fetch that is about to begin.
    pub(super) fn on_similar(&mut self, to: ManifestId, contents: Vec<Content>) {
        for content in contents {
            tracing::debug!(of = %content.manifest().id(), %to, "chunks may be here already");
            self.catalog.lend(to, Arc::new(content));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, Digest, ProgramId};
    use crate::manifest::{Draft, Layout};

    #[test]
    fn a_sketch_has_the_smallest_of_the_different_hashes() {
        let hashes: Vec<Digest> = (0..500u32)
            .map(|of| Digest::of(&(of / 2).to_le_bytes()))
            .collect();
        let draft = Draft {
            name: "x".to_owned(),
            layout: Layout::for_size(500 * 32_768).unwrap(),
            program_id: ProgramId::new(hashes[0]),
            chunk_hashes: hashes.clone(),
            reach: None,
            time: 0,
            peers: vec![],
        };
        let manifest = draft.unsigned(Address::new(hashes[0])).unwrap();
        let all = shortened(&manifest);
        assert_eq!((all.len(), sketch(&manifest).len()), (250, SKETCH_MAX));
        assert!(all.is_sorted() && all[..SKETCH_MAX] == sketch(&manifest));
        let first: Vec<String> = all.iter().map(|short| format!("{short:016x}")).collect();
        assert!(
            hashes
                .iter()
                .all(|hash| first.contains(&hash.to_string()[..16].to_owned()))
        );
    }
}
