//! From the dial to the first chunk: a container of one chunk, its manifest at hand, over 100 Mbit/s.

use crate::figure::{Figure, Reach};
use crate::hold::{self, Held};
use crate::median::median;
use crate::say::say;
use crate::{Options, ask, line, role};

const CHUNK: u64 = 32 << 10;
const LINES: [(u64, &str); 3] = [
    (10, "dial to first chunk, RTT 10 ms: time"),
    (50, "dial to first chunk, RTT 50 ms: time"),
    (200, "dial to first chunk, RTT 200 ms: time"),
];
/// What may be added to two round trips, in seconds.
const WORK_S: f64 = 0.020;

pub(crate) fn run(options: &Options) -> Vec<Figure> {
    let wanted = Held::noise(&options.common.dir, "chunk", CHUNK);
    let mut figures = Vec::new();
    for (rtt_ms, what) in LINES {
        let mut took = Vec::new();
        for _ in 0..options.common.rounds {
            let (holder, address) = hold::start(&options.common.dir, 1, &[&wanted]);
            let (line, front) = line::start(&address, rtt_ms);
            took.extend(ask::fetch(&options.common.dir, &front, &[&wanted]));
            role::stop(line);
            role::stop(holder);
        }
        let all: Vec<String> = took.iter().map(|it| format!("{:.1}", 1e3 * it)).collect();
        say(format!("  RTT {rtt_ms} ms: {} ms", all.join(", ")));
        let (took, limit) = (median(took), 2e-3 * rtt_ms as f64 + WORK_S);
        figures.push(Figure {
            what,
            measured: format!("{:.1} ms", 1e3 * took),
            ideal: format!("{:.0} ms", 1e3 * limit),
            ratio: took / limit,
            reach: Reach::AtMost(1.0),
        });
    }
    wanted.remove();
    figures
}
