//! The requests that wait, and those that are read for: one chunk of each peer in turn, within a
//! budget of bytes read ahead.
//!
//! A peer that does not take what it asked for holds no more than what is left free for the others,
//! or two chunks, so it cannot use up the budget.
//!
//! Invariants: `reading_bytes` is the sum over `reading`, and so is each peer's share; a peer has at
//! most [`UPLOAD_QUEUE_MAX`] requests waiting; an ask is in exactly one of a queue and `reading`.

use std::collections::{BTreeMap, VecDeque};

use super::turns::{Turns, Who};
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::limits::{SERVING_BYTES_MAX, UPLOAD_QUEUE_MAX};
use crate::swarm::event::{AskKey, PeerKey};

/// Time for which the upload limit is read ahead: longer delays newcomers, shorter lets the
/// transport run dry.
const READ_AHEAD_MS: u64 = 100;

/// What a peer asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::swarm) struct Ask {
    pub(in crate::swarm) who: Who,
    pub(in crate::swarm) ask: AskKey,
    pub(in crate::swarm) id: ManifestId,
    pub(in crate::swarm) chunk: ChunkIndex,
    pub(in crate::swarm) bytes: u64,
}

/// Whose turn comes when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Everybody in turn.
    Fair,
    /// When nobody else waits.
    Leftover,
}

/// The requests of all peers.
#[derive(Debug)]
pub(super) struct Queue {
    /// Requests that wait; a peer without any is not there.
    waiting: Turns<VecDeque<Ask>>,
    /// Those of peers that give nothing: served when nothing in `waiting` can be.
    leftover: Turns<VecDeque<Ask>>,
    reading: BTreeMap<AskKey, Ask>,
    reading_bytes: u64,
    /// Bytes being read for each peer; a peer without any has no share.
    shares: BTreeMap<PeerKey, u64>,
    budget: u64,
}

impl Queue {
    /// `rate_max` is the upload limit in bytes per second, where there is one.
    pub(super) fn new(rate_max: Option<u64>) -> Self {
        Self {
            waiting: Turns::new(),
            leftover: Turns::new(),
            reading: BTreeMap::new(),
            reading_bytes: 0,
            shares: BTreeMap::new(),
            budget: budget_of(rate_max),
        }
    }

    /// Another limit holds from now on. What is being read is read.
    pub(super) fn on_limit(&mut self, rate_max: Option<u64>) {
        self.budget = budget_of(rate_max);
    }

    /// Whether nothing waits and nothing is being read.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.leftover.is_empty() && self.reading.is_empty()
    }

    /// Queues a request; false where its peer has too many waiting.
    pub(super) fn push(&mut self, ask: Ask, class: Class) -> bool {
        let turns = match class {
            Class::Fair => &mut self.waiting,
            Class::Leftover => &mut self.leftover,
        };
        let queue = turns.enter(ask.who, VecDeque::new);
        let room = queue.len() < UPLOAD_QUEUE_MAX;
        if room {
            queue.push_back(ask);
        }
        room
    }

    /// What a peer waits for is served in turn from now on, however it was before.
    pub(super) fn promote(&mut self, who: Who) {
        if let Some(asks) = self.leftover.remove(who) {
            self.waiting.enter(who, VecDeque::new).extend(asks);
        }
    }

    /// A request that was being read for is over. Says what it was for.
    pub(super) fn on_read(&mut self, key: AskKey) -> Option<Ask> {
        let ask = self.reading.remove(&key)?;
        self.reading_bytes -= ask.bytes;
        let share = self.shares.get_mut(&ask.who.peer);
        let share = share.expect("a peer that is read for has a share");
        *share -= ask.bytes;
        if *share == 0 {
            self.shares.remove(&ask.who.peer);
        }
        Some(ask)
    }

    /// A request that waits is withdrawn.
    pub(super) fn withdraw(&mut self, who: Who, key: AskKey) -> Option<Ask> {
        [&mut self.waiting, &mut self.leftover]
            .into_iter()
            .find_map(|turns| {
                let queue = turns.get_mut(who)?;
                let at = queue.iter().position(|ask| ask.ask == key)?;
                let ask = queue.remove(at);
                forget_empty(turns, who);
                ask
            })
    }

    /// Takes out what a peer waits for. What is being read for it ends by itself.
    pub(super) fn clear(&mut self, who: Who) -> VecDeque<Ask> {
        let mut asks = self.waiting.remove(who).unwrap_or_default();
        asks.extend(self.leftover.remove(who).unwrap_or_default());
        asks
    }

    /// The next request to serve, if the budget has room.
    pub(super) fn poll(&mut self) -> Option<Ask> {
        let admitted = |turns: &Turns<VecDeque<Ask>>| {
            let next = turns.in_turn().find(|(who, queue)| {
                let bytes = queue.front().map_or(0, |ask| ask.bytes);
                self.admits(who.peer, bytes)
            });
            next.map(|(who, _)| who)
        };
        let (fair, left) = match admitted(&self.waiting) {
            Some(who) => (Some(who), None),
            None => (None, admitted(&self.leftover)),
        };
        let turns = match fair {
            Some(_) => &mut self.waiting,
            None => &mut self.leftover,
        };
        let who = fair.or(left)?;
        turns.on_turn(who);
        let ask = turns.get_mut(who)?.pop_front()?;
        forget_empty(turns, who);
        self.reading_bytes += ask.bytes;
        *self.shares.entry(who.peer).or_default() += ask.bytes;
        self.reading.insert(ask.ask, ask);
        Some(ask)
    }

    /// Two chunks may always be read, so that one is ready while the other is sent, unless they are
    /// larger than all that may be read.
    fn admits(&self, peer: PeerKey, bytes: u64) -> bool {
        let share = self.shares.get(&peer).copied().unwrap_or_default();
        let two = (2 * bytes).min(SERVING_BYTES_MAX);
        let free = self.budget.max(two).saturating_sub(self.reading_bytes);
        let fair = share == 0 || share + bytes <= two.max(free);
        self.reading_bytes == 0 || (bytes <= free && fair)
    }
}

fn forget_empty(turns: &mut Turns<VecDeque<Ask>>, who: Who) {
    if turns.get_mut(who).is_some_and(|queue| queue.is_empty()) {
        turns.remove(who);
    }
}

fn budget_of(rate_max: Option<u64>) -> u64 {
    let ahead = rate_max.map_or(u64::MAX, |rate| rate.saturating_mul(READ_AHEAD_MS) / 1000);
    ahead.min(SERVING_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, Digest};
    use crate::swarm::event::Subnet;

    const MIB: u64 = 1024 * 1024;

    fn who(peer: u64) -> Who {
        Who {
            subnet: Subnet(peer),
            address: Address::new(Digest::of(&peer.to_le_bytes())),
            peer: PeerKey(peer),
        }
    }

    fn ask(peer: u64, ask: u64) -> Ask {
        let id = ManifestId::new(Digest::of(b"container"));
        Ask {
            who: who(peer),
            ask: AskKey(ask),
            id,
            chunk: ChunkIndex::new(0),
            bytes: MIB,
        }
    }

    #[test]
    fn peers_take_turns() {
        let mut queue = Queue::new(None);
        for (peer, key) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            assert!(queue.push(ask(peer, key), Class::Fair));
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.poll())
            .map(|ask| ask.ask.0)
            .collect();
        assert_eq!(order, [10, 20, 30, 11, 31, 12]);
    }

    #[test]
    fn the_budget_holds_reading_back() {
        let mut queue = Queue::new(Some(20 * MIB));
        (0..5).for_each(|key| assert!(queue.push(ask(1, key), Class::Fair)));
        assert_eq!(std::iter::from_fn(|| queue.poll()).count(), 2);
        assert!(queue.on_read(AskKey(0)).is_some());
        assert_eq!(queue.poll().map(|ask| ask.ask), Some(AskKey(2)));
    }

    #[test]
    fn two_chunks_are_read_even_where_the_budget_is_smaller() {
        let mut queue = Queue::new(Some(1));
        (0..5).for_each(|key| assert!(queue.push(ask(1, key), Class::Fair)));
        assert_eq!(std::iter::from_fn(|| queue.poll()).count(), 2);
    }

    #[test]
    fn a_peer_that_takes_nothing_leaves_room_for_the_others() {
        let mut queue = Queue::new(None);
        (0..100).for_each(|key| assert!(queue.push(ask(1, key), Class::Fair)));
        let stuck = std::iter::from_fn(|| queue.poll()).count();
        assert_eq!(stuck as u64 * MIB, SERVING_BYTES_MAX / 2);
        for key in 100..200 {
            assert!(queue.push(ask(2, key), Class::Fair));
            let served = queue.poll().expect("there is room");
            assert!(queue.on_read(served.ask).is_some());
        }
    }

    #[test]
    fn a_peer_cannot_queue_without_end() {
        let mut queue = Queue::new(None);
        let taken = (0..1000)
            .filter(|key| queue.push(ask(1, *key), Class::Fair))
            .count();
        assert_eq!(taken, UPLOAD_QUEUE_MAX);
        assert_eq!(queue.clear(who(1)).len(), UPLOAD_QUEUE_MAX);
        assert_eq!(queue.poll(), None);
    }

    #[test]
    fn a_withdrawn_request_is_not_served() {
        let mut queue = Queue::new(None);
        assert!(queue.push(ask(1, 0), Class::Fair) && queue.push(ask(1, 1), Class::Fair));
        assert!(queue.withdraw(who(1), AskKey(0)).is_some());
        assert_eq!(queue.poll().map(|ask| ask.ask), Some(AskKey(1)));
    }

    #[test]
    fn those_that_give_nothing_get_what_nobody_else_wants() {
        let mut queue = Queue::new(None);
        for key in 0..3 {
            assert!(queue.push(ask(1, key), Class::Leftover));
            assert!(queue.push(ask(2, 10 + key), Class::Fair));
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.poll())
            .map(|ask| ask.ask.0)
            .collect();
        assert_eq!(order, [10, 11, 12, 0, 1, 2]);
        assert!(
            queue.push(ask(1, 20), Class::Leftover) && queue.withdraw(who(1), AskKey(20)).is_some()
        );
        assert!(queue.push(ask(1, 21), Class::Leftover));
        assert_eq!(queue.clear(who(1)).len(), 1);
    }
}
