//! What a get shows while it runs, and its sum at the end.

use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::paths::Paths;
use super::sum::Sum;
use crate::cli::output::Output;
use crate::cli::progress::{self, Cadence, Meter, eta, percent};
use crate::cli::text::count;
use crate::cli::units;
use crate::node::{ContainerStatus, FetchStatus, Fetched, Left, Stopwatch};

/// How often news is printed as JSON.
const EVENT_EVERY: Duration = Duration::from_secs(1);

/// Shows one fetch.
pub(super) struct Landing {
    clock: Stopwatch,
    /// How long the fetch took, when it is over.
    took: Option<Duration>,
    meter: Meter,
    cadence: Cadence,
    bar: Option<ProgressBar>,
    stage: Option<Stage>,
    /// When news was last printed as JSON.
    told: Duration,
    left: Left,
    /// Why it last was blocked, as it was told.
    blocked: String,
    paths: Paths,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Finding,
    Checking,
    Downloading,
    Paused,
    Blocked,
    Finishing,
}

/// A fetch at one moment, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct View {
    stage: Stage,
    /// Bytes that are here; of [`Stage::Checking`], bytes looked at.
    done: u64,
    size: u64,
    /// Bytes that came by this fetch.
    received: u64,
    held: u32,
    chunks: u32,
    /// Chunks that were here before this fetch.
    before: u64,
    peers: u64,
}

impl Stage {
    /// What is shown before a bar, and stands in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Checking => "checking",
            Self::Downloading => "downloading",
            Self::Paused => "paused",
            Self::Blocked => "blocked",
            Self::Finishing => "finishing",
        }
    }
}

impl View {
    fn of(status: &FetchStatus) -> Self {
        let nothing = Self {
            stage: Stage::Finding,
            done: 0,
            size: 0,
            received: 0,
            held: 0,
            chunks: 0,
            before: 0,
            peers: 0,
        };
        match status {
            FetchStatus::FindingManifest { peers } => Self {
                peers: *peers as u64,
                ..nothing
            },
            FetchStatus::Checking { done, size } => Self {
                stage: Stage::Checking,
                done: *done,
                size: *size,
                ..nothing
            },
            FetchStatus::Downloading(container) => {
                Self::of_container(Stage::Downloading, container)
            }
            FetchStatus::Paused(container) => Self::of_container(Stage::Paused, container),
            FetchStatus::Blocked { container, .. } => Self::of_container(Stage::Blocked, container),
            FetchStatus::Finishing(container) => Self::of_container(Stage::Finishing, container),
        }
    }

    fn of_container(stage: Stage, container: &ContainerStatus) -> Self {
        let (held, chunks) = (u128::from(container.held), u128::from(container.chunks));
        let done = u128::from(container.size) * held / chunks.max(1);
        Self {
            stage,
            done: u64::try_from(done).unwrap_or(container.size),
            size: container.size,
            received: container.tally.total.bytes,
            held: container.held,
            chunks: container.chunks,
            before: u64::from(container.held)
                .saturating_sub(container.tally.total.chunks + container.tally.reused_chunks),
            peers: container.peers.len() as u64,
        }
    }

    /// As a line of its own.
    fn line(self, speed: u64) -> String {
        let peers = count(self.peers, "peer");
        if self.stage == Stage::Finding {
            return format!("looking for the manifest; {peers} connected");
        }
        let done = format!(
            "{:>3} %  {} of {}",
            percent(self.done, self.size),
            units::bytes(self.done),
            units::bytes(self.size)
        );
        match self.stage {
            Stage::Downloading => format!("{done}  {}  {peers}", units::speed(speed)),
            Stage::Finding
            | Stage::Checking
            | Stage::Paused
            | Stage::Blocked
            | Stage::Finishing => {
                format!("{done}  {}", self.stage.name())
            }
        }
    }

    /// What stands beside a bar, which shows the percents itself.
    fn beside_bar(self, speed: u64) -> String {
        match self.stage {
            Stage::Finding => format!("the manifest; {} connected", count(self.peers, "peer")),
            Stage::Checking | Stage::Paused | Stage::Blocked | Stage::Finishing => {
                units::bytes(self.size)
            }
            Stage::Downloading => format!(
                "{}  ETA {}  {}  {}/{} chunks",
                units::speed(speed),
                eta(self.size.saturating_sub(self.done), speed),
                count(self.peers, "peer"),
                self.held,
                self.chunks
            ),
        }
    }

    fn object(self, speed: u64) -> Value {
        json!({
            "event": "progress",
            "stage": self.stage.name(),
            "bytes": self.done,
            "size": self.size,
            "bytes_per_second": speed,
            "held": self.held,
            "chunks": self.chunks,
            "peers": self.peers,
        })
    }
}

impl Landing {
    pub(super) fn new(left: Left, out: &Output) -> Self {
        Self {
            clock: Stopwatch::start(),
            took: None,
            meter: Meter::default(),
            cadence: Cadence::from(Duration::ZERO),
            bar: progress::bar(out, Stage::Finding.name(), 0),
            stage: None,
            told: Duration::ZERO,
            left,
            blocked: String::new(),
            paths: Paths::default(),
        }
    }

    /// Shows how far the fetch is, where and when there is somebody to see it.
    pub(super) fn show(&mut self, status: &FetchStatus, out: &Output) -> anyhow::Result<()> {
        let (now, view) = (self.clock.elapsed(), View::of(status));
        let speed = self.meter.on_bytes(now, view.received);
        if let FetchStatus::Blocked { why, .. } = status {
            self.on_blocked(why, out)?;
        }
        if self.stage != Some(view.stage) {
            self.on_stage(now, view, out);
        }
        if let FetchStatus::Downloading(container) | FetchStatus::Finishing(container) = status {
            self.paths.show(std::iter::once(container), out)?;
        }
        if let Some(bar) = &self.bar {
            bar.set_position(view.done);
            bar.set_message(view.beside_bar(speed));
        } else if self.is_line_due(now, view) {
            out.note(&view.line(speed));
        }
        if now >= self.told + EVENT_EVERY {
            self.told = now;
            out.event(|| view.object(speed))?;
        }
        Ok(())
    }

    /// Says once what it waits for.
    fn on_blocked(&mut self, why: &str, out: &Output) -> anyhow::Result<()> {
        if self.blocked == why {
            return Ok(());
        }
        why.clone_into(&mut self.blocked);
        out.note(&format!(
            "waiting: {why}; it goes on by itself once that passes"
        ));
        out.event(|| json!({ "event": "blocked", "why": why }))?;
        Ok(())
    }

    fn on_stage(&mut self, now: Duration, view: View, out: &Output) {
        self.stage = Some(view.stage);
        self.cadence = Cadence::from(now);
        if let Some(bar) = &self.bar {
            progress::name(bar, view.stage.name(), view.size);
        }
        let resumes = view.before > 0 && view.before < u64::from(view.chunks);
        if view.stage == Stage::Downloading && resumes && self.left == Left::Something {
            let chunks = count(u64::from(view.chunks), "chunk");
            out.note(&format!(
                "resuming: {} of {chunks} were here already",
                view.before
            ));
        }
    }

    /// Downloads tell of every step, the rest only that it takes long.
    fn is_line_due(&mut self, now: Duration, view: View) -> bool {
        let (done, size) = match view.stage {
            Stage::Downloading => (view.done, view.size),
            Stage::Finding
            | Stage::Checking
            | Stage::Paused
            | Stage::Blocked
            | Stage::Finishing => (0, view.size),
        };
        self.cadence.is_due(now, done, size)
    }

    /// The fetch is over; what follows, serving others and saying goodbye, is no part of it.
    pub(super) fn on_over(&mut self) {
        self.took = Some(self.clock.elapsed());
    }

    /// What a fetch took.
    pub(super) fn sum(&self, fetched: &Fetched) -> Sum {
        let time = self.took.unwrap_or_else(|| self.clock.elapsed());
        let tally = &fetched.tally;
        let (size, received) = (fetched.manifest.layout().size(), tally.total.bytes);
        Sum {
            name: fetched.manifest.name().to_owned(),
            size,
            time,
            speed: units::rate_over(received, time),
            peers: tally.sources() as u64,
            left: self.left,
            spared: size.saturating_sub(received + tally.reused_bytes),
            reused: tally.reused_bytes,
            saved: received.saturating_sub(tally.total.wire_bytes),
            duplicates: tally.total.duplicate_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(stage: Stage) -> View {
        View {
            stage,
            done: 3 << 20,
            size: 4 << 20,
            received: 1 << 20,
            held: 96,
            chunks: 128,
            before: 64,
            peers: 2,
        }
    }

    #[test]
    fn every_stage_has_its_line() {
        let lines = [
            Stage::Finding,
            Stage::Checking,
            Stage::Downloading,
            Stage::Paused,
            Stage::Finishing,
        ]
        .map(|stage| view(stage).line(1 << 20));
        assert_eq!(
            lines,
            [
                "looking for the manifest; 2 peers connected",
                " 75 %  3.0 MiB of 4.0 MiB  checking",
                " 75 %  3.0 MiB of 4.0 MiB  1.0 MiB/s  2 peers",
                " 75 %  3.0 MiB of 4.0 MiB  paused",
                " 75 %  3.0 MiB of 4.0 MiB  finishing",
            ]
        );
        assert_eq!(
            view(Stage::Downloading).beside_bar(1 << 20),
            "1.0 MiB/s  ETA 1 s  2 peers  96/128 chunks"
        );
    }

    #[test]
    fn the_sum_tells_what_was_there_and_what_was_saved() {
        let mut sum = Sum {
            name: "app.tar".to_owned(),
            size: 4 << 20,
            time: Duration::from_secs(2),
            speed: 2 << 20,
            peers: 1,
            left: Left::Something,
            spared: 0,
            reused: 0,
            saved: 1 << 10,
            duplicates: 0,
        };
        assert_eq!(
            sum.to_string(),
            "app.tar: 4.0 MiB in 2.0 s, 2.0 MiB/s from 1 peer; saved by zstd: 1.0 KiB; \
             duplicates: 0 B"
        );
        sum.spared = 1 << 20;
        assert!(
            sum.to_string()
                .contains("1 peer; 1.0 MiB were here already; saved")
        );
        sum.left = Left::Nothing;
        assert!(
            sum.to_string()
                .contains("1 peer; 1.0 MiB of zeros did not travel; saved")
        );
        (sum.spared, sum.reused) = (0, 96 << 10);
        assert!(
            sum.to_string()
                .contains("1 peer; 96.0 KiB of repeats did not travel; saved")
        );
        (sum.left, sum.spared) = (Left::Something, sum.size);
        assert_eq!(
            sum.to_string(),
            "app.tar: all 4.0 MiB were here already, and are verified"
        );
        (sum.left, sum.spared, sum.reused) = (Left::Nothing, 0, sum.size);
        assert!(sum.to_string().contains(": all 4.0 MiB were here already"));
    }
}
