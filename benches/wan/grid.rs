//! One flow on each line with each controller, in virtual time.

use std::fmt::Write;
use std::time::Instant;

use crate::control::Control;
use crate::lab::{Flow, Lab};
use crate::line::{self, Line};
use crate::{Extent, say};

const SECOND: u64 = 1_000_000_000;

/// What a flow got.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Payload delivered, as a share of what the link carries.
    share: f64,
    /// The mean wait at the bottleneck, and the one that 95 of 100 packets stay below, in ms.
    wait_ms: (f64, f64),
}

/// Prints the grid.
pub(crate) fn run(extent: Extent) {
    say("grid: one flow, virtual time. Goodput as a share of the link (headers take 0.045 of it);");
    say("      in brackets the wait at the bottleneck in ms, mean and 95th percentile.\n");
    let mut head = format!("{:<34}", "line");
    for control in Control::ALL {
        // Writing to a text cannot fail.
        let _ = write!(head, "{:>22}", control.name());
    }
    say(head);
    for line in line::all(extent) {
        let mut row = format!("{:<34}", line.name());
        for control in Control::ALL {
            let cell = measure(control, line, extent);
            let wait = format!("({:.0}, {:.0})", cell.wait_ms.0, cell.wait_ms.1);
            let _ = write!(row, "{:>11.3} {wait:>10}", cell.share);
        }
        say(row);
    }
    say("");
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time begins at some instant"
)]
fn measure(control: Control, line: Line, extent: Extent) -> Cell {
    let mut lab = Lab::new(Instant::now(), line.shape(), 7);
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
    Cell {
        share: bytes / measured as f64 / line.rate(),
        wait_ms: lab.take_figures().waits_ms(),
    }
}
