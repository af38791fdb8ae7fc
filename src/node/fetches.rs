//! Fetches: from a link to a manifest, from a manifest to chunks, from chunks to a finished file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::catalog::Entry;
use super::command::{Note, OpenFailure};
use super::config::{Discovery, PeerHint};
use super::driver::Driver;
use super::error::{FetchError, kept};
use super::quest::{FetchId, Fetched, Quest, Source, Stage};
use super::status::FetchStatus;
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::manifest::{Manifest, ManifestError, SignatureState};
use crate::net::SessionKey;
use crate::store::{Content, FinishError};
use crate::swarm::Input;
use crate::wire::CloseCode;

impl Driver {
    /// Begins a fetch.
    pub(super) fn on_fetch(
        &mut self,
        id: FetchId,
        source: Source,
        quest: Quest,
        peers: Vec<PeerHint>,
    ) {
        let now = self.clock.now();
        let mut hints = peers;
        let manifest = match source {
            Source::Link(link) => {
                hints.extend(link.peers.into_iter().map(PeerHint::from));
                None
            }
            Source::Manifest(manifest) => {
                if self.discovery == Discovery::On {
                    hints.extend(hints_of(&manifest));
                }
                Some(manifest)
            }
        };
        if hints.is_empty() && manifest.is_none() {
            return quest.finish(Err(FetchError::NobodyToAsk));
        }
        hints
            .into_iter()
            .for_each(|hint| self.reach.add(now, id, hint));
        self.quests.insert(id, quest);
        if let Some(manifest) = manifest {
            self.open(id, manifest);
        }
    }

    pub(super) fn on_more_peers(&mut self, id: FetchId, peers: Vec<PeerHint>) {
        if self.quests.contains_key(&id) {
            let now = self.clock.now();
            peers
                .into_iter()
                .for_each(|hint| self.reach.add(now, id, hint));
        }
    }

    /// Takes in what a background job has found out.
    pub(super) fn on_note(&mut self, note: Note) {
        match note {
            Note::Parsed {
                session,
                id,
                outcome,
            } => self.on_parsed(session, id, outcome),
            Note::Opened { fetch, outcome } => self.on_opened(fetch, outcome),
            Note::Finished { fetch, outcome } => self.on_finished(fetch, outcome),
        }
    }

    fn on_parsed(
        &mut self,
        key: SessionKey,
        id: ManifestId,
        outcome: Result<Manifest, ManifestError>,
    ) {
        let manifest = match outcome {
            Ok(manifest) if manifest.id() == id => Arc::new(manifest),
            Ok(other) => {
                return self.on_false_manifest(
                    key,
                    &format!("asked for manifest {id}, got {}", other.id()),
                );
            }
            Err(error) => return self.on_false_manifest(key, &error.to_string()),
        };
        let finding = |quest: &Quest| {
            quest.stage == Stage::Finding && quest.want.program_id == manifest.program_id()
        };
        let mut found = Vec::new();
        for (fetch, quest) in self.quests.iter_mut().filter(|(_, quest)| finding(quest)) {
            match quest.want.check(&manifest) {
                Ok(()) if quest.rejected.contains(&id) => {}
                Ok(()) => found.push(*fetch),
                Err(why) => quest.on_failed_attempt(format!("manifest {id}: {why}")),
            }
        }
        for fetch in found {
            self.open(fetch, Arc::clone(&manifest));
        }
    }

    fn on_false_manifest(&mut self, key: SessionKey, why: &str) {
        tracing::info!(why, "a peer sent a false manifest");
        if let Some(peer) = self.roster.get(key) {
            peer.session.close(CloseCode::Protocol, "PROTOCOL manifest");
            self.on_closed(key, why);
        }
    }

    /// Opens the place for a fetch's bytes, and hashes what an earlier fetch left there.
    fn open(&mut self, fetch: FetchId, manifest: Arc<Manifest>) {
        let taken = self.catalog.get(&manifest.id()).is_some();
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        if taken {
            return self.fail(fetch, FetchError::Already(manifest.id()));
        }
        quest.stage = Stage::Opening;
        quest.manifest = Some(Arc::clone(&manifest));
        let ours = self.folders.container(manifest.program_id());
        let (status, notes) = (quest.status.clone(), self.notes.clone());
        let output = quest.output.clone();
        tokio::task::spawn_blocking(move || {
            let outcome = match output {
                Some(path) => open_new(manifest, &path, &status),
                None if ours.exists() => open_kept(manifest, &ours, &status),
                None => open_new(manifest, &ours, &status),
            };
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Opened { fetch, outcome });
        });
    }

    fn on_opened(&mut self, fetch: FetchId, outcome: Result<Content, OpenFailure>) {
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        let content = match outcome {
            Ok(content) => Arc::new(content),
            Err(OpenFailure::Open(error)) => return self.fail(fetch, FetchError::Open(error)),
            Err(OpenFailure::Resume(error)) => return self.fail(fetch, FetchError::Resume(error)),
        };
        let (id, layout) = (content.manifest().id(), content.manifest().layout());
        if self.catalog.get(&id).is_some() {
            return self.fail(fetch, FetchError::Already(id));
        }
        quest.stage = Stage::Downloading;
        quest.useful_at = self.clock.now();
        let (have, trust) = (content.have(), quest.want.trust());
        self.catalog.insert(id, Entry::new(content));
        self.tell(Input::Add {
            id,
            layout,
            have,
            trust,
        });
        for key in self.roster.keys() {
            self.engage(key);
        }
    }

    /// Every chunk of a container is here.
    pub(super) fn on_complete(&mut self, id: ManifestId) {
        let Some(entry) = self.catalog.get(&id) else {
            return;
        };
        let content = Arc::clone(&entry.content);
        let downloading = self.quests.iter_mut().find(|(_, quest)| {
            quest.stage == Stage::Downloading && quest.manifest_id() == Some(id)
        });
        let Some((fetch, quest)) = downloading else {
            return;
        };
        quest.stage = Stage::Finishing;
        let (fetch, notes) = (*fetch, self.notes.clone());
        tokio::task::spawn_blocking(move || {
            let outcome = content.finish();
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Finished { fetch, outcome });
        });
    }

    fn on_finished(&mut self, fetch: FetchId, outcome: Result<PathBuf, FinishError>) {
        let Some(id) = self.quests.get(&fetch).and_then(Quest::manifest_id) else {
            return;
        };
        match outcome {
            Ok(path) => self.succeed(fetch, id, path),
            Err(FinishError::Rotten { .. } | FinishError::Sync { .. }) => {
                self.fetch_again(fetch, id)
            }
            Err(source @ FinishError::WrongWhole { .. }) => {
                let signer = self
                    .catalog
                    .get(&id)
                    .map_or_else(String::new, |entry| signer(entry.manifest()));
                self.fail(
                    fetch,
                    FetchError::Poisoned {
                        manifest_id: id,
                        signer,
                        source,
                    },
                );
            }
            Err(error) => self.fail(fetch, FetchError::Finish(error)),
        }
    }

    fn succeed(&mut self, fetch: FetchId, id: ManifestId, path: PathBuf) {
        let (Some(quest), Some(entry)) = (self.quests.remove(&fetch), self.catalog.get_mut(&id))
        else {
            return;
        };
        entry.proven = true;
        let manifest = Arc::clone(entry.manifest());
        self.keep_manifest(&manifest);
        self.roster.unsubscribe(&id);
        self.reach.forget(fetch);
        let tally = self.swarm.tally(&id).cloned().unwrap_or_default();
        quest.finish(Ok(Fetched {
            path,
            manifest,
            tally,
        }));
    }

    /// Keeps a copy of the manifest that names this node as one more peer that has the container.
    fn keep_manifest(&self, manifest: &Manifest) {
        let own = self
            .endpoint
            .announced()
            .iter()
            .copied()
            .find(|own| is_public(*own));
        let mut copy = manifest.clone();
        if let Some(own) = own {
            copy = copy.with_peer(own);
        }
        let folders = Arc::clone(&self.folders);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = folders.save_manifest(&copy) {
                tracing::warn!(%error, "the manifest could not be kept");
            }
        });
    }

    /// The disk did not keep what was stored: the core fetches it again.
    fn fetch_again(&mut self, fetch: FetchId, id: ManifestId) {
        let Some(entry) = self.catalog.get(&id) else {
            return;
        };
        let (kept, log) = (entry.content.have(), Arc::clone(&entry.log));
        let believed = self
            .swarm
            .have(&id)
            .cloned()
            .unwrap_or_else(|| kept.clone());
        let lost: Vec<ChunkIndex> = believed.difference(&kept).collect();
        tracing::warn!(%id, chunks = lost.len(), "the disk lost chunks; they are fetched again");
        if let Some(quest) = self.quests.get_mut(&fetch) {
            quest.stage = Stage::Downloading;
        }
        for chunk in lost {
            log.withdraw(chunk);
            self.tell(Input::Lost { id, chunk });
        }
    }

    /// The core has stopped a container because its chunks cannot be stored.
    pub(super) fn on_stopped(&mut self, id: &ManifestId) {
        let quest = self
            .quests
            .values_mut()
            .find(|quest| quest.manifest_id() == Some(*id));
        let error = quest.and_then(|quest| quest.write_error.take());
        let (reason, disk_full) =
            error.unwrap_or_else(|| ("E-IO: a chunk could not be stored".to_owned(), false));
        self.fail_container(id, FetchError::Write { reason, disk_full });
    }

    /// Ends the fetch of a container, if there is one.
    pub(super) fn fail_container(&mut self, id: &ManifestId, error: FetchError) {
        let fetch = self
            .quests
            .iter()
            .find(|(_, quest)| quest.manifest_id() == Some(*id));
        if let Some(fetch) = fetch.map(|(fetch, _)| *fetch) {
            self.fail(fetch, error);
        }
    }

    fn fail(&mut self, fetch: FetchId, error: FetchError) {
        let Some(quest) = self.quests.remove(&fetch) else {
            return;
        };
        self.reach.forget(fetch);
        let ours = matches!(quest.stage, Stage::Downloading | Stage::Finishing);
        if let Some(id) = quest.manifest_id().filter(|_| ours) {
            self.tell(Input::Remove { id });
            self.roster.unsubscribe(&id);
            self.catalog.remove(&id);
        }
        quest.finish(Err(error));
    }

    /// Ends a fetch on its owner's wish; what it has is kept.
    pub(super) fn cancel(&mut self, fetch: FetchId) {
        let Some(quest) = self.quests.get(&fetch) else {
            return;
        };
        let part = self.part_of(quest);
        self.fail(fetch, FetchError::Cancelled { kept: kept(part) });
    }

    /// A peer was of use to the fetch of a container.
    pub(super) fn note_useful(&mut self, key: SessionKey, id: &ManifestId) {
        let now = self.clock.now();
        if let Some(remote) = self.roster.get(key).and_then(super::roster::Peer::dialed) {
            self.reach.on_useful(remote);
        }
        for quest in self
            .quests
            .values_mut()
            .filter(|quest| quest.manifest_id() == Some(*id))
        {
            quest.useful_at = now;
        }
    }

    /// Once a second: gives up where nobody was of use for too long, and asks again for manifests.
    pub(super) fn review_fetches(&mut self) {
        let now = self.clock.now();
        let mut over = Vec::new();
        for (fetch, quest) in &mut self.quests {
            if quest.stage == Stage::Finding {
                quest.asked.clear();
            }
            let id = quest.manifest_id();
            let receiving =
                id.is_some_and(|id| self.swarm.peers(id).any(|peer| peer.in_flight > 0));
            if receiving || matches!(quest.stage, Stage::Opening | Stage::Finishing) {
                quest.useful_at = now;
            }
            if quest.is_abandoned() {
                over.push((*fetch, None));
            } else if let Some(error) = quest.verdict(now, self.reach.has_failed(*fetch)) {
                over.push((*fetch, Some(error)));
            }
        }
        for (fetch, error) in over {
            match error {
                Some(error) => self.fail(fetch, error),
                None => self.cancel(fetch),
            }
        }
    }

    /// Shows how far each fetch is.
    pub(super) fn show_fetches(&self) {
        for (fetch, quest) in &self.quests {
            let container = quest
                .manifest_id()
                .and_then(|id| self.container_status(&id));
            let status = match (quest.stage, container) {
                (Stage::Finding, _) => FetchStatus::FindingManifest {
                    peers: self.connected_for(*fetch),
                },
                (Stage::Downloading, Some(container)) => FetchStatus::Downloading(container),
                (Stage::Finishing, Some(container)) => FetchStatus::Finishing(container),
                (Stage::Opening | Stage::Downloading | Stage::Finishing, _) => continue,
            };
            quest.status.send_replace(status);
        }
    }

    fn connected_for(&self, fetch: FetchId) -> usize {
        let dialed = self.roster.iter().filter_map(|(_, peer)| peer.dialed());
        dialed
            .filter(|remote| self.reach.wanted_by(*remote).contains(&fetch))
            .count()
    }
}

fn open_new(
    manifest: Arc<Manifest>,
    path: &Path,
    status: &watch::Sender<FetchStatus>,
) -> Result<Content, OpenFailure> {
    let size = manifest.layout().size();
    let content = Content::download(manifest, path).map_err(OpenFailure::Open)?;
    let show = |done| {
        status.send_replace(FetchStatus::Checking { done, size });
    };
    content.resume(show).map_err(OpenFailure::Resume)?;
    Ok(content)
}

/// Takes over a container that an earlier fetch finished, after reading all of it again.
fn open_kept(
    manifest: Arc<Manifest>,
    path: &Path,
    status: &watch::Sender<FetchStatus>,
) -> Result<Content, OpenFailure> {
    let layout = manifest.layout();
    let content = Content::seed(manifest, path).map_err(OpenFailure::Open)?;
    for chunk in layout.chunks() {
        content.read(chunk).map_err(OpenFailure::Resume)?;
        let done = layout.offset(chunk).unwrap_or_default();
        status.send_replace(FetchStatus::Checking {
            done,
            size: layout.size(),
        });
    }
    Ok(content)
}

fn hints_of(manifest: &Manifest) -> impl Iterator<Item = PeerHint> + '_ {
    manifest
        .reach()
        .into_iter()
        .chain(manifest.peers().iter().copied())
        .map(PeerHint::from)
}

fn signer(manifest: &Manifest) -> String {
    match manifest.signature() {
        SignatureState::Unsigned => "nobody".to_owned(),
        SignatureState::Signed { .. } => manifest.address().to_string(),
    }
}

/// Whether a stranger could reach this address.
fn is_public(address: SocketAddr) -> bool {
    !address.ip().is_loopback() && !address.ip().is_unspecified() && address.port() != 0
}

/// How long a fetch goes on while no peer is of any use, unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);
