//! Many pairs at once on one master: how equally they share, and how long a search takes meanwhile.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarmhold::node::{Mode, Search, Whom};
use swarmhold::{Fetch, FetchOptions, FetchStatus, Link, Node, What, create};

use crate::median::median;
use crate::runtime::runtime;
use crate::say::say;
use crate::{V4, V6, hint_for, is_listed, noise, start_master, start_node};

/// How long pairs have to find their pace.
const SETTLE: Duration = Duration::from_secs(8);
/// How long they are measured.
const MEASURE: Duration = Duration::from_secs(15);
/// Searches of which a latency is the median.
const SEARCHES: u8 = 100;
/// From one search to the next: within what one wallet may ask.
const PAUSE: Duration = Duration::from_millis(60);
/// By how much a pair may get less or more than the mean.
const UNFAIR_MAX: f64 = 0.05;

struct Pair {
    _seeder: Node,
    leecher: Node,
    fetch: Fetch,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn run(folder: &Path, count: usize, rate: u64) -> ExitCode {
    runtime().block_on(async {
        let master = start_master(folder, rate).await;
        let (on_v4, on_v6) = (hint_for(V4, &master), hint_for(V6, &master));
        let asker = start_node(&folder.join("asker"), V4, &on_v4).await;
        let mut listed = Vec::new();
        for number in 0..count {
            let container = folder.join(format!("container-{number}"));
            // each gets its share for longer than it is measured
            let seconds = (SETTLE + 2 * MEASURE).as_secs();
            let size = (rate / count as u64).max(1) * seconds + 32 * number as u64;
            noise::write_noise(&container, size);
            let seeder = start_node(&folder.join(format!("s-{number}")), V6, &on_v6).await;
            let name = format!("pair {number}");
            let manifest = create(&container, seeder.wallet(), &name, None, |_| {});
            let manifest = Arc::new(manifest.expect("a manifest"));
            let shared = seeder.share(Arc::clone(&manifest), &container).await;
            shared.expect("a share").proven().await.expect("it is right");
            is_listed(&seeder, 1).await;
            listed.push((seeder, manifest));
        }
        let idle = latency_ms(&asker).await;
        let mut pairs = Vec::new();
        for (number, (seeder, manifest)) in listed.into_iter().enumerate() {
            let home = folder.join(format!("l-{number}"));
            let leecher = start_node(&home, V4, &on_v4).await;
            let options = FetchOptions {
                output: Some(home.join("copy")),
                ..FetchOptions::default()
            };
            let what = What::Link(Link::of(&manifest, []));
            let fetch = leecher.fetch(what, options).await;
            let _seeder = seeder;
            pairs.push(Pair {
                _seeder,
                leecher,
                fetch,
            });
        }
        tokio::time::sleep(SETTLE).await;
        let (before, began) = (carried(&pairs), Instant::now());
        let loaded = latency_ms(&asker).await;
        tokio::time::sleep(MEASURE.saturating_sub(began.elapsed())).await;
        let seconds = began.elapsed().as_secs_f64();
        let after = carried(&pairs);
        let rates = after.iter().zip(&before).map(|(after, before)| (after - before) / 1e6 / seconds);
        let rates: Vec<f64> = rates.collect();
        let mean = rates.iter().sum::<f64>() / count as f64;
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        let relay = master.status().borrow().relay;
        let unfair = (most / mean - 1.0).max(1.0 - least / mean);
        say(format!(
            "{count} pairs, {:.1} MB/s asked for in all: {:.1} MB/s of content, {mean:.3} each, from {least:.3} to {most:.3} (off by \
             {:.1} %, asked {:.0} %); {:.1} % of packets dropped; a search takes {loaded:.2} ms and not {idle:.2} ms (asked: twice)",
            rate as f64 / 1e6,
            mean * count as f64,
            100.0 * unfair,
            100.0 * UNFAIR_MAX,
            100.0 * relay.over_rate as f64 / (relay.over_rate + relay.packets) as f64,
        ));
        for pair in pairs {
            pair.fetch.cancel().await;
            pair.leecher.stop().await;
        }
        match unfair <= UNFAIR_MAX && loaded <= 2.0 * idle {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    })
}

/// Bytes of content that each has so far.
fn carried(pairs: &[Pair]) -> Vec<f64> {
    let held = |pair: &Pair| {
        let status = pair.fetch.status();
        let FetchStatus::Downloading(container) = &*status.borrow() else {
            panic!("a pair is not at it: {:?}", status.borrow());
        };
        container.tally.total.bytes as f64
    };
    pairs.iter().map(held).collect()
}

/// How long a search takes, the median of some.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
async fn latency_ms(asker: &Node) -> f64 {
    let mut took = Vec::new();
    for limit in 1..=SEARCHES {
        // each is another, so that the master does not tell what it found a moment ago
        let search = Search {
            limit,
            ..Search::new("pair", Mode::Words)
        };
        let began = Instant::now();
        let outcome = asker.search(search, Whom::Masters, Vec::new()).await;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        assert!(!outcome.found.is_empty(), "the master answers");
        tokio::time::sleep(PAUSE).await;
    }
    median(took)
}
