//! How fast bytes leave this node, how fast it compresses, and so how hard chunks are compressed, if at all.
//!
//! Compressing must not hold up what leaves. At the rate at which bytes leave as they travel, times what
//! they shrink by, content would leave if all of it were compressed; that much the workers would have
//! to compress in a second. They may spend half of their time on it, the rest is for reading, hashing
//! and the network. So the slower the line, the harder chunks are compressed, and on a line that is
//! faster than the workers nothing is, but for a chunk now and then, to know what it would bring. The
//! rule is the same whether chunks are compressed at the moment or not, so it does not swing.
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
/// What one core is taken to compress in a second until it is known, in bytes, with the least effort.
const SPEED: f64 = 200e6;
/// What content that shrinks is taken to shrink by until it is known.
const SHRINK: f64 = 2.0;
/// How much of a new figure counts against those before.
const GAIN: f64 = 1.0 / 16.0;

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
    /// Bytes that a worker compresses in a second with the least effort.
    speed: f64,
    /// How many times as long chunks that shrink are as what they shrink to.
    shrink: f64,
    passed_over: u32,
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
                speed: SPEED,
                shrink: SHRINK,
                passed_over: 0,
            }),
        }
    }

    /// So many bytes have left by now, in all; called whenever some did.
    pub(super) fn on_sent(&self, now: Moment, in_all: u64) {
        let mut state = self.state();
        if now.since(state.sent_at) >= PAUSE {
            (state.before, state.began) = (in_all, now);
        }
        state.sent_at = now;
        let span = now.since(state.began);
        if span < SPAN {
            return;
        }
        let rate = in_all.saturating_sub(state.before) as f64 / span.as_secs_f64();
        // A line shows what it can do at its best; what comes between is somebody else's pause.
        let before = state.rate.unwrap_or(rate);
        state.rate = Some(rate.max(before + (rate - before) / 4.0));
        (state.before, state.began) = (in_all, now);
    }

    /// So many bytes were compressed to so many, with this effort and in this time.
    pub(super) fn on_packed(&self, bytes: usize, packed: usize, effort: Effort, took: Duration) {
        let mut state = self.state();
        let speed = bytes as f64 * effort.cost() / took.as_secs_f64().max(1e-6);
        let shrink = bytes as f64 / packed.max(1) as f64;
        state.speed += GAIN * (speed - state.speed);
        state.shrink += GAIN * (shrink - state.shrink);
    }

    /// How hard to compress the next chunk, if at all.
    pub(super) fn effort(&self) -> Option<Effort> {
        let mut state = self.state();
        let Some(rate) = state.rate else {
            return Some(Effort::Least);
        };
        let (wanted, offered) = (rate * state.shrink, state.speed * self.cores / SHARE);
        let bearable = |effort: &Effort| wanted * effort.cost() <= offered;
        let effort = Effort::ALL.into_iter().rev().find(bearable);
        if effort.is_some() {
            return effort;
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
