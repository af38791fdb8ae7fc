//! Searching: all masters at once, and on request the peers that are connected; one answer.
//!
//! The same container found by several is one result, and what most of them say of it counts. Results are
//! ordered by how many hold the whole, in steps, then by where the masters put them; what doubted masters
//! alone say comes last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::oneshot;

use super::merge::merged;
use super::standing::Standing;
use super::{MasterId, Masters, SAID_MAX, State, Ticket};
use crate::index::{Query, QueryError};
use crate::moment::Moment;
use crate::net::{Answer, Answered, Fault, Responder, SessionKey};
use crate::node::config::PeerHint;
use crate::node::driver::Driver;
use crate::node::quest::FetchId;
use crate::swarm::Contribution;
use crate::wire::{Extent, Hit, Rejection, Reply, Request, Search};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long masters that are not connected yet are waited for once another has answered.
const CONNECTING: Duration = Duration::from_millis(1500);
/// Peers that are asked.
const PEERS_MAX: usize = 32;
/// Searches of one node at a time.
const SEARCHES_MAX: usize = 64;

/// What a search has found.
#[derive(Debug, Clone, Default)]
pub struct SearchOutcome {
    /// The best first.
    pub found: Vec<Found>,
    /// What each master said.
    pub masters: Vec<MasterAnswer>,
    /// How many peers answered.
    pub peers: usize,
}

/// A container that was found. Nothing of it is proven before its manifest is here.
#[derive(Debug, Clone)]
pub struct Found {
    /// What is said of it.
    pub hit: Hit,
    /// How many masters and peers say so.
    pub told_by: usize,
}

/// How one master answered a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterAnswer {
    /// What it is named by.
    pub hint: String,
    /// How many it found and whether it looked at all that there are, or why it did not answer.
    pub outcome: Result<(usize, Extent), String>,
}

/// Whom to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The masters.
    Masters,
    /// The masters, and the peers that are connected.
    Everybody,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Gather {
    search: Search,
    began: Moment,
    whom: Whom,
    asked: BTreeSet<MasterId>,
    asked_peers: BTreeSet<SessionKey>,
    open: BTreeSet<u64>,
    answers: BTreeMap<MasterId, Result<(usize, Extent), String>>,
    peers: usize,
    /// From whom, whether that one is doubted, at which place, and what.
    found: Vec<(bool, usize, Hit)>,
    reply: oneshot::Sender<SearchOutcome>,
}

/// Whether this can be searched for: who asks for something else is refused by every master.
pub fn check_search(search: &Search) -> Result<(), QueryError> {
    Query::read(search).map(drop)
}

impl Masters {
    /// Remembers what a master said, until its manifest is known.
    fn note_said(&mut self, id: MasterId, hits: &[Hit]) {
        for hit in hits {
            if self.said.len() >= SAID_MAX {
                self.said.pop_first();
            }
            let said = self.said.entry(hit.manifest_id).or_default();
            said.retain(|(by, _)| *by != id);
            said.push((id, hit.clone()));
        }
    }
}

impl Driver {
    /// Begins a search.
    pub(in crate::node) fn on_search(
        &mut self,
        search: Search,
        whom: Whom,
        peers: Vec<PeerHint>,
        reply: oneshot::Sender<SearchOutcome>,
    ) {
        if self.masters.searches.len() >= SEARCHES_MAX {
            return;
        }
        let now = self.clock.now();
        self.masters.next_ticket += 1;
        let number = self.masters.next_ticket;
        for hint in peers {
            self.reach.add(now, seeker(number), hint);
        }
        let gather = Gather {
            search,
            began: now,
            whom,
            asked: BTreeSet::new(),
            asked_peers: BTreeSet::new(),
            open: BTreeSet::new(),
            answers: BTreeMap::new(),
            peers: 0,
            found: Vec::new(),
            reply,
        };
        self.masters.searches.insert(number, gather);
        self.tend_searches();
    }

    /// Asks masters that came up meanwhile, and ends searches that have heard everybody or waited for
    /// long enough.
    pub(in crate::node) fn tend_searches(&mut self) {
        let numbers: Vec<u64> = self.masters.searches.keys().copied().collect();
        for number in numbers {
            self.ask_masters_for(number);
            self.ask_peers_for(number);
            self.end_if_over(number);
        }
    }

    fn ask_peers_for(&mut self, number: u64) {
        let gather = self.masters.searches.get(&number);
        let Some(gather) = gather.filter(|it| it.whom == Whom::Everybody) else {
            return;
        };
        let request = Request::Search(gather.search.clone());
        let fresh = self
            .roster
            .iter()
            .filter(|(key, _)| !self.masters.is_master(*key) && !gather.asked_peers.contains(key));
        let room = PEERS_MAX.saturating_sub(gather.asked_peers.len());
        let sessions = fresh.map(|(_, peer)| peer.session.clone()).take(room);
        for session in sessions.collect::<Vec<_>>() {
            let ticket = self.masters.ticket(Ticket::PeerSearch(number));
            session.ask(ticket, request.clone(), PATIENCE);
            if let Some(gather) = self.masters.searches.get_mut(&number) {
                gather.asked_peers.insert(session.key());
                gather.open.insert(ticket);
            }
        }
    }

    fn ask_masters_for(&mut self, number: u64) {
        let Some(gather) = self.masters.searches.get(&number) else {
            return;
        };
        let fresh = self.masters.all.iter().filter(|(id, master)| {
            master.only_for.is_none() && master.enlisted.is_some() && !gather.asked.contains(id)
        });
        let ids: Vec<MasterId> = fresh.map(|(id, _)| *id).collect();
        let request = Request::Search(gather.search.clone());
        for id in ids {
            let asked = self.ask_master(id, Ticket::Search(id, number), request.clone(), PATIENCE);
            if let (Some(ticket), Some(gather)) = (asked, self.masters.searches.get_mut(&number)) {
                gather.asked.insert(id);
                gather.open.insert(ticket);
            }
        }
    }

    fn end_if_over(&mut self, number: u64) {
        let now = self.clock.now();
        let Some(gather) = self.masters.searches.get(&number) else {
            return;
        };
        let theirs = |it: &&super::Master| it.only_for.is_none();
        let has_answer = gather.answers.values().any(Result::is_ok);
        let is_late = has_answer && now >= gather.began + CONNECTING;
        // one that has failed once is not waited for
        let is_coming = |id: &MasterId, master: &super::Master| {
            let may_come = master.failures == 0 && !is_late;
            !gather.asked.contains(id) && (may_come || matches!(master.state, State::Up(_)))
        };
        let mut all = self.masters.all.iter().filter(|(_, it)| theirs(it));
        let is_here = |who| self.roster.has_address(who);
        let is_settled = self.reach.is_settled(seeker(number), is_here);
        let is_awaited = all.any(|(id, master)| is_coming(id, master)) || !is_settled;
        let is_over = gather.open.is_empty() && !is_awaited;
        if !is_over && now < gather.began + PATIENCE && !gather.reply.is_closed() {
            return;
        }
        let Some(gather) = self.masters.searches.remove(&number) else {
            return;
        };
        self.reach.forget(seeker(number));
        let masters = self.masters.all.iter().filter(|(_, it)| theirs(it));
        let masters = masters.map(|(id, master)| MasterAnswer {
            hint: master.hint.to_string(),
            outcome: gather.answers.get(id).cloned().unwrap_or_else(|| {
                Err(master
                    .why
                    .clone()
                    .unwrap_or_else(|| "no answer in time".to_owned()))
            }),
        });
        let outcome = SearchOutcome {
            masters: masters.collect(),
            peers: gather.peers,
            found: merged(gather.found),
        };
        // Whoever asked may have gone.
        let _ = gather.reply.send(outcome);
    }

    /// Somebody has answered a search.
    pub(super) fn on_search_answer(
        &mut self,
        number: u64,
        master: Option<MasterId>,
        ticket: u64,
        answer: Result<Answered, Fault>,
    ) {
        let standing = master.and_then(|id| Some(self.masters.all.get(&id)?.standing));
        // a peer's word is worth less than that of a master whom the user named
        let is_doubted = standing.is_none_or(Standing::is_doubted);
        if let (Some(id), Ok(answered)) = (master, &answer) {
            self.masters.note_said(id, &answered.hits);
        }
        let Some(gather) = self.masters.searches.get_mut(&number) else {
            return;
        };
        gather.open.remove(&ticket);
        let outcome = match answer {
            Ok(Answered {
                reply: Reply::Found(extent),
                hits,
            }) => {
                let count = hits.len();
                let placed = hits.into_iter().enumerate();
                gather
                    .found
                    .extend(placed.map(|(place, hit)| (is_doubted, place, hit)));
                gather.peers += usize::from(master.is_none());
                Ok((count, extent))
            }
            Ok(Answered {
                reply: Reply::Rejected(rejection),
                ..
            }) => Err(rejection.to_string()),
            Ok(Answered {
                reply: Reply::Busy { retry_after_ms },
                ..
            }) => Err(format!("busy for {retry_after_ms} ms")),
            Ok(_) => Err("it answered something else".to_owned()),
            Err(fault) => Err(fault.to_string()),
        };
        if let Some(id) = master {
            gather.answers.insert(id, outcome);
        }
        self.end_if_over(number);
    }

    /// A peer searches for what this node has: what is complete, and was found right as a whole.
    pub(in crate::node) fn on_peer_search(&self, search: Search, responder: Responder) {
        let Ok(turn) = std::sync::Arc::clone(&self.answering).try_acquire_owned() else {
            let retry_after_ms = 1000;
            return responder.answer(Answer::Header(Reply::Busy { retry_after_ms }));
        };
        if self.contribution == Contribution::None {
            return responder.answer(Answer::Header(Reply::Denied));
        }
        let proven = self.catalog.iter().filter(|(_, entry)| entry.proven);
        let hits: Vec<Hit> = proven
            .map(|(_, entry)| {
                let facts = crate::index::Facts::of(entry.manifest());
                Hit {
                    manifest_id: facts.manifest_id,
                    program_id: facts.program_id,
                    owner: facts.owner,
                    name: facts.name,
                    size: facts.size,
                    time: facts.time,
                    seeders: 1,
                    peers: 1,
                }
            })
            .collect();
        tokio::task::spawn_blocking(move || {
            responder.answer(match Query::read(&search) {
                Ok(query) => Answer::found(Extent::Whole, fitting(&query, hits)),
                Err(_) => Answer::Header(Reply::Rejected(Rejection::Query)),
            });
            drop(turn);
        });
    }
}

/// The name under which peers are dialed for a search: no fetch has it.
const fn seeker(number: u64) -> FetchId {
    FetchId(u64::MAX - number)
}

/// Those of these that a query looks for.
fn fitting(query: &Query, hits: Vec<Hit>) -> Vec<Hit> {
    let fits = |hit: &Hit| {
        query.fits(&hit.name) && query.admits(hit.size, &hit.owner, hit.time, hit.seeders)
    };
    hits.into_iter().filter(fits).take(query.limit()).collect()
}
