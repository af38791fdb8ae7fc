//! A line that marks packets instead of dropping them (ECN, RFC 3168), in virtual time: one flow.

use std::time::Instant;

use crate::control::Control;
use crate::lab::{Flow, Lab};
use crate::line::{self, Line};
use crate::link::Shape;
use crate::{Extent, say};

const SECOND: u64 = 1_000_000_000;
/// What may wait before packets are marked, as a time at the line's rate, in milliseconds.
const MARKS_ABOVE_MS: u64 = 5;

/// Prints what marks do.
pub(crate) fn run(extent: Extent) {
    say(
        "ecn: one flow, virtual time, packets that find more than 5 ms of queue are marked. Goodput as a",
    );
    say(
        "     share of the link, the wait at the bottleneck in ms (mean, 95th percentile), packets marked",
    );
    say("     and dropped per thousand.\n");
    for line in line::interactive(extent) {
        for control in [Control::Cubic, Control::Ours] {
            let (name, controller) = (line.name(), control.name());
            say(format!(
                "{name:<34}{controller:<12}{}",
                measure(control, line, extent)
            ));
        }
    }
    say("");
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time begins at some instant"
)]
fn measure(control: Control, line: Line, extent: Extent) -> String {
    let shape = Shape {
        marks_above: line.mbit * 125 * MARKS_ABOVE_MS,
        ..line.shape()
    };
    let mut lab = Lab::new(Instant::now(), shape, 7);
    let flow = lab.add(Flow {
        client: control.client(),
        server: control.server(),
        starts_at: 0,
    });
    let (settling, measured) = line.seconds(extent);
    lab.run_until(settling * SECOND);
    let before = lab.received(flow);
    lab.take_figures();
    lab.run_until((settling + measured) * SECOND);
    let share = (lab.received(flow) - before) as f64 / measured as f64 / line.rate();
    let figures = lab.take_figures();
    let (mean, high) = figures.waits_ms();
    let per_thousand = |count: u64| 1e3 * count as f64 / figures.packets.max(1) as f64;
    let (marked, dropped) = (
        per_thousand(figures.marked),
        per_thousand(figures.overflowed),
    );
    format!("{share:>8.3}   ({mean:.1}, {high:.1})   marked {marked:.2}, dropped {dropped:.2}")
}
