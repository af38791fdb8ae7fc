//! One peer as the uploading side sees it: whether it is served, and what it has earned.

use std::time::Duration;

use super::credit::Rank;
use super::decay::Decaying;
use super::turns::Who;
use crate::moment::Moment;

/// How long a peer that has a slot may ask for nothing while others wait, on top of what a request
/// takes to come.
const LEASE: Duration = Duration::from_millis(100);
/// Half-life of what a peer gave us, where it is weighed against what others gave: two rounds of
/// slots.
const LATELY: Duration = Duration::from_secs(20);

/// One peer.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) who: Who,
    pub(super) standing: Standing,
    pub(super) rank: Rank,
    /// Chunks that it took while it said that it holds none.
    pub(super) hidden: u32,
    /// Requests of it that wait or are read for.
    pub(super) owed: usize,
    /// Requests that it made although it is choked.
    pub(super) refused: u32,
    /// When it was last served something; when it came, if it never was.
    pub(super) served_at: Moment,
    pub(super) is_new: bool,
    /// Whether it was given its slot unasked, and has not asked yet.
    pub(super) was_invited: bool,
    /// Until when it keeps a slot that it does not use; while it does, there is none.
    pub(super) rests_until: Option<Moment>,
    rtt: Duration,
    gave: Decaying,
}

/// Whether a peer is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may ask, and has not lately.
    Free,
    /// It is served, because of what it has earned.
    Regular,
    /// It is served, to see what it gives.
    Optimistic,
    /// It was told not to ask.
    Choked,
}

impl Client {
    pub(super) fn new(now: Moment, who: Who, rtt: Duration) -> Self {
        Self {
            who,
            standing: Standing::Free,
            rank: Rank::Stranger,
            hidden: 0,
            owed: 0,
            refused: 0,
            served_at: now,
            is_new: true,
            was_invited: false,
            rests_until: None,
            rtt,
            gave: Decaying::default(),
        }
    }

    pub(super) fn has_slot(&self) -> bool {
        matches!(self.standing, Standing::Regular | Standing::Optimistic)
    }

    /// When a slot that goes unused from now on is lost.
    pub(super) fn lease(&self, now: Moment) -> Moment {
        now + LEASE + 2 * self.rtt
    }

    /// It gave us so many bytes.
    pub(super) fn on_given(&mut self, now: Moment, bytes: u64) {
        self.gave.add(now, LATELY, bytes);
    }

    /// What it gave us lately, in bytes.
    pub(super) fn gave_lately(&self, now: Moment) -> u64 {
        self.gave.left(now, LATELY)
    }
}
