//! Sixteen leechers that start together, and one seeder: how many copies does it send, and how long
//! do they take against one alone?
//!
//! Every node has the same upload limit, low enough for the processor: the sum of what sixteen nodes
//! may send must not be more than it can encrypt.

use std::time::Duration;

use swarmhold::{Fetch, Node, PeerHint};
use tokio::time::Instant;

use crate::Options;
use crate::figure::{Figure, Reach, seconds};
use crate::load::Load;
use crate::median::median;
use crate::say::say;
use crate::stage::{Stage, hint};

/// What each node may send, in bytes per second.
const RATE: u64 = 2_000_000;
const LEECHERS: usize = 16;
const BYTES: u64 = 24_000_000;

/// What one round showed.
struct Round {
    alone: f64,
    last: f64,
    copies: f64,
}

/// Measures one leecher alone and then sixteen, until the last of them has its file.
pub(crate) async fn run(options: &Options) -> Vec<Figure> {
    let stage = Stage::set(options, BYTES);
    let mut rounds = Vec::new();
    for round in 1..=options.common.rounds {
        let (alone, _) = play(&stage, 1).await;
        let load = Load::start();
        let (took, copies) = play(&stage, LEECHERS).await;
        let (alone, first, last) = (alone[0], took[0], took[LEECHERS - 1]);
        say(format!(
            "  round {round}: one alone {}, sixteen from {} to {}; the seeder sent {copies:.2} \
             copies; CPU {:.0} %",
            seconds(alone),
            seconds(first),
            seconds(last),
            load.percent()
        ));
        rounds.push(Round {
            alone,
            last,
            copies,
        });
    }
    stage.clear();
    let copies = median(rounds.iter().map(|round| round.copies));
    vec![
        Figure {
            what: "sixteen leechers: copies that the seeder sent",
            measured: format!("{copies:.2}"),
            ideal: "1.00".to_owned(),
            ratio: copies,
            reach: Reach::AtMost(2.0),
        },
        Figure {
            what: "sixteen leechers: time against one alone",
            measured: seconds(median(rounds.iter().map(|round| round.last))),
            ideal: seconds(median(rounds.iter().map(|round| round.alone))),
            ratio: median(rounds.iter().map(|round| round.last / round.alone)),
            reach: Reach::AtMost(2.5),
        },
    ]
}

/// How many seconds each took, sorted, and how many copies the seeder sent.
async fn play(stage: &Stage, leechers: usize) -> (Vec<f64>, f64) {
    let seeder = stage.seeder(RATE).await;
    let mut nodes = Vec::new();
    for _ in 0..leechers {
        nodes.push(stage.node(Some(RATE)).await);
    }
    let everyone: Vec<PeerHint> = nodes.iter().chain([&seeder]).map(hint).collect();
    let began = Instant::now();
    let mut tasks = Vec::new();
    for node in &nodes {
        let others = everyone.iter().filter(|it| **it != hint(node)).copied();
        let fetch = stage.fetch(node, others.collect()).await;
        tasks.push(tokio::spawn(finish(fetch, began)));
    }
    let mut took = Vec::new();
    for task in tasks {
        took.push(task.await.expect("a fetch that ends").as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    let copies = sent(&seeder).await / stage.size() as f64;
    for node in &nodes {
        stage.forget_copy(node);
    }
    for node in nodes.into_iter().chain([seeder]) {
        Node::stop(node).await;
    }
    (took, copies)
}

async fn finish(mut fetch: Fetch, began: Instant) -> Duration {
    fetch.finished().await.expect("a finished container");
    began.elapsed()
}

/// Bytes of bodies that a node has sent.
async fn sent(node: &Node) -> f64 {
    let mut status = node.status();
    status.mark_unchanged();
    status.changed().await.expect("the node runs");
    let status = status.borrow();
    let sent = status.containers.iter().map(|it| it.tally.total.sent_bytes);
    sent.sum::<u64>() as f64
}
