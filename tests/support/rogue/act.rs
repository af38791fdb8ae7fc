//! What a rogue says: the answers to every request, one of them a lie.

use std::sync::{Arc, Mutex, PoisonError};

use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::net::{Answer, Event, HaveLog, Lane, Responder, Throttle};
use swarmhold::wire::{ChunkRequest, Deluge, Encoding, Refusal, Reply, Request};
use swarmhold::{Digest, Manifest};
use tokio::sync::{mpsc, oneshot};

use super::{Behaviour, Record};

/// The rogue's side of every conversation.
pub(super) struct Act {
    behaviour: Behaviour,
    manifest: Arc<Manifest>,
    log: Arc<HaveLog>,
    record: Arc<Mutex<Record>>,
    /// Whether the one lie of [`Behaviour::LiarOnce`] has been told.
    told: bool,
    /// Requests that are left hanging: dropping one would refuse it.
    kept: Vec<Responder>,
}

impl Act {
    /// A rogue that claims to hold all of this container.
    pub(super) fn new(
        behaviour: Behaviour,
        manifest: Arc<Manifest>,
        record: Arc<Mutex<Record>>,
    ) -> Self {
        let all = Bitfield::full(manifest.layout().chunk_count());
        Self {
            behaviour,
            manifest,
            log: Arc::new(HaveLog::new(all)),
            record,
            told: false,
            kept: Vec::new(),
        }
    }

    /// Answers until it is told to stop.
    pub(super) async fn play(
        mut self,
        mut events: mpsc::Receiver<Event>,
        stopped: oneshot::Receiver<()>,
    ) {
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                _ = &mut stopped => return,
                Some(event) = events.recv() => self.on_event(event),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected { session, .. } => {
                session.expect_requests(1);
                self.note(|record| record.connections += 1);
            }
            Event::Closed { reason, .. } => self.note(|record| record.endings.push(reason)),
            Event::Asked {
                request, responder, ..
            } => self.on_asked(request, responder),
            Event::DialFailed { .. }
            | Event::Chunk { .. }
            | Event::Progress { .. }
            | Event::Wasted { .. }
            | Event::Replied { .. }
            | Event::Manifest { .. }
            | Event::Deluges { .. }
            | Event::Update { .. }
            | Event::Unsubscribed { .. }
            | Event::Carrying { .. }
            | Event::NotCarrying { .. }
            | Event::RelayFailed { .. }
            | Event::Line { .. }
            | Event::Answered { .. } => {}
        }
    }

    fn on_asked(&mut self, request: Request, responder: Responder) {
        let ours = self.manifest.id();
        match request {
            Request::Hello(_) => responder.answer(Answer::Refuse(Refusal::Malformed)),
            Request::Manifest { id } if id == ours => {
                responder.answer(Answer::Manifest(
                    self.manifest.to_json().into(),
                    Lane::all(&Arc::new(Throttle::new(None))),
                ));
            }
            Request::Subscribe { id } if id == ours => {
                let (log, aside) = (Arc::clone(&self.log), Arc::default());
                responder.answer(Answer::Feed(id, log, aside));
            }
            Request::Manifest { .. } | Request::Subscribe { .. } => {
                responder.answer(Answer::Refuse(Refusal::NotFound));
            }
            Request::Deluges { .. } => {
                responder.answer(Answer::Header(Reply::Deluges(vec![Deluge {
                    manifest_id: ours,
                    program_id: self.manifest.program_id(),
                    size: self.manifest.layout().size(),
                }])))
            }
            Request::Enlist
            | Request::Register(_)
            | Request::Withdraw { .. }
            | Request::Lookup { .. }
            | Request::Search(_)
            | Request::Locate
            | Request::Located
            | Request::Meet(_)
            | Request::Invite(_)
            | Request::Start { .. }
            | Request::Carry { .. } => responder.answer(Answer::Header(Reply::Denied)),
            Request::Chunk(request) => {
                self.note(|record| record.asked += 1);
                self.on_chunk(&request, responder);
            }
        }
    }

    fn on_chunk(&mut self, request: &ChunkRequest, responder: Responder) {
        let chunk = request.index;
        let Some(len) = self.manifest.layout().chunk_len(chunk) else {
            return responder.answer(Answer::Refuse(Refusal::NoSuchChunk));
        };
        let len = len as usize;
        let (encoding, body) = match &self.behaviour {
            Behaviour::Liar => (Encoding::Raw, wrong(len, request.chunk_hash)),
            Behaviour::LiarOnce { .. } if !self.told => {
                self.told = true;
                (Encoding::Raw, wrong(len, request.chunk_hash))
            }
            Behaviour::LiarOnce { truth, .. } => (Encoding::Raw, self.bytes_of(truth, chunk)),
            Behaviour::OtherIndex { truth } => {
                (Encoding::Raw, self.bytes_of(truth, self.other(chunk)))
            }
            Behaviour::WrongLength => (Encoding::Raw, vec![0; len + 1]),
            Behaviour::BadZstd => (Encoding::Zstd, vec![0xBA; (len - 1).clamp(1, 1000)]),
            Behaviour::Silent => return self.kept.push(responder),
            Behaviour::SaysAllHasNone => {
                let held = self.log.held();
                return responder.answer(Answer::Header(Reply::NotHeld { held }));
            }
        };
        responder.chunk(
            encoding,
            body.into(),
            Lane::all(&Arc::new(Throttle::new(None))),
        );
    }

    /// Another chunk with other bytes and, where there is one, of the same length.
    fn other(&self, chunk: ChunkIndex) -> ChunkIndex {
        let (layout, hashes) = (self.manifest.layout(), self.manifest.chunk_hashes());
        let differs = |other: &ChunkIndex| {
            hashes.get(other.as_usize()) != hashes.get(chunk.as_usize())
                && layout.chunk_len(*other) == layout.chunk_len(chunk)
        };
        layout.chunks().find(differs).unwrap_or(chunk)
    }

    fn bytes_of(&self, truth: &[u8], chunk: ChunkIndex) -> Vec<u8> {
        let layout = self.manifest.layout();
        let from = layout.offset(chunk).and_then(|at| usize::try_from(at).ok());
        let len = layout.chunk_len(chunk).map(|len| len as usize);
        let (from, len) = (from.unwrap_or_default(), len.unwrap_or_default());
        truth[from..from + len].to_vec()
    }

    fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Bytes of this length that do not have this hash.
fn wrong(len: usize, hash: Digest) -> Vec<u8> {
    let lie = vec![0x00; len];
    if Digest::of(&lie) == hash {
        return vec![0xFF; len];
    }
    lie
}
