//! Two seeders, one of which is killed at 50 %, and a third that joins at 60 %: does the leecher
//! stall, and what does it fetch twice?
//!
//! The one that is killed is a process of its own and ends by SIGKILL: no goodbye, and no answer to
//! anything from then on.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use swarmhold::node::ContainerStatus;
use swarmhold::{Fetch, FetchStatus, Manifest, Node};
use tokio::time::Instant;

use crate::Options;
use crate::figure::{Figure, Reach, seconds};
use crate::load::Load;
use crate::median::median;
use crate::node::start;
use crate::say::say;
use crate::stage::{Stage, hint};
use crate::watcher::{Seen, Watcher};

/// The role of the process that is killed.
pub(crate) const ROLE: &str = "killed-seeder";

/// What each seeder may send, in bytes per second.
const RATE: u64 = 5_000_000;
const BYTES: u64 = 100_000_000;
/// What a stall may take beyond two round trips.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// What one round showed.
struct Round {
    took: f64,
    gap: Duration,
    gap_max: Duration,
    duplicates: u64,
    in_flight: u64,
}

/// Measures the longest time between two chunks, and the bytes that came for nothing.
pub(crate) async fn run(options: &Options) -> Vec<Figure> {
    let stage = Stage::set(options, BYTES);
    // Two seeders for a half, one for a tenth, and two for the rest.
    let ideal = stage.size() as f64 / RATE as f64 * (0.5 / 2.0 + 0.1 + 0.4 / 2.0);
    let mut rounds = Vec::new();
    for round in 1..=options.common.rounds {
        say(format!("  round {round}:"));
        rounds.push(play(&stage).await);
    }
    stage.clear();
    let gap = |of: fn(&Round) -> Duration| median(rounds.iter().map(|it| of(it).as_secs_f64()));
    let bytes = |of: fn(&Round) -> u64| median(rounds.iter().map(|it| of(it) as f64));
    let took = median(rounds.iter().map(|round| round.took));
    vec![
        Figure {
            what: "a seeder killed, one joining: longest stall",
            measured: format!("{:.0} ms", 1e3 * gap(|it| it.gap)),
            ideal: format!("{:.0} ms", 1e3 * gap(|it| it.gap_max)),
            ratio: gap(|it| it.gap) / gap(|it| it.gap_max),
            reach: Reach::AtMost(1.0),
        },
        Figure {
            what: "a seeder killed, one joining: fetched twice",
            measured: format!("{:.0} KiB", bytes(|it| it.duplicates) / 1024.0),
            ideal: format!("{:.0} KiB", bytes(|it| it.in_flight) / 1024.0),
            ratio: bytes(|it| it.duplicates) / bytes(|it| it.in_flight).max(1.0),
            reach: Reach::AtMost(1.0),
        },
        Figure {
            what: "a seeder killed, one joining: time",
            measured: seconds(took),
            ideal: seconds(ideal),
            ratio: took / ideal,
            reach: Reach::AtMost(1.05),
        },
    ]
}

async fn play(stage: &Stage) -> Round {
    let load = Load::start();
    let stays = stage.seeder(RATE).await;
    let joins = stage.seeder(RATE).await;
    let mut killed = Killed::start(stage);
    let leecher = stage.node(None).await;
    let began = Instant::now();
    let hints = vec![hint(&stays), killed.listens.into()];
    let mut fetch = stage.fetch(&leecher, hints).await;
    let mut watcher = Watcher::watch(hint(&leecher), &stage.manifest);
    let chunks = stage.manifest.layout().chunk_count();
    watcher.holds(chunks / 2).await;
    let in_flight = in_flight_at(&fetch, killed.listens) * u64::from(chunk_size(stage));
    killed.kill();
    let killed_at = Instant::now();
    watcher.holds(chunks * 6 / 10).await;
    fetch.add_peers(vec![hint(&joins)]).await;
    let joined_at = Instant::now();
    let fetched = fetch.finished().await.expect("a finished container");
    let took = began.elapsed().as_secs_f64();
    let seen = watcher.seen().await;
    tell(&seen, began, (killed_at, joined_at), &load);
    let (gap, _) = seen.longest_gap();
    stage.forget_copy(&leecher);
    for node in [stays, joins, leecher] {
        Node::stop(node).await;
    }
    Round {
        took,
        gap,
        gap_max: 2 * seen.rtt + PAUSE_MAX,
        duplicates: fetched.tally.total.duplicate_bytes,
        in_flight,
    }
}

fn tell(seen: &Seen, began: Instant, (killed, joined): (Instant, Instant), load: &Load) {
    let at = |when: Instant| when.duration_since(began).as_secs_f64();
    let (gap, gap_began) = seen.longest_gap();
    let first_after = |when: Instant| {
        let after = seen.news.iter().find(|(at, _)| *at > when);
        after.map_or(f64::NAN, |(at, _)| 1e3 * (*at - when).as_secs_f64())
    };
    say(format!(
        "    killed at {:.2} s, next chunk after {:.0} ms; joined at {:.2} s; longest gap {:.0} ms, \
         from {:.2} s on; round trip up to {:.1} ms; CPU {:.0} %",
        at(killed),
        first_after(killed),
        at(joined),
        1e3 * gap.as_secs_f64(),
        at(gap_began),
        1e3 * seen.rtt.as_secs_f64(),
        load.percent(),
    ));
}

fn chunk_size(stage: &Stage) -> u32 {
    stage.manifest.layout().chunk_size()
}

/// How many chunks a peer was last seen to have been asked for.
fn in_flight_at(fetch: &Fetch, peer: SocketAddr) -> u64 {
    let of = |container: &ContainerStatus| {
        let mut peers = container.peers.iter();
        let peer = peers.find(|it| it.remote == peer);
        peer.map_or(0, |peer| peer.in_flight as u64)
    };
    match &*fetch.status().borrow() {
        FetchStatus::Downloading(container)
        | FetchStatus::Paused(container)
        | FetchStatus::Blocked { container, .. }
        | FetchStatus::Finishing(container) => of(container),
        FetchStatus::FindingManifest { .. } | FetchStatus::Checking { .. } => 0,
    }
}

/// The seeder that is killed, seen from this process.
struct Killed {
    process: Child,
    listens: SocketAddr,
}

impl Killed {
    fn start(stage: &Stage) -> Self {
        let manifest = stage.folder.join("content.deluge");
        std::fs::write(&manifest, stage.manifest.to_json()).expect("room for the manifest");
        let home = stage.folder.join(format!("killed {:?}", Instant::now()));
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command
            .env(crate::ROLE, ROLE)
            .args([&stage.content, &manifest, &home])
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process of this program");
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.as_mut().expect("piped"));
        lines.read_line(&mut line).expect("a line");
        let listens = line.trim().parse().expect("where it listens");
        Self { process, listens }
    }

    fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was killed");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The seeder that is killed, in its own process: content, manifest and home are its arguments.
pub(crate) async fn serve() {
    let path = |at| PathBuf::from(std::env::args().nth(at).expect("given by the parent"));
    let manifest = std::fs::read(path(2)).expect("the manifest");
    let manifest = Manifest::parse(&manifest).expect("a manifest");
    let node = start(&path(3), Some(RATE)).await;
    let shared = node.share(Arc::new(manifest), &path(1)).await;
    shared.expect("a container to share");
    say(node.listen_address());
    std::future::pending::<()>().await;
}
