//! How many peers are asked at once where our own side is what is full.
//!
//! Each peer that is asked costs wake-ups, packets and acknowledgements of its own. While the thread that
//! handles them has time to spare, more peers are more speed. Once it is at work all the time they bring
//! nothing but their cost: fifty were 0.6 times as fast as one. So then a handful is asked, and more again when
//! that thread finds time. Where that happens soon the peers were what limited us: they are not left out
//! again for a while, and for longer each time. But a thread that finds time because workers are behind
//! says nothing of the peers.

use std::time::Duration;

use crate::moment::Moment;

/// Nobody is left out of so few, for one that fails is to be a small part.
const SIZE_MIN: usize = 4;
/// Each step leaves one in so many.
const STEP: usize = 8;
/// From this load on the thread is full, in percent.
const FULL: u8 = 90;
/// Below this one it has time, in percent.
const SPARE: u8 = 70;
/// What a step has changed is seen after this time.
const SETTLE: Duration = Duration::from_millis(100);
/// A step after which there is time within this span has left out peers that were needed.
const REGRET: Duration = Duration::from_secs(2);
/// For how long no such step is made, the first time and at most.
const PAUSE_MIN: Duration = Duration::from_secs(8);
const PAUSE_MAX: Duration = Duration::from_secs(128);

/// What is seen of our own side at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// For which part of the last while the network thread was at work, in percent.
    pub(super) percent: u8,
    /// How many peers owe us something. That may be none for a moment, where what has come waits for workers.
    pub(super) asked: usize,
    /// More waits for workers than is still to come.
    pub(super) is_behind: bool,
}

/// How many peers are asked.
#[derive(Debug, Default)]
pub(super) struct Crew {
    size: Option<usize>,
    changed_at: Moment,
    shrunk_at: Moment,
    /// Until when it does not shrink, and for how long that was.
    not_until: Moment,
    pause: Duration,
}

impl Crew {
    /// How many peers are asked for a container, at most; all if there is no such number.
    pub(super) fn size(&self) -> Option<usize> {
        self.size
    }

    /// Nothing is out, and nothing is being proven: whatever comes next begins with all.
    pub(super) fn on_idle(&mut self) {
        self.size = None;
    }

    /// Looks whether fewer are to be asked, or more.
    pub(super) fn on_load(&mut self, now: Moment, seen: Sample) {
        if now.since(self.changed_at) < SETTLE {
            return;
        }
        if seen.percent >= FULL && now >= self.not_until {
            self.shrink(now, seen.asked);
        } else if seen.percent < SPARE && !seen.is_behind {
            self.grow(now, seen.asked);
        }
    }

    fn shrink(&mut self, now: Moment, asked: usize) {
        let before = self.size.map_or(asked, |size| size.min(asked));
        let size = before.div_ceil(STEP).max(SIZE_MIN);
        if size < before {
            self.size = Some(size);
            self.changed_at = now;
            self.shrunk_at = now;
        }
    }

    fn grow(&mut self, now: Moment, asked: usize) {
        let Some(size) = self.size else {
            return;
        };
        if now.since(self.shrunk_at) < REGRET {
            self.pause = (2 * self.pause).clamp(PAUSE_MIN, PAUSE_MAX);
            self.not_until = now + self.pause;
        }
        // Where no more are there than may be asked, there is no bound any more.
        self.size = (asked >= size).then_some(STEP * size);
        self.changed_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + 1000 * ms)
    }

    fn seen(percent: u8, asked: usize) -> Sample {
        Sample {
            percent,
            asked,
            is_behind: false,
        }
    }

    /// So many peers that each keep the thread at work for a part of the time, in percent: how many are asked
    /// at each tenth of a second.
    fn play(peers: usize, each: usize, ticks: u64) -> Vec<usize> {
        let mut crew = Crew::default();
        let asked = |crew: &Crew| crew.size().map_or(peers, |size| size.min(peers));
        let tick = |tick: u64| {
            let load = (asked(&crew) * each).min(100);
            let percent = load.try_into().unwrap();
            crew.on_load(ms(100 * tick), seen(percent, asked(&crew)));
            asked(&crew)
        };
        (0..ticks).map(tick).collect()
    }

    #[test]
    fn a_handful_is_asked_where_more_only_cost() {
        let asked = play(50, 40, 100);
        assert_eq!(asked[0], 7, "{asked:?}");
        assert!(asked[1..].iter().all(|asked| *asked == 4), "{asked:?}");
    }

    #[test]
    fn all_are_asked_where_there_is_time_to_spare() {
        assert!(play(50, 1, 100).iter().all(|asked| *asked == 50));
        assert!(play(4, 90, 100).iter().all(|asked| *asked == 4));
        assert!(play(1, 100, 100).iter().all(|asked| *asked == 1));
    }

    #[test]
    fn who_was_needed_is_left_out_more_and_more_rarely() {
        // twenty fill the thread, five do not
        let asked = play(20, 5, 3000);
        let few = asked.iter().filter(|asked| **asked < 20).count();
        assert!((5..60).contains(&few), "{few} of 3000: {asked:?}");
        let late = asked[1500..].iter().filter(|asked| **asked < 20).count();
        assert!(late < few / 2, "{late} of {few}");
    }

    #[test]
    fn more_are_asked_only_where_the_peers_are_waited_for() {
        let mut crew = Crew::default();
        crew.on_load(ms(0), seen(100, 30));
        let behind = Sample {
            is_behind: true,
            ..seen(20, 4)
        };
        crew.on_load(ms(500), behind);
        assert_eq!(crew.size(), Some(4));
        crew.on_load(ms(600), seen(20, 4));
        assert_eq!(crew.size(), Some(32));
    }

    #[test]
    fn the_next_download_begins_with_all() {
        let mut crew = Crew::default();
        crew.on_load(ms(0), seen(100, 50));
        crew.on_load(ms(1000), seen(100, 7));
        assert_eq!(crew.size(), Some(4));
        crew.on_load(ms(1050), seen(100, 0));
        assert_eq!(
            crew.size(),
            Some(4),
            "all that was asked for is here, unproven"
        );
        crew.on_idle();
        assert_eq!(crew.size(), None);
        crew.on_load(ms(1300), seen(100, 50));
        assert_eq!(crew.size(), Some(7), "that was no regret");
    }
}
