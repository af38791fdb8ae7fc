//! Claims: registrations on their way to being listed.
//!
//! ```text
//! Signing -> Refreshing -> (listed already: done)
//!                       -> Describing -> Parsing -> Sampling <-> Waiting -> Proving -> Listing -> done
//! ```
//!
//! A claim is answered exactly once, by `Registered`, `Rejected` or `Busy`; one whose connection ends is
//! dropped. How many there are is bounded, by wallet through the streams of its connection and in all
//! by [`CLAIMS_MAX`], and so are the bytes of chunks that are under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::desk::{Check, Waiting, Written, busy, facts};
use super::driver::Driver;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::ManifestId;
use crate::manifest::Manifest;
use crate::moment::Moment;
use crate::net::{Answer, ChunkAnswer, Fault, Lane, Responder, SessionKey};
use crate::node::clock::unix_time;
use crate::store::index::{Change, Outcome};
use crate::wire::{Accept, ChunkRequest, Registration, Rejection, Reply};

/// Claims under way.
const CLAIMS_MAX: usize = 4096;
/// Bytes of chunks that were asked for and not checked yet.
const SAMPLES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often a node may say that it is busy, or that it lacks the chunk, until it is not believed.
const TRIES_MAX: u32 = 8;
/// How long a claim may take in all.
const PATIENCE: Duration = Duration::from_secs(90);

/// The number of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClaimId(pub(super) u64);

/// All claims.
#[derive(Debug, Default)]
pub(super) struct Claims {
    next: u64,
    all: BTreeMap<ClaimId, Claim>,
    by_manifest: BTreeMap<(SessionKey, ManifestId), ClaimId>,
    sample_bytes: u64,
}

/// One claim.
#[derive(Debug)]
struct Claim {
    session: SessionKey,
    registration: Registration,
    responder: Responder,
    began: Moment,
    manifest: Option<Arc<Manifest>>,
    /// The chunk that is asked for.
    chunk: Option<ChunkIndex>,
    tries: u32,
    /// When to ask again.
    retry_at: Option<Moment>,
    /// Bytes that it has under way.
    sample_bytes: u64,
}

impl Claims {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn remove(&mut self, id: ClaimId) -> Option<Claim> {
        let claim = self.all.remove(&id)?;
        self.by_manifest
            .remove(&(claim.session, claim.registration.id));
        self.sample_bytes -= claim.sample_bytes;
        Some(claim)
    }
}

impl Driver {
    /// A registration has come. What can be judged at once is.
    pub(super) fn on_register(
        &mut self,
        key: SessionKey,
        registration: Registration,
        responder: Responder,
    ) {
        let own = self.address;
        let Some(client) = self.clients.get_mut(&key) else {
            return;
        };
        if let Err(rejection) = client.challenge.accept(&registration, own) {
            return self.reject(responder, rejection);
        }
        let (who, place) = (client.session.address(), (key, registration.id));
        let is_known = self.claims.by_manifest.contains_key(&place);
        if is_known || self.claims.len() >= CLAIMS_MAX {
            return self.turn_away(responder);
        }
        self.claims.next += 1;
        let id = ClaimId(self.claims.next);
        let check = Check::Signature {
            claim: id,
            registration: Box::new(registration.clone()),
            who,
        };
        if self.desk.check(check).is_err() {
            return self.turn_away(responder);
        }
        self.claims.by_manifest.insert(place, id);
        let claim = Claim {
            session: key,
            registration,
            responder,
            began: self.clock.now(),
            manifest: None,
            chunk: None,
            tries: 0,
            retry_at: None,
            sample_bytes: 0,
        };
        self.claims.all.insert(id, claim);
    }

    pub(super) fn on_signed(&mut self, id: ClaimId, outcome: Result<(), Rejection>) {
        if let Err(rejection) = outcome {
            return self.end_claim(id, rejection);
        }
        let Some((member, claim)) = self.member_of(id) else {
            return;
        };
        let change = Change::Refresh {
            id: claim.registration.id,
            member,
            held: claim.registration.held,
            expires: unix_time() + u64::from(claim.registration.ttl_s),
        };
        self.write_for(id, change);
    }

    /// What was to be listed is written, or has to be proven first.
    pub(super) fn on_listed(&mut self, id: ClaimId, outcome: Option<Outcome>) {
        match outcome {
            Some(Outcome::Listed | Outcome::Done(_)) => {
                if let Some(claim) = self.claims.remove(id) {
                    self.totals.registered += 1;
                    let ttl_s = claim.registration.ttl_s;
                    let reply = Reply::Registered { ttl_s };
                    claim.responder.answer(Answer::Header(reply));
                }
            }
            Some(Outcome::Quota) => self.end_claim(id, Rejection::Quota),
            Some(Outcome::Unknown) => {
                let claim = self.claims.all.get(&id);
                if let Some((claim, client)) =
                    claim.and_then(|claim| Some((claim, self.clients.get(&claim.session)?)))
                {
                    client.session.ask_manifest(claim.registration.id);
                }
            }
            None => self.postpone(id),
        }
    }

    /// A node has sent the manifest that it was asked for, or not.
    pub(super) fn on_manifest(
        &mut self,
        key: SessionKey,
        manifest: ManifestId,
        answer: Result<Bytes, Fault>,
    ) {
        let Some(id) = self.claims.by_manifest.get(&(key, manifest)).copied() else {
            return;
        };
        let Ok(bytes) = answer else {
            return self.end_claim(id, Rejection::Manifest);
        };
        let check = Check::Manifest {
            claim: id,
            id: manifest,
            bytes,
        };
        if self.desk.check(check).is_err() {
            self.postpone(id);
        }
    }

    pub(super) fn on_parsed(&mut self, id: ClaimId, outcome: Result<Arc<Manifest>, Rejection>) {
        let manifest = match outcome {
            Ok(manifest) => manifest,
            Err(rejection) => return self.end_claim(id, rejection),
        };
        let count = manifest.layout().chunk_count();
        let random = self.random();
        let Some(claim) = self.claims.all.get_mut(&id) else {
            return;
        };
        let held = claim.registration.held.chunks;
        if held == 0 || held > count {
            return self.end_claim(id, Rejection::Unproven);
        }
        let first = u32::try_from(random % u64::from(count)).unwrap_or(0);
        claim.manifest = Some(manifest);
        claim.chunk = Some(ChunkIndex::new(first));
        self.sample(id);
    }

    /// Asks for the chunk that was chosen.
    fn sample(&mut self, id: ClaimId) {
        let Some(claim) = self.claims.all.get_mut(&id) else {
            return;
        };
        claim.retry_at = None;
        let (Some(manifest), Some(index)) = (claim.manifest.as_ref(), claim.chunk) else {
            return;
        };
        let (len, hash) = (
            manifest.layout().chunk_len(index),
            manifest.chunk_hash(index),
        );
        let (Some(len), Some(chunk_hash)) = (len, hash) else {
            return self.end_claim(id, Rejection::Unproven);
        };
        if claim.sample_bytes == 0 {
            let bytes = u64::from(len);
            if self.claims.sample_bytes + bytes > SAMPLES_BYTES_MAX {
                return self.postpone(id);
            }
            claim.sample_bytes = bytes;
            self.claims.sample_bytes += bytes;
        }
        let Some(client) = self.clients.get(&claim.session) else {
            return;
        };
        let request = ChunkRequest {
            program_id: manifest.program_id(),
            chunk_hash,
            index,
            accept: Accept::Raw,
        };
        let lane = Lane::all(&self.sampling);
        // an end of the connection ends the request too
        let _ = client
            .session
            .ask_chunk(id.0, manifest.id(), request, len, lane);
    }

    /// A node has sent the chunk that it was asked for, or not.
    pub(super) fn on_sample(&mut self, key: SessionKey, ticket: u64, answer: ChunkAnswer) {
        let (now, random) = (self.clock.now(), self.random());
        let id = ClaimId(ticket);
        let claim = self.claims.all.get_mut(&id);
        let Some(claim) = claim.filter(|claim| claim.session == key) else {
            return;
        };
        let (Some(manifest), Some(index)) = (claim.manifest.clone(), claim.chunk) else {
            return;
        };
        claim.tries += 1;
        match answer {
            ChunkAnswer::Payload(payload) => {
                let bytes = payload.into_contiguous();
                let check = Check::Chunk {
                    claim: id,
                    manifest,
                    index,
                    bytes,
                };
                if self.desk.check(check).is_err() {
                    self.postpone(id);
                }
            }
            ChunkAnswer::Busy(after) if claim.tries < TRIES_MAX => {
                let pause = after.clamp(Duration::from_millis(100), Duration::from_secs(10));
                claim.retry_at = Some(now + pause);
            }
            // it may give some chunks and not others, which is its right; what it gives is asked for
            ChunkAnswer::NotHeld(held) if claim.tries < TRIES_MAX => {
                let count = manifest.layout().chunk_count();
                match one_of(&held, count, random) {
                    Some(other) => {
                        claim.chunk = Some(other);
                        self.sample(id);
                    }
                    None => claim.retry_at = Some(now + Duration::from_secs(1)),
                }
            }
            ChunkAnswer::Busy(_)
            | ChunkAnswer::NotHeld(_)
            | ChunkAnswer::Denied
            | ChunkAnswer::Failed(_) => self.end_claim(id, Rejection::Unproven),
        }
    }

    pub(super) fn on_proven(&mut self, id: ClaimId, outcome: Result<(), Rejection>) {
        if let Err(rejection) = outcome {
            return self.end_claim(id, rejection);
        }
        let Some((member, claim)) = self.member_of(id) else {
            return;
        };
        let Some(manifest) = &claim.manifest else {
            return;
        };
        let change = Change::List {
            facts: facts(manifest),
            member,
            held: claim.registration.held,
            expires: unix_time() + u64::from(claim.registration.ttl_s),
        };
        self.write_for(id, change);
    }

    /// Asks again where a node was busy, and gives up where it takes too long.
    pub(super) fn review_claims(&mut self) {
        let now = self.clock.now();
        let (mut due, mut over) = (Vec::new(), Vec::new());
        for (id, claim) in &self.claims.all {
            if now.since(claim.began) > PATIENCE {
                over.push(*id);
            } else if claim.retry_at.is_some_and(|at| at <= now) {
                due.push(*id);
            }
        }
        for id in over {
            self.end_claim(id, Rejection::Unproven);
        }
        for id in due {
            self.sample(id);
        }
    }

    /// The connection is over, and with it its claims.
    pub(super) fn drop_claims(&mut self, key: SessionKey) {
        let first = ManifestId::new(crate::digest::Digest::from_bytes([0; 32]));
        let theirs = self.claims.by_manifest.range((key, first)..);
        let theirs = theirs.take_while(|((session, _), _)| *session == key);
        let ids: Vec<ClaimId> = theirs.map(|(_, id)| *id).collect();
        for id in ids {
            self.claims.remove(id);
        }
    }

    fn write_for(&mut self, id: ClaimId, change: Change) {
        let waiting = Waiting::Claim(id);
        if self.desk.write(Written { change, waiting }).is_err() {
            self.postpone(id);
        }
    }

    /// Ends a claim that is not good.
    fn end_claim(&mut self, id: ClaimId, rejection: Rejection) {
        if let Some(claim) = self.claims.remove(id) {
            tracing::debug!(id = %claim.registration.id, %rejection, "not listed");
            self.reject(claim.responder, rejection);
        }
    }

    /// Ends a claim for which there is no room now.
    fn postpone(&mut self, id: ClaimId) {
        if let Some(claim) = self.claims.remove(id) {
            self.turn_away(claim.responder);
        }
    }

    pub(super) fn turn_away(&mut self, responder: Responder) {
        self.totals.busy += 1;
        responder.answer(busy(self.random()));
    }

    fn reject(&mut self, responder: Responder, rejection: Rejection) {
        self.totals.rejected += 1;
        responder.answer(Answer::Header(Reply::Rejected(rejection)));
    }

    fn member_of(&self, id: ClaimId) -> Option<(crate::index::Member, &Claim)> {
        let claim = self.claims.all.get(&id)?;
        Some((self.clients.get(&claim.session)?.member(), claim))
    }
}

/// One of the chunks of a bitfield in the wire form.
fn one_of(bytes: &[u8], count: u32, random: u64) -> Option<ChunkIndex> {
    let held = Bitfield::from_bytes(bytes, count).ok()?;
    let total = held.iter().count();
    let at = usize::try_from(random).unwrap_or(0).checked_rem(total)?;
    held.iter().nth(at)
}
