//! The containers of this node: what each should be, where its bytes are, who is told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::share::Proof;
use super::squeeze::Squeeze;
use super::twins::Twins;
use crate::chunk::ChunkIndex;
use crate::digest::{ManifestId, ProgramId};
use crate::limits::DELUGES_MAX;
use crate::manifest::Manifest;
use crate::net::{HaveLog, Throttle};
use crate::store::Content;
use crate::wire::{ChunkRequest, Deluge, Refusal};

/// One container that takes part.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) content: Arc<Content>,
    pub(super) log: Arc<HaveLog>,
    pub(super) squeeze: Arc<Squeeze>,
    /// The manifest file, as it is given to peers.
    pub(super) file: Bytes,
    /// Its own limits, within those for all.
    pub(super) up: Arc<Throttle>,
    pub(super) down: Arc<Throttle>,
    /// Whether the whole has been hashed and is what the program id says.
    pub(super) proven: bool,
    /// Whoever shares it hears of its state here.
    pub(super) proof: Option<watch::Sender<Proof>>,
}

impl Entry {
    /// A container whose chunks so far are those of `content`.
    pub(super) fn new(content: Arc<Content>) -> Self {
        let file = content.manifest().to_json().into();
        let log = Arc::new(HaveLog::new(content.have()));
        let squeeze = Arc::default();
        Self {
            content,
            log,
            squeeze,
            file,
            up: Arc::new(Throttle::new(None)),
            down: Arc::new(Throttle::new(None)),
            proven: false,
            proof: None,
        }
    }

    pub(super) fn manifest(&self) -> &Arc<Manifest> {
        self.content.manifest()
    }
}

/// All containers, by manifest id.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    entries: BTreeMap<ManifestId, Entry>,
    /// Containers that take no part, and to which that do they lend their chunks.
    lent: BTreeMap<ManifestId, Loan>,
    /// Of both.
    twins: Twins,
    /// Of containers that are fetched and lie in another place already: what is there.
    copies: BTreeMap<ManifestId, Arc<Content>>,
}

#[derive(Debug)]
struct Loan {
    content: Arc<Content>,
    to: BTreeSet<ManifestId>,
}

impl Catalog {
    pub(super) fn get(&self, id: &ManifestId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &ManifestId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    /// The bytes of a container that takes part, or that lends its chunks.
    pub(super) fn content(&self, id: &ManifestId) -> Option<&Arc<Content>> {
        let lent = || Some(&self.lent.get(id)?.content);
        self.entries.get(id).map(|it| &it.content).or_else(lent)
    }

    /// Whether a container that takes no part lends this chunk.
    pub(super) fn lends(&self, id: &ManifestId, chunk: ChunkIndex) -> bool {
        let lent = self.lent.get(id);
        lent.is_some_and(|loan| loan.content.have().contains(chunk))
    }

    /// Where else a container that takes part lies, if this chunk is still there.
    pub(super) fn copy(&self, id: &ManifestId, chunk: ChunkIndex) -> Option<&Arc<Content>> {
        let copy = self.copies.get(id)?;
        copy.have().contains(chunk).then_some(copy)
    }

    /// Has a container lend its chunks to another, or to itself in another place, unless it takes part.
    pub(super) fn lend(&mut self, to: ManifestId, content: Arc<Content>) {
        let id = content.manifest().id();
        if self.entries.contains_key(&id) {
            return;
        }
        if id == to {
            self.copies.insert(id, content);
            return;
        }
        if !self.lent.contains_key(&id) {
            self.twins.add(content.manifest());
        }
        let to_nobody = Loan {
            content,
            to: BTreeSet::new(),
        };
        self.lent.entry(id).or_insert(to_nobody).to.insert(to);
    }

    /// Nothing is lent to this container any more.
    pub(super) fn end_loans(&mut self, to: &ManifestId) {
        self.copies.remove(to);
        let twins = &mut self.twins;
        self.lent.retain(|id, loan| {
            loan.to.remove(to);
            if loan.to.is_empty() {
                twins.remove(id);
            }
            !loan.to.is_empty()
        });
    }

    pub(super) fn insert(&mut self, id: ManifestId, entry: Entry) {
        if self.lent.remove(&id).is_none() {
            self.twins.add(entry.manifest());
        }
        self.entries.insert(id, entry);
    }

    pub(super) fn remove(&mut self, id: &ManifestId) -> Option<Entry> {
        self.twins.remove(id);
        self.entries.remove(id)
    }

    /// Which chunks of which containers should have the same bytes.
    pub(super) fn twins(&self) -> &Twins {
        &self.twins
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ManifestId, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// The container and the chunk that a request names: by total hash, chunk hash and position.
    pub(super) fn find(&self, request: &ChunkRequest) -> Result<(ManifestId, ChunkIndex), Refusal> {
        let mut refusal = Refusal::NotFound;
        for (id, entry) in &self.entries {
            if entry.manifest().program_id() != request.program_id {
                continue;
            }
            match entry.manifest().chunk_hash(request.index) {
                Some(hash) if hash == request.chunk_hash => return Ok((*id, request.index)),
                Some(_) => {}
                None => refusal = Refusal::NoSuchChunk,
            }
        }
        Err(refusal)
    }

    /// What is told to those who ask which manifests are here: only containers proven as a whole.
    pub(super) fn deluges(&self, program_id: Option<ProgramId>) -> Vec<Deluge> {
        let asked = |entry: &&Entry| {
            program_id.is_none_or(|wanted| entry.manifest().program_id() == wanted)
        };
        let proven = self
            .entries
            .values()
            .filter(|entry| entry.proven)
            .filter(asked);
        let deluge = |entry: &Entry| Deluge {
            manifest_id: entry.manifest().id(),
            program_id: entry.manifest().program_id(),
            size: entry.manifest().layout().size(),
        };
        proven.map(deluge).take(DELUGES_MAX).collect()
    }
}
