//! The SwarmMasters that a node announces to and asks: where each is, what it has been told, and how far it
//! is believed.
//!
//! A master is a peer like others: dialed, authenticated, and left when it does not answer. All of them
//! are told and asked the same, so that any one is enough; none is needed by a fetch that knows peers.
//! What a master says are hints. One whose hints turn out to be false is doubted: it is asked for less,
//! and what it finds stands behind what the others find.
//!
//! The other halves are `dialing`, `announce` (registering, withdrawing), `ask` (looking up peers),
//! `search`, with `merge`, and `standing` (who is doubted, also in the next run).

mod announce;
mod ask;
mod dialing;
mod hint;
mod merge;
mod search;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub use hint::{MasterHint, MasterHintError};
pub use search::{Found, MasterAnswer, SearchOutcome, Whom, check_search};

pub(super) use self::standing::Presence;

use self::search::Gather;
use self::standing::{Reputations, Standing};
use super::quest::FetchId;
use crate::digest::{Address, ManifestId};
use crate::moment::Moment;
use crate::net::SessionKey;
use crate::wire::{Hit, Nonce};

/// Masters that a node has at a time.
const MASTERS_MAX: usize = 32;
/// What masters said of containers that is remembered until it can be held against the manifest.
const SAID_MAX: usize = 1024;
/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two dials of one master.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// One master of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct MasterId(u32);

/// All masters.
#[derive(Debug, Default)]
pub(super) struct Masters {
    next_master: u32,
    next_ticket: u64,
    all: BTreeMap<MasterId, Master>,
    /// What was asked, until it is answered.
    tickets: BTreeMap<u64, Ticket>,
    searches: BTreeMap<u64, Gather>,
    /// What masters said of containers whose manifests are not known yet.
    said: BTreeMap<ManifestId, Vec<(MasterId, Hit)>>,
    reputations: Reputations,
}

/// What a question was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Ticket {
    Enlist(MasterId),
    Register(MasterId, ManifestId),
    Withdraw(MasterId),
    Lookup(MasterId, FetchId),
    Search(MasterId, u64),
    /// Of a peer that is no master.
    PeerSearch(u64),
    /// How often more it may be asked.
    Locate(MasterId, u8),
    Located(MasterId, u8),
    Meet(MasterId, Address),
}

/// One master.
#[derive(Debug)]
struct Master {
    hint: MasterHint,
    /// Who it proved to be, the last time.
    who: Option<Address>,
    /// The fetches whose links name it; none where its user named it, for good.
    only_for: Option<BTreeSet<FetchId>>,
    state: State,
    /// Where it is, as far as that is known; the next to dial first.
    remotes: Vec<SocketAddr>,
    failures: u32,
    /// Why it is not up.
    why: Option<String>,
    enlisted: Option<Enlisted>,
    registered: BTreeMap<ManifestId, Told>,
    /// When peers of each fetch were last asked for, and how often before.
    looked_up: BTreeMap<FetchId, (Moment, u32)>,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be dialed then.
    Waiting(Moment),
    /// Its name is being looked up.
    Resolving,
    Dialing(SocketAddr),
    Up(SessionKey),
}

/// What a master said when we enlisted.
#[derive(Debug, Clone, Copy)]
struct Enlisted {
    address: Address,
    /// Where it sees us speak.
    observed: SocketAddr,
    nonce: Nonce,
    sequence: u64,
    ttl_s: u32,
    is_local: bool,
}

/// What a master was told of a container.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// Chunks that it believes to be here.
    chunks: u32,
    /// Whether it has not answered yet.
    is_open: bool,
    /// When it was said last.
    said_at: Moment,
    /// When to say it again.
    again_at: Moment,
}

impl Masters {
    /// The masters that the user has named.
    pub(super) fn of(now: Moment, hints: &[MasterHint]) -> Self {
        let mut masters = Self::default();
        for hint in hints {
            masters.add(now, hint.clone(), None);
        }
        masters
    }

    /// Adds one, for good or for a fetch whose link names it.
    pub(super) fn add(&mut self, now: Moment, hint: MasterHint, fetch: Option<FetchId>) {
        let same = |it: &&mut Master| (&it.hint.host, it.hint.port) == (&hint.host, hint.port);
        if let Some(known) = self.all.values_mut().find(same) {
            if let (Some(fetches), Some(fetch)) = (&mut known.only_for, fetch) {
                fetches.insert(fetch);
            }
            return;
        }
        if self.all.len() >= MASTERS_MAX {
            tracing::debug!(%hint, "no room for another master");
            return;
        }
        self.next_master += 1;
        let master = Master {
            hint,
            who: None,
            only_for: fetch.map(|fetch| BTreeSet::from([fetch])),
            state: State::Waiting(now),
            remotes: Vec::new(),
            failures: 0,
            why: None,
            enlisted: None,
            registered: BTreeMap::new(),
            looked_up: BTreeMap::new(),
            standing: Standing::default(),
        };
        self.all.insert(MasterId(self.next_master), master);
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A fetch is over. Answers the sessions of masters that nobody needs any more.
    pub(super) fn forget(&mut self, fetch: FetchId) -> Vec<SessionKey> {
        let mut unneeded = Vec::new();
        self.all.retain(|_, master| {
            master.looked_up.remove(&fetch);
            let Some(fetches) = &mut master.only_for else {
                return true;
            };
            fetches.remove(&fetch);
            if let (true, State::Up(session)) = (fetches.is_empty(), master.state) {
                unneeded.push(session);
            }
            !fetches.is_empty()
        });
        unneeded
    }

    /// How many connections lead to masters.
    pub(super) fn connected(&self) -> usize {
        let is_up = |it: &&Master| matches!(it.state, State::Up(_));
        self.all.values().filter(is_up).count()
    }

    /// The masters that have welcomed us: who each is, and the connection to it.
    pub(super) fn up(&self) -> impl Iterator<Item = (MasterId, Address, SessionKey)> {
        self.all.iter().filter_map(|(id, master)| {
            let State::Up(key) = master.state else {
                return None;
            };
            Some((*id, master.enlisted?.address, key))
        })
    }

    /// Whether this connection leads to a master.
    pub(super) fn is_master(&self, key: SessionKey) -> bool {
        self.by_session(key).is_some()
    }

    /// Where a master that has welcomed us sees us.
    pub(super) fn observed(&self, id: MasterId) -> Option<SocketAddr> {
        let enlisted = self.all.get(&id)?.enlisted?;
        Some(enlisted.observed)
    }

    /// What to say where there are masters and none of them answers.
    pub(super) fn silence(&self) -> Option<String> {
        let first = self.all.values().next()?;
        let is_up = self.all.values().any(|it| it.enlisted.is_some());
        let why = first.why.as_deref().unwrap_or("it has not answered yet");
        let name = format!("{}:{}", first.hint.host, first.hint.port);
        (!is_up).then(|| {
            format!("no SwarmMaster answers ({name}: {why}); where nobody does, the network here may block UDP")
        })
    }

    /// Where some master is that we are connected to or about to be.
    pub(super) fn first_remote(&self) -> Option<SocketAddr> {
        let mut remotes = self.all.values().filter_map(|it| it.remotes.first());
        remotes.next().copied()
    }

    /// This machine has another address: masters are dialed at once, and where they are is asked anew if that
    /// fails. Answers the connections that lead to them.
    pub(super) fn on_moved(&mut self, now: Moment) -> Vec<SessionKey> {
        let mut up = Vec::new();
        for master in self.all.values_mut() {
            if let State::Up(key) = master.state {
                up.push(key);
                master.failures = 0;
                master.state = State::Waiting(now);
                master.enlisted = None;
                master.registered.clear();
                master.looked_up.clear();
            }
        }
        up
    }

    /// The master that this connection leads to.
    pub(super) fn by_session(&self, key: SessionKey) -> Option<MasterId> {
        let mut all = self.all.iter();
        all.find(|(_, it)| it.state == State::Up(key))
            .map(|it| *it.0)
    }

    fn ticket(&mut self, of: Ticket) -> u64 {
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, of);
        self.next_ticket
    }

    /// How each is, for surfaces.
    pub(super) fn status(&self) -> Vec<MasterView> {
        let view = |master: &Master| MasterView {
            hint: master.hint.to_string(),
            is_up: master.enlisted.is_some(),
            observed: master.enlisted.map(|enlisted| enlisted.observed),
            listed: master.registered.values().filter(|it| !it.is_open).count(),
            is_doubted: master.standing.is_doubted(),
        };
        self.all.values().map(view).collect()
    }
}

/// A SwarmMaster as a surface sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterView {
    /// What it is named by.
    pub hint: String,
    /// Whether it is connected and has welcomed the node.
    pub is_up: bool,
    /// Where it sees the node speak from. A hint: nothing proves it.
    pub observed: Option<SocketAddr>,
    /// Containers that it has listed for the node.
    pub listed: usize,
    /// Whether it is asked for less, because what it said turned out to be false.
    pub is_doubted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(text: &str) -> MasterHint {
        text.parse().unwrap()
    }

    #[test]
    fn a_link_adds_a_master_for_as_long_as_its_fetch_lasts() {
        let hints = [
            hint("user.example"),
            hint("user.example:7923"),
            hint("other.example"),
        ];
        let mut masters = Masters::of(Moment::ORIGIN, &hints);
        assert_eq!(masters.all.len(), 2);
        for fetch in [FetchId(1), FetchId(2)] {
            masters.add(Moment::ORIGIN, hint("link.example"), Some(fetch));
            masters.add(Moment::ORIGIN, hint("user.example"), Some(fetch));
        }
        assert_eq!(masters.all.len(), 3);
        masters.forget(FetchId(1));
        assert_eq!(masters.all.len(), 3);
        masters.forget(FetchId(2));
        assert_eq!(masters.all.len(), 2);
        for port in 1..100 {
            masters.add(Moment::ORIGIN, hint(&format!("h:{port}")), Some(FetchId(3)));
        }
        assert_eq!(masters.all.len(), MASTERS_MAX);
    }
}
