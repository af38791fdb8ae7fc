//! One simulated node: the production core, a disk that knows the truth, and what its driver keeps.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::{Address, ManifestId};
use swarmhold::manifest::Layout;
use swarmhold::moment::Moment;
use swarmhold::swarm::{AskKey, Ban, Contribution, PeerKey, Setup, Swarm, Ticket};
use swarmhold::wire::Encoding;
use swarmhold::wire::payload::Payload;

use crate::check::{Ledger, Request};
use crate::faults::{Excuse, Role};
use crate::links::{Downlink, Uplink};
use crate::net::SessionId;
use crate::plan::{NodePlan, Plan, address_of, container_id};
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
    pub(crate) sender: usize,
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
    /// Nothing happens at the node before this moment.
    pub(crate) frozen_until: Moment,
    /// Its disk takes nothing before this moment.
    pub(crate) full_until: Moment,
    pub(crate) uplink: Uplink,
    pub(crate) downlink: Downlink,
    pub(crate) disk: BTreeMap<ManifestId, Bitfield>,
    /// The chunks that were stored last.
    pub(crate) unsynced: Vec<(ManifestId, ChunkIndex)>,
    pub(crate) layouts: BTreeMap<ManifestId, Layout>,
    /// Containers that nobody can ever have all of.
    pub(crate) poisoned: BTreeSet<ManifestId>,
    /// Containers that take part right now.
    pub(crate) taking: BTreeSet<ManifestId>,
    /// The connections that are open, and who is at their other end.
    pub(crate) peers: BTreeMap<PeerKey, usize>,
    pub(crate) asks: BTreeMap<AskKey, Asked>,
    pub(crate) asks_by: BTreeMap<(SessionId, Ticket), AskKey>,
    pub(crate) answers: BTreeMap<Ticket, Answered>,
    pub(crate) news: BTreeMap<ManifestId, Vec<ChunkIndex>>,
    pub(crate) feeding: bool,
    pub(crate) seeping: bool,
    /// What a liar that gets it right the second time has lied about, and to whom.
    pub(crate) lied: BTreeSet<(usize, ChunkIndex)>,
    pub(crate) fidgets: u64,
    pub(crate) bans: Vec<(Address, Moment)>,
    pub(crate) wake_at: Option<Moment>,
    pub(crate) ledger: Ledger,
    pub(crate) is_done: bool,
    seed: u64,
    limit: Option<u64>,
}

impl Node {
    pub(crate) fn new(plan: &Plan, index: usize, rng: &mut Rng) -> Self {
        let NodePlan {
            role,
            up,
            down,
            holds,
            takes,
            limit,
            ..
        } = &plan.nodes[index];
        let layouts: BTreeMap<_, _> = takes
            .iter()
            .map(|container| (container_id(*container), plan.containers[*container].layout))
            .collect();
        let disk = layouts.iter().map(|(id, layout)| {
            let mut held = Bitfield::empty(layout.chunk_count());
            for chunk in layout.chunks().filter(|_| rng.percent(*holds)) {
                held.insert(chunk);
            }
            (*id, held)
        });
        let mut disk: BTreeMap<_, _> = disk.collect();
        // What does not fit its manifest nobody honest has: nobody could prove it.
        for container in takes {
            if let Some(chunk) = plan.containers[*container].poisoned {
                let held: Option<&mut Bitfield> = disk.get_mut(&container_id(*container));
                held.expect("it takes part").remove(ChunkIndex::new(chunk));
            }
        }
        let poisoned = takes
            .iter()
            .filter(|it| plan.containers[**it].poisoned.is_some());
        let poisoned = poisoned.map(|container| container_id(*container)).collect();
        let seed = rng.next();
        Self {
            role: *role,
            address: address_of(index),
            swarm: Swarm::new(Setup {
                seed,
                upload_rate_max: *limit,
                contribution: contribution_of(*role),
                ..Setup::default()
            }),
            up: false,
            life: 0,
            frozen_until: Moment::ORIGIN,
            full_until: Moment::ORIGIN,
            uplink: Uplink::new(*up),
            downlink: Downlink::new(*down),
            disk,
            unsynced: Vec::new(),
            layouts,
            poisoned,
            taking: BTreeSet::new(),
            peers: BTreeMap::new(),
            asks: BTreeMap::new(),
            asks_by: BTreeMap::new(),
            answers: BTreeMap::new(),
            news: BTreeMap::new(),
            feeding: false,
            seeping: false,
            lied: BTreeSet::new(),
            fidgets: 0,
            bans: Vec::new(),
            wake_at: None,
            ledger: Ledger::default(),
            is_done: false,
            seed,
            limit: *limit,
        }
    }

    /// Everything but the disk, the bans and the accounts is forgotten.
    pub(crate) fn on_restart(&mut self) {
        let ban = |(address, until): &(Address, Moment)| Ban {
            address: *address,
            until: *until,
            strikes: Vec::new(),
        };
        self.swarm = Swarm::new(Setup {
            seed: self.seed,
            upload_rate_max: self.limit,
            bans: self.bans.iter().map(ban).collect(),
            credit: self.swarm.credit().collect(),
            contribution: contribution_of(self.role),
        });
        self.life += 1;
        self.taking.clear();
        self.peers.clear();
        self.asks.clear();
        self.asks_by.clear();
        self.answers.clear();
        self.news.clear();
        self.feeding = false;
        self.seeping = false;
        self.wake_at = None;
        self.uplink = Uplink::new(self.uplink.rate);
        self.downlink = Downlink::new(self.downlink.rate);
        self.ledger.on_restart();
    }

    /// A peer is told that it is choked, if it is still there.
    pub(crate) fn on_choke(&mut self, now: Moment, peer: PeerKey) {
        if self.peers.contains_key(&peer) {
            self.ledger.shares.on_choke(now, peer);
        }
    }

    /// A peer is told that it is served again, if it is still there.
    pub(crate) fn on_unchoke(&mut self, peer: PeerKey) {
        if self.peers.contains_key(&peer) {
            self.ledger.shares.on_unchoke(peer);
        }
    }

    /// Whether the disk holds all of every container that the node wants and can have.
    pub(crate) fn has_everything(&self) -> bool {
        let mut sound = self
            .disk
            .iter()
            .filter(|(id, _)| !self.poisoned.contains(id));
        sound.all(|(id, held)| held.is_full() && self.taking.contains(id))
    }

    /// Bytes that are still to come.
    pub(crate) fn lacks_bytes(&self) -> u64 {
        let lacks = |(id, held): (&ManifestId, &Bitfield)| -> u64 {
            let chunks = self.layouts[id].chunks();
            let missing = chunks.filter(|chunk| !held.contains(*chunk));
            missing.map(|chunk| self.chunk_bytes(id, chunk)).sum()
        };
        self.disk.iter().map(lacks).sum()
    }

    /// What the node says it holds.
    pub(crate) fn claims(&self, id: &ManifestId) -> Bitfield {
        let count = self.chunk_count(id);
        match self.role {
            Role::Freerider(Excuse::Hides) => Bitfield::empty(count),
            Role::Honest | Role::Late | Role::Freerider(_) => {
                let held = self.swarm.have(id).cloned();
                held.unwrap_or_else(|| Bitfield::empty(count))
            }
            Role::WrongLength if self.fidgets.is_multiple_of(2) => Bitfield::full(count + 1),
            Role::FlipFlop if self.fidgets % 2 == 1 => Bitfield::empty(count),
            Role::Shrinks => {
                let mut held = Bitfield::full(count);
                (0..count)
                    .filter(|chunk| u64::from(chunk % 16) < self.fidgets)
                    .for_each(|chunk| {
                        held.remove(ChunkIndex::new(chunk));
                    });
                held
            }
            Role::WrongLength
            | Role::FlipFlop
            | Role::Liar(_)
            | Role::Silent
            | Role::Withholds
            | Role::HoldsLast
            | Role::AllOnes
            | Role::Busy
            | Role::Tarpit
            | Role::Trickles
            | Role::Garbage => Bitfield::full(count),
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

fn contribution_of(role: Role) -> Contribution {
    if matches!(role, Role::Freerider(Excuse::Denies | Excuse::Hides)) {
        Contribution::None
    } else {
        Contribution::Upload
    }
}

/// The bytes that stand for a chunk: which one it is, and nothing else.
pub(crate) fn truth(id: &ManifestId, chunk: ChunkIndex) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8);
    bytes.extend(&id.digest().as_bytes()[..4]);
    bytes.extend(chunk.get().to_le_bytes());
    bytes
}

pub(crate) fn payload(body: &[u8]) -> Payload {
    Payload::new(Encoding::Raw, vec![Bytes::copy_from_slice(body)])
}
