//! How fetches end: complete and named, given up, or with a manifest that turned out to be wrong.
//!
//! Invariant: whoever waits for a fetch hears of its end after its file has been let go of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::ballot::Setback;
use super::command::Note;
use super::driver::Driver;
use super::error::{FetchError, kept};
use super::quest::{Cost, FetchId, Fetched, Leftover, Quest, Stage, Unwritten};
use super::reach::is_global;
use super::status::Reached;
use super::verdicts::signer;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId, ProgramId};
use crate::manifest::Manifest;
use crate::store::{Content, FinishError, SyncError, WrongRow};
use crate::swarm::{Input, Tally};
use crate::wire::CloseCode;

/// How long an ended fetch waits for workers that still write to its file or read from it.
const LET_GO_MAX: Duration = Duration::from_secs(2);
/// Rejected manifests of one fetch whose chunks are looked for, the latest ones.
const LEFTOVERS_MAX: usize = 4;
/// How often it looks.
const LET_GO_STEP: Duration = Duration::from_millis(1);

impl Driver {
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

    /// The whole of a fetch has been hashed.
    pub(super) fn on_finished(&mut self, fetch: FetchId, outcome: Result<PathBuf, FinishError>) {
        let Some(id) = self.quests.get(&fetch).and_then(Quest::manifest_id) else {
            return;
        };
        match outcome {
            Ok(path) => self.succeed(fetch, id, path),
            Err(FinishError::Sync(error @ SyncError::DiskFull { .. })) => {
                self.on_full_at_sync(id, &error);
                self.fetch_again(fetch, id);
            }
            Err(
                FinishError::Rotten { .. } | FinishError::Sync(_) | FinishError::Incomplete { .. },
            ) => self.fetch_again(fetch, id),
            Err(source @ FinishError::WrongWhole { found, .. }) => {
                let signer = self.signer_of(&id);
                self.condemn(&id, found);
                let error = FetchError::Poisoned {
                    manifest_id: id,
                    signer,
                    source,
                };
                if let Some(quest) = self.quests.get_mut(&fetch) {
                    quest.ballot.on_wrong(&id);
                }
                self.reject(fetch, id, error);
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
        self.catalog.end_loans(&id);
        self.verdicts.on_right(id);
        self.keep_verdicts();
        self.keep_manifest(&manifest, quest.output.clone());
        self.forget_sources(fetch);
        let tally = self.swarm.tally(&id).cloned().unwrap_or_default();
        let paths = self.paths_of(&tally);
        let form = self.library.form_at(&path, manifest.program_id());
        quest.finish_aside(Ok(Fetched {
            path,
            form,
            manifest,
            tally,
            paths,
        }));
    }

    /// How those who gave are reached.
    fn paths_of(&self, tally: &Tally) -> Vec<Reached> {
        let gave = |who: &Address| tally.accounts.get(who).is_some_and(|it| it.chunks > 0);
        // one that is being drained has made way for a better one
        let kept = self
            .roster
            .iter()
            .filter(|(key, _)| !self.roster.is_draining(*key));
        let peers = kept.map(|(_, peer)| (peer.session.address(), peer.path));
        let reached = |(address, path)| Reached {
            address,
            path,
            why: self.why_not_direct(address, path),
        };
        peers.filter(|(who, _)| gave(who)).map(reached).collect()
    }

    /// Keeps a copy of the manifest that names this node as one more peer that has the container.
    fn keep_manifest(&self, manifest: &Manifest, output: Option<PathBuf>) {
        let own = self
            .endpoint
            .announced()
            .all()
            .into_iter()
            .find(|own| is_global(own.ip()));
        let mut copy = manifest.clone();
        if let Some(own) = own {
            copy = copy.with_peer(own);
        }
        let library = self.library.clone();
        tokio::task::spawn_blocking(move || {
            // Its bytes are there already, so that there is no room would concern the copy alone.
            if let Err(error) = library.admit(&copy, output.as_deref()) {
                tracing::warn!("the manifest is not kept: {error}");
            }
        });
    }

    /// The disk did not keep what was stored: the core fetches it again.
    fn fetch_again(&mut self, fetch: FetchId, id: ManifestId) {
        tracing::warn!(%id, "the disk lost chunks; they are fetched again");
        if let Some(quest) = self.quests.get_mut(&fetch) {
            quest.stage = Stage::Downloading;
        }
        self.on_damaged(&id);
        // they may have been, and come, while the whole was being checked
        if self.swarm.have(&id).is_some_and(Bitfield::is_full) {
            self.on_complete(id);
        }
    }

    /// The core has stopped a container because its chunks cannot be stored. What may pass is waited
    /// for.
    pub(super) fn on_stopped(&mut self, id: &ManifestId) {
        let Some(fetch) = self.fetch_of(id) else {
            return;
        };
        let quest = self.quests.get_mut(&fetch);
        let unwritten = quest.and_then(|quest| quest.write_error.take());
        let Unwritten {
            reason,
            disk_full,
            may_pass,
        } = unwritten.unwrap_or_else(Unwritten::unknown);
        match may_pass {
            true => self.block(fetch, reason),
            false => self.fail(fetch, FetchError::Write { reason, disk_full }),
        }
    }

    /// Three peers failed the same chunk of a container.
    pub(super) fn on_suspected(&mut self, id: ManifestId, chunk: ChunkIndex) {
        if let Some(fetch) = self.fetch_of(&id) {
            let error = FetchError::Suspected {
                manifest_id: id,
                signer: self.signer_of(&id),
                chunk,
            };
            if let Some(quest) = self.quests.get_mut(&fetch) {
                quest.ballot.on_set_aside(&id, Setback::Suspected);
            }
            self.reject(fetch, id, error);
        }
    }

    /// Nobody sends the chunks of a manifest, and there is another to try.
    pub(super) fn on_stalled(&mut self, fetch: FetchId, id: ManifestId) {
        let signer = self.signer_of(&id);
        let manifest_id = id;
        let error = FetchError::Stalled {
            manifest_id,
            signer,
        };
        self.set_aside(fetch, id, error);
    }

    /// Tries another manifest, or fails where there is none or the link names this one.
    pub(super) fn set_aside(&mut self, fetch: FetchId, id: ManifestId, error: FetchError) {
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        if !quest.ballot.has_other(&id) {
            return self.fail(fetch, error);
        }
        quest.ballot.on_set_aside(&id, Setback::Stalled);
        self.reject(fetch, id, error);
    }

    /// A manifest is wrong: nobody is to blame for what did not fit it, and it is not tried again.
    pub(super) fn condemn(&mut self, id: &ManifestId, found: ProgramId) {
        let Some(entry) = self.catalog.get(id) else {
            return;
        };
        let manifest = entry.manifest();
        self.verdicts.on_wrong(WrongRow {
            id: *id,
            signer: signer(manifest),
            claimed: manifest.program_id(),
            found,
        });
        self.keep_verdicts();
        let (library, wrong) = (self.library.clone(), *id);
        tokio::task::spawn_blocking(move || library.forget(wrong));
        self.tell(Input::Condemn { id: *id });
    }

    /// Writes down what is known of manifests, away from the network thread.
    pub(super) fn keep_verdicts(&self) {
        let verdicts = self.verdicts.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = verdicts.settle() {
                tracing::warn!(%error, "what is known of manifests could not be written down");
            }
        });
    }

    /// Who signed the manifest of a container, in words.
    pub(super) fn signer_of(&self, id: &ManifestId) -> String {
        let entry = self.catalog.get(id);
        let signer = entry.and_then(|entry| signer(entry.manifest()));
        signer.map_or_else(|| "nobody".to_owned(), |signer| signer.to_string())
    }

    /// The fetch whose bytes a container's are.
    pub(super) fn fetch_of(&self, id: &ManifestId) -> Option<FetchId> {
        let mut quests = self.quests.iter();
        let fetch = quests.find(|(_, quest)| quest.has_bytes() && quest.manifest_id() == Some(*id));
        fetch.map(|(fetch, _)| *fetch)
    }

    /// A fetch's manifest came to nothing. Where that one was asked for, the fetch is over. Otherwise
    /// it looks for another, which takes over the chunks that both share (DESIGN section 4).
    fn reject(&mut self, fetch: FetchId, id: ManifestId, error: FetchError) {
        let had_chunks = self
            .swarm
            .tally(&id)
            .is_some_and(|tally| tally.total.chunks > 0);
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        if quest.want.manifest_id.is_some() {
            return self.fail(fetch, error);
        }
        tracing::warn!(%error, "looking for another manifest");
        let cost = if had_chunks {
            Cost::Chunks
        } else {
            Cost::Nothing
        };
        let last = quest.on_rejected(error, cost);
        let (content, notes) = (self.take_out(&id), self.notes.clone());
        if let Some(error) = last {
            return self.fail_after(fetch, content, error);
        }
        tokio::task::spawn_blocking(move || {
            let leftover = content.map(|content| {
                let (manifest, held) = (Arc::clone(content.manifest()), content.have());
                let_go(content);
                Leftover { manifest, held }
            });
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Rejected { fetch, leftover });
        });
    }

    /// A rejected manifest's file is closed: another manifest may be tried.
    pub(super) fn on_file_closed(&mut self, fetch: FetchId, leftover: Option<Leftover>) {
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        quest.leftovers.extend(leftover);
        if quest.leftovers.len() > LEFTOVERS_MAX {
            quest.leftovers.remove(0);
        }
        quest.stage = Stage::Finding;
        quest.useful_at = self.clock.now();
        for key in self.roster.keys() {
            self.engage(key);
        }
        self.choose_manifests();
    }

    /// Ends a fetch without its container.
    pub(super) fn fail(&mut self, fetch: FetchId, error: FetchError) {
        let quest = self.quests.get(&fetch);
        let id = quest.filter(|quest| quest.has_bytes());
        let id = id.and_then(Quest::manifest_id);
        let content = id.and_then(|id| self.take_out(&id));
        self.fail_after(fetch, content, error);
    }

    /// Ends a fetch once its file is let go of.
    fn fail_after(&mut self, fetch: FetchId, content: Option<Arc<Content>>, error: FetchError) {
        let Some(quest) = self.quests.remove(&fetch) else {
            return;
        };
        self.forget_sources(fetch);
        match content {
            None => quest.finish_aside(Err(error)),
            Some(content) => {
                tokio::task::spawn_blocking(move || {
                    let_go(content);
                    quest.finish(Err(error));
                });
            }
        }
    }

    /// Forgets a container everywhere but on the disk.
    pub(super) fn take_out(&mut self, id: &ManifestId) -> Option<Arc<Content>> {
        self.tell(Input::Remove { id: *id });
        self.roster.unsubscribe(id);
        self.library.in_use.end(id);
        self.catalog.end_loans(id);
        let entry = self.catalog.remove(id)?;
        entry.log.close();
        Some(entry.content)
    }

    /// Forgets where a fetch would have asked.
    fn forget_sources(&mut self, fetch: FetchId) {
        self.reach.forget(fetch);
        self.meets.forget(fetch);
        for key in self.masters.forget(fetch) {
            if let Some(peer) = self.roster.get(key) {
                peer.session.close(CloseCode::Done, "DONE");
            }
            self.on_closed(key, "DONE");
        }
    }

    /// Ends a fetch on its owner's wish; what it has is kept.
    pub(super) fn cancel(&mut self, fetch: FetchId) {
        let Some(quest) = self.quests.get(&fetch) else {
            return;
        };
        let part = self.part_of(quest);
        self.fail(fetch, FetchError::Cancelled { kept: kept(part) });
    }
}

/// Waits until no worker has the content any more, leaves it at rest, and closes its file.
fn let_go(content: Arc<Content>) {
    let mut waited = Duration::ZERO;
    while Arc::strong_count(&content) > 1 && waited < LET_GO_MAX {
        std::thread::sleep(LET_GO_STEP);
        waited += LET_GO_STEP;
    }
    leave(&content);
}

/// Makes safe what a download has, for the next one to go on from.
pub(super) fn leave(content: &Content) {
    if let Err(error) = content.rest() {
        tracing::warn!(%error, "the next download has to look what is left");
    }
}
