//! Fetches: from a manifest to chunks. How they find it is in `finding`, how they end in `ends`.

use std::sync::Arc;
use std::time::Duration;

use super::apply::described;
use super::block::with_source;
use super::catalog::Entry;
use super::command::{Note, OpenFailure};
use super::config::{Discovery, PeerHint};
use super::driver::{Driver, peer_key};
use super::error::FetchError;
use super::jobs::{OwnJob, asked};
use super::places::Place;
use super::quest::{FetchId, Quest, Source, Stage};
use super::reach::is_global;
use super::status::FetchStatus;
use crate::digest::ManifestId;
use crate::manifest::Manifest;
use crate::net::SessionKey;
use crate::store::{Content, OpenError};
use crate::swarm::{Input, Ticket, Trust};

impl Driver {
    /// Begins a fetch.
    pub(super) fn on_fetch(
        &mut self,
        id: FetchId,
        source: Source,
        mut quest: Quest,
        peers: Vec<PeerHint>,
    ) {
        let now = self.clock.now();
        let (output, form) = (quest.output.as_deref(), self.library.vault.form());
        let asked = asked(
            &source,
            output,
            (&peers, quest.patience),
            &quest.course,
            form,
        );
        let mut hints = peers;
        let mut masters = Vec::new();
        let manifest = match source {
            Source::Link(link) => {
                hints.extend(link.peers.into_iter().map(PeerHint::from));
                if self.discovery == Discovery::On {
                    masters.extend(link.masters.iter().filter_map(|text| text.parse().ok()));
                }
                None
            }
            Source::Manifest(manifest) => {
                if self.discovery == Discovery::On {
                    hints.extend(hints_of(&manifest));
                }
                Some(manifest)
            }
        };
        for master in masters {
            self.masters.add(now, master, Some(id));
        }
        if hints.is_empty() && manifest.is_none() && self.masters.is_empty() {
            return quest.finish_aside(Err(FetchError::NobodyToAsk));
        }
        quest.job = Some(OwnJob::begin(&self.library, asked));
        hints
            .into_iter()
            .for_each(|hint| self.reach.add(now, id, hint));
        if let Some(manifest_id) = quest.manifest_id() {
            self.recall_peers(id, manifest_id);
        }
        self.quests.insert(id, quest);
        if let Some(manifest) = manifest {
            self.open(id, manifest);
        }
        self.tend_masters();
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
            Note::Opened { fetch, id, outcome } => self.on_opened(fetch, id, outcome),
            Note::Recalled { fetch, peers } => self.on_more_peers(fetch, peers),
            Note::Similar { id, contents } => self.on_similar(id, contents),
            Note::Found { wanted, contents } => self.on_found(wanted, contents),
            Note::Offered(all) => self.on_offered(all),
            Note::Finished { fetch, outcome } => self.on_finished(fetch, outcome),
            Note::Looked { id, look } => self.on_looked(id, look),
            Note::Scrubbed { id, scrubbed, took } => self.on_scrubbed(id, scrubbed, took),
            Note::Room { fetch, outcome } => self.on_room(fetch, outcome),
            Note::Synced { id, outcome } => self.on_synced(id, outcome),
            Note::Rejected { fetch, leftover } => self.on_file_closed(fetch, leftover),
            Note::Proven { id, proof, outcome } => self.on_proven(id, &proof, outcome),
            Note::Resolved { id, outcome } => self.on_resolved(id, outcome),
            Note::Lifted { addresses } => self.on_lifted(addresses),
        }
    }

    /// Opens the place for a fetch's bytes, and hashes what an earlier fetch left there.
    pub(super) fn open(&mut self, fetch: FetchId, manifest: Arc<Manifest>) {
        self.let_sleep(&manifest.id());
        let taken = self.catalog.get(&manifest.id()).is_some();
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        if taken {
            return self.fail(fetch, FetchError::Already(manifest.id()));
        }
        quest.stage = Stage::Opening;
        quest.manifest = Some(Arc::clone(&manifest));
        let library = self.library.clone();
        let id = manifest.id();
        library.in_use.begin(id);
        let (status, notes) = (quest.status.clone(), self.notes.clone());
        let (output, leftovers) = (quest.output.clone(), quest.leftovers.clone());
        let (recall, ledger) = (Arc::clone(&self.recall), self.ledger.clone());
        tokio::task::spawn_blocking(move || {
            library.lock(id);
            let copy = library.copy_of(&manifest, output.as_deref());
            let admitted = library.admit(&manifest, output.as_deref());
            let outcome = admitted.map_err(OpenFailure::Room);
            let place = Place {
                manifest,
                output: output.as_deref(),
                ledger,
                leftovers: &leftovers,
                status: &status,
            };
            let outcome = outcome.and_then(|()| place.open(&library));
            let outcome = outcome.map(|content| content.recalling(recall));
            if let Some(content) = outcome.as_ref().ok().filter(|it| !it.is_complete()) {
                let similar = library.similar(content.manifest());
                let contents = copy.into_iter().chain(similar).collect();
                // As below.
                let _ = notes.send(Note::Similar { id, contents });
            }
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Opened { fetch, id, outcome });
        });
    }

    fn on_opened(&mut self, fetch: FetchId, id: ManifestId, outcome: Result<Content, OpenFailure>) {
        let Some(quest) = self.quests.get_mut(&fetch) else {
            if self.catalog.get(&id).is_none() {
                self.library.in_use.end(&id);
            }
            return;
        };
        let content = match outcome {
            Ok(content) => Arc::new(content),
            Err(failure) => return self.on_not_opened(fetch, failure),
        };
        let layout = content.manifest().layout();
        if self.catalog.get(&id).is_some() {
            return self.fail(fetch, FetchError::Already(id));
        }
        quest.stage = Stage::Downloading;
        quest.on_room();
        quest.useful_at = self.clock.now();
        quest.progress_at = quest.useful_at;
        let (have, trust) = (content.have(), quest.want.trust());
        self.catalog.insert(id, Entry::new(content));
        self.tell(Input::Add {
            id,
            layout,
            have,
            trust,
        });
        self.look_for_twins(id);
        self.tell_course(fetch);
        self.show_fetch(fetch);
        for key in self.roster.keys() {
            self.engage(key);
        }
    }

    fn on_not_opened(&mut self, fetch: FetchId, failure: OpenFailure) {
        let error = match failure {
            OpenFailure::Open(error) => FetchError::Open(error),
            OpenFailure::Room(error) => FetchError::Room(error),
            OpenFailure::Vault(error) => FetchError::Vault(error),
            OpenFailure::Resume(error) => FetchError::Resume(error),
            OpenFailure::TakeOver(error) => {
                let (reason, disk_full) = described(&error);
                FetchError::Write { reason, disk_full }
            }
        };
        // A stranger's manifest may ask for more room than there is; another may be honest.
        let quest = self.quests.get(&fetch);
        let is_pinned = quest.is_some_and(|quest| quest.want.trust() == Trust::Pinned);
        let full = if let FetchError::Open(full @ OpenError::DiskFull { .. }) = &error {
            Some(with_source(full)).filter(|_| is_pinned)
        } else {
            None
        };
        let is_size = matches!(
            &error,
            FetchError::Open(OpenError::DiskFull { .. }) | FetchError::Room(_)
        );
        let id = self.quests.get(&fetch).and_then(Quest::manifest_id);
        if let Some(id) = id.filter(|id| self.catalog.get(id).is_none()) {
            self.library.in_use.end(&id);
        }
        match (id, full) {
            (Some(_), Some(why)) => self.wait_for_room(fetch, why),
            (Some(id), None) if is_size => self.set_aside(fetch, id, error),
            (Some(_) | None, _) => self.fail(fetch, error),
        }
    }

    /// Bytes of a chunk came in.
    pub(super) fn note_progress(&mut self, key: SessionKey, ticket: Ticket) {
        let Some(id) = self.swarm.container_of(peer_key(key), ticket) else {
            return;
        };
        let now = self.clock.now();
        let theirs = self.quests.values_mut();
        for quest in theirs.filter(|quest| quest.manifest_id() == Some(id)) {
            quest.progress_at = now;
        }
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
        let (mut over, mut stalled) = (Vec::new(), Vec::new());
        for (fetch, quest) in &mut self.quests {
            let id = quest.manifest_id();
            stalled.extend(id.filter(|_| quest.is_stalled(now)).map(|id| (*fetch, id)));
            let receiving =
                id.is_some_and(|id| self.swarm.peers(id).any(|peer| peer.in_flight > 0));
            if receiving
                || quest.course.is_paused()
                || quest.block.why().is_some()
                || matches!(quest.stage, Stage::Opening | Stage::Finishing)
            {
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
                Some(error) => self.fail(fetch, self.with_masters(error)),
                None => self.cancel(fetch),
            }
        }
        for (fetch, id) in stalled {
            self.on_stalled(fetch, id);
        }
    }

    /// Where nobody could be reached, it is good to know that no master could be either.
    fn with_masters(&self, mut error: FetchError) -> FetchError {
        if let FetchError::NoPeers { tried, .. } = &mut error {
            tried.extend(self.masters.silence());
        }
        error
    }

    /// Shows how far each fetch is.
    pub(super) fn show_fetches(&self) {
        for fetch in self.quests.keys() {
            self.show_fetch(*fetch);
        }
    }

    fn show_fetch(&self, fetch: FetchId) {
        let Some(quest) = self.quests.get(&fetch) else {
            return;
        };
        let container = quest
            .manifest_id()
            .and_then(|id| self.container_status(&id));
        let status = match (quest.stage, container) {
            (Stage::Finding, _) => FetchStatus::FindingManifest {
                peers: self.connected_for(fetch),
            },
            (Stage::Downloading, Some(container)) if quest.block.why().is_some() => {
                let why = quest.block.why().unwrap_or_default().to_owned();
                FetchStatus::Blocked { container, why }
            }
            (Stage::Downloading, Some(container)) if quest.course.is_paused() => {
                FetchStatus::Paused(container)
            }
            (Stage::Downloading, Some(container)) => FetchStatus::Downloading(container),
            (Stage::Finishing, Some(container)) => FetchStatus::Finishing(container),
            (Stage::Opening | Stage::Downloading | Stage::Finishing, _) => return,
        };
        quest.status.send_replace(status);
    }

    fn connected_for(&self, fetch: FetchId) -> usize {
        let theirs = self.roster.iter().filter(|(_, peer)| {
            let wanted = self.reach.wanted_of(peer.dialed(), peer.session.address());
            wanted.contains(&fetch)
        });
        theirs.count()
    }
}

/// Peers that a manifest names. Whoever wrote it is a stranger, so it sends nobody to addresses that
/// mean something else on each network.
fn hints_of(manifest: &Manifest) -> impl Iterator<Item = PeerHint> + '_ {
    manifest
        .reach()
        .into_iter()
        .chain(manifest.peers().iter().copied())
        .filter(|hint| is_global(hint.ip()))
        .map(PeerHint::from)
}

/// How long a fetch goes on while no peer is of any use, unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);
