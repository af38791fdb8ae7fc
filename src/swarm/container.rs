//! One container that takes part: its chunks, its accounts, and whether it goes on.

use std::collections::BTreeSet;

use super::chunks::Chunks;
use super::event::{PeerKey, Subnet, Trust};
use super::local::Local;
use super::order::Plan;
use super::pacer::Pacer;
use super::planted::{Bug, is_planted};
use super::tally::Tally;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::Address;
use crate::manifest::Layout;

/// Bytes that may arrive twice: one part in this of a container, and one chunk.
const DUPLICATE_SHARE: u64 = 50;

/// A container that takes part.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) layout: Layout,
    pub(super) chunks: Chunks,
    pub(super) local: Local,
    pub(super) tally: Tally,
    pub(super) plan: Plan,
    pub(super) pacer: Pacer,
    /// Who is asked for it, if not all are.
    pub(super) crew: Option<BTreeSet<PeerKey>>,
    /// Bytes of answers that were taken back, as far as they were expected to come.
    risked: u64,
    paused: bool,
    trust: Trust,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    /// Its chunks cannot be stored.
    Stopped,
    /// Its manifest is suspected.
    Suspected,
}

/// What a failed chunk says about whom to blame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The peer that sent it.
    Peer,
    /// The manifest: different addresses failed the same chunk.
    Manifest,
    /// Nobody: the manifest is suspected already.
    Nobody,
}

impl Container {
    /// All chunks that are not in `have` are missing.
    pub(super) fn new(layout: Layout, have: Bitfield, trust: Trust) -> Self {
        assert_eq!(
            have.len(),
            layout.chunk_count(),
            "a bitfield of another container"
        );
        Self {
            layout,
            chunks: Chunks::new(have),
            local: Local::default(),
            tally: Tally::default(),
            plan: Plan::new(layout.chunk_count()),
            pacer: Pacer::default(),
            crew: None,
            risked: 0,
            paused: false,
            trust,
            standing: Standing::Active,
        }
    }

    /// The length of a chunk in bytes; 0 if there is no such chunk.
    pub(super) fn chunk_bytes(&self, chunk: ChunkIndex) -> u64 {
        self.layout.chunk_len(chunk).map_or(0, u64::from)
    }

    /// Whether chunks are asked for.
    pub(super) fn is_active(&self) -> bool {
        self.standing == Standing::Active && !self.paused
    }

    /// Whether this peer is among those that are asked.
    pub(super) fn asks(&self, peer: PeerKey) -> bool {
        self.crew.as_ref().is_none_or(|crew| crew.contains(&peer))
    }

    /// No chunks are asked for until [`on_resumed`](Self::on_resumed). What is here is served.
    pub(super) fn on_paused(&mut self) {
        self.paused = true;
    }

    /// Chunks are asked for again, unless something else stands against it.
    pub(super) fn on_resumed(&mut self) {
        self.paused = false;
    }

    /// Chunks cannot be stored. False if the container does not go on anyway.
    pub(super) fn on_stopped(&mut self) -> bool {
        let goes_on = self.standing == Standing::Active;
        if goes_on && !is_planted(Bug::AsksThoughStopped) {
            self.standing = Standing::Stopped;
        }
        goes_on
    }

    /// Chunks can be stored again. A manifest that is suspected stays so.
    pub(super) fn on_mended(&mut self) {
        if self.standing == Standing::Stopped {
            self.standing = Standing::Active;
        }
    }

    /// An answer was taken back of which so many bytes are here, or will be, as far as is known.
    pub(super) fn on_risked(&mut self, bytes: u64) {
        self.risked += bytes;
    }

    /// Whether so many bytes more may arrive for nothing.
    pub(super) fn may_waste(&self, bytes: u64) -> bool {
        let chunk_size = u64::from(self.layout.chunk_size());
        let allowed = self.layout.size() / DUPLICATE_SHARE + chunk_size;
        let under_way = self.chunks.hedges() as u64 * chunk_size;
        self.tally.total.duplicate_bytes.max(self.risked) + under_way + bytes <= allowed
            || is_planted(Bug::WastesFreely)
    }

    /// Decides whom to blame for a chunk that this address failed. `untried` says whether there
    /// is somebody else to ask, given those who failed it.
    pub(super) fn on_failure(
        &mut self,
        chunk: ChunkIndex,
        (subnet, address): (Subnet, Address),
        untried: impl FnOnce(&BTreeSet<Address>) -> bool,
    ) -> Failure {
        match (self.standing, self.trust) {
            (Standing::Suspected, _) => Failure::Nobody,
            (_, Trust::Pinned) if !is_planted(Bug::SuspectsPinned) => Failure::Peer,
            (Standing::Active | Standing::Stopped, Trust::Pinned | Trust::Claimed) => {
                match self.chunks.on_failed_by(chunk, subnet, address) {
                    Some(tried) if !untried(&tried) => {
                        self.standing = Standing::Suspected;
                        Failure::Manifest
                    }
                    Some(_) | None => Failure::Peer,
                }
            }
        }
    }
}
