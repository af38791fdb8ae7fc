//! A line that marks packets instead of dropping them (ECN, RFC 3168), in virtual time: one flow.

use crate::control::Control;
use crate::grid::alone;
use crate::line::{self, Line};
use crate::link::Shape;
use crate::{Extent, say};

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

fn measure(control: Control, line: Line, extent: Extent) -> String {
    let shape = Shape {
        marks_above: line.mbit * 125 * MARKS_ABOVE_MS,
        ..line.shape()
    };
    let (share, figures) = alone(control, line, shape, extent);
    let (mean, high) = figures.waits_ms();
    let per_thousand = |count: u64| 1e3 * count as f64 / figures.packets.max(1) as f64;
    let (marked, dropped) = (
        per_thousand(figures.marked),
        per_thousand(figures.overflowed),
    );
    format!("{share:>8.3}   ({mean:.1}, {high:.1})   marked {marked:.2}, dropped {dropped:.2}")
}
