//! One downloader of a container that we alone hold whole: what it holds, how well others feed it,
//! and what it believes that we give.

use std::time::Duration;

use super::recent::Recent;
use crate::chunk::{Bitfield, ChunkIndex};
use crate::moment::Moment;

/// After this, an ask was not made before our last word was heard.
const HEARD_AFTER: Duration = Duration::from_millis(500);
/// Pauses between words to one that does not seem to have heard, doubled each time.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// One downloader.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) held: Bitfield,
    count: u32,
    /// Since which span it has been here.
    since: u64,
    gained: Recent,
    given: Recent,
    /// What it was told that we give, if that was less than everything.
    view: Option<Bitfield>,
    /// Whether it may not have heard our last word: an answer given before may have come after.
    unheard: bool,
    told_at: Moment,
    asked_at: Moment,
    pause: Duration,
}

impl Follower {
    pub(super) fn new(span: u64, held: Bitfield) -> Self {
        Self {
            count: held.count(),
            held,
            since: span,
            gained: Recent::default(),
            given: Recent::default(),
            view: None,
            unheard: false,
            told_at: Moment::ORIGIN,
            asked_at: Moment::ORIGIN,
            pause: PAUSE_MIN,
        }
    }

    /// It holds this and nothing else; returns what it held before.
    pub(super) fn replace_held(&mut self, held: Bitfield) -> Bitfield {
        self.count = held.count();
        std::mem::replace(&mut self.held, held)
    }

    /// It holds one more chunk. False if that is no news.
    pub(super) fn on_has(&mut self, span: u64, chunk: ChunkIndex) -> bool {
        let is_news = chunk.get() < self.held.len() && self.held.insert(chunk);
        if is_news {
            self.count += 1;
            self.gained.add(span, 1);
        }
        is_news
    }

    /// It is given a chunk by us.
    pub(super) fn on_given(&mut self, span: u64) {
        self.given.add(span, 1);
    }

    pub(super) fn missing(&self) -> u32 {
        self.held.len() - self.count
    }

    /// Chunks that it got from others lately, and from us.
    pub(super) fn fed(&self, span: u64) -> (u32, u32) {
        let given = self.given.sum(span);
        (self.gained.sum(span).saturating_sub(given), given)
    }

    /// Whether it has been here for long enough to be judged by what it got lately.
    pub(super) fn is_known(&self, span: u64) -> bool {
        span >= self.since + 2
    }

    /// It asks for something.
    pub(super) fn on_asked(&mut self, now: Moment) {
        self.asked_at = now;
    }

    /// It is told that we give these chunks and no others.
    pub(super) fn on_told(&mut self, now: Moment, offered: Bitfield) {
        self.view = Some(offered).filter(|offered| !offered.is_full());
        self.told_at = now;
    }

    /// Whether it has to be told something, or may have to be.
    pub(super) fn is_waiting(&self) -> bool {
        self.view.is_some() || self.unheard
    }

    /// Whether it is to be told now that we give these chunks: because none of those that it knows of
    /// are left, or because it does not seem to have heard.
    pub(super) fn needs_word(&mut self, now: Moment, offered: &Bitfield) -> bool {
        let lacks = |chunk: ChunkIndex| !self.held.contains(chunk);
        let is_stuck = |view: &Bitfield| !view.intersection(offered).any(lacks);
        let is_stuck = self.view.as_ref().is_some_and(is_stuck);
        if is_stuck && offered.iter().any(lacks) {
            self.unheard = true;
            self.pause = PAUSE_MIN;
            return true;
        }
        if self.unheard && self.asked_at >= self.told_at + HEARD_AFTER {
            self.unheard = false;
        }
        let again = self.unheard && now >= self.told_at + self.pause;
        if again {
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
        again
    }
}
