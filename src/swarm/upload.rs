//! Who is served next: one chunk of each peer in turn, within a budget of bytes read ahead.
//!
//! A peer that does not take what it asked for holds no more than what is left free for the others,
//! or two chunks, so it cannot use up the budget.
//!
//! Invariants: `reading_bytes` is the sum over `reading`, and so is each peer's share; a peer has at
//! most [`UPLOAD_QUEUE_MAX`] requests waiting; an ask is in exactly one of a queue and `reading`.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

use super::event::{AskKey, PeerKey};
use crate::chunk::ChunkIndex;
use crate::digest::{Address, ManifestId};
use crate::limits::{SERVING_BYTES_MAX, UPLOAD_QUEUE_MAX};

/// Time for which the upload limit is read ahead: longer delays newcomers, shorter lets the
/// transport run dry.
const READ_AHEAD_MS: u64 = 100;

/// What a peer asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) peer: PeerKey,
    pub(super) address: Address,
    pub(super) ask: AskKey,
    pub(super) id: ManifestId,
    pub(super) chunk: ChunkIndex,
    pub(super) bytes: u64,
}

/// The requests of all peers.
#[derive(Debug)]
pub(super) struct Upload {
    /// Requests that wait; a peer without any has no queue.
    queues: BTreeMap<PeerKey, VecDeque<Ask>>,
    reading: BTreeMap<AskKey, Ask>,
    reading_bytes: u64,
    /// Bytes being read for each peer; a peer without any has no share.
    shares: BTreeMap<PeerKey, u64>,
    budget: u64,
    last: PeerKey,
}

impl Upload {
    /// `rate_max` is the upload limit in bytes per second, where there is one.
    pub(super) fn new(rate_max: Option<u64>) -> Self {
        Self {
            queues: BTreeMap::new(),
            reading: BTreeMap::new(),
            reading_bytes: 0,
            shares: BTreeMap::new(),
            budget: budget_of(rate_max),
            last: PeerKey(0),
        }
    }

    /// Another limit holds from now on. What is being read is read.
    pub(super) fn on_limit(&mut self, rate_max: Option<u64>) {
        self.budget = budget_of(rate_max);
    }

    /// Queues a request; false where its peer has too many waiting.
    pub(super) fn on_asked(&mut self, ask: Ask) -> bool {
        let queue = self.queues.entry(ask.peer).or_default();
        let room = queue.len() < UPLOAD_QUEUE_MAX;
        if room {
            queue.push_back(ask);
        }
        room
    }

    /// A request has been answered, or its asker withdrew it. Says what it was for, if known.
    pub(super) fn on_over(&mut self, peer: PeerKey, key: AskKey) -> Option<Ask> {
        if let Some(ask) = self.reading.remove(&key) {
            self.reading_bytes -= ask.bytes;
            let share = self.shares.get_mut(&ask.peer);
            let share = share.expect("a peer that is read for has a share");
            *share -= ask.bytes;
            if *share == 0 {
                self.shares.remove(&ask.peer);
            }
            return Some(ask);
        }
        let queue = self.queues.get_mut(&peer)?;
        let at = queue.iter().position(|ask| ask.ask == key)?;
        let ask = queue.remove(at);
        self.forget_empty(peer);
        ask
    }

    /// A peer is gone: returns what it waited for. What is being read for it ends by itself.
    pub(super) fn on_gone(&mut self, peer: PeerKey) -> impl Iterator<Item = AskKey> + use<> {
        let queue = self.queues.remove(&peer);
        queue.into_iter().flatten().map(|ask| ask.ask)
    }

    /// The next request to serve, if the budget has room: the turn goes round over the peers.
    pub(super) fn poll(&mut self) -> Option<Ask> {
        let rest = self.queues.range((Excluded(self.last), Unbounded));
        let mut turn = rest.chain(self.queues.range(..=self.last));
        let (peer, _) = turn.find(|(peer, queue)| {
            let bytes = queue.front().map_or(0, |ask| ask.bytes);
            self.admits(**peer, bytes)
        })?;
        self.last = *peer;
        let ask = self.queues.get_mut(&self.last)?.pop_front()?;
        self.forget_empty(ask.peer);
        self.reading_bytes += ask.bytes;
        *self.shares.entry(ask.peer).or_default() += ask.bytes;
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

    fn forget_empty(&mut self, peer: PeerKey) {
        if self.queues.get(&peer).is_some_and(VecDeque::is_empty) {
            self.queues.remove(&peer);
        }
    }
}

fn budget_of(rate_max: Option<u64>) -> u64 {
    let ahead = rate_max.map_or(u64::MAX, |rate| rate.saturating_mul(READ_AHEAD_MS) / 1000);
    ahead.min(SERVING_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    const MIB: u64 = 1024 * 1024;

    fn ask(peer: u64, ask: u64) -> Ask {
        let id = ManifestId::new(Digest::of(b"container"));
        Ask {
            peer: PeerKey(peer),
            address: Address::new(Digest::of(&peer.to_le_bytes())),
            ask: AskKey(ask),
            id,
            chunk: ChunkIndex::new(0),
            bytes: MIB,
        }
    }

    #[test]
    fn peers_take_turns() {
        let mut upload = Upload::new(None);
        for (peer, key) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            assert!(upload.on_asked(ask(peer, key)));
        }
        let order: Vec<u64> = std::iter::from_fn(|| upload.poll())
            .map(|ask| ask.ask.0)
            .collect();
        assert_eq!(order, [10, 20, 30, 11, 31, 12]);
    }

    #[test]
    fn the_budget_holds_reading_back() {
        let mut upload = Upload::new(Some(20 * MIB));
        (0..5).for_each(|key| assert!(upload.on_asked(ask(1, key))));
        assert_eq!(std::iter::from_fn(|| upload.poll()).count(), 2);
        assert!(upload.on_over(PeerKey(1), AskKey(0)).is_some());
        assert_eq!(upload.poll().map(|ask| ask.ask), Some(AskKey(2)));
    }

    #[test]
    fn two_chunks_are_read_even_where_the_budget_is_smaller() {
        let mut upload = Upload::new(Some(1));
        (0..5).for_each(|key| assert!(upload.on_asked(ask(1, key))));
        assert_eq!(std::iter::from_fn(|| upload.poll()).count(), 2);
    }

    #[test]
    fn a_peer_that_takes_nothing_leaves_room_for_the_others() {
        let mut upload = Upload::new(None);
        (0..100).for_each(|key| assert!(upload.on_asked(ask(1, key))));
        let stuck = std::iter::from_fn(|| upload.poll()).count();
        assert_eq!(stuck as u64 * MIB, SERVING_BYTES_MAX / 2);
        for key in 100..200 {
            assert!(upload.on_asked(ask(2, key)));
            let served = upload.poll().expect("there is room");
            assert!(upload.on_over(PeerKey(2), served.ask).is_some());
        }
    }

    #[test]
    fn a_peer_cannot_queue_without_end() {
        let mut upload = Upload::new(None);
        let taken = (0..1000)
            .filter(|key| upload.on_asked(ask(1, *key)))
            .count();
        assert_eq!(taken, UPLOAD_QUEUE_MAX);
        assert_eq!(upload.on_gone(PeerKey(1)).count(), UPLOAD_QUEUE_MAX);
        assert_eq!(upload.poll(), None);
    }

    #[test]
    fn a_withdrawn_request_is_not_served() {
        let mut upload = Upload::new(None);
        assert!(upload.on_asked(ask(1, 0)) && upload.on_asked(ask(1, 1)));
        assert!(upload.on_over(PeerKey(1), AskKey(0)).is_some());
        assert_eq!(upload.poll().map(|ask| ask.ask), Some(AskKey(1)));
    }
}
