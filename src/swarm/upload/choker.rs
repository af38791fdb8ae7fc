//! Who may ask us for chunks: everybody, until more peers ask than there are slots.
//!
//! A peer takes a slot by asking. Where all are taken, whoever asks next is choked: told not to ask
//! until it is unchoked. A slot that its peer does not use goes to one that is choked, at once where
//! nobody else has anything to be served, and every [`ROUND`] slots are given out anew: three in four
//! to those that gave us most lately (so a node that downloads trades), then to those whose wallets
//! have credit, then to those not served for longest (so a complete node goes round); one in four for [`OPTIMISTIC_ROUND`] to anybody, those
//! first that were never served. Slots go round over subnets, then addresses, then connections.
//!
//! Invariants: no slot is given out that is not there; nobody is choked while a slot is free
//! after [`Choker::settle`]; nothing is due while nobody is choked; a peer is in `resting` if and only
//! if it has a slot and is owed nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::client::{Client, Standing};
use super::credit::Rank;
use super::shares::Shares;
use super::turns::{Turns, Who};
use crate::moment::Moment;
use crate::swarm::event::PeerKey;
use crate::swarm::spread::mix;
use crate::swarm::view::SlotsView;

/// How often slots are given out anew while somebody waits for one.
const ROUND: Duration = Duration::from_secs(10);
/// How long an optimistic slot is kept.
const OPTIMISTIC_ROUND: Duration = Duration::from_secs(30);
/// One slot in so many is optimistic.
const OPTIMISTIC_SHARE: usize = 4;
/// Slots where the upload is not limited. Each has enough of a home's line, and a chunk that goes to
/// few at once is soon there whole, to be passed on.
const SLOTS_MAX: usize = 16;
/// Slots however low the limit is: three to trade with, and one to find somebody better.
const SLOTS_MIN: usize = 4;
/// What a slot should have of a limited upload, in bytes per second: a small chunk every half second.
const SLOT_RATE: u64 = 64 * 1024;
/// Requests that a choked peer may make before it is dropped. Some cross with its being choked, and
/// what it may have out at once is below this.
const REFUSED_MAX: u32 = 512;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is served in its turn.
    Admit,
    /// It is not, and its peer is to be told that it is choked.
    Choke,
    /// It is not: its peer is choked, and was told.
    Refuse,
    /// It is not, and its peer has asked too often for one that is choked.
    Flood,
}

/// Who was choked and unchoked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) choked: Vec<Who>,
    pub(super) unchoked: Vec<PeerKey>,
}

/// All peers, and the slots.
#[derive(Debug)]
pub(super) struct Choker {
    slots: usize,
    seed: u64,
    clients: BTreeMap<PeerKey, Client>,
    holders: BTreeSet<PeerKey>,
    /// Peers whose slot goes unused, by when they lose it.
    resting: BTreeSet<(Moment, PeerKey)>,
    choked: Turns<()>,
    round_at: Option<Moment>,
    /// How often slots were given out anew.
    rounds: u64,
    /// When the optimistic slots were given out, and how often before.
    optimistic_at: Moment,
    optimistic_rounds: u64,
}

impl Choker {
    /// `rate_max` is the upload limit in bytes per second, where there is one.
    pub(super) fn new(seed: u64, rate_max: Option<u64>) -> Self {
        Self {
            slots: slots_of(rate_max),
            seed,
            clients: BTreeMap::new(),
            holders: BTreeSet::new(),
            resting: BTreeSet::new(),
            choked: Turns::new(),
            round_at: None,
            rounds: 0,
            optimistic_at: Moment::ORIGIN,
            optimistic_rounds: 0,
        }
    }

    /// Another limit holds from now on. Who has a slot keeps it until the next round.
    pub(super) fn on_limit(&mut self, rate_max: Option<u64>) {
        self.slots = slots_of(rate_max);
    }

    pub(super) fn client(&self, peer: PeerKey) -> Option<&Client> {
        self.clients.get(&peer)
    }

    pub(super) fn client_mut(&mut self, peer: PeerKey) -> Option<&mut Client> {
        self.clients.get_mut(&peer)
    }

    /// All peers, in the order of their keys.
    pub(super) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    /// The slots, for showing.
    pub(super) fn slots(&self) -> SlotsView {
        SlotsView {
            count: self.slots,
            held: self.holders.len(),
            are_wanted: !self.choked.is_empty(),
            rounds: self.rounds,
        }
    }

    pub(super) fn on_connected(&mut self, now: Moment, who: Who, rtt: Duration) {
        let client = || Client::new(now, who, rtt);
        self.clients.entry(who.peer).or_insert_with(client);
    }

    pub(super) fn on_gone(&mut self, peer: PeerKey) {
        let Some(client) = self.clients.remove(&peer) else {
            return;
        };
        self.choked.remove(client.who);
        self.holders.remove(&peer);
        if let Some(until) = client.rests_until {
            self.resting.remove(&(until, peer));
        }
    }

    /// A peer asks for a chunk that we have.
    pub(super) fn on_asked(&mut self, now: Moment, peer: PeerKey) -> Verdict {
        let Some(standing) = self.clients.get(&peer).map(|it| it.standing) else {
            return Verdict::Refuse;
        };
        match standing {
            Standing::Choked => return self.refuse(peer),
            Standing::Free if !self.has_room(now) => {
                self.choke(peer);
                // Who takes only gives way at once, and so does who has more than its share.
                if self.is_owed_a_slot(peer) {
                    self.round_at = Some(now);
                }
                return Verdict::Choke;
            }
            Standing::Free => self.give(now, peer, Standing::Regular),
            Standing::Regular | Standing::Optimistic => {}
        }
        self.on_owed(peer);
        Verdict::Admit
    }

    /// Whether a peer without a slot should have one rather than one of those that have one.
    fn is_owed_a_slot(&self, peer: PeerKey) -> bool {
        let Some(client) = self.client(peer).filter(|it| it.rank != Rank::Taker) else {
            return false;
        };
        let mut shares = BTreeMap::new();
        for holder in self.holders.iter().filter_map(|it| self.client(*it)) {
            if holder.rank == Rank::Taker {
                return true;
            }
            *shares.entry(holder.who.subnet).or_insert(0) += 1;
        }
        !shares.contains_key(&client.who.subnet) && shares.values().any(|slots| *slots > 1)
    }

    fn refuse(&mut self, peer: PeerKey) -> Verdict {
        let Some(client) = self.clients.get_mut(&peer) else {
            return Verdict::Refuse;
        };
        client.refused += 1;
        if client.refused > REFUSED_MAX {
            Verdict::Flood
        } else {
            Verdict::Refuse
        }
    }

    fn on_owed(&mut self, peer: PeerKey) {
        if let Some(client) = self.clients.get_mut(&peer) {
            client.owed += 1;
            client.was_invited = false;
            if let Some(until) = client.rests_until.take() {
                self.resting.remove(&(until, peer));
            }
        }
    }

    /// So many requests of a peer are over.
    pub(super) fn on_over(&mut self, now: Moment, peer: PeerKey, requests: usize) {
        if let Some(client) = self.clients.get_mut(&peer) {
            client.owed -= requests;
            self.rest(now, peer);
        }
    }

    /// A peer is being served.
    pub(super) fn on_served(&mut self, now: Moment, peer: PeerKey) {
        if let Some(client) = self.clients.get_mut(&peer) {
            client.served_at = now;
            client.is_new = false;
        }
    }

    /// When something is due: only while somebody is choked.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let resting = self.resting.first().map(|(until, _)| *until);
        let due = self.round_at.into_iter().chain(resting).min();
        due.filter(|_| !self.choked.is_empty())
    }

    /// Gives out slots that are free, lost or due. `idle` says that there is nothing to serve.
    pub(super) fn settle(&mut self, now: Moment, idle: bool) -> Changes {
        let mut changes = Changes::default();
        if self.choked.is_empty() {
            self.round_at = None;
            return changes;
        }
        let due = *self.round_at.get_or_insert(now + ROUND);
        if due <= now {
            self.round(now, &mut changes);
        }
        self.take_unused(now, idle);
        while self.holders.len() < self.slots {
            let Some(who) = self.next_in() else { break };
            self.choked.on_turn(who);
            self.unchoke(now, who.peer, Standing::Regular);
            changes.unchoked.push(who.peer);
        }
        changes
    }

    /// Whose turn it is to be unchoked: one that gives, if there is any.
    fn next_in(&self) -> Option<Who> {
        let gives = |who: &Who| {
            self.client(who.peer)
                .is_some_and(|it| it.rank != Rank::Taker)
        };
        let mut turn = self.choked.in_turn().map(|(who, ())| who);
        let first = self.choked.in_turn().next().map(|(who, ())| who);
        turn.find(gives).or(first)
    }

    /// Gives out all slots anew.
    fn round(&mut self, now: Moment, changes: &mut Changes) {
        self.round_at = Some(now + ROUND);
        self.rounds += 1;
        if now.since(self.optimistic_at) >= OPTIMISTIC_ROUND {
            self.optimistic_at = now;
            self.optimistic_rounds += 1;
        }
        let chosen = self.choose(now);
        let losers: Vec<_> = self.holders.iter().copied().collect();
        for peer in losers.into_iter().filter(|it| !chosen.contains_key(it)) {
            let Some(client) = self.clients.get(&peer) else {
                continue;
            };
            let who = client.who;
            if client.owed == 0 {
                self.take(peer);
            } else {
                self.choke(peer);
                changes.choked.push(who);
            }
        }
        for (peer, standing) in chosen {
            let client = self.clients.get_mut(&peer);
            match client.filter(|client| client.has_slot()) {
                Some(client) => client.standing = standing,
                None => {
                    self.unchoke(now, peer, standing);
                    changes.unchoked.push(peer);
                }
            }
        }
    }

    /// Who has a slot in the next round, and why, of those that want one.
    fn choose(&self, now: Moment) -> BTreeMap<PeerKey, Standing> {
        let choked = self.choked.in_turn().map(|(who, ())| who.peer);
        let using = self.holders.iter().copied();
        let using = using.filter(|it| self.client(*it).is_some_and(|it| it.owed > 0));
        let all = choked.chain(using);
        let mut pool: Vec<&Client> = all.filter_map(|it| self.client(it)).collect();
        let optimistic = self.slots / OPTIMISTIC_SHARE;
        let (mut shares, mut chosen) = (Shares::default(), BTreeMap::new());
        pool.sort_by_key(|client| {
            let gave = client.gave_lately(now);
            (
                Reverse(gave),
                client.rank,
                client.served_at,
                client.who.peer,
            )
        });
        for client in shares.deal(&mut pool, self.slots - optimistic) {
            chosen.insert(client.who.peer, Standing::Regular);
        }
        let round = mix(self.seed ^ self.optimistic_rounds);
        pool.sort_by_key(|client| {
            let stays = client.standing == Standing::Optimistic;
            let stays = stays && self.optimistic_at < now;
            (!stays, !client.is_new, mix(round ^ client.who.peer.0))
        });
        for client in shares.deal(&mut pool, optimistic) {
            chosen.insert(client.who.peer, Standing::Optimistic);
        }
        chosen
    }

    /// Whether there is a slot for one more, perhaps because somebody's has gone unused too long.
    fn has_room(&mut self, now: Moment) -> bool {
        if self.holders.len() >= self.slots {
            self.take_unused(now, false);
        }
        self.holders.len() < self.slots
    }

    /// Takes slots away that were not used for too long; those that were used and are not now, if
    /// nobody uses any.
    fn take_unused(&mut self, now: Moment, idle: bool) {
        let lost = self.resting.iter().filter(|(until, peer)| {
            let invited = self.client(*peer).is_none_or(|it| it.was_invited);
            *until <= now || (idle && !invited)
        });
        for peer in lost.map(|(_, peer)| *peer).collect::<Vec<_>>() {
            self.take(peer);
        }
    }

    fn give(&mut self, now: Moment, peer: PeerKey, standing: Standing) {
        if let Some(client) = self.clients.get_mut(&peer) {
            client.standing = standing;
            self.holders.insert(peer);
            self.rest(now, peer);
        }
    }

    fn unchoke(&mut self, now: Moment, peer: PeerKey, standing: Standing) {
        if let Some(client) = self.clients.get_mut(&peer) {
            client.refused = 0;
            client.was_invited = true;
            self.choked.remove(client.who);
            self.give(now, peer, standing);
        }
    }

    /// Takes a slot away from a peer, which may ask for one again.
    fn take(&mut self, peer: PeerKey) {
        self.holders.remove(&peer);
        if let Some(client) = self.clients.get_mut(&peer) {
            client.standing = Standing::Free;
            client.was_invited = false;
            if let Some(until) = client.rests_until.take() {
                self.resting.remove(&(until, peer));
            }
        }
    }

    fn choke(&mut self, peer: PeerKey) {
        self.take(peer);
        if let Some(client) = self.clients.get_mut(&peer) {
            client.standing = Standing::Choked;
            self.choked.enter(client.who, || ());
        }
    }

    /// A peer that is owed nothing has its slot for a while yet.
    fn rest(&mut self, now: Moment, peer: PeerKey) {
        let Some(client) = self.clients.get_mut(&peer) else {
            return;
        };
        if client.has_slot() && client.owed == 0 && client.rests_until.is_none() {
            let until = client.lease(now);
            client.rests_until = Some(until);
            self.resting.insert((until, peer));
        }
    }
}

fn slots_of(rate_max: Option<u64>) -> usize {
    let enough = rate_max.map_or(SLOTS_MAX, |rate| {
        usize::try_from(rate / SLOT_RATE).unwrap_or(SLOTS_MAX)
    });
    enough.clamp(SLOTS_MIN, SLOTS_MAX)
}
