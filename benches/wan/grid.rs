//! One flow on each line with each controller, in virtual time.

use std::fmt::Write;
use std::time::Instant;

use crate::control::Control;
use crate::lab::{Flow, Lab};
use crate::line::{self, Line};
use crate::link::{Figures, Shape};
use crate::{Extent, say};

const SECOND: u64 = 1_000_000_000;

/// Prints the grid.
pub(crate) fn run(extent: Extent, named: &str) {
    say("grid: one flow, virtual time. Goodput as a share of the link (headers take 0.045 of it);");
    say("      in brackets the wait at the bottleneck in ms, mean and 95th percentile.\n");
    let mut head = format!("{:<34}", "line");
    for control in Control::ALL {
        // Writing to a text cannot fail.
        let _ = write!(head, "{:>22}", control.name());
    }
    say(head);
    for line in line::named(line::all(extent), named) {
        let mut row = format!("{:<34}", line.name());
        for control in Control::ALL {
            let (share, figures) = alone(control, line, line.shape(), extent);
            let (mean, high) = figures.waits_ms();
            let wait = format!("({mean:.0}, {high:.0})");
            let _ = write!(row, "{share:>11.3} {wait:>10}");
        }
        say(row);
    }
    say("");
}

/// What one flow gets: payload delivered, as a share of what the link carries, and the link's figures.
#[expect(
    clippy::disallowed_methods,
    reason = "virtual time begins at some instant"
)]
pub(crate) fn alone(control: Control, line: Line, shape: Shape, extent: Extent) -> (f64, Figures) {
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
    let bytes = (lab.received(flow) - before) as f64;
    let share = bytes / measured as f64 / line.rate();
    (share, lab.take_figures())
}
