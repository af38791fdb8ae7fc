//! A fetch as whoever asked for it holds it: steering it, and waiting for its end.

use std::ops::Range;

use tokio::sync::{mpsc, oneshot, watch};

use super::command::Command;
use super::config::PeerHint;
use super::error::FetchError;
use super::quest::{FetchId, Fetched};
use super::status::FetchStatus;
use super::steer::Change;
use crate::limits::READERS_MAX;
use crate::swarm::{Order, Rates};

/// A fetch under way. Dropped, it is cancelled within a second; what it has is kept.
#[derive(Debug)]
pub struct Fetch {
    pub(super) id: FetchId,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) status: watch::Receiver<FetchStatus>,
    pub(super) outcome: oneshot::Receiver<Result<Fetched, FetchError>>,
}

impl Fetch {
    /// How far it is, refreshed several times a second.
    pub fn status(&self) -> watch::Receiver<FetchStatus> {
        self.status.clone()
    }

    /// Tells it of more peers.
    pub async fn add_peers(&self, peers: Vec<PeerHint>) {
        // A node that has stopped needs no peers.
        let _ = self
            .commands
            .send(Command::AddPeers { id: self.id, peers })
            .await;
    }

    /// Asks for its chunks in another order from now on.
    pub async fn reorder(&self, order: Order) {
        self.steer(Change::Order(order)).await;
    }

    /// Says where readers wait: ranges of the container in bytes, each from where somebody reads to
    /// where that one would like to have read soon. Their chunks come before everything else, those
    /// nearest to the start of a range first, and do not stay with slow peers. Each call replaces
    /// what the last one said, and none clears it; of more than 16 ranges the first count.
    pub async fn read_ahead(&self, ranges: impl IntoIterator<Item = Range<u64>>) {
        let ranges = ranges.into_iter().take(READERS_MAX).collect();
        self.steer(Change::Readers(ranges)).await;
    }

    /// Asks for no more chunks until [`resume`](Self::resume). What has come stays and is served to
    /// others; answers that are nearly here are taken in.
    pub async fn pause(&self) {
        self.steer(Change::Pause).await;
    }

    /// Goes on after a pause.
    pub async fn resume(&self) {
        self.steer(Change::Resume).await;
    }

    /// Limits it from now on, within the limits of the node.
    pub async fn limit(&self, rates: Rates) {
        self.steer(Change::Limit(rates)).await;
    }

    async fn steer(&self, change: Change) {
        let id = self.id;
        // A fetch that has ended, or whose node has stopped, goes no way at all.
        let _ = self.commands.send(Command::Steer { id, change }).await;
    }

    /// Ends it. What it has stays beside the destination, as a `.part`, for the next attempt.
    pub async fn cancel(&self) {
        // A node that has stopped has cancelled it.
        let _ = self.commands.send(Command::Cancel { id: self.id }).await;
    }

    /// Waits until the container is there, checked as a whole and under its name.
    pub async fn finished(&mut self) -> Result<Fetched, FetchError> {
        (&mut self.outcome)
            .await
            .unwrap_or(Err(FetchError::Stopped))
    }
}
