//! Fifty peers that serve one leecher at once, against one peer, over loopback.

use crate::figure::{Figure, Reach, mb_per_s};
use crate::hold::{self, Held};
use crate::median::median;
use crate::say::say;
use crate::{Options, ask, role};

const BYTES: u64 = 1 << 30;

pub(crate) fn run(options: &Options) -> Vec<Figure> {
    let held = Held::noise(&options.common.dir, "shared", BYTES / options.scale);
    let mut rounds = Vec::new();
    for round in 1..=options.common.rounds {
        let [one, fifty] = [1, options.peers].map(|peers| play(options, &held, peers));
        say(format!(
            "  round {round}: one peer {}, {} {}, ratio {:.2}",
            mb_per_s(one),
            options.peers,
            mb_per_s(fifty),
            fifty / one
        ));
        rounds.push((one, fifty));
    }
    held.remove();
    vec![Figure {
        what: "fifty peers: speed against one",
        measured: mb_per_s(median(rounds.iter().map(|it| it.1))),
        ideal: mb_per_s(median(rounds.iter().map(|it| it.0))),
        ratio: median(rounds.iter().map(|(one, fifty)| fifty / one)),
        reach: Reach::AtLeast(0.9),
    }]
}

/// Bytes per second.
fn play(options: &Options, held: &Held, peers: usize) -> f64 {
    let (holders, addresses) = hold::start(&options.common.dir, peers, &[held]);
    let took = ask::fetch(&options.common.dir, &addresses, &[held]);
    role::stop(holders);
    std::fs::remove_dir_all(options.common.dir.join("holders")).expect("their homes");
    (BYTES / options.scale) as f64 / took[0]
}
