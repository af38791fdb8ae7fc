//! What a share shows while it serves, and its sum at the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::paths::Paths;
use crate::cli::output::{Format, Notes, Output};
use crate::cli::progress::Meter;
use crate::cli::signals::Signals;
use crate::cli::text::count;
use crate::cli::units;
use crate::node::{ContainerStatus, ManifestId, Node, Status, Stopwatch};

/// How often news is printed where it cannot be drawn in place.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often news is printed as JSON.
const EVENT_EVERY: Duration = Duration::from_secs(1);
/// How long the last news is waited for: more than the node takes from one to the next.
const LAST_LOOK: Duration = Duration::from_millis(250);

/// Watches one container being served, or all of them.
pub(super) struct Watch<'a> {
    id: Option<ManifestId>,
    out: &'a Output,
    clock: Stopwatch,
    meter: Meter,
    bar: Option<ProgressBar>,
    /// When news was last printed, and what it was.
    printed: (Duration, Counts),
    paths: Paths,
}

/// What is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    /// Peers that are connected.
    peers: u64,
    /// Bytes sent, as they travelled.
    sent: u64,
    /// Peers that were sent anything.
    takers: u64,
}

impl Counts {
    fn of(status: &Status, id: Option<ManifestId>) -> Self {
        let is_meant =
            |container: &&ContainerStatus| id.is_none_or(|id| container.manifest_id == id);
        let (mut sent, mut takers) = (0, BTreeSet::new());
        for container in status.containers.iter().filter(is_meant) {
            sent += container.tally.total.sent_bytes;
            let accounts = container.tally.accounts.iter();
            takers.extend(accounts.filter(|it| it.1.sent_bytes > 0).map(|it| *it.0));
        }
        Self {
            peers: status.connections as u64,
            sent,
            takers: takers.len() as u64,
        }
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(id: Option<ManifestId>, out: &'a Output) -> Self {
        let bar = (out.notes() == Notes::Bars).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            let style = ProgressStyle::with_template("{msg}");
            bar.set_style(style.expect("the template is well-formed"));
            out.show_bar(bar.clone());
            bar
        });
        Self {
            id,
            out,
            clock: Stopwatch::start(),
            meter: Meter::default(),
            bar,
            printed: Default::default(),
            paths: Paths::default(),
        }
    }

    /// Shows what the node sends until a signal comes, then the sum.
    pub(super) async fn until(mut self, node: &Node, signals: &mut Signals) -> anyhow::Result<()> {
        let mut status = node.status();
        let mut counts = Counts::default();
        loop {
            tokio::select! {
                () = signals.stopped() => break,
                changed = status.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let now: Arc<Status> = Arc::clone(&status.borrow_and_update());
                    counts = Counts::of(&now, self.id);
                    self.paths.show(now.containers.iter(), self.out)?;
                    self.show(counts)?;
                }
            }
        }
        // what was sent since the last look counts too
        let _ = tokio::time::timeout(LAST_LOOK, status.changed()).await;
        let last = Counts::of(&status.borrow(), self.id);
        self.sum(if last.sent < counts.sent {
            counts
        } else {
            last
        })
    }

    fn show(&mut self, counts: Counts) -> anyhow::Result<()> {
        let now = self.clock.elapsed();
        let speed = self.meter.on_bytes(now, counts.sent);
        let text = || {
            format!(
                "{}, sending {}, {} sent",
                count(counts.peers, "peer"),
                units::speed(speed),
                units::bytes(counts.sent)
            )
        };
        if let Some(bar) = &self.bar {
            bar.set_message(text());
            bar.tick();
            return Ok(());
        }
        let every = match self.out.format() {
            Format::Json => EVENT_EVERY,
            Format::Text => LINE_EVERY,
        };
        let (at, before) = self.printed;
        if now < at + every || counts == before {
            return Ok(());
        }
        self.printed = (now, counts);
        self.out.note(&text());
        self.out.event(|| {
            json!({
                "event": "progress",
                "peers": counts.peers,
                "sent_bytes": counts.sent,
                "bytes_per_second": speed,
            })
        })?;
        Ok(())
    }

    fn sum(self, counts: Counts) -> anyhow::Result<()> {
        self.out.hide_bar();
        let time = self.clock.elapsed();
        self.out.note(&format!(
            "stopped after {}; sent {} to {}",
            units::time(time),
            units::bytes(counts.sent),
            count(counts.takers, "peer")
        ));
        self.out.event(|| {
            json!({
                "event": "stopped",
                "seconds": time.as_secs_f64(),
                "sent_bytes": counts.sent,
                "peers": counts.takers,
            })
        })?;
        Ok(())
    }
}
