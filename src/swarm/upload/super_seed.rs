//! A publisher that alone holds a container gives each chunk once before it gives any twice.
//!
//! While there are chunks that went to nobody and that nobody connected holds (*fresh* ones), only
//! those are given. Whoever asks for another is answered with the fresh ones, so nobody is kept
//! waiting: it needs those as well. When none is left, a chunk is given again only to those that
//! others do not feed: where waiting for them would cost more than a little of the time that the
//! whole takes, as far as the peers' own words show. Peers that nobody feeds from the start (they
//! reach nobody, or nobody passes anything on) get what they ask for from the start.
//!
//! What peers say that they hold is believed: whoever lies keeps itself from being served. A chunk
//! whose receiver leaves before anybody has it is fresh again. A peer that was told to ask for less
//! is told of more when nothing of that is left, again and again until it asks.
//!
//! Invariants: a chunk that is fresh is in no follower's `held` and not in `pending`; a peer that
//! waits for our word has a deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::follower::Follower;
use super::recent::Recent;
use super::unheld::Unheld;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::moment::Moment;
use crate::swarm::event::PeerKey;
use crate::swarm::planted::{Bug, is_planted};

/// A span over which is counted lasts as long as we need to give so many chunks,
const SPAN_CHUNKS: u64 = 32;
/// and is within these bounds.
const SPAN_MIN: Duration = Duration::from_millis(100);
const SPAN_MAX: Duration = Duration::from_secs(60);
/// What waiting for others may cost: one part in so many of the time so far, or this.
const COST_SHARE: u32 = 10;
const COST_MIN: Duration = Duration::from_millis(20);
/// Chunks that others must have been given lately before it says something that one got none of them.
const GIVEN_MIN: u32 = 8;

/// The state of one container that we alone hold.
#[derive(Debug)]
pub(super) struct SuperSeed {
    fresh: Bitfield,
    /// Chunks on their way to their first receiver, or there and not yet announced.
    pending: BTreeMap<ChunkIndex, PeerKey>,
    followers: BTreeMap<PeerKey, Follower>,
    /// What no follower holds.
    unheld: Unheld,
    /// Those that lack nothing any more.
    complete: BTreeSet<PeerKey>,
    /// Followers that wait for our word, or may.
    waiting: BTreeSet<PeerKey>,
    /// Whether anything is given to anybody: there is another complete source.
    is_over: bool,
    began: Moment,
    given_at: Moment,
    given_chunks: u64,
    gained: Recent,
    given: Recent,
    span: u64,
    /// When this span began, and the one before.
    span_began: [Moment; 2],
}

impl SuperSeed {
    /// Nobody holds the whole, these hold parts of it.
    pub(super) fn new<'a>(
        now: Moment,
        chunks: u32,
        followers: impl Iterator<Item = (PeerKey, &'a Bitfield)>,
    ) -> Self {
        let mut new = Self {
            fresh: Bitfield::full(chunks),
            pending: BTreeMap::new(),
            followers: BTreeMap::new(),
            unheld: Unheld::new(chunks),
            complete: BTreeSet::new(),
            waiting: BTreeSet::new(),
            is_over: false,
            began: now,
            given_at: now,
            given_chunks: 0,
            gained: Recent::default(),
            given: Recent::default(),
            span: 0,
            span_began: [now; 2],
        };
        for (peer, held) in followers {
            new.unheld.on_holder(held);
            new.followers.insert(peer, Follower::new(0, held.clone()));
        }
        new.recount();
        new
    }

    /// Whether nobody is left that lacks anything.
    pub(super) fn is_done(&self) -> bool {
        self.followers.is_empty()
    }

    /// A peer says what it holds.
    pub(super) fn on_holds(&mut self, peer: PeerKey, held: &Bitfield) {
        if held.is_full() {
            self.on_complete(peer);
        } else {
            self.complete.remove(&peer);
            self.unheld.on_holder(held);
            match self.followers.get_mut(&peer) {
                Some(follower) => {
                    let before = follower.replace_held(held.clone());
                    self.unheld.on_holder_gone(&before);
                }
                None => {
                    let follower = Follower::new(self.span, held.clone());
                    self.followers.insert(peer, follower);
                }
            }
        }
        self.recount();
    }

    /// A peer holds these as well.
    pub(super) fn on_has(&mut self, now: Moment, peer: PeerKey, chunks: &[ChunkIndex]) {
        self.roll(now);
        let Some(follower) = self.followers.get_mut(&peer) else {
            return;
        };
        for chunk in chunks {
            if follower.on_has(self.span, *chunk) {
                self.gained.add(self.span, 1);
                self.unheld.on_held(*chunk);
                self.fresh.remove(*chunk);
                self.pending.remove(chunk);
            }
        }
        if follower.missing() == 0 {
            self.on_complete(peer);
        }
    }

    /// A peer is gone: what only it had is fresh again.
    pub(super) fn on_gone(&mut self, peer: PeerKey) {
        self.waiting.remove(&peer);
        let was_there = self.complete.remove(&peer) | self.forget(peer);
        if was_there {
            self.pending.retain(|_, to| *to != peer);
            self.recount();
        }
    }

    /// A peer asks for a chunk, or its turn has come. Whether it is given.
    pub(super) fn gives(&mut self, now: Moment, peer: PeerKey, chunk: ChunkIndex) -> bool {
        self.roll(now);
        let is_fresh = self.fresh.contains(chunk);
        let Some(follower) = self.followers.get_mut(&peer) else {
            return true;
        };
        follower.on_asked(now);
        is_fresh || self.is_open_to(now, peer)
    }

    /// A peer is told to ask for something else: for this.
    pub(super) fn withhold(&mut self, now: Moment, peer: PeerKey) -> Bitfield {
        let offered = self.fresh.clone();
        if let Some(follower) = self.followers.get_mut(&peer) {
            follower.on_told(now, offered.clone());
            self.waiting.insert(peer);
        }
        offered
    }

    /// A chunk is being sent to a peer.
    pub(super) fn on_given(&mut self, now: Moment, peer: PeerKey, chunk: ChunkIndex) {
        self.given_chunks += 1;
        self.given_at = now;
        self.given.add(self.span, 1);
        if let Some(follower) = self.followers.get_mut(&peer) {
            follower.on_given(self.span);
            if self.fresh.remove(chunk) {
                self.pending.insert(chunk, peer);
            }
        }
    }

    /// A chunk did not reach a peer.
    pub(super) fn on_failed(&mut self, peer: PeerKey, chunk: ChunkIndex) {
        if self.pending.get(&chunk) == Some(&peer) {
            self.pending.remove(&chunk);
            self.fresh.insert(chunk);
        }
    }

    /// When somebody that waits is to be looked at.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let at = self.span_began[0] + self.span_length();
        Some(at).filter(|_| !self.waiting.is_empty() && !is_planted(Bug::WithholdsForEver))
    }

    /// Whom to tell that we give more than it believes, and what.
    pub(super) fn words(&mut self, now: Moment) -> Vec<(PeerKey, Bitfield)> {
        let mut words = Vec::new();
        if self.deadline().is_none_or(|at| at > now) {
            return words;
        }
        self.roll(now);
        for peer in self.waiting.iter().copied().collect::<Vec<_>>() {
            let offered = if self.is_open_to(now, peer) {
                Bitfield::full(self.fresh.len())
            } else {
                self.fresh.clone()
            };
            let Some(follower) = self.followers.get_mut(&peer) else {
                continue;
            };
            if follower.needs_word(now, &offered) {
                follower.on_told(now, offered.clone());
                words.push((peer, offered));
            } else if !follower.is_waiting() {
                self.waiting.remove(&peer);
            }
        }
        words
    }

    /// Whether a peer is given whatever it asks for.
    fn is_open_to(&self, now: Moment, peer: PeerKey) -> bool {
        let Some(follower) = self.followers.get(&peer).filter(|_| !self.is_over) else {
            return true;
        };
        let (gained, given) = follower.fed(self.span);
        if !self.fresh.is_empty() {
            let others = self.given.sum(self.span).saturating_sub(given);
            return gained == 0 && others >= GIVEN_MIN && follower.is_known(self.span);
        }
        let bearable = COST_MIN.max(now.since(self.began) / COST_SHARE);
        let cost = self.cost_of_waiting(now, gained, follower.missing());
        cost.is_none_or(|cost| cost > bearable)
    }

    /// How much sooner a follower would be done that lacks so many chunks, and gained so many of others
    /// lately, if we gave to everybody as well. None where it would never be.
    fn cost_of_waiting(&self, now: Moment, gained: u32, missing: u32) -> Option<Duration> {
        let micros = |from: Moment| u64::try_from(now.since(from).as_micros()).unwrap_or(u64::MAX);
        let lately = micros(self.span_began[1]);
        let alone = lately
            .saturating_mul(missing.into())
            .checked_div(gained.into())?;
        let busy = self.given_at.since(self.began).as_micros().max(1);
        let ours = u128::from(self.given_chunks) * u128::from(lately) / busy;
        let ours = u64::try_from(ours).unwrap_or(u64::MAX);
        let theirs = self.gained.sum(self.span);
        let theirs = theirs.saturating_sub(self.given.sum(self.span));
        let share = u128::from(ours) << 16;
        let share = share / (u128::from(ours) + u128::from(theirs)).max(1);
        let cost = (u128::from(alone) * share) >> 16;
        Some(Duration::from_micros(
            u64::try_from(cost).unwrap_or(u64::MAX),
        ))
    }

    fn on_complete(&mut self, peer: PeerKey) {
        self.is_over |= !self.fresh.is_empty();
        self.forget(peer);
        self.waiting.remove(&peer);
        self.complete.insert(peer);
    }

    /// Counts a follower no more. False if there was none.
    fn forget(&mut self, peer: PeerKey) -> bool {
        let follower = self.followers.remove(&peer);
        if let Some(follower) = &follower {
            self.unheld.on_holder_gone(&follower.held);
        }
        follower.is_some()
    }

    /// Finds out what is fresh.
    fn recount(&mut self) {
        if !self.complete.is_empty() {
            self.fresh = Bitfield::empty(self.fresh.len());
            return;
        }
        self.fresh.clone_from(self.unheld.chunks());
        for chunk in self.pending.keys() {
            self.fresh.remove(*chunk);
        }
    }

    /// Begins a new span, if it is time.
    fn roll(&mut self, now: Moment) {
        let (length, lasted) = (self.span_length(), now.since(self.span_began[0]));
        if lasted >= 2 * length {
            self.span += 2;
            self.span_began = [now, now - length];
        } else if lasted >= length {
            self.span += 1;
            self.span_began = [now, self.span_began[0]];
        }
    }

    fn span_length(&self) -> Duration {
        let busy = self.given_at.since(self.began).as_micros();
        let micros = busy * u128::from(SPAN_CHUNKS) / u128::from(self.given_chunks.max(1));
        let length = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        length.clamp(SPAN_MIN, SPAN_MAX)
    }
}
