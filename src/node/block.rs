//! Fetches whose bytes the disk does not take for now: it is full, read-only, or failing.
//!
//! Only that fetch pauses. What it has stays and is served; after half a minute, and then ever more
//! rarely, the space is claimed again, and where that works it goes on by itself. Whether the bytes
//! are taken shows when they are written.

use std::sync::Arc;
use std::time::Duration;

use super::command::Note;
use super::driver::Driver;
use super::quest::{FetchId, Quest, Stage};
use super::status::{ContainerStatus, FetchStatus};
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::store::{ReserveError, SyncError};
use crate::swarm::{Input, Wish};

/// How long a fetch waits until it tries again where its bytes cannot be written, unless told otherwise.
pub const DISK_RETRY: Duration = Duration::from_secs(30);

/// The longest that it waits: what has failed that often takes somebody to mend it, who can wait.
const WAIT_MAX: Duration = Duration::from_secs(10 * 60);

/// Whether a fetch's bytes can be written.
#[derive(Debug)]
pub(super) struct Block {
    /// The first wait.
    first: Duration,
    /// The last wait, as long as nothing could be written since.
    wait: Option<Duration>,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Going,
    /// Blocked until then, for this reason.
    Until(Moment, String),
    /// Being tried again; the reason still stands.
    Trying(String),
}

impl Block {
    pub(super) fn new(first: Duration) -> Self {
        Self {
            first,
            wait: None,
            state: State::Going,
        }
    }

    /// Why nothing is written, if that is so.
    pub(super) fn why(&self) -> Option<&str> {
        match &self.state {
            State::Going => None,
            State::Until(_, why) | State::Trying(why) => Some(why),
        }
    }

    /// It failed. The next try comes after twice the last wait.
    fn on_failed(&mut self, now: Moment, why: String) {
        let wait = self.wait.map_or(self.first, |last| 2 * last);
        let wait = wait.min(WAIT_MAX);
        self.wait = Some(wait);
        self.state = State::Until(now + wait, why);
    }

    /// Whether to try again now.
    fn is_due(&mut self, now: Moment) -> bool {
        match &mut self.state {
            State::Until(at, why) if *at <= now => {
                self.state = State::Trying(std::mem::take(why));
                true
            }
            State::Going | State::Until(..) | State::Trying(_) => false,
        }
    }

    fn on_room(&mut self) {
        self.state = State::Going;
    }

    /// Bytes were written and confirmed.
    pub(super) fn on_safe(&mut self) {
        if self.state == State::Going {
            self.wait = None;
        }
    }
}

impl Quest {
    /// Its bytes can be written, as far as is known.
    pub(super) fn on_room(&mut self) {
        let waited = self.block.why().is_some();
        if let Some(job) = self.job.as_ref().filter(|_| waited) {
            job.note(None);
        }
        self.block.on_room();
    }
}

impl Driver {
    /// The disk was full when it was to confirm what a container had written.
    pub(super) fn on_full_at_sync(&mut self, id: ManifestId, error: &SyncError) {
        let Some(fetch) = self.fetch_of(&id) else {
            return;
        };
        let wish = Wish::Stuck;
        self.tell(Input::Steer { id, wish });
        let quest = self.quests.get(&fetch);
        if quest.is_some_and(|quest| quest.block.why().is_none()) {
            self.block(fetch, with_source(error));
        }
    }

    /// The space of a fetch is not to be had, and nothing of it is open yet.
    pub(super) fn wait_for_room(&mut self, fetch: FetchId, why: String) {
        let quest = self.quests.get(&fetch);
        if let Some((quest, manifest)) = quest.and_then(|it| Some((it, it.manifest.as_ref()?))) {
            let (container, why) = (ContainerStatus::at_start(manifest), why.clone());
            let status = FetchStatus::Blocked { container, why };
            quest.status.send_replace(status);
        }
        self.block(fetch, why);
    }

    /// A fetch's bytes cannot be written for now.
    pub(super) fn block(&mut self, fetch: FetchId, why: String) {
        let now = self.clock.now();
        if let Some(quest) = self.quests.get_mut(&fetch) {
            tracing::info!(why, "a fetch waits for its disk");
            if let Some(job) = &quest.job {
                job.note(Some(why.clone()));
            }
            quest.block.on_failed(now, why);
        }
    }

    /// Claims space again for the fetches that have waited long enough.
    pub(super) fn retry_blocked(&mut self) {
        let now = self.clock.now();
        let due = |quest: &mut Quest| {
            let manifest = quest
                .manifest
                .as_ref()
                .filter(|_| quest.block.is_due(now))?;
            Some((quest.stage, Arc::clone(manifest)))
        };
        let due = self
            .quests
            .iter_mut()
            .filter_map(|(fetch, quest)| Some((*fetch, due(quest)?)));
        for (fetch, (stage, manifest)) in due.collect::<Vec<_>>() {
            if stage == Stage::Opening {
                self.open(fetch, manifest);
                continue;
            }
            let Some(entry) = self.catalog.get(&manifest.id()) else {
                continue;
            };
            let (content, notes) = (Arc::clone(&entry.content), self.notes.clone());
            tokio::task::spawn_blocking(move || {
                let outcome = content.claim_room();
                // The driver is gone only when the node is.
                let _ = notes.send(Note::Room { fetch, outcome });
            });
        }
    }

    /// Space was claimed again, or not.
    pub(super) fn on_room(&mut self, fetch: FetchId, outcome: Result<(), ReserveError>) {
        match outcome {
            Err(error) => {
                self.block(fetch, with_source(&error));
            }
            Ok(()) => {
                let Some(quest) = self.quests.get_mut(&fetch) else {
                    return;
                };
                quest.on_room();
                quest.useful_at = self.clock.now();
                if let Some(id) = quest.manifest_id() {
                    let wish = Wish::Mended;
                    self.tell(Input::Steer { id, wish });
                }
            }
        }
    }
}

/// What went wrong, and what the system said.
pub(super) fn with_source(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_the_last_up_to_ten_minutes() {
        let mut block = Block::new(DISK_RETRY);
        let mut now = Moment::ORIGIN;
        for wait in [30, 60, 120, 240, 480, 600, 600] {
            block.on_failed(now, "full".to_owned());
            assert_eq!(block.why(), Some("full"));
            now = now + Duration::from_secs(wait - 1);
            assert!(!block.is_due(now), "{wait}");
            now = now + Duration::from_secs(1);
            assert!(block.is_due(now), "{wait}");
            assert!(!block.is_due(now), "it is being tried");
            block.on_room();
            assert_eq!(block.why(), None);
        }
        block.on_safe();
        block.on_failed(now, "full again".to_owned());
        block.on_safe();
        assert!(!block.is_due(now + Duration::from_secs(29)));
        assert!(block.is_due(now + Duration::from_secs(30)));
    }
}
