//! Four seeders with an upload limit, and one leecher: does it get all that they may give?

use swarmhold::{FetchStatus, Node};
use tokio::time::Instant;

use crate::Options;
use crate::figure::{Figure, Reach, mb_per_s};
use crate::load::Load;
use crate::median::median;
use crate::say::say;
use crate::stage::{Stage, hint};

/// What each seeder may send, in bytes per second.
const RATE: u64 = 5_000_000;
const SEEDERS: usize = 4;
const BYTES: u64 = 256_000_000;

/// Measures from the call to the finished file: dials, handshakes and the hash of the whole included.
pub(crate) async fn run(options: &Options) -> Vec<Figure> {
    let stage = Stage::set(options, BYTES);
    let (size, ideal) = (stage.size() as f64, RATE as f64 * SEEDERS as f64);
    let mut rates = Vec::new();
    for round in 1..=options.common.rounds {
        let load = Load::start();
        let (took, seen) = fetch(&stage).await;
        let rate = size / took;
        say(format!(
            "  round {round}: {} of {}, CPU {:.0} %; each seeder as the leecher measures it, at \
             the half: {}",
            mb_per_s(rate),
            mb_per_s(ideal),
            load.percent(),
            seen.map(|rate| format!("{:.1}", rate as f64 / 1e6))
                .join(" "),
        ));
        rates.push(rate);
    }
    stage.clear();
    let rate = median(rates);
    vec![Figure {
        what: "four seeders of 5 MB/s: speed",
        measured: mb_per_s(rate),
        ideal: mb_per_s(ideal),
        ratio: rate / ideal,
        reach: Reach::AtLeast(0.97),
    }]
}

/// How many seconds a fetch took, and the rates that the leecher had measured at its half.
async fn fetch(stage: &Stage) -> (f64, [u64; SEEDERS]) {
    let mut seeders = Vec::new();
    for _ in 0..SEEDERS {
        seeders.push(stage.seeder(RATE).await);
    }
    let leecher = stage.node(None).await;
    let began = Instant::now();
    let hints = seeders.iter().map(hint).collect();
    let mut fetch = stage.fetch(&leecher, hints).await;
    let mut status = fetch.status();
    let is_half = |status: &FetchStatus| match status {
        FetchStatus::Downloading(container) => 2 * container.held >= container.chunks,
        FetchStatus::FindingManifest { .. }
        | FetchStatus::Checking { .. }
        | FetchStatus::Paused(_)
        | FetchStatus::Blocked { .. }
        | FetchStatus::Finishing(_) => false,
    };
    let mut rates = [0; SEEDERS];
    if let Ok(half) = status.wait_for(is_half).await
        && let FetchStatus::Downloading(container) = &*half
    {
        for (rate, peer) in rates.iter_mut().zip(&container.peers) {
            *rate = peer.rate;
        }
    }
    fetch.finished().await.expect("a finished container");
    let took = began.elapsed().as_secs_f64();
    stage.forget_copy(&leecher);
    for node in seeders.into_iter().chain([leecher]) {
        Node::stop(node).await;
    }
    (took, rates)
}
