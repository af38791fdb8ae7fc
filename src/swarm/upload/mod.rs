//! The uploading side of a node: who may ask, and whose request is served next.
//!
//! `choker` gives out slots, `queue` has the requests of those who may ask, in turn (`turns`), and
//! `client` what is known of each peer. `serve`, beside this folder, tells the peers.
//!
//! Invariant: a client is owed as many requests as the queue has of it, waiting or being read for.

mod choker;
mod client;
mod decay;
mod queue;
#[cfg(test)]
mod tests;
mod turns;

pub(super) use queue::Ask;
pub(super) use turns::Who;

use std::collections::VecDeque;
use std::time::Duration;

use self::choker::{Choker, Verdict};
use self::queue::Queue;
use super::event::{AskKey, PeerKey};
use crate::moment::Moment;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It waits for its turn.
    Later,
    /// Its peer is to come back later.
    Busy,
    /// Its peer is to come back later, and to be told that it is choked.
    Choked,
    /// Its peer is to be dropped: it goes on asking although it is choked.
    Flood,
}

/// The uploading side of a node.
#[derive(Debug)]
pub(super) struct Upload {
    queue: Queue,
    choker: Choker,
}

impl Upload {
    /// `rate_max` is the upload limit in bytes per second, where there is one. `seed` decides who
    /// gets an optimistic slot.
    pub(super) fn new(seed: u64, rate_max: Option<u64>) -> Self {
        Self {
            queue: Queue::new(rate_max),
            choker: Choker::new(seed, rate_max),
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

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.choker.deadline()
    }

    pub(super) fn on_connected(&mut self, now: Moment, who: Who, rtt: Duration) {
        self.choker.on_connected(now, who, rtt);
    }

    /// A peer gave us so many bytes, and they were right.
    pub(super) fn on_given(&mut self, now: Moment, peer: PeerKey, bytes: u64) {
        if let Some(client) = self.choker.client_mut(peer) {
            client.on_given(now, bytes);
        }
    }

    /// A peer asks for something that we have.
    pub(super) fn on_asked(&mut self, now: Moment, ask: Ask) -> Answer {
        let peer = ask.who.peer;
        match self.choker.on_asked(now, peer) {
            Verdict::Admit if self.queue.push(ask) => Answer::Later,
            Verdict::Admit => {
                self.choker.on_over(now, peer, 1);
                Answer::Busy
            }
            Verdict::Choke => Answer::Choked,
            Verdict::Refuse => Answer::Busy,
            Verdict::Flood => Answer::Flood,
        }
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
        let who = self.who(peer);
        self.choker.on_gone(peer);
        who.map(|who| self.queue.clear(who)).unwrap_or_default()
    }

    /// The next request to serve, if there is room for it.
    pub(super) fn poll(&mut self, now: Moment) -> Option<Ask> {
        let ask = self.queue.poll()?;
        self.choker.on_served(now, ask.who.peer);
        Some(ask)
    }

    /// Gives out slots. Returns whom to tell that it is unchoked, and the peers that are choked with
    /// what they waited for.
    pub(super) fn settle(&mut self, now: Moment) -> (Vec<PeerKey>, Vec<(PeerKey, VecDeque<Ask>)>) {
        let changes = self.choker.settle(now, self.queue.is_idle());
        let mut choked = Vec::new();
        for who in changes.choked {
            let asks = self.queue.clear(who);
            self.choker.on_over(now, who.peer, asks.len());
            choked.push((who.peer, asks));
        }
        (changes.unchoked, choked)
    }
}
