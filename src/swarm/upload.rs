//! Who is served next: one chunk of each peer in turn, within a budget of bytes read ahead.
//!
//! Invariants: `reading_bytes` is the sum over `reading`; a peer has at most [`UPLOAD_QUEUE_MAX`]
//! requests waiting; an ask is in exactly one of a queue and `reading`.

use std::collections::{BTreeMap, VecDeque};

use super::event::{AskKey, PeerKey};
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::limits::{SERVING_BYTES_MAX, UPLOAD_QUEUE_MAX};

/// Time for which the upload limit is read ahead: longer delays newcomers, shorter lets the
/// transport run dry.
const READ_AHEAD_MS: u64 = 100;

/// What a peer asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) peer: PeerKey,
    pub(super) ask: AskKey,
    pub(super) id: ManifestId,
    pub(super) chunk: ChunkIndex,
    pub(super) bytes: u64,
}

/// The requests of all peers.
#[derive(Debug)]
pub(super) struct Upload {
    queues: BTreeMap<PeerKey, VecDeque<Ask>>,
    reading: BTreeMap<AskKey, Ask>,
    reading_bytes: u64,
    budget: u64,
    last: PeerKey,
}

impl Upload {
    /// `rate_max` is the upload limit in bytes per second, where there is one.
    pub(super) fn new(rate_max: Option<u64>) -> Self {
        let ahead = rate_max.map_or(u64::MAX, |rate| rate.saturating_mul(READ_AHEAD_MS) / 1000);
        Self {
            queues: BTreeMap::new(),
            reading: BTreeMap::new(),
            reading_bytes: 0,
            budget: ahead.min(SERVING_BYTES_MAX),
            last: PeerKey(0),
        }
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
            return Some(ask);
        }
        let queue = self.queues.get_mut(&peer)?;
        let at = queue.iter().position(|ask| ask.ask == key)?;
        queue.remove(at)
    }

    /// A peer is gone: what it waited for is forgotten. What is being read for it ends by itself.
    pub(super) fn on_gone(&mut self, peer: PeerKey) {
        self.queues.remove(&peer);
    }

    /// The next request to serve, if the budget has room: the turn goes round over the peers.
    pub(super) fn poll(&mut self) -> Option<Ask> {
        let waiting =
            |(key, queue): (&PeerKey, &VecDeque<Ask>)| queue.front().map(|ask| (*key, ask.bytes));
        let after = (
            std::ops::Bound::Excluded(self.last),
            std::ops::Bound::Unbounded,
        );
        let turn = self.queues.range(after).find_map(waiting);
        let (peer, bytes) = turn.or_else(|| self.queues.iter().find_map(waiting))?;
        if self.reading_bytes > 0 && self.reading_bytes + bytes > self.budget {
            return None;
        }
        self.last = peer;
        let ask = self.queues.get_mut(&peer)?.pop_front()?;
        self.reading_bytes += ask.bytes;
        self.reading.insert(ask.ask, ask);
        Some(ask)
    }
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
    fn one_chunk_is_read_even_where_the_budget_is_smaller() {
        let mut upload = Upload::new(Some(1));
        assert!(upload.on_asked(ask(1, 0)));
        assert!(upload.poll().is_some());
    }

    #[test]
    fn a_peer_cannot_queue_without_end() {
        let mut upload = Upload::new(None);
        let taken = (0..1000)
            .filter(|key| upload.on_asked(ask(1, *key)))
            .count();
        assert_eq!(taken, UPLOAD_QUEUE_MAX);
        upload.on_gone(PeerKey(1));
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
