//! The uploading side of a node: who may ask, and whose request is served next.
//!
//! `choker` gives out slots, `queue` has the requests of those who may ask, in turn (`turns`),
//! `client` what is known of each peer, and `credit` what its wallet has earned. `super_seed`, with
//! `follower`, decides what is given of a container that nobody else holds whole. `serve`, beside this
//! folder, tells the peers.
//!
//! Invariant: a client is owed as many requests as the queue has of it, waiting or being read for.

mod choker;
mod client;
mod credit;
mod decay;
mod follower;
mod queue;
mod recent;
mod shares;
mod super_seed;
#[cfg(test)]
mod tests;
mod turns;
mod unheld;

pub use client::Standing;
pub(super) use queue::Ask;
pub(super) use turns::Who;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use self::choker::{Choker, Verdict};
use self::credit::{Credits, HIDDEN_MAX, Rank};
use self::queue::{Class, Queue};
use self::super_seed::SuperSeed;
use super::event::{AskKey, Credit, PeerKey};
use super::view::{AskerView, SlotsView};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::swarm::planted::{Bug, is_planted};

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It waits for its turn.
    Later,
    /// Its peer is to come back later.
    Busy,
    /// Its peer is to come back later, and to be told that it is choked.
    Choked,
    /// Its peer is to ask for one of these instead.
    Instead(Bitfield),
    /// Its peer is to be dropped: it goes on asking although it is choked.
    Flood,
}

/// The uploading side of a node.
#[derive(Debug)]
pub(super) struct Upload {
    queue: Queue,
    choker: Choker,
    credits: Credits,
    /// Containers of which each chunk goes out once before any does twice.
    super_seeds: BTreeMap<ManifestId, SuperSeed>,
}

/// A request whose turn has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is to be served.
    Serve(Ask),
    /// Its peer is to ask for one of these instead.
    Instead(Ask, Bitfield),
}

impl Upload {
    /// `rate_max` is the upload limit in bytes per second, where there is one. `seed` decides who
    /// gets an optimistic slot.
    pub(super) fn new(seed: u64, rate_max: Option<u64>, credit: Vec<Credit>) -> Self {
        Self {
            queue: Queue::new(rate_max),
            choker: Choker::new(seed, rate_max),
            credits: Credits::new(Moment::ORIGIN, credit),
            super_seeds: BTreeMap::new(),
        }
    }

    /// Another limit holds from now on.
    pub(super) fn on_limit(&mut self, rate_max: Option<u64>) {
        self.queue.on_limit(rate_max);
        self.choker.on_limit(rate_max);
    }

    /// What counts for a peer's share, while it is connected.
    pub(super) fn who(&self, peer: PeerKey) -> Option<Who> {
        self.choker.client(peer).map(|client| client.who)
    }

    /// The slots, for showing.
    pub(super) fn slots(&self) -> SlotsView {
        self.choker.slots()
    }

    /// Every peer, for showing.
    pub(super) fn askers(&self) -> impl Iterator<Item = AskerView> + '_ {
        self.choker.clients().map(|client| AskerView {
            peer: client.who.peer,
            address: client.who.address,
            subnet: client.who.subnet,
            standing: client.standing,
            gives: client.rank != Rank::Taker,
        })
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let words = self.super_seeds.values().filter_map(SuperSeed::deadline);
        words.chain(self.choker.deadline()).min()
    }

    /// Whether each chunk of a container goes out once before any does twice.
    pub(super) fn is_super_seeded(&self, id: &ManifestId) -> bool {
        self.super_seeds.contains_key(id)
    }

    /// We alone hold a container whole, and these hold parts.
    pub(super) fn super_seed<'a>(
        &mut self,
        now: Moment,
        id: ManifestId,
        chunks: u32,
        followers: impl Iterator<Item = (PeerKey, &'a Bitfield)>,
    ) {
        let super_seed = SuperSeed::new(now, chunks, followers);
        self.super_seeds.insert(id, super_seed);
    }

    /// A container is not here any more, or not whole.
    pub(super) fn on_lacking(&mut self, id: &ManifestId) {
        self.super_seeds.remove(id);
    }

    /// A peer says what it holds of a container.
    pub(super) fn on_holds(&mut self, peer: PeerKey, id: &ManifestId, held: &Bitfield) {
        if let Some(super_seed) = self.super_seeds.get_mut(id) {
            super_seed.on_holds(peer, held);
        }
    }

    /// A peer holds more of a container.
    pub(super) fn on_has(
        &mut self,
        now: Moment,
        peer: PeerKey,
        id: &ManifestId,
        chunks: &[ChunkIndex],
    ) {
        if self.choker.client(peer).is_some_and(|it| it.hidden > 0) {
            self.rank(now, peer);
        }
        if let Some(super_seed) = self.super_seeds.get_mut(id) {
            super_seed.on_has(now, peer, chunks);
        }
    }

    /// A peer takes no part in a container any more.
    pub(super) fn on_left(&mut self, peer: PeerKey, id: &ManifestId) {
        if let Some(super_seed) = self.super_seeds.get_mut(id) {
            super_seed.on_gone(peer);
        }
    }

    /// Whom to tell that we give more than it believes. Forgets what is over.
    pub(super) fn words(&mut self, now: Moment) -> Vec<(PeerKey, ManifestId, Bitfield)> {
        let mut words = Vec::new();
        self.super_seeds.retain(|id, super_seed| {
            let said = super_seed.words(now).into_iter();
            words.extend(said.map(|(peer, held)| (peer, *id, held)));
            !super_seed.is_done()
        });
        words
    }

    pub(super) fn on_connected(&mut self, now: Moment, who: Who, rtt: Duration) {
        self.choker.on_connected(now, who, rtt);
        self.rank(now, who.peer);
    }

    /// A peer gave us so many bytes, and they were right.
    pub(super) fn on_given(&mut self, now: Moment, peer: PeerKey, bytes: u64) {
        if let Some(client) = self.choker.client_mut(peer) {
            client.on_given(now, bytes);
            let address = client.who.address;
            self.credits.on_received(now, address, bytes);
            self.rank(now, peer);
        }
    }

    /// A peer says that it gives nothing.
    pub(super) fn on_denied(&mut self, peer: PeerKey) {
        if let Some(client) = self.choker.client_mut(peer) {
            client.rank = Rank::Taker;
            self.credits.on_taker(client.who.address);
        }
    }

    /// A peer took a chunk, and says that it holds none.
    pub(super) fn on_hidden(&mut self, peer: PeerKey) {
        if let Some(client) = self.choker.client_mut(peer) {
            client.hidden += 1;
            if client.hidden > HIDDEN_MAX {
                client.rank = Rank::Taker;
            }
        }
    }

    /// What addresses gave and got.
    pub(super) fn credit(&self, now: Moment) -> impl Iterator<Item = Credit> + '_ {
        self.credits.all(now)
    }

    fn rank(&mut self, now: Moment, peer: PeerKey) {
        if let Some(client) = self.choker.client_mut(peer) {
            client.hidden = 0;
            client.rank = self.credits.rank(now, &client.who.address);
            if client.rank != Rank::Taker {
                self.queue.promote(client.who);
            }
        }
    }

    /// A peer asks for something that we have.
    pub(super) fn on_asked(&mut self, now: Moment, ask: Ask) -> Answer {
        let peer = ask.who.peer;
        match self.choker.on_asked(now, peer) {
            Verdict::Admit => self.admit(now, ask),
            Verdict::Choke => Answer::Choked,
            Verdict::Refuse => Answer::Busy,
            Verdict::Flood => Answer::Flood,
        }
    }

    fn admit(&mut self, now: Moment, ask: Ask) -> Answer {
        let peer = ask.who.peer;
        let answer = match self.withhold(now, ask) {
            Some(instead) => Answer::Instead(instead),
            None if self.queue.push(ask, self.class(peer)) => return Answer::Later,
            None => Answer::Busy,
        };
        self.choker.on_over(now, peer, 1);
        answer
    }

    fn class(&self, peer: PeerKey) -> Class {
        match self.choker.client(peer).map(|it| it.rank) {
            Some(Rank::Taker) => Class::Leftover,
            Some(Rank::Giver | Rank::Stranger) | None => Class::Fair,
        }
    }

    /// What to ask for instead, if a chunk is not given to this peer now.
    fn withhold(&mut self, now: Moment, ask: Ask) -> Option<Bitfield> {
        let super_seed = self.super_seeds.get_mut(&ask.id)?;
        let gives = super_seed.gives(now, ask.who.peer, ask.chunk);
        (!gives).then(|| super_seed.withhold(now, ask.who.peer))
    }

    /// A request was served with so many bytes; none if its asker withdrew it.
    pub(super) fn on_served(
        &mut self,
        now: Moment,
        peer: PeerKey,
        key: AskKey,
        bytes: u64,
    ) -> Option<Ask> {
        if bytes == 0 && is_planted(Bug::KeepsRoomOfWithdrawn) {
            return None;
        }
        let ask = self.on_over(now, peer, key)?;
        if bytes > 0 {
            self.credits.on_sent(now, ask.who.address, bytes);
        }
        if let Some(super_seed) = self.super_seeds.get_mut(&ask.id).filter(|_| bytes == 0) {
            super_seed.on_failed(peer, ask.chunk);
        }
        Some(ask)
    }

    /// A request has been answered, or its asker withdrew it. Says what it was for, if known.
    pub(super) fn on_over(&mut self, now: Moment, peer: PeerKey, key: AskKey) -> Option<Ask> {
        let ask = match self.queue.on_read(key) {
            Some(ask) => ask,
            None => self.queue.withdraw(self.who(peer)?, key)?,
        };
        self.choker.on_over(now, ask.who.peer, 1);
        Some(ask)
    }

    /// A peer is gone: returns what it waited for. What is being read for it ends by itself.
    pub(super) fn on_gone(&mut self, peer: PeerKey) -> VecDeque<Ask> {
        let who = self.who(peer).filter(|_| !is_planted(Bug::KeepsAsksOfGone));
        self.choker.on_gone(peer);
        let super_seeds = self.super_seeds.values_mut();
        super_seeds.for_each(|super_seed| super_seed.on_gone(peer));
        who.map(|who| self.queue.clear(who)).unwrap_or_default()
    }

    /// The next request to serve, if there is room for it.
    pub(super) fn poll(&mut self, now: Moment) -> Option<Turn> {
        let ask = self.queue.poll()?;
        if let Some(instead) = self.withhold(now, ask) {
            self.on_over(now, ask.who.peer, ask.ask);
            return Some(Turn::Instead(ask, instead));
        }
        self.choker.on_served(now, ask.who.peer);
        if let Some(super_seed) = self.super_seeds.get_mut(&ask.id) {
            super_seed.on_given(now, ask.who.peer, ask.chunk);
        }
        Some(Turn::Serve(ask))
    }

    /// Gives out slots. Returns whom to tell that it is unchoked, and the peers that are choked with
    /// what they waited for.
    pub(super) fn settle(&mut self, now: Moment) -> (Vec<PeerKey>, Vec<(PeerKey, VecDeque<Ask>)>) {
        let changes = self.choker.settle(now, self.queue.is_idle());
        let mut choked = Vec::new();
        for who in changes.choked {
            let asks = if is_planted(Bug::ServesChoked) {
                VecDeque::new()
            } else {
                self.queue.clear(who)
            };
            self.choker.on_over(now, who.peer, asks.len());
            choked.push((who.peer, asks));
        }
        (changes.unchoked, choked)
    }
}
