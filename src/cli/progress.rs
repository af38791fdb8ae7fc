//! Showing how far something is: bars on a terminal, now and then a line elsewhere.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{Notes, Output};
use super::units;

/// The time over which a speed is measured.
const SPEED_OVER: Duration = Duration::from_secs(4);
/// How often samples of it are kept.
const SAMPLE_EVERY: Duration = Duration::from_millis(200);
/// A line is due at each of these steps, in percent.
const LINE_STEP: u64 = 10;
/// A line is due after this time without one.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often a bar is drawn, per second.
const DRAWS_PER_SECOND: u8 = 10;

/// Measures a speed over the last few seconds.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Invariant: times and bytes never fall.
    samples: VecDeque<(Duration, u64)>,
}

impl Meter {
    /// Takes in how many bytes have been moved by now; answers bytes per second.
    pub(super) fn on_bytes(&mut self, now: Duration, bytes: u64) -> u64 {
        let is_due = |(last, _): &(Duration, u64)| now >= *last + SAMPLE_EVERY;
        if self.samples.back().is_none_or(is_due) {
            self.samples.push_back((now, bytes));
        }
        while self.samples.len() > 2 && self.samples[1].0 + SPEED_OVER <= now {
            self.samples.pop_front();
        }
        let (since, before) = self.samples[0];
        match now.saturating_sub(since) {
            Duration::ZERO => 0,
            time => units::rate_over(bytes.saturating_sub(before), time),
        }
    }
}

/// Says when the next line is due where there is no terminal.
#[derive(Debug)]
pub(super) struct Cadence {
    step: u64,
    last: Duration,
}

impl Cadence {
    /// Counts the silence from now on.
    pub(super) fn from(now: Duration) -> Self {
        Self { step: 0, last: now }
    }

    /// Whether a line is due: a new step of ten percent, short of the end, or a long silence.
    pub(super) fn is_due(&mut self, now: Duration, done: u64, size: u64) -> bool {
        let step = percent(done, size) / LINE_STEP;
        let due = (step > self.step && done < size) || now >= self.last + LINE_EVERY;
        if due {
            (self.step, self.last) = (step, now);
        }
        due
    }
}

/// How much is done, in percent, rounded down.
pub(super) fn percent(done: u64, size: u64) -> u64 {
    let percent = u128::from(done) * 100 / u128::from(size.max(1));
    u64::try_from(percent).unwrap_or(100).min(100)
}

/// How long the rest takes at this speed; `-` if that cannot be said.
pub(super) fn eta(rest: u64, speed: u64) -> String {
    match rest.checked_div(speed) {
        Some(seconds @ 0..60) => format!("{seconds} s"),
        Some(seconds) => units::time(Duration::from_secs(seconds)),
        None => "-".to_owned(),
    }
}

/// Puts a bar on the terminal for so many bytes; none elsewhere.
pub(super) fn bar(out: &Output, verb: &str, size: u64) -> Option<ProgressBar> {
    if out.notes() != Notes::Bars {
        return None;
    }
    let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
    let bar = ProgressBar::with_draw_target(Some(size), target);
    name(&bar, verb, size);
    out.show_bar(bar.clone());
    Some(bar)
}

/// Says what a bar shows, and of how many bytes; of none, it is a line of text.
pub(super) fn name(bar: &ProgressBar, verb: &str, size: u64) {
    let template = match size {
        0 => "{prefix}  {msg}",
        _ => "{prefix} {wide_bar} {percent:>3} %  {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("both are well-formed");
    bar.set_length(size);
    bar.set_style(style.progress_chars("━╸─"));
    bar.set_prefix(verb.to_owned());
}

/// Work that goes through a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Hashing,
    Encrypting,
    Decrypting,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Hashing => "hashing",
            Self::Encrypting => "encrypting",
            Self::Decrypting => "decrypting",
        }
    }
}

/// Does something that takes a while, with a bar on a terminal. It is given whom to tell of its bytes.
pub(super) fn working<T>(
    out: &Output,
    work: Work,
    size: u64,
    run: impl FnOnce(&(dyn Fn(u64) + Sync)) -> T,
) -> T {
    let bar = bar(out, work.name(), size);
    let show = |done| {
        if let Some(bar) = &bar {
            bar.set_position(done);
            bar.set_message(format!("{} of {}", units::bytes(done), units::bytes(size)));
        }
    };
    let outcome = run(&show);
    out.hide_bar();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn speed_is_that_of_the_last_seconds() {
        let mut meter = Meter::default();
        assert_eq!(meter.on_bytes(Duration::ZERO, 500), 0);
        for tenth in 1..=100 {
            meter.on_bytes(tenth * 100 * MS, 500 + u64::from(tenth) * 100);
        }
        assert_eq!(meter.on_bytes(10_000 * MS, 10_500), 1000);
        for tenth in 101..=150 {
            meter.on_bytes(tenth * 100 * MS, 10_500);
        }
        assert_eq!(meter.on_bytes(15_000 * MS, 10_500), 0);
        assert!(meter.samples.len() < 30);
    }

    #[test]
    fn lines_come_every_tenth_or_every_ten_seconds() {
        let mut cadence = Cadence::from(Duration::ZERO);
        let due: Vec<u64> = (0..=1000)
            .filter(|done| cadence.is_due(Duration::ZERO, *done, 1000))
            .collect();
        assert_eq!(due, [100, 200, 300, 400, 500, 600, 700, 800, 900]);

        let mut cadence = Cadence::from(Duration::ZERO);
        let due: Vec<u32> = (0..=25)
            .filter(|second| cadence.is_due(*second * 1000 * MS, 5, 1000))
            .collect();
        assert_eq!(due, [10, 20]);
    }

    #[test]
    fn percents_and_times_to_go() {
        assert_eq!(percent(1, 3), 33);
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
        assert_eq!(percent(0, 0), 0);
        assert_eq!(eta(1000, 0), "-");
        assert_eq!(eta(130, 2), "1 min 5 s");
    }
}
