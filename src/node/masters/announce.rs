//! Telling masters what is here.
//!
//! Everything that takes part is registered with every master, once there is a chunk of it, and again
//! long before it runs out, or when it is complete. So is what the library could serve, where it does.
//! What is only claimed to be right, because a link named no manifest, is registered when the whole has
//! been hashed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Enlisted, MasterId, State, Ticket, Told};
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::net::{Answered, Event, Fault, SessionKey};
use crate::node::clock::unix_time;
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
/// The shortest pause that a busy master can ask for.
const BUSY_MIN: Duration = Duration::from_millis(500);
/// How long masters are given to hear that the node stops.
const GOODBYE: Duration = Duration::from_secs(1);

/// How many chunks of one container are here, and how many there are.
struct Here {
    chunks: u32,
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
    pub(in crate::node) fn ask_master(
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

    /// Where a master is that is up.
    pub(in crate::node) fn master_remote(&self, id: MasterId) -> Option<SocketAddr> {
        let State::Up(key) = self.masters.all.get(&id)?.state else {
            return None;
        };
        Some(self.roster.get(key)?.session.remote())
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
            Some(Ticket::Locate(id, looks)) => self.on_locate(id, looks, answer),
            Some(Ticket::Located(id, looks)) => self.on_located(id, looks, answer),
            Some(Ticket::Meet(id, who)) => self.on_meet_answer(id, who, answer),
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
        self.masters.on_known(id, address, unix_time());
        self.look_around_router(id);
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
            due.extend(theirs.take(room).map(|(manifest, _)| (*id, *manifest)));
            let gone = master.registered.keys().filter(|it| !here.contains_key(it));
            due.extend(gone.map(|manifest| (*id, *manifest)));
        }
        for (id, manifest) in due {
            match here.get(&manifest) {
                None => self.withdraw(id, manifest),
                Some(here) => self.register(id, manifest, here.total),
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
            let (chunks, total) = (have.count(), entry.manifest().layout().chunk_count());
            if chunks > 0 {
                all.insert(id, Here { chunks, total });
            }
        }
        for (id, total) in &self.offer.all {
            let (chunks, total) = (*total, *total);
            all.entry(*id).or_insert(Here { chunks, total });
        }
        all
    }

    fn register(&mut self, id: MasterId, manifest: ManifestId, total: u32) {
        let now = self.clock.now();
        // what the library could serve is whole
        let have = self.swarm.have(&manifest);
        let is_here = |chunk| have.is_none_or(|have| have.contains(ChunkIndex::new(chunk)));
        let held = Holding::of(total, is_here);
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
            said_at: now,
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
                // one that gives no time is not told all the time
                Duration::from_secs(u64::from(ttl_s) / 2).max(PROGRESS)
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
        told.again_at = now + again.max(BUSY_MIN);
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
    /// Whether to say it, again or anew. What was not taken waits for its time; of what was, the last chunk is
    /// told at once and others now and then.
    fn is_due(&self, now: Moment, here: &Here) -> bool {
        let has_more = self.chunks > 0 && here.chunks != self.chunks;
        let may_tell = here.chunks == here.total || now.since(self.said_at) >= PROGRESS;
        !self.is_open && (self.again_at <= now || has_more && may_tell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_now_and_then_however_long_a_registration_holds() {
        let at = |seconds| Moment::ORIGIN + Duration::from_secs(seconds);
        for again_at in [40, 900] {
            let told = Told {
                chunks: 3,
                is_open: false,
                said_at: at(0),
                again_at: at(again_at),
            };
            let is_due = |now, chunks| told.is_due(at(now), &Here { chunks, total: 9 });
            assert!(!is_due(29, 3) && !is_due(29, 4) && is_due(30, 4));
            assert!(is_due(1, 9), "it is complete");
            assert!(!is_due(39, 3) && is_due(again_at, 3));
            let refused = Told { chunks: 0, ..told };
            let here = Here {
                chunks: 9,
                total: 9,
            };
            assert!(!refused.is_due(at(39), &here) && refused.is_due(at(again_at), &here));
        }
    }
}
