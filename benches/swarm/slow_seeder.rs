//! Three fast seeders, and the same three beside one that is a hundred times slower: does the slow
//! one hold the others up?

use swarmhold::Node;
use tokio::time::Instant;

use crate::Options;
use crate::figure::{Figure, Reach, seconds};
use crate::load::Load;
use crate::median::median;
use crate::say::say;
use crate::stage::{Stage, hint};

/// What each fast seeder may send, in bytes per second.
const RATE: u64 = 8_000_000;
const FAST: usize = 3;
const BYTES: u64 = 128_000_000;

/// Whether the slow seeder takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    Without,
    With,
}

/// Measures pairs, one of each kind after the other, and the ratio within each pair.
pub(crate) async fn run(options: &Options) -> Vec<Figure> {
    let stage = Stage::set(options, BYTES);
    let mut pairs = Vec::new();
    for round in 1..=options.common.rounds {
        let load = Load::start();
        // Who goes first changes, so that neither has the quieter machine.
        let order = if round % 2 == 0 {
            [Slow::With, Slow::Without]
        } else {
            [Slow::Without, Slow::With]
        };
        let (mut without, mut with) = (0.0, 0.0);
        for slow in order {
            let took = fetch(&stage, slow).await;
            match slow {
                Slow::Without => without = took,
                Slow::With => with = took,
            }
        }
        say(format!(
            "  round {round}: {} with the slow one, {} without, CPU {:.0} %",
            seconds(with),
            seconds(without),
            load.percent()
        ));
        pairs.push((with, without));
    }
    stage.clear();
    vec![Figure {
        what: "three seeders and one at 1 %: time",
        measured: seconds(median(pairs.iter().map(|(with, _)| *with))),
        ideal: seconds(median(pairs.iter().map(|(_, without)| *without))),
        ratio: median(pairs.iter().map(|(with, without)| with / without)),
        reach: Reach::AtMost(1.03),
    }]
}

async fn fetch(stage: &Stage, slow: Slow) -> f64 {
    let mut seeders = Vec::new();
    for _ in 0..FAST {
        seeders.push(stage.seeder(RATE).await);
    }
    if slow == Slow::With {
        seeders.push(stage.seeder(RATE / 100).await);
    }
    let leecher = stage.node(None).await;
    let began = Instant::now();
    let hints = seeders.iter().map(hint).collect();
    let mut fetch = stage.fetch(&leecher, hints).await;
    fetch.finished().await.expect("a finished container");
    let took = began.elapsed().as_secs_f64();
    stage.forget_copy(&leecher);
    for node in seeders.into_iter().chain([leecher]) {
        Node::stop(node).await;
    }
    took
}
