//! What the core wants, carried out: one arm for each of its outputs.

use std::time::Duration;

use super::block::with_source;
use super::command::Note;
use super::driver::{Driver, peer_key, session_key};
use super::quest::Unwritten;
use super::work::{CopyError, Done, Job, Stored, VerifyError};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::{Address, ManifestId};
use crate::net::{Answer, Lane, Standing};
use crate::store::WriteError;
use crate::swarm::{AskKey, Ban, Input, Offence, Output, PeerKey, Ticket};
use crate::wire::payload::Payload;
use crate::wire::{Accept, ChunkRequest, CloseCode, Refusal, Reply};

impl Driver {
    /// Carries out everything that the core wants.
    pub(super) fn apply(&mut self) {
        while let Some(output) = self.swarm.poll_output() {
            match output {
                Output::Request {
                    peer,
                    ticket,
                    id,
                    chunk,
                } => self.request(peer, ticket, id, chunk),
                Output::Cancel { ticket, .. } => {
                    if let Some(request) = self.requests.remove(&ticket) {
                        request.abort();
                    }
                }
                Output::Verify {
                    ticket,
                    id,
                    chunk,
                    payload,
                } => self.verify(ticket, id, chunk, payload),
                Output::Copy {
                    ticket,
                    id,
                    chunk,
                    like,
                } => self.copy(ticket, (id, chunk), like),
                Output::Serve {
                    peer,
                    ask,
                    id,
                    chunk,
                } => self.serve(peer, ask, id, chunk),
                Output::AnswerNotHeld { ask, id, .. } => self.answer_not_held(ask, &id),
                Output::AnswerInstead { ask, held, .. } => self.answer_instead(ask, &held),
                Output::Offer { peer, id, held } => self.tell_offer(peer, id, &held),
                Output::AnswerDenied { ask, .. } => self.answer_denied(ask),
                Output::AnswerBusy {
                    ask, retry_after, ..
                } => self.answer_busy(ask, retry_after),
                Output::Choke { peer } => self.set_standing(peer, Standing::Choked),
                Output::Unchoke { peer } => self.set_standing(peer, Standing::Unchoked),
                Output::Announce { id, chunk } => {
                    if let Some(entry) = self.catalog.get(&id) {
                        entry.log.announce(chunk);
                        self.offer(&id, &[chunk]);
                    }
                }
                Output::Complete { id } => self.on_complete(id),
                Output::Suspect { id, chunk } => self.on_suspected(id, chunk),
                Output::Stopped { id } => self.on_stopped(&id),
                Output::Drop { peer, offence } => self.drop_peer(peer, offence),
                Output::Ban {
                    address,
                    until,
                    strikes,
                } => self.ban(Ban {
                    address,
                    until,
                    strikes,
                }),
                Output::Pardon { address } => self.pardon(&address),
            }
        }
    }

    fn verify(&mut self, ticket: Ticket, id: ManifestId, chunk: ChunkIndex, payload: Payload) {
        let Some(entry) = self.catalog.get(&id) else {
            return self.tell(Input::StoreFailed { ticket });
        };
        let content = entry.content.clone();
        self.pool.submit(Job::Verify {
            ticket,
            id,
            content,
            chunk,
            payload,
        });
    }

    fn request(&mut self, peer: PeerKey, ticket: Ticket, id: ManifestId, chunk: ChunkIndex) {
        self.roster.note_download(session_key(peer));
        let entry = self.catalog.get(&id);
        let Some((entry, known)) = entry.zip(self.roster.get(session_key(peer))) else {
            return self.tell(Input::Failed { peer, ticket });
        };
        let manifest = entry.manifest();
        let chunk_hash = manifest
            .chunk_hash(chunk)
            .expect("the core asks for chunks that exist");
        let len = manifest.layout().chunk_len(chunk).expect("as above");
        let program_id = manifest.program_id();
        let request = ChunkRequest {
            program_id,
            chunk_hash,
            index: chunk,
            accept: Accept::Zstd,
        };
        let lane = Lane::of(&self.down, &entry.down);
        let handle = known.session.ask_chunk(ticket.0, id, request, len, lane);
        self.requests.insert(ticket, handle);
    }

    fn serve(&mut self, peer: PeerKey, ask: AskKey, id: ManifestId, chunk: ChunkIndex) {
        let waiting = self.asks.remove(&ask);
        let waiting = waiting.filter(|(responder, _)| !responder.is_withdrawn());
        let (Some((responder, accept)), Some(entry)) = (waiting, self.catalog.get(&id)) else {
            return self.tell(Input::Served {
                peer,
                ask,
                bytes: 0,
            });
        };
        self.roster.note_upload(session_key(peer));
        let (content, squeeze) = (entry.content.clone(), entry.squeeze.clone());
        self.pool.submit(Job::Read {
            responder,
            content,
            squeeze,
            id,
            chunk,
            accept,
        });
    }

    fn set_standing(&self, peer: PeerKey, standing: Standing) {
        if let Some(known) = self.roster.get(session_key(peer)) {
            known.aside.set_standing(standing);
        }
    }

    fn answer_not_held(&mut self, ask: AskKey, id: &ManifestId) {
        let Some((responder, _)) = self.asks.remove(&ask) else {
            return;
        };
        responder.answer(match self.catalog.get(id) {
            Some(entry) => Answer::Header(Reply::NotHeld {
                held: entry.log.held(),
            }),
            None => Answer::Refuse(Refusal::NotFound),
        });
    }

    fn answer_instead(&mut self, ask: AskKey, held: &Bitfield) {
        if let Some((responder, _)) = self.asks.remove(&ask) {
            let held = held.to_bytes();
            responder.answer(Answer::Header(Reply::NotHeld { held }));
        }
    }

    fn answer_denied(&mut self, ask: AskKey) {
        if let Some((responder, _)) = self.asks.remove(&ask) {
            responder.answer(Answer::Header(Reply::Denied));
        }
    }

    fn tell_offer(&self, peer: PeerKey, id: ManifestId, held: &Bitfield) {
        let known = self.roster.get(session_key(peer));
        if let Some(known) = known.filter(|known| known.follows.contains(&id)) {
            known.aside.offer(id, held.to_bytes());
        }
    }

    fn answer_busy(&mut self, ask: AskKey, retry_after: Duration) {
        let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
        if let Some((responder, _)) = self.asks.remove(&ask) {
            responder.answer(Answer::Header(Reply::Busy { retry_after_ms }));
        }
    }

    fn drop_peer(&mut self, peer: PeerKey, offence: Offence) {
        let fault = self.faults.remove(&peer);
        let (code, reason) = match offence {
            Offence::BadChunk => (
                CloseCode::BadChunk,
                fault.as_deref().unwrap_or("BAD_CHUNK hash"),
            ),
            Offence::Protocol => (CloseCode::Protocol, "PROTOCOL"),
            Offence::Banned => (CloseCode::Banned, "BANNED"),
            Offence::Rate => (CloseCode::Rate, "RATE"),
        };
        let Some(known) = self.roster.get(session_key(peer)) else {
            return;
        };
        let (address, remote) = (known.session.address(), known.session.remote());
        tracing::info!(%address, %remote, reason, "dropping a peer");
        known.session.close(code, reason);
        self.on_closed(session_key(peer), reason);
    }

    fn ban(&self, ban: Ban) {
        let address = ban.address;
        tracing::warn!(%address, "banned for a day: it sent chunks that are not what was asked for");
        self.bans.add(ban);
        self.settle_bans();
    }

    fn pardon(&self, address: &Address) {
        tracing::warn!(%address, "not banned any more");
        self.bans.remove(address);
        self.settle_bans();
    }

    /// Brings bans and their file into line, away from the network thread.
    pub(super) fn settle_bans(&self) {
        let (bans, notes) = (self.bans.clone(), self.notes.clone());
        tokio::task::spawn_blocking(move || {
            let addresses = bans.settle();
            if !addresses.is_empty() {
                // The driver is gone only when the node is.
                let _ = notes.send(Note::Lifted { addresses });
            }
        });
    }

    /// Somebody else has lifted bans.
    pub(super) fn on_lifted(&mut self, addresses: Vec<Address>) {
        for address in addresses {
            self.tell(Input::Lift(address));
        }
    }

    /// A worker is done with a chunk.
    pub(super) fn on_done(&mut self, done: Done) {
        match done {
            Done::Verified {
                ticket,
                id,
                outcome,
            } => self.on_verified(ticket, id, outcome),
            Done::Copied {
                ticket,
                id,
                outcome,
                lost,
            } => {
                for (id, chunk) in lost {
                    self.on_lost(id, chunk, &"its bytes are others");
                }
                self.on_copied(ticket, id, outcome);
            }
            Done::Read {
                responder,
                id,
                chunk,
                outcome,
            } => match outcome {
                Ok((encoding, body)) => responder.chunk(encoding, body, self.lane_up(&id)),
                Err(failure) => {
                    let (peer, ask) = (peer_key(responder.session()), AskKey(responder.ask()));
                    self.on_lost(id, chunk, &failure);
                    responder.answer(match self.catalog.get(&id) {
                        Some(entry) => {
                            let held = entry.log.held();
                            Answer::Header(Reply::NotHeld { held })
                        }
                        None => Answer::Refuse(Refusal::NotFound),
                    });
                    self.tell(Input::Served {
                        peer,
                        ask,
                        bytes: 0,
                    });
                }
            },
        }
    }

    /// A chunk that was here is not, or reads as something else.
    pub(super) fn on_lost(
        &mut self,
        id: ManifestId,
        chunk: ChunkIndex,
        why: &dyn std::fmt::Display,
    ) {
        tracing::warn!(%id, %chunk, %why, "a chunk cannot be served any more");
        if let Some(entry) = self.catalog.get(&id) {
            entry.log.withdraw(chunk);
        }
        self.tell(Input::Lost { id, chunk });
        self.show_damage(&id);
    }

    fn on_copied(&mut self, ticket: Ticket, id: ManifestId, outcome: Result<Stored, CopyError>) {
        let input = match outcome {
            Ok(Stored { unsynced }) => {
                self.on_written(id, unsynced);
                Input::Copied { ticket }
            }
            Err(CopyError::Store(error)) => {
                self.on_write_error(id, &error);
                Input::StoreFailed { ticket }
            }
            Err(CopyError::Nowhere) => Input::NotCopied { ticket },
        };
        self.tell(input);
    }

    fn on_verified(
        &mut self,
        ticket: Ticket,
        id: ManifestId,
        outcome: Result<Stored, VerifyError>,
    ) {
        let input = match outcome {
            Ok(Stored { unsynced }) => {
                if let Some(peer) = self.swarm.sender_of(ticket) {
                    self.note_seen(session_key(peer), &id);
                }
                self.on_written(id, unsynced);
                Input::Stored { ticket }
            }
            Err(VerifyError::Store(error)) => {
                self.on_write_error(id, &error);
                Input::StoreFailed { ticket }
            }
            Err(error @ (VerifyError::Chunk(_) | VerifyError::Compressed(_))) => {
                tracing::info!(%error, "a peer sent a bad chunk");
                if let (VerifyError::Compressed(why), Some(peer)) =
                    (&error, self.swarm.sender_of(ticket))
                {
                    self.faults.insert(peer, why.to_string());
                }
                Input::Bad { ticket }
            }
        };
        self.tell(input);
    }

    fn on_write_error(&mut self, id: ManifestId, error: &WriteError) {
        let (reason, disk_full) = described(error);
        tracing::error!(reason, "a chunk could not be stored");
        let quest = self
            .quests
            .values_mut()
            .find(|quest| quest.manifest_id() == Some(id));
        if let Some(quest) = quest {
            quest.write_error = Some(Unwritten {
                reason,
                disk_full,
                may_pass: error.may_pass(),
            });
        }
    }
}

/// Why a chunk could not be written, in words, and whether the disk is full.
pub(super) fn described(error: &WriteError) -> (String, bool) {
    let disk_full = matches!(error, WriteError::DiskFull { .. });
    (with_source(error), disk_full)
}
