//! Containers of the library that nobody uses: one is opened when a peer asks for it, and let go of when
//! nobody has for a while.
//!
//! Until then it costs its rows in the state and nothing else. A request for something that does not take
//! part waits for a look-up, and is then answered like any other.
//!
//! Invariant: what is awake takes part, and nobody but peers has asked for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::catalog::Entry;
use super::command::Note;
use super::config::Serving;
use super::driver::Driver;
use super::library::Library;
use super::share::Proof;
use super::verdicts::Verdicts;
use crate::digest::{ManifestId, ProgramId};
use crate::moment::Moment;
use crate::net::{Responder, SessionKey};
use crate::store::Content;
use crate::swarm::{Input, Trust};
use crate::wire::Request;

/// Containers that are awake, at most: a manifest of 4096 chunks and what belongs to it take half a
/// megabyte.
const AWAKE_MAX: usize = 64;
/// How long one stays awake for which nobody asks.
const IDLE_AFTER: Duration = Duration::from_secs(60);
/// How long one stays awake for which nobody asks where others want its place.
const SPARED: Duration = Duration::from_secs(2);
/// Look-ups under way, at most: who asks for what is not here costs one each.
const LOOKS_MAX: usize = 16;
/// Requests that wait for them, at most.
const WAITING_MAX: usize = 256;
/// Manifests for the same bytes that are woken together.
const SAME_MAX: usize = 4;

/// What takes part because peers ask for it, and what is being looked for.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// When each was last asked for.
    awake: BTreeMap<ManifestId, Moment>,
    looking: BTreeMap<Wanted, Vec<(SessionKey, Request, Responder)>>,
    /// One look-up runs at a time and tells what it found before the next: so that the second one for the same
    /// container, by its other name, is answered after it takes part.
    turn: Arc<Mutex<()>>,
}

/// By what a peer asks for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    Manifest(ManifestId),
    Program(ProgramId),
}

impl Driver {
    /// A peer asks for something: at once if it takes part, or after it was looked for in the library.
    pub(super) fn on_asked(&mut self, key: SessionKey, request: Request, responder: Responder) {
        let wanted = match self.serving {
            Serving::Library => self.idle_for(&request),
            Serving::Given => None,
        };
        if let Some(wanted) = wanted {
            self.make_room();
            if self.has_room(wanted) {
                return self.look_up(wanted, (key, request, responder));
            }
        }
        self.answer(key, request, responder);
    }

    /// What has been found of what peers asked for.
    pub(super) fn on_found(&mut self, wanted: Wanted, contents: Vec<Content>) {
        for content in contents {
            self.wake(content);
        }
        let waiting = self.idle.looking.remove(&wanted).unwrap_or_default();
        for (key, request, responder) in waiting {
            self.answer(key, request, responder);
        }
    }

    /// Once a second: lets go of what nobody asks for.
    pub(super) fn review_idle(&mut self) {
        let now = self.clock.now();
        let is_idle = |(_, at): &(&ManifestId, &Moment)| now.since(**at) >= IDLE_AFTER;
        let idle = self.idle.awake.iter().filter(is_idle).map(|(id, _)| *id);
        for id in idle.collect::<Vec<_>>() {
            self.let_sleep(&id);
        }
    }

    /// Lets go of a container that takes part because peers asked for it: somebody else is about to
    /// have it take part, or nobody wants it.
    pub(super) fn let_sleep(&mut self, id: &ManifestId) {
        if self.idle.awake.remove(id).is_some() {
            // its file is read by nobody for long
            drop(self.take_out(id));
        }
    }

    /// What a request is for, if that does not take part. What is awake is so for longer.
    fn idle_for(&mut self, request: &Request) -> Option<Wanted> {
        let wanted = match request {
            Request::Hello(_)
            | Request::Deluges { program_id: None }
            | Request::Search(_)
            | Request::Carry { .. }
            | Request::Enlist
            | Request::Register(_)
            | Request::Withdraw { .. }
            | Request::Lookup { .. }
            | Request::Locate
            | Request::Located
            | Request::Meet(_)
            | Request::Invite(_)
            | Request::Start { .. } => return None,
            Request::Manifest { id } | Request::Subscribe { id } => Wanted::Manifest(*id),
            Request::Deluges {
                program_id: Some(id),
            } => Wanted::Program(*id),
            Request::Chunk(chunk) => Wanted::Program(chunk.program_id),
        };
        let here: Vec<ManifestId> = match wanted {
            Wanted::Manifest(id) => self.catalog.get(&id).map(|_| id).into_iter().collect(),
            Wanted::Program(program) => {
                let same = |entry: &Entry| entry.manifest().program_id() == program;
                let here = self.catalog.iter().filter(|(_, entry)| same(entry));
                here.map(|(id, _)| id).collect()
            }
        };
        let now = self.clock.now();
        for id in &here {
            if let Some(at) = self.idle.awake.get_mut(id) {
                *at = now;
            }
        }
        here.is_empty().then_some(wanted)
    }

    /// Whoever was not asked for longest makes room for what one more look-up may find.
    fn make_room(&mut self) {
        if self.idle.awake.len() + self.idle.looking.len() < AWAKE_MAX {
            return;
        }
        let longest = self.idle.awake.iter().min_by_key(|(_, at)| **at);
        if let Some((id, at)) = longest.map(|(id, at)| (*id, *at))
            && self.clock.now().since(at) >= SPARED
        {
            self.let_sleep(&id);
        }
    }

    /// Whether there is room for one more look-up, and for what it may find.
    fn has_room(&self, wanted: Wanted) -> bool {
        let Idle { awake, looking, .. } = &self.idle;
        let waiting: usize = looking.values().map(Vec::len).sum();
        let is_new = !looking.contains_key(&wanted);
        waiting < WAITING_MAX
            && (!is_new || looking.len() < LOOKS_MAX && awake.len() + looking.len() < AWAKE_MAX)
    }

    fn look_up(&mut self, wanted: Wanted, asked: (SessionKey, Request, Responder)) {
        let waiting = self.idle.looking.entry(wanted).or_default();
        waiting.push(asked);
        if waiting.len() > 1 {
            return;
        }
        let (library, verdicts) = (self.library.clone(), self.verdicts.clone());
        let (notes, turn) = (self.notes.clone(), Arc::clone(&self.idle.turn));
        tokio::task::spawn_blocking(move || {
            // it guards no data
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let contents = library.find_idle(wanted, &verdicts);
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Found { wanted, contents });
        });
    }

    fn wake(&mut self, content: Content) {
        let content = Arc::new(content.recalling(Arc::clone(&self.recall)));
        let (id, layout) = (content.manifest().id(), content.manifest().layout());
        if self.catalog.get(&id).is_some() {
            return;
        }
        let (have, trust) = (content.have(), Trust::Pinned);
        let mut entry = Entry::new(Arc::clone(&content));
        entry.proven = self.verdicts.is_right(&id);
        if !entry.proven {
            self.prove(content, watch::channel(Proof::default()).0);
        }
        self.catalog.insert(id, entry);
        self.idle.awake.insert(id, self.clock.now());
        self.tell(Input::Add {
            id,
            layout,
            have,
            trust,
        });
        self.look_for_twins(id);
    }
}

impl Library {
    /// Whole containers that are wanted and that this process does not use yet. From now on it does.
    /// Blocks on the disk.
    fn find_idle(&self, wanted: Wanted, verdicts: &Verdicts) -> Vec<Content> {
        let ids = match wanted {
            Wanted::Manifest(id) => Ok(vec![id]),
            Wanted::Program(id) => self.state.manifests_of(id),
        };
        let ids = ids.unwrap_or_else(|error| {
            tracing::warn!("what the library has is not known: {error}");
            Vec::new()
        });
        let may_be = |id: &ManifestId| !self.in_use.contains(*id) && !verdicts.is_wrong(id);
        let contents = ids.into_iter().filter(may_be).filter_map(|id| {
            self.in_use.begin(id);
            let content = self.whole(id);
            match &content {
                Some(_) => self.lock(id),
                None => self.in_use.end(&id),
            }
            content
        });
        contents.take(SAME_MAX).collect()
    }
}
