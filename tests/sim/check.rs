//! What must hold after every step, counted by the simulator itself. Each assertion names its
//! invariant.
//!
//! | | |
//! |---|---|
//! | I1 | nothing counts as there that was not proven |
//! | I2 | what is complete is the container, byte for byte |
//! | I3 | a chunk is in one state: out at two peers at most, or at a worker, or there; and watched |
//! | I4 | bytes in flight stay within the budget |
//! | I5 | requests go to connected peers that are not banned and said they hold the chunk, for containers that go on |
//! | I6 | time goes forward, no timer stays in the past, work is bounded |
//! | I7 | honest nodes are never banned, nor anybody for fewer than three bad answers |
//! | I8 | three bad chunks ban an address, also after a restart |
//! | I9 | nobody is served beyond its share while others wait (`shares`) |
//! | I10 | every request ends exactly once, on both sides |
//! | I11 | what others make a node remember is bounded |
//! | I12 | nothing is announced or served that is not there, nor to whom we choke |
//! | I13 | what ended leaves nothing behind |
//!
//! What an output can violate is checked at that output. What takes counting from scratch is counted
//! at every [`RECOUNT_EVERY`]th input of a node.

mod hearsay;

use std::collections::{BTreeMap, BTreeSet};

use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::{Address, ManifestId};
use swarmhold::limits::{BAD_CHUNKS_MAX, BAN, BLAMED_MAX, IN_FLIGHT_BYTES_MAX, REQUESTS_OUT_MAX};
use swarmhold::moment::Moment;
use swarmhold::swarm::{PeerKey, Swarm, Ticket, Wish};

use crate::shares::Shares;

/// Outputs of one input, at most: a container's requests taken back and made again.
const OUTPUTS_MAX: usize = 4096;
/// How rarely everything is counted from scratch.
const RECOUNT_EVERY: u64 = 61;

/// One request, as the simulator saw it made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) peer: PeerKey,
    pub(crate) id: ManifestId,
    pub(crate) container: usize,
    pub(crate) chunk: ChunkIndex,
    pub(crate) bytes: u64,
}

/// How requests ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    pub(crate) requested: u64,
    pub(crate) arrived: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) gone: u64,
    pub(crate) verified: u64,
}

/// Where a chunk is that is on its way.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    out: [Option<(Ticket, PeerKey)>; 2],
    verifying: Option<Ticket>,
}

/// What the simulator knows of one node's core.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) requests: BTreeMap<Ticket, Request>,
    ways: BTreeMap<(usize, ChunkIndex), Way>,
    /// Answers at a worker.
    pub(crate) verifying: BTreeMap<Ticket, Request>,
    pub(crate) told: BTreeMap<PeerKey, BTreeMap<ManifestId, Bitfield>>,
    /// Peers that told us that they do not serve us.
    pub(crate) choked_by: BTreeSet<PeerKey>,
    /// Peers that we told that we do not serve them.
    choking: BTreeSet<PeerKey>,
    /// Containers that do not go on.
    stopped: BTreeSet<ManifestId>,
    pub(crate) ends: Ends,
    pub(crate) shares: Shares,
    /// Containers of which nothing is to be asked for now.
    paused: BTreeSet<ManifestId>,
    copying: BTreeMap<Ticket, (usize, ChunkIndex)>,
    bad: BTreeMap<Address, Vec<Option<ManifestId>>>,
    /// Bad answers of an address, whoever is to blame for them.
    wrong: BTreeMap<Address, u32>,
    /// Containers whose manifests are at fault for what does not fit them.
    excused: BTreeSet<ManifestId>,
    bytes: u64,
    inputs: u64,
    outputs: usize,
    wakes: (u64, u32),
}

impl Ledger {
    /// An input is about to be told.
    pub(crate) fn on_input(&mut self) {
        self.inputs += 1;
        self.outputs = 0;
    }

    pub(crate) fn on_output(&mut self) {
        self.outputs += 1;
        assert!(self.outputs <= OUTPUTS_MAX, "I6: no end of outputs");
    }

    pub(crate) fn on_request(
        &mut self,
        ticket: Ticket,
        request: Request,
        have: &Bitfield,
        is_banned: bool,
    ) {
        let Request {
            peer,
            id,
            container,
            chunk,
            bytes,
        } = request;
        let told = self
            .told
            .get(&peer)
            .expect("I5: a peer that is not connected");
        let holds = told.get(&id).is_some_and(|held| held.contains(chunk));
        assert!(
            holds,
            "I5: chunk {chunk} asked of a peer that never said it holds it"
        );
        let goes_on = !self.stopped.contains(&id);
        assert!(goes_on, "I5: chunk {chunk} of a container that is stopped");
        let chokes = self.choked_by.contains(&peer);
        assert!(!chokes, "I5: chunk {chunk} asked of a peer that chokes us");
        assert!(!is_banned, "I5: chunk {chunk} asked of a banned peer");
        assert!(!have.contains(chunk), "I3: chunk {chunk} is there already");
        let paused = self.paused.contains(&id);
        assert!(!paused, "I5: chunk {chunk} is asked for during a pause");
        let copied = self.copying.values().any(|it| *it == (container, chunk));
        assert!(!copied, "I3: chunk {chunk} is being copied");
        let way = self.ways.entry((container, chunk)).or_default();
        assert!(
            way.verifying.is_none(),
            "I3: chunk {chunk} is being verified"
        );
        let again = way.out.iter().flatten().any(|(_, at)| *at == peer);
        assert!(!again, "I3: chunk {chunk} is out at this peer already");
        let place = way.out.iter_mut().find(|out| out.is_none());
        let place = place.unwrap_or_else(|| panic!("I3: chunk {chunk} is out twice already"));
        *place = Some((ticket, peer));
        self.bytes += bytes;
        assert!(
            self.bytes <= IN_FLIGHT_BYTES_MAX.max(bytes),
            "I4: {} bytes in flight",
            self.bytes
        );
        self.ends.requested += 1;
        let before = self.requests.insert(ticket, request);
        assert!(before.is_none(), "I10: {ticket:?} is used twice");
    }

    /// A request is over. None if it was over before.
    pub(crate) fn on_over(&mut self, ticket: Ticket) -> Option<Request> {
        let request = self.requests.remove(&ticket)?;
        let place = (request.container, request.chunk);
        if let Some(way) = self.ways.get_mut(&place) {
            for out in &mut way.out {
                *out = out.filter(|(other, _)| *other != ticket);
            }
            if way.out == [None; 2] && way.verifying.is_none() {
                self.ways.remove(&place);
            }
        }
        self.bytes -= request.bytes;
        Some(request)
    }

    /// An answer goes to a worker.
    pub(crate) fn on_verify(&mut self, ticket: Ticket, request: Request) {
        self.bytes += request.bytes;
        self.ends.verified += 1;
        let way = self
            .ways
            .entry((request.container, request.chunk))
            .or_default();
        assert!(
            way.verifying.is_none(),
            "I3: chunk {} is verified twice",
            request.chunk
        );
        assert_eq!(
            way.out, [None; 2],
            "I3: chunk {} is here and still out",
            request.chunk
        );
        way.verifying = Some(ticket);
        self.verifying.insert(ticket, request);
    }

    /// A worker is done with an answer.
    pub(crate) fn on_verified(&mut self, ticket: Ticket) {
        let request = self.verifying.remove(&ticket).expect("it is at a worker");
        self.bytes -= request.bytes;
        let place = (request.container, request.chunk);
        if let Some(way) = self
            .ways
            .get_mut(&place)
            .filter(|it| it.verifying == Some(ticket))
        {
            way.verifying = None;
            if way.out == [None; 2] {
                self.ways.remove(&place);
            }
        }
    }

    /// A surface wishes something of a container.
    pub(crate) fn on_wish(&mut self, id: ManifestId, wish: &Wish) {
        match wish {
            Wish::Pause => _ = self.paused.insert(id),
            Wish::Resume => _ = self.paused.remove(&id),
            Wish::Order(_) | Wish::Readers(_) | Wish::Stuck | Wish::Mended | Wish::Limit(_) => {}
        }
    }

    /// A chunk is to be copied.
    pub(crate) fn on_copy(&mut self, ticket: Ticket, of: (usize, ChunkIndex), have: &Bitfield) {
        assert!(!have.contains(of.1), "I3: {of:?} is copied, and is there");
        assert!(!self.ways.contains_key(&of), "I3: {of:?} is on its way");
        let twice = self.copying.values().any(|it| *it == of);
        assert!(!twice, "I3: {of:?} is being copied already");
        self.copying.insert(ticket, of);
    }

    /// A copy has ended.
    pub(crate) fn on_copied(&mut self, ticket: Ticket) {
        self.copying.remove(&ticket);
    }

    /// A container was removed: what its workers still do concerns no request to come.
    pub(crate) fn on_removed(&mut self, container: usize, id: &ManifestId) {
        let left = self.requests.values().filter(|it| it.id == *id).count();
        assert_eq!(left, 0, "I10: requests of a removed container");
        self.ways.retain(|(at, _), _| *at != container);
        self.copying.retain(|_, (at, _)| *at != container);
        self.paused.remove(id);
        self.told.values_mut().for_each(|told| {
            told.remove(id);
        });
    }

    /// A connection is over, with all its requests.
    pub(crate) fn on_gone(&mut self, peer: PeerKey) {
        self.told.remove(&peer);
        self.shares.on_gone(peer);
        self.choked_by.remove(&peer);
        self.choking.remove(&peer);
        let theirs = self.requests.iter().filter(|(_, it)| it.peer == peer);
        for ticket in theirs.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
            self.on_over(ticket);
            self.ends.gone += 1;
        }
    }

    /// We do not serve a peer from now on.
    pub(crate) fn on_choking(&mut self, peer: PeerKey) {
        self.choking.insert(peer);
    }

    /// We serve a peer from now on.
    pub(crate) fn on_unchoking(&mut self, peer: PeerKey) {
        self.choking.remove(&peer);
    }

    /// A peer is served.
    pub(crate) fn on_serve(&self, peer: PeerKey) {
        let chokes = self.choking.contains(&peer);
        assert!(!chokes, "I12: a peer is served that is choked");
    }

    /// The node lost its memory of who was bad, not of who is banned.
    pub(crate) fn on_restart(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn on_wake(&mut self, now: Moment, peers: usize) {
        let second = now.as_micros() / 1_000_000;
        if self.wakes.0 != second {
            self.wakes = (second, 0);
        }
        self.wakes.1 += 1;
        let most = 50 + 10 * u32::try_from(peers).expect("few peers");
        assert!(self.wakes.1 <= most, "I6: {} wakes a second", self.wakes.1);
    }

    /// What can be compared once the core has nothing more to say.
    pub(crate) fn check(
        &mut self,
        now: Moment,
        swarm: &Swarm,
        disk: &BTreeMap<ManifestId, Bitfield>,
        bans: &[(Address, Moment)],
    ) {
        let Ends {
            requested,
            arrived,
            failed,
            cancelled,
            gone,
            verified,
        } = self.ends;
        let ended = arrived + failed + cancelled + gone;
        let out = self.requests.len() as u64;
        assert_eq!(arrived, verified, "I10: an answer is lost");
        assert_eq!(requested, ended + out, "I10: {:?}, {out} out", self.ends);
        let watched = self.requests.is_empty() || swarm.deadline().is_some();
        assert!(watched, "I3: nobody watches requests");
        for (address, until) in bans.iter().filter(|(_, until)| *until > now) {
            assert!(swarm.is_banned(address), "I8: not banned until {until:?}");
        }
        // Whoever was banned first may be back after a day.
        let may_be_back = now.since(Moment::ORIGIN) >= BAN;
        for (address, blamed) in &self.bad {
            let times = blamed.len();
            let banned = times < BAD_CHUNKS_MAX as usize || swarm.is_banned(address) || may_be_back;
            assert!(
                banned,
                "I8: {times} bad chunks of {}, no ban",
                address.short()
            );
        }
        self.shares.check(now, swarm);
        if self.inputs.is_multiple_of(RECOUNT_EVERY) {
            self.shares.recount(now, swarm);
            self.recount(swarm, disk);
        }
    }

    /// Compares what the core believes with what the simulator saw, from scratch.
    pub(crate) fn recount(&self, swarm: &Swarm, disk: &BTreeMap<ManifestId, Bitfield>) {
        for (id, held) in disk {
            let Some(have) = swarm.have(id) else { continue };
            let unproven = have.difference(held).next();
            assert_eq!(unproven, None, "I1: a chunk that was never proven");
            let believed: usize = swarm.peers(*id).map(|peer| peer.in_flight).sum();
            let out = self.requests.values().filter(|it| it.id == *id).count();
            assert_eq!(believed, out, "I10: requests out of {}", id.short());
            let most = swarm.peers(*id).map(|peer| peer.in_flight).max();
            let most = most.unwrap_or_default();
            assert!(
                most <= REQUESTS_OUT_MAX as usize,
                "I11: {most} requests at one peer"
            );
            let accounts = swarm.tally(id).map_or(0, |tally| tally.accounts.len());
            assert!(accounts <= BLAMED_MAX, "I11: {accounts} accounts");
        }
    }
}
