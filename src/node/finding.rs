//! From a link to a manifest: who is asked, what they offer, and which one a fetch takes.
//!
//! A link that names the manifest takes that one. A link that names the owner takes the first that the
//! owner signed. A bare program id takes what its [`Ballot`](super::ballot::Ballot) says.

use std::sync::Arc;

use super::command::Note;
use super::driver::Driver;
use super::quest::{FetchId, Stage};
use super::subnet;
use crate::digest::{Address, ManifestId, ProgramId};
use crate::manifest::{Manifest, ManifestError};
use crate::net::{Fault, SessionKey};
use crate::swarm::Trust;
use crate::wire::{CloseCode, Deluge};

impl Driver {
    /// Parses a manifest away from the network thread.
    pub(super) fn on_manifest_answer(
        &mut self,
        session: SessionKey,
        id: ManifestId,
        answer: Result<bytes::Bytes, Fault>,
    ) {
        self.on_heard(session);
        match answer {
            Ok(bytes) => {
                let notes = self.notes.clone();
                tokio::task::spawn_blocking(move || {
                    let outcome = Manifest::parse(&bytes);
                    // The driver is gone only when the node is.
                    let _ = notes.send(Note::Parsed {
                        session,
                        id,
                        outcome,
                    });
                });
            }
            Err(fault) => {
                self.on_not_given(session, &id);
                self.on_fault(session, &fault);
            }
        }
    }

    /// A peer has answered a question about manifests: it may be asked the next one.
    fn on_heard(&mut self, key: SessionKey) {
        for quest in self.quests.values_mut() {
            quest.asked.remove(&key);
        }
    }

    fn on_not_given(&mut self, key: SessionKey, id: &ManifestId) {
        let who = self.roster.get(key).map(|peer| peer.session.address());
        for quest in self.quests.values_mut() {
            who.iter()
                .for_each(|who| quest.ballot.on_not_given(id, *who));
        }
    }

    /// Takes in which manifests a peer has for a container whose manifest we do not know.
    pub(super) fn on_deluges_answer(
        &mut self,
        key: SessionKey,
        program_id: Option<ProgramId>,
        answer: Result<Vec<Deluge>, Fault>,
    ) {
        self.on_heard(key);
        let deluges = match answer {
            Ok(deluges) => deluges,
            Err(fault) => return self.on_fault(key, &fault),
        };
        let Some(peer) = self.roster.get(key) else {
            return;
        };
        let (now, who) = (self.clock.now(), peer.session.address());
        let subnet = subnet::of(peer.session.remote().ip(), who);
        let asked = self.quests.values_mut();
        for quest in asked.filter(|quest| program_id == Some(quest.want.program_id)) {
            let fits = |deluge: &&Deluge| {
                deluge.program_id == quest.want.program_id
                    && !self.verdicts.is_wrong(&deluge.manifest_id)
            };
            let offered = deluges.iter().filter(fits).map(|deluge| deluge.manifest_id);
            for id in quest.ballot.on_vouched(now, who, subnet, offered) {
                peer.session.ask_manifest(id);
            }
        }
        self.choose_manifests();
    }

    /// A manifest from a peer has been parsed.
    pub(super) fn on_parsed(
        &mut self,
        key: SessionKey,
        id: ManifestId,
        outcome: Result<Manifest, ManifestError>,
    ) {
        let manifest = match outcome {
            Ok(manifest) if manifest.id() == id => Arc::new(manifest),
            Ok(other) => {
                let why = format!("asked for manifest {id}, got {}", other.id());
                return self.on_false_manifest(key, &id, &why);
            }
            Err(error) => return self.on_false_manifest(key, &id, &error.to_string()),
        };
        self.judge_masters(&manifest);
        let mut named = Vec::new();
        let wanting = self.quests.iter_mut();
        for (fetch, quest) in
            wanting.filter(|(_, quest)| quest.want.program_id == manifest.program_id())
        {
            match quest.want.check(&manifest) {
                Ok(()) if quest.want.manifest_id.is_some() => named.push(*fetch),
                Ok(()) => quest.ballot.on_known(Arc::clone(&manifest)),
                Err(why) => {
                    quest.ballot.on_unwanted(&id);
                    if quest.stage == Stage::Finding {
                        quest.on_failed_attempt(format!("manifest {id}: {why}"));
                    }
                }
            }
        }
        let is_finding =
            |fetch: &FetchId| self.quests.get(fetch).map(|it| it.stage) == Some(Stage::Finding);
        let named: Vec<FetchId> = named.into_iter().filter(is_finding).collect();
        for fetch in named {
            self.open(fetch, Arc::clone(&manifest));
        }
        self.choose_manifests();
    }

    fn on_false_manifest(&mut self, key: SessionKey, id: &ManifestId, why: &str) {
        tracing::info!(why, "a peer sent a false manifest");
        self.on_not_given(key, id);
        if let Some(peer) = self.roster.get(key) {
            peer.session.close(CloseCode::Protocol, "PROTOCOL manifest");
            self.on_closed(key, why);
        }
    }

    /// Opens the best manifest there is for each fetch that looks for one and has looked for long
    /// enough.
    pub(super) fn choose_manifests(&mut self) {
        let now = self.clock.now();
        let mut chosen = Vec::new();
        for (fetch, quest) in &self.quests {
            if quest.stage != Stage::Finding || quest.want.manifest_id.is_some() {
                continue;
            }
            let has_lied = |who: &Address| self.verdicts.has_lied(who);
            let manifest = match quest.want.trust() {
                Trust::Pinned => quest.ballot.best(has_lied),
                Trust::Claimed => {
                    let all = self.is_everybody_heard(*fetch);
                    quest.ballot.next(now, all, has_lied)
                }
            };
            chosen.extend(manifest.map(|manifest| (*fetch, manifest)));
        }
        for (fetch, manifest) in chosen {
            self.open(fetch, manifest);
        }
    }

    /// Whether nobody is left who was named for a fetch and may yet say which manifests it has.
    fn is_everybody_heard(&self, fetch: FetchId) -> bool {
        let Some(quest) = self.quests.get(&fetch) else {
            return false;
        };
        let mut theirs = self.roster.iter().filter(|(_, peer)| {
            let wanted = self.reach.wanted_of(peer.dialed(), peer.session.address());
            wanted.contains(&fetch)
        });
        self.reach
            .is_settled(fetch, |who| self.roster.has_address(who))
            && theirs.all(|(_, peer)| quest.ballot.has_heard(&peer.session.address()))
    }
}
