//! 1 MiB from a peer that is connected already, over 100 Mbit/s: how many round trips more than the
//! line itself needs?

use crate::figure::{Figure, Reach};
use crate::hold::{self, Held};
use crate::median::median;
use crate::say::say;
use crate::{Options, ask, line, role};

const WANTED: u64 = 1 << 20;
/// What went over the connection before: next to nothing, or enough for the sender to know the line.
const BEFORE: [(u64, &str); 2] = [
    (32 << 10, "1 MiB, connected, little sent before: RTTs more"),
    (32 << 20, "1 MiB, connected, much sent before: RTTs more"),
];
const RTT_MS: u64 = 50;

pub(crate) fn run(options: &Options) -> Vec<Figure> {
    let wanted = Held::noise(&options.common.dir, "mebibyte", WANTED);
    let rtt = RTT_MS as f64 / 1e3;
    let limit = rtt + WANTED as f64 / line::RATE as f64;
    let mut figures = Vec::new();
    for (bytes, what) in BEFORE {
        let before = Held::noise(&options.common.dir, "before", bytes);
        let mut took = Vec::new();
        for round in 1..=options.common.rounds {
            let seconds = play(options, &before, &wanted);
            say(format!(
                "  round {round}: {:.0} ms, the line alone {:.0} ms",
                1e3 * seconds,
                1e3 * limit
            ));
            took.push(seconds);
        }
        before.remove();
        let took = median(took);
        figures.push(Figure {
            what,
            measured: format!("{:.0} ms", 1e3 * took),
            ideal: format!("{:.0} ms", 1e3 * limit),
            ratio: (took - limit) / rtt,
            reach: Reach::AtMost(2.0),
        });
    }
    wanted.remove();
    figures
}

/// Seconds for the second container.
fn play(options: &Options, before: &Held, wanted: &Held) -> f64 {
    let (holder, address) = hold::start(&options.common.dir, 1, &[before, wanted]);
    let (line, front) = line::start(&address, RTT_MS);
    let took = ask::fetch(&options.common.dir, &front, &[before, wanted]);
    role::stop(line);
    role::stop(holder);
    took[1]
}
