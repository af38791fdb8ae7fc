//! Telling masters what is here.
//!
//! Everything that takes part is registered with every master, once there is a chunk of it, and again
//! long before it runs out, or when it is complete. What is only claimed to be right, because a link
//! named no manifest, is registered when the whole has been hashed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Enlisted, MasterId, State, Ticket, Told};
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::net::{Answered, Event, Fault, SessionKey};
use crate::node::driver::{Driver, Ears};
use crate::node::reach::is_global;
use crate::swarm::{Contribution, Trust};
use crate::wire::{Holding, Registration, Reply, Request};

/// How long a master may take over a registration: it asks for a chunk first.
const REGISTER_PATIENCE: Duration = Duration::from_secs(100);
/// How long it may take over anything else.
const PATIENCE: Duration = Duration::from_secs(10);
/// Registrations that are with one master at a time.
const OPEN_MAX: usize = 8;
/// How long after one that was not taken it is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// How often what is still being fetched is told anew, at most.
const PROGRESS: Duration = Duration::from_secs(30);
/// How long masters are given to hear that the node stops.
const GOODBYE: Duration = Duration::from_secs(1);

/// What is here of one container.
struct Here {
    held: Holding,
    total: u32,
}

impl Driver {
    /// A dial of ours has come to a connection, which may lead to a master.
    pub(in crate::node) fn greet_master(&mut self, remote: SocketAddr, key: SessionKey) {
        let Some(id) = self.masters.on_up(remote, key) else {
            return;
        };
        self.ask_master(id, Ticket::Enlist(id), Request::Enlist, PATIENCE);
    }

    /// Asks a master that is up. Answers whether it could be asked.
    pub(super) fn ask_master(
        &mut self,
        id: MasterId,
        ticket: Ticket,
        request: Request,
        patience: Duration,
    ) -> Option<u64> {
        let State::Up(key) = self.masters.all.get(&id)?.state else {
            return None;
        };
        let session = self.roster.get(key)?.session.clone();
        let ticket = self.masters.ticket(ticket);
        session.ask(ticket, request, patience);
        Some(ticket)
    }

    /// Something that was asked is answered.
    pub(in crate::node) fn on_replied(
        &mut self,
        key: SessionKey,
        ticket: u64,
        answer: Result<Answered, Fault>,
    ) {
        match self.masters.tickets.remove(&ticket) {
            Some(Ticket::Enlist(id)) => self.on_enlisted(key, id, answer),
            Some(Ticket::Register(id, manifest)) => self.on_registered(id, manifest, answer),
            Some(Ticket::Lookup(id, fetch)) => self.on_holders(id, fetch, answer),
            Some(Ticket::Search(id, search)) => {
                self.on_search_answer(search, Some(id), ticket, answer);
            }
            Some(Ticket::PeerSearch(search)) => self.on_search_answer(search, None, ticket, answer),
            Some(Ticket::Withdraw(_)) | None => {}
        }
    }

    fn on_enlisted(&mut self, key: SessionKey, id: MasterId, answer: Result<Answered, Fault>) {
        let Some(session) = self.roster.get(key).map(|peer| peer.session.clone()) else {
            return;
        };
        let (now, address) = (self.clock.now(), session.address());
        let is_local = !is_global(session.remote().ip());
        let reply = match answer {
            Ok(Answered { reply, .. }) => reply,
            Err(fault) => return self.masters.on_down(now, id, &fault.to_string()),
        };
        let Reply::Enlisted {
            nonce,
            observed,
            ttl_s_max,
        } = reply
        else {
            return self.masters.on_down(now, id, "it is no SwarmMaster");
        };
        let Some(master) = self.masters.all.get_mut(&id) else {
            return;
        };
        master.failures = 0;
        master.enlisted = Some(Enlisted {
            address,
            observed,
            nonce,
            sequence: 0,
            ttl_s: ttl_s_max.clamp(60, 1800),
            is_local,
        });
        tracing::info!(master = %master.hint, %observed, "enlisted");
        self.tend_masters();
    }

    /// Registers what is due, with each master.
    pub(super) fn register_all(&mut self) {
        if self.contribution == Contribution::None {
            return;
        }
        let is_due = |master: &super::Master| master.enlisted.is_some();
        if !self.masters.all.values().any(is_due) {
            return;
        }
        let here = self.what_is_here();
        let now = self.clock.now();
        let mut due = Vec::new();
        for (id, master) in &self.masters.all {
            if master.enlisted.is_none() {
                continue;
            }
            let open = master.registered.values().filter(|it| it.is_open).count();
            let theirs = here.iter().filter(|(manifest, here)| {
                let told = master.registered.get(manifest);
                told.is_none_or(|told| told.is_due(now, here))
            });
            let room = OPEN_MAX.saturating_sub(open);
            due.extend(
                theirs
                    .take(room)
                    .map(|(manifest, here)| (*id, *manifest, here.held)),
            );
            let gone = master.registered.keys().filter(|it| !here.contains_key(it));
            let gone: Vec<ManifestId> = gone.copied().collect();
            due.extend(
                gone.into_iter()
                    .map(|it| (*id, it, Holding { chunks: 0, map: 0 })),
            );
        }
        for (id, manifest, held) in due {
            match held.chunks {
                0 => self.withdraw(id, manifest),
                _ => self.register(id, manifest, held),
            }
        }
    }

    /// What is here of everything that may be announced.
    fn what_is_here(&self) -> BTreeMap<ManifestId, Here> {
        let mut all = BTreeMap::new();
        for (id, entry) in self.catalog.iter() {
            let quests = self.quests.values();
            let mut theirs = quests.filter(|quest| quest.manifest_id() == Some(id));
            let is_claimed = theirs.any(|quest| quest.want.trust() == Trust::Claimed);
            let Some(have) = self.swarm.have(&id).filter(|_| entry.proven || !is_claimed) else {
                continue;
            };
            let total = entry.manifest().layout().chunk_count();
            let held = Holding::of(total, |chunk| {
                have.contains(crate::chunk::ChunkIndex::new(chunk))
            });
            if held.chunks > 0 {
                all.insert(id, Here { held, total });
            }
        }
        all
    }

    fn register(&mut self, id: MasterId, manifest: ManifestId, held: Holding) {
        let now = self.clock.now();
        let Some(master) = self.masters.all.get_mut(&id) else {
            return;
        };
        let Some(enlisted) = master.enlisted.as_mut() else {
            return;
        };
        enlisted.sequence += 1;
        let plain = Registration {
            id: manifest,
            held,
            ttl_s: enlisted.ttl_s,
            audience: enlisted.address,
            nonce: enlisted.nonce,
            sequence: enlisted.sequence,
            public_key: self.wallet.public_key(),
            signature: [[0; 32]; 2],
        };
        let signature = self.wallet.sign(&plain.signed_bytes());
        let told = Told {
            chunks: held.chunks,
            is_open: true,
            again_at: now + REGISTER_PATIENCE,
        };
        master.registered.insert(manifest, told);
        let request = Request::Register(plain.signed(signature));
        let ticket = Ticket::Register(id, manifest);
        self.ask_master(id, ticket, request, REGISTER_PATIENCE);
    }

    fn withdraw(&mut self, id: MasterId, manifest: ManifestId) {
        if let Some(master) = self.masters.all.get_mut(&id) {
            master.registered.remove(&manifest);
        }
        let request = Request::Withdraw { id: Some(manifest) };
        self.ask_master(id, Ticket::Withdraw(id), request, PATIENCE);
    }

    fn on_registered(
        &mut self,
        id: MasterId,
        manifest: ManifestId,
        answer: Result<Answered, Fault>,
    ) {
        let now = self.clock.now();
        let Some(master) = self.masters.all.get_mut(&id) else {
            return;
        };
        let Some(told) = master.registered.get_mut(&manifest) else {
            return;
        };
        told.is_open = false;
        let again = match answer.map(|it| it.reply) {
            Ok(Reply::Registered { ttl_s }) => {
                tracing::info!(master = %master.hint, id = %manifest, "listed");
                Duration::from_secs(u64::from(ttl_s) / 2)
            }
            Ok(Reply::Busy { retry_after_ms }) => {
                told.chunks = 0;
                Duration::from_millis(retry_after_ms.into()).min(AGAIN)
            }
            Ok(other) => {
                told.chunks = 0;
                let why = if let Reply::Rejected(rejection) = &other {
                    rejection.to_string()
                } else {
                    "it answered something else".to_owned()
                };
                tracing::warn!(master = %master.hint, id = %manifest, why, "not listed");
                AGAIN
            }
            Err(fault) => {
                told.chunks = 0;
                tracing::info!(master = %master.hint, id = %manifest, %fault, "not listed");
                AGAIN
            }
        };
        told.again_at = now + again.max(Duration::from_millis(100));
    }

    /// Tells all masters that nothing is here any more, and waits a moment until they have heard.
    pub(in crate::node) async fn leave_masters(&mut self, ears: &mut Ears) {
        let told = self.masters.all.iter();
        let told = told.filter(|(_, master)| !master.registered.is_empty());
        let ids: Vec<MasterId> = told.map(|(id, _)| *id).collect();
        let mut open = Vec::new();
        for id in ids {
            let request = Request::Withdraw { id: None };
            open.extend(self.ask_master(id, Ticket::Withdraw(id), request, GOODBYE));
        }
        let deadline = Instant::now() + GOODBYE;
        while !open.is_empty() {
            let event = tokio::time::timeout_at(deadline, ears.events.recv()).await;
            match event {
                Ok(Some(Event::Replied { ticket, .. })) => open.retain(|it| *it != ticket),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

impl Told {
    fn is_due(&self, now: Moment, here: &Here) -> bool {
        let is_new = here.held.chunks != self.chunks;
        let is_complete = here.held.chunks == here.total && is_new && self.chunks > 0;
        let soon = self.again_at <= now;
        !self.is_open && (soon || is_complete || is_new && self.said_before(now))
    }

    /// Whether it was said long enough ago to say more.
    fn said_before(&self, now: Moment) -> bool {
        // what is said holds for twice as long as until it is said again
        self.chunks > 0 && self.again_at.since(now) + PROGRESS < Duration::from_secs(900)
    }
}
