//! One simulated node: the production core, a disk that knows the truth, and what its driver keeps.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::{Address, ManifestId};
use swarmhold::manifest::Layout;
use swarmhold::moment::Moment;
use swarmhold::swarm::{AskKey, PeerKey, Setup, Swarm, Ticket};
use swarmhold::wire::Encoding;
use swarmhold::wire::payload::Payload;

use crate::check::{Ledger, Request};
use crate::faults::{NodePlan, Plan, Role, address_of, container_id};
use crate::net::{SessionId, Uplink};
use crate::rng::Rng;

/// A request that a peer made of this node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) session: SessionId,
    /// The asker's side of the connection, and what it calls the request.
    pub(crate) side: usize,
    pub(crate) ticket: Ticket,
    pub(crate) id: ManifestId,
    pub(crate) chunk: ChunkIndex,
    pub(crate) stage: Stage,
    pub(crate) withdrawn: bool,
}

/// How far a peer's request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Reading,
    Sending,
}

/// An answer that is here, and has not been proven yet.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) request: Request,
    pub(crate) sender: Address,
    pub(crate) body: Vec<u8>,
}

/// One node.
pub(crate) struct Node {
    pub(crate) role: Role,
    pub(crate) address: Address,
    pub(crate) swarm: Swarm,
    pub(crate) up: bool,
    /// Counts restarts and departures: what a former life began means nothing to a later one.
    pub(crate) life: u64,
    pub(crate) uplink: Uplink,
    pub(crate) down: u64,
    pub(crate) down_free_at: Moment,
    pub(crate) disk: BTreeMap<ManifestId, Bitfield>,
    pub(crate) layouts: BTreeMap<ManifestId, Layout>,
    /// Containers that take part right now.
    pub(crate) taking: BTreeSet<ManifestId>,
    pub(crate) peers: BTreeMap<PeerKey, (SessionId, usize)>,
    pub(crate) asks: BTreeMap<AskKey, Asked>,
    pub(crate) answers: BTreeMap<Ticket, Answered>,
    pub(crate) news: BTreeMap<ManifestId, Vec<ChunkIndex>>,
    pub(crate) feeding: bool,
    pub(crate) bans: Vec<(Address, Moment)>,
    pub(crate) wake_at: Option<Moment>,
    pub(crate) ledger: Ledger,
    seed: u64,
}

impl Node {
    pub(crate) fn new(plan: &Plan, index: usize, rng: &mut Rng) -> Self {
        let NodePlan {
            role,
            up,
            down,
            holds,
            takes,
            ..
        } = &plan.nodes[index];
        let layouts: BTreeMap<_, _> = takes
            .iter()
            .map(|container| (container_id(*container), plan.containers[*container]))
            .collect();
        let disk = layouts.iter().map(|(id, layout)| {
            let mut held = Bitfield::empty(layout.chunk_count());
            for chunk in layout.chunks().filter(|_| rng.percent(*holds)) {
                held.insert(chunk);
            }
            (*id, held)
        });
        let disk = disk.collect();
        let seed = rng.next();
        Self {
            role: *role,
            address: address_of(index),
            swarm: new_swarm(seed, Vec::new()),
            up: false,
            life: 0,
            uplink: Uplink::new(*up),
            down: *down,
            down_free_at: Moment::ORIGIN,
            disk,
            layouts,
            taking: BTreeSet::new(),
            peers: BTreeMap::new(),
            asks: BTreeMap::new(),
            answers: BTreeMap::new(),
            news: BTreeMap::new(),
            feeding: false,
            bans: Vec::new(),
            wake_at: None,
            ledger: Ledger::default(),
            seed,
        }
    }

    /// Everything but the disk and the bans is forgotten.
    pub(crate) fn on_restart(&mut self) {
        self.swarm = new_swarm(self.seed, self.bans.clone());
        self.life += 1;
        self.taking.clear();
        self.peers.clear();
        self.asks.clear();
        self.answers.clear();
        self.news.clear();
        self.feeding = false;
        self.wake_at = None;
        self.uplink = Uplink::new(self.uplink.rate);
        self.ledger.on_restart();
    }

    /// Whether the disk holds all of every container that the node wants.
    pub(crate) fn is_done(&self) -> bool {
        self.disk.values().all(Bitfield::is_full) && self.taking.len() == self.disk.len()
    }

    /// What the node says it holds.
    pub(crate) fn claims(&self, id: &ManifestId) -> Bitfield {
        let held = self.swarm.have(id).cloned();
        let held = held.unwrap_or_else(|| Bitfield::empty(self.chunk_count(id)));
        if matches!(self.role, Role::Honest) {
            held
        } else {
            Bitfield::full(held.len())
        }
    }

    pub(crate) fn chunk_count(&self, id: &ManifestId) -> u32 {
        self.layouts.get(id).map_or(1, |it| it.chunk_count())
    }

    pub(crate) fn chunk_bytes(&self, id: &ManifestId, chunk: ChunkIndex) -> u64 {
        let len = self.layouts.get(id).and_then(|it| it.chunk_len(chunk));
        len.map_or(0, u64::from)
    }
}

fn new_swarm(seed: u64, bans: Vec<(Address, Moment)>) -> Swarm {
    Swarm::new(Setup {
        seed,
        upload_rate_max: None,
        bans,
    })
}

/// The bytes that stand for a chunk: which one it is, and nothing else.
pub(crate) fn truth(id: &ManifestId, chunk: ChunkIndex) -> Vec<u8> {
    let mut bytes = id.digest().as_bytes()[..4].to_vec();
    bytes.extend(chunk.get().to_le_bytes());
    bytes
}

pub(crate) fn payload(body: &[u8]) -> Payload {
    Payload::new(Encoding::Raw, vec![Bytes::copy_from_slice(body)])
}
