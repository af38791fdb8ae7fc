//! What must hold after every step, counted by the simulator itself.
//!
//! The numbers I1 to I13 stand for: nothing unproven is stored (1) or announced (12), a chunk is in
//! one state (3), the budget holds (4), requests go only where they may (5), time goes forward and
//! work is bounded (6), honest nodes are never banned (7) and liars are (8), every request ends
//! exactly once (10), nothing leaks (13).

use std::collections::{BTreeMap, BTreeSet};

use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::{Address, ManifestId};
use swarmhold::limits::{BAD_CHUNKS_MAX, IN_FLIGHT_BYTES_MAX};
use swarmhold::moment::Moment;
use swarmhold::swarm::{PeerKey, Swarm, Ticket};

/// Outputs of one input, at most: a container's requests taken back and made again.
const OUTPUTS_MAX: usize = 4096;

/// One request, as the simulator saw it made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) peer: PeerKey,
    pub(crate) id: ManifestId,
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

/// What the simulator knows of one node's core.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) requests: BTreeMap<Ticket, Request>,
    by_chunk: BTreeMap<(ManifestId, ChunkIndex), Vec<Ticket>>,
    /// Answers at a worker; false once their container was removed.
    pub(crate) verifying: BTreeMap<Ticket, (Request, bool)>,
    pub(crate) told: BTreeMap<PeerKey, BTreeMap<ManifestId, Bitfield>>,
    /// Peers that told us that they do not serve us.
    pub(crate) choked_by: BTreeSet<PeerKey>,
    pub(crate) ends: Ends,
    bad: BTreeMap<Address, u32>,
    bytes: u64,
    outputs: usize,
    wakes: (u64, u32),
}

impl Ledger {
    /// An input is about to be told.
    pub(crate) fn on_input(&mut self) {
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
            chunk,
            bytes,
        } = request;
        let told = self.told.get(&peer);
        assert!(told.is_some(), "I5: {peer:?} is not connected");
        let holds = told.and_then(|told| told.get(&id));
        assert!(
            holds.is_some_and(|held| held.contains(chunk)),
            "I5: {peer:?} never said that it holds {chunk}"
        );
        assert!(!self.choked_by.contains(&peer), "I5: {peer:?} chokes us");
        assert!(!is_banned, "I5: {peer:?} is banned");
        assert!(!have.contains(chunk), "I3: {chunk} is there already");
        let same =
            |(other, live): &(Request, bool)| *live && (other.id, other.chunk) == (id, chunk);
        assert!(
            !self.verifying.values().any(same),
            "I3: {chunk} is being verified"
        );
        let out = self.by_chunk.entry((id, chunk)).or_default();
        assert!(out.len() < 2, "I3: {chunk} is out twice already");
        let again = out.iter().any(|out| self.requests[out].peer == peer);
        assert!(!again, "I3: {peer:?} has been asked for {chunk} already");
        out.push(ticket);
        self.bytes += bytes;
        assert!(
            self.bytes <= IN_FLIGHT_BYTES_MAX.max(bytes),
            "I4: {} bytes in flight",
            self.bytes
        );
        self.ends.requested += 1;
        let before = self.requests.insert(ticket, request);
        assert!(before.is_none(), "{ticket:?} is used twice");
    }

    /// A request is over. None if it was over before.
    pub(crate) fn on_over(&mut self, ticket: Ticket) -> Option<Request> {
        let request = self.requests.remove(&ticket)?;
        let place = (request.id, request.chunk);
        if let Some(out) = self.by_chunk.get_mut(&place) {
            out.retain(|other| *other != ticket);
            if out.is_empty() {
                self.by_chunk.remove(&place);
            }
        }
        self.bytes -= request.bytes;
        Some(request)
    }

    /// An answer goes to a worker.
    pub(crate) fn on_verify(&mut self, ticket: Ticket, request: Request) {
        self.bytes += request.bytes;
        self.ends.verified += 1;
        self.verifying.insert(ticket, (request, true));
    }

    /// A worker is done with an answer.
    pub(crate) fn on_verified(&mut self, ticket: Ticket) {
        let (request, _) = self.verifying.remove(&ticket).expect("it is at a worker");
        self.bytes -= request.bytes;
    }

    /// A container was removed: what its workers still do concerns no request to come.
    pub(crate) fn on_removed(&mut self, id: &ManifestId) {
        let left = self.requests.values().filter(|it| it.id == *id).count();
        assert_eq!(left, 0, "I10: requests of a removed container");
        for (_, live) in self.verifying.values_mut().filter(|(it, _)| it.id == *id) {
            *live = false;
        }
        self.told.values_mut().for_each(|told| {
            told.remove(id);
        });
    }

    /// A connection is over, with all its requests.
    pub(crate) fn on_gone(&mut self, peer: PeerKey) {
        self.told.remove(&peer);
        self.choked_by.remove(&peer);
        let theirs = self.requests.iter().filter(|(_, it)| it.peer == peer);
        for ticket in theirs.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
            self.on_over(ticket);
            self.ends.gone += 1;
        }
    }

    /// An address is about to be blamed.
    pub(crate) fn on_blame(&mut self, address: Address) {
        *self.bad.entry(address).or_default() += 1;
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

    /// Everything that can be compared once the core has nothing more to say.
    pub(crate) fn check(
        &self,
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
        for (id, held) in disk {
            let Some(have) = swarm.have(id) else { continue };
            let unproven = have.difference(held).next();
            assert_eq!(unproven, None, "I1: a chunk that was never proven");
            let believed: usize = swarm.peers(*id).map(|peer| peer.in_flight).sum();
            let out = self.requests.values().filter(|it| it.id == *id).count();
            assert_eq!(believed, out, "I10: requests out of {}", id.short());
        }
        match swarm.deadline() {
            Some(_) => {}
            None => assert!(self.requests.is_empty(), "I3: nobody watches requests"),
        }
        for (address, until) in bans.iter().filter(|(_, until)| *until > now) {
            assert!(swarm.is_banned(address), "I8: not banned until {until:?}");
        }
        for (address, times) in &self.bad {
            let banned = swarm.is_banned(address) || *times < BAD_CHUNKS_MAX;
            assert!(banned, "I8: {times} bad chunks of {}", address.short());
        }
    }
}
