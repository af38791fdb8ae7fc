//! How fast bytes leave this node, how fast it compresses, and so how hard chunks are compressed, if at all.
//!
//! Compressing must not hold up what leaves. To fill the line, the workers have to turn out as many
//! compressed bytes in a second as leave in one, and each takes them a while, which is measured. They may
//! spend half of their time on it, the rest is for reading, hashing and the network. So the slower the
//! line, the harder chunks are compressed.
//!
//! Where even the least effort leaves the line idle, compressing may still be faster than sending
//! chunks as they are: a file of zeros goes through the workers faster than through most lines. That
//! depends on what the line carries, and a line that is idle for want of compressed bytes does not show it. So
//! what it carries is measured while nothing is compressed, which it takes a moment of now and then. Nothing
//! is compressed on a line that is faster than the workers, but for a chunk now and then, to know
//! what it would bring.
//!
//! Where content itself is scarce, because nobody asks for more or a limit holds, little leaves, and
//! there is time to compress it well.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::moment::Moment;
use crate::wire::compress::Effort;

/// A rate is measured over this time at least: long enough to even out bursts, short enough that
/// little is compressed in vain on a fast line.
const SPAN: Duration = Duration::from_millis(20);
/// After such a pause what leaves is measured anew: it says nothing of the line.
const PAUSE: Duration = Duration::from_millis(250);
/// Of the workers' time, one part in this may go into compressing.
const SHARE: f64 = 2.0;
/// While nothing is compressed, one chunk in this many is all the same.
const LOOK_EVERY: u32 = 256;
/// What compressing takes until it is known: as much as this chunk.
const PACKED_FIRST: Packed = Packed {
    content: 200e3,
    packed: 100e3,
    seconds: 0.001,
};
/// How much a chunk leaves of what was known before it.
const MEMORY: f64 = 15.0 / 16.0;
/// What the line carries is measured anew after this time, where it matters.
const LINE_SPAN: Duration = Duration::from_secs(4);

/// What is known of a node's outflow. Written by the network thread and the workers.
#[derive(Debug)]
pub(super) struct Outflow {
    /// Cores that may compress beside the network.
    cores: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bytes that had left in all at `began`, as they travel.
    before: u64,
    began: Moment,
    sent_at: Moment,
    /// Bytes per second; none until it has been measured.
    rate: Option<f64>,
    /// What the line carried while nothing was compressed, and when that was seen.
    line: Option<(f64, Moment)>,
    /// Whether something was compressed since `began`.
    mixed: bool,
    /// What the chunks that shrank last took.
    cost: Packed,
    passed_over: u32,
}

/// What compressing some chunks took, with the least effort.
#[derive(Debug, Clone, Copy)]
struct Packed {
    /// Bytes before.
    content: f64,
    /// Bytes after.
    packed: f64,
    /// Of one worker.
    seconds: f64,
}

impl Outflow {
    /// Nothing has left yet. `cores` is how many the machine has.
    pub(super) fn new(cores: usize) -> Self {
        Self {
            cores: cores.saturating_sub(1).max(1) as f64,
            state: Mutex::new(State {
                before: 0,
                began: Moment::ORIGIN,
                sent_at: Moment::ORIGIN,
                rate: None,
                line: None,
                mixed: false,
                cost: PACKED_FIRST,
                passed_over: 0,
            }),
        }
    }

    /// So many bytes have left by now, in all; called whenever some did.
    pub(super) fn on_sent(&self, now: Moment, in_all: u64) {
        let mut state = self.state();
        if now.since(state.sent_at) >= PAUSE {
            state.begin(now, in_all);
        }
        state.sent_at = now;
        let span = now.since(state.began);
        if span < SPAN {
            return;
        }
        let rate = in_all.saturating_sub(state.before) as f64 / span.as_secs_f64();
        // A line shows what it can do at its best; what comes between is somebody else's pause.
        let before = state.rate.unwrap_or(rate);
        let rate = rate.max(before + (rate - before) / 4.0);
        state.rate = Some(rate);
        if !state.mixed {
            state.line = Some((rate, now));
        }
        state.begin(now, in_all);
    }

    /// So many bytes were compressed to so many, with this effort and in this time.
    pub(super) fn on_packed(&self, bytes: usize, packed: usize, effort: Effort, took: Duration) {
        let mut state = self.state();
        state.mixed = true;
        let cost = &mut state.cost;
        cost.content = MEMORY * cost.content + bytes as f64;
        cost.packed = MEMORY * cost.packed + packed as f64;
        cost.seconds = MEMORY * cost.seconds + took.as_secs_f64() / effort.cost();
    }

    /// How hard to compress the next chunk, if at all.
    pub(super) fn effort(&self) -> Option<Effort> {
        let mut state = self.state();
        let Some(rate) = state.rate else {
            return Some(Effort::Least);
        };
        let offered = self.cores / SHARE;
        let wanted = rate * state.cost.seconds / state.cost.packed;
        let bearable = |effort: &Effort| wanted * effort.cost() <= offered;
        let effort = Effort::ALL.into_iter().rev().find(bearable);
        if effort.is_some() {
            return effort;
        }
        let content_rate = offered * state.cost.content / state.cost.seconds;
        if state.line().is_some_and(|line| line < content_rate) {
            return Some(Effort::Least);
        }
        state.passed_over = state.passed_over.wrapping_add(1);
        let looks = state.passed_over.is_multiple_of(LOOK_EVERY);
        looks.then_some(Effort::Least)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Any figure is as good as another where a panic has left it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins to measure.
    fn begin(&mut self, now: Moment, in_all: u64) {
        (self.began, self.before, self.mixed) = (now, in_all, false);
    }

    /// What the line carries in a second, if that was seen lately.
    fn line(&self) -> Option<f64> {
        let (rate, at) = self.line?;
        (self.sent_at.since(at) < LINE_SPAN).then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 64 * 1024;

    /// An outflow of this many bytes per second, from a machine that compresses to a half at this speed.
    fn outflow(cores: usize, rate: u64, speed: f64) -> Outflow {
        let outflow = Outflow::new(cores);
        let took = Duration::from_secs_f64(CHUNK as f64 / speed);
        for span in 1..=200 {
            outflow.on_packed(CHUNK, CHUNK / 2, Effort::Least, took);
            outflow.on_sent(Moment::from_micros(span * 20_000), span * rate / 50);
        }
        outflow
    }

    #[test]
    fn the_slower_the_line_the_harder_chunks_are_compressed() {
        for (cores, rate, effort) in [
            (2, 1_000_000, Some(Effort::Most)),
            (2, 12_500_000, Some(Effort::Most)),
            (2, 40_000_000, Some(Effort::Usual)),
            (2, 70_000_000, Some(Effort::Least)),
            (2, 125_000_000, None),
            (4, 125_000_000, Some(Effort::Usual)),
            (8, 1_250_000_000, None),
        ] {
            let found = outflow(cores, rate, 300e6).effort();
            assert_eq!(found, effort, "{cores} cores, {rate} B/s");
        }
    }

    #[test]
    fn a_slow_machine_leaves_a_fast_line_alone() {
        assert_eq!(outflow(2, 12_500_000, 40e6).effort(), None);
        assert_eq!(outflow(2, 1_250_000, 40e6).effort(), Some(Effort::Most));
    }

    /// For two seconds from this one on, so many bytes per second leave as they are.
    fn send_as_it_is(outflow: &Outflow, second: u64, rate: u64) {
        for span in 0..100 {
            let at = Moment::from_micros(second * 1_000_000 + span * 20_000);
            outflow.on_sent(at, second * 100_000_000 + span * rate / 50);
        }
    }

    #[test]
    fn what_the_workers_compress_faster_than_the_line_carries_is_compressed() {
        let zeros = outflow(2, 12_500_000, 2e9);
        for _ in 0..200 {
            zeros.on_packed(
                CHUNK,
                CHUNK / 1000,
                Effort::Least,
                Duration::from_micros(33),
            );
        }
        assert_eq!(zeros.effort(), None, "what the line carries is not known");
        send_as_it_is(&zeros, 5, 12_500_000);
        assert_eq!(zeros.effort(), Some(Effort::Least));
        zeros.on_sent(Moment::from_micros(12_000_000), 1_200_000_000);
        assert_eq!(zeros.effort(), None, "it was measured long ago");
        send_as_it_is(&zeros, 15, 2_000_000_000);
        assert_eq!(zeros.effort(), None, "the line is faster");
    }

    #[test]
    fn a_few_chunks_that_vanish_do_not_hide_what_the_rest_takes() {
        let outflow = outflow(2, 12_500_000, 300e6);
        let usual = Duration::from_secs_f64(CHUNK as f64 / 300e6);
        for chunk in 0..400 {
            let (packed, took) = match chunk % 4 {
                0 => (CHUNK / 1000, usual / 8),
                _ => (CHUNK / 2, usual),
            };
            outflow.on_packed(CHUNK, packed, Effort::Least, took);
            assert_eq!(outflow.effort(), Some(Effort::Most), "chunk {chunk}");
        }
    }

    #[test]
    fn a_fast_line_is_noticed_at_once_and_a_pause_is_not_taken_for_a_slow_one() {
        let outflow = outflow(2, 1_000_000, 300e6);
        let at = |ms: u64| Moment::from_micros(4_000_000 + ms * 1000);
        outflow.on_sent(at(20), 12_000_000);
        assert_eq!(outflow.effort(), None);
        outflow.on_sent(at(40), 12_000_000);
        assert_eq!(outflow.effort(), None, "one pause");
        (3..30).for_each(|span| outflow.on_sent(at(span * 20), 12_000_000 + span * 20_000));
        assert_eq!(outflow.effort(), Some(Effort::Most), "it stays slow");
    }

    #[test]
    fn the_time_before_the_first_byte_and_pauses_are_not_measured() {
        let outflow = Outflow::new(2);
        let at = |ms: u64| Moment::from_micros(60_000_000 + ms * 1000);
        outflow.on_sent(at(0), 1000);
        assert_eq!(outflow.effort(), Some(Effort::Least), "nothing is known");
        outflow.on_sent(at(20), 8_000_000);
        assert_eq!(outflow.effort(), None);
        outflow.on_sent(at(10_000), 8_001_000);
        assert_eq!(outflow.effort(), None, "the line may be as fast as it was");
    }

    #[test]
    fn now_and_then_a_chunk_is_compressed_all_the_same() {
        let outflow = outflow(2, 500_000_000, 300e6);
        let looks = (0..2560).filter(|_| outflow.effort().is_some()).count();
        assert_eq!(looks, 10);
    }
}
