//! What is seen while the swarm runs: a bar for each leecher on a terminal, a line a second elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

use crate::units;

/// The span over which speed is measured.
const SPEED_SPAN: Duration = Duration::from_secs(2);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// One leecher at one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) name: String,
    /// Bytes that are stored and proven.
    pub(crate) done: u64,
    /// Bytes of the container.
    pub(crate) size: u64,
    /// Peers that it is connected to.
    pub(crate) peers: usize,
    /// How long it took, once it is done.
    pub(crate) took: Option<Duration>,
}

/// The display. What it says goes to stderr.
pub(crate) struct Progress {
    began: Instant,
    speeds: BTreeMap<String, Speed>,
    display: Display,
}

enum Display {
    Bars {
        all: MultiProgress,
        bars: BTreeMap<String, ProgressBar>,
    },
    Lines {
        due: Instant,
    },
}

impl Progress {
    /// A display that suits where stderr goes.
    pub(crate) fn new() -> Self {
        let began = Instant::now();
        let display = if stderr().is_terminal() {
            Display::Bars {
                all: MultiProgress::new(),
                bars: BTreeMap::new(),
            }
        } else {
            Display::Lines {
                due: began + LINE_EVERY,
            }
        };
        Self {
            began,
            speeds: BTreeMap::new(),
            display,
        }
    }

    /// Says that something happened.
    pub(crate) fn event(&self, what: &str) {
        let line = format!("{:>7}  {what}", units::seconds(self.began.elapsed()));
        match &self.display {
            // An error means that the terminal is gone.
            Display::Bars { all, .. } => drop(all.println(line)),
            Display::Lines { .. } => say(&line),
        }
    }

    /// Shows how far everyone is.
    pub(crate) fn show(&mut self, views: &[View]) {
        let now = Instant::now();
        for view in views {
            let speed = self.speeds.entry(view.name.clone()).or_default();
            speed.note(now, view.done);
        }
        let speeds = &self.speeds;
        let speed_of = |view: &View| speeds.get(&view.name).map_or(0, Speed::per_second);
        match &mut self.display {
            Display::Bars { all, bars } => {
                for view in views {
                    let bar = bars
                        .entry(view.name.clone())
                        .or_insert_with(|| new_bar(all, view));
                    draw(bar, view, speed_of(view));
                }
            }
            Display::Lines { due } if now >= *due => {
                *due = now + LINE_EVERY;
                let all: u64 = views.iter().map(speed_of).sum();
                say(&line(self.began.elapsed(), views, all));
            }
            Display::Lines { .. } => {}
        }
    }

    /// Leaves what was shown as it is, and gives the terminal back.
    pub(crate) fn finish(self) {
        if let Display::Bars { bars, .. } = self.display {
            bars.into_values().for_each(|bar| bar.abandon());
            // The last bar leaves the cursor on its line.
            say("");
        }
    }
}

/// Writes a line to stderr.
#[expect(clippy::print_stderr, reason = "people read it")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

fn new_bar(all: &MultiProgress, view: &View) -> ProgressBar {
    let style = ProgressStyle::with_template("  {prefix:<9} {bar:30.cyan/blue} {msg}");
    let style = style.expect("the template is right").progress_chars("━╸ ");
    let bar = all.add(ProgressBar::new(view.size).with_style(style));
    bar.set_prefix(view.name.clone());
    bar
}

fn draw(bar: &ProgressBar, view: &View, speed: u64) {
    if bar.is_finished() {
        return;
    }
    bar.set_position(view.done);
    let share = units::percent(view.done, view.size);
    let Some(took) = view.took else {
        let (speed, peers) = (units::rate(speed), view.peers);
        return bar.set_message(format!("{share:>7}  {speed:>11}  {peers} peers"));
    };
    let speed = units::rate(units::per_second(view.size, took));
    bar.abandon_with_message(format!(
        "{share:>7}  {speed:>11}  done in {}",
        units::seconds(took)
    ));
}

fn line(elapsed: Duration, views: &[View], speed: u64) -> String {
    let one = |view: &View| format!("{} {:>3} %", view.name, 100 * view.done / view.size.max(1));
    let each: Vec<_> = views.iter().map(one).collect();
    let (elapsed, speed) = (units::seconds(elapsed), units::rate(speed));
    format!("{elapsed:>7}  {}  ({speed} in all)", each.join("  "))
}

/// How fast one leecher's bytes have been coming in.
#[derive(Debug, Default)]
struct Speed {
    samples: VecDeque<(Instant, u64)>,
}

impl Speed {
    fn note(&mut self, now: Instant, bytes: u64) {
        self.samples.push_back((now, bytes));
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) >= SPEED_SPAN {
            self.samples.pop_front();
        }
    }

    fn per_second(&self) -> u64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return 0;
        };
        let span = last.0.duration_since(first.0);
        units::per_second(last.1 - first.1, span.max(LINE_EVERY))
    }
}
