//! One flow on each line, over the sockets of two hosts: goodput as a share of the link.

use std::fmt::Write;
use std::thread::sleep;
use std::time::Duration;

use crate::control::Control;
use crate::flow::{Flow, Kind};
use crate::line::{self, Line};
use crate::room::{Room, SKIPPED};
use crate::stage::Stage;
use crate::{Extent, say};

const KINDS: [Kind; 2] = [Kind::Quic(Control::Cubic), Kind::Node];

/// What a flow got.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Payload, as a share of what the link carries.
    share: f64,
    /// How long packets waited at the bottleneck once settled: the mean, and what 95 of 100 stay below.
    waits_ms: (f64, f64),
}

/// Prints the grid.
pub(crate) fn run(extent: Extent, named: &str) {
    say(
        "real: one flow between two hosts. Goodput as a share of the link (headers take 0.045 of it);",
    );
    say("      in brackets the wait at the bottleneck in ms, mean and 95th percentile.\n");
    let mut head = format!("{:<34}", "line");
    for kind in KINDS {
        // Writing to a text cannot fail.
        let _ = write!(head, "{:>22}", kind.name());
    }
    say(head);
    let stage = Stage::new();
    for (number, line) in line::named(line::real(extent), named)
        .into_iter()
        .enumerate()
    {
        let mut row = format!("{:<34}", line.name());
        for (at, kind) in KINDS.into_iter().enumerate() {
            let Some(cell) = measure(&stage, kind, line, extent, 10 * number + at) else {
                say(format!("real: {SKIPPED}"));
                return;
            };
            let wait = format!("({:.0}, {:.0})", cell.waits_ms.0, cell.waits_ms.1);
            let _ = write!(row, "{:>11.3} {wait:>10}", cell.share);
        }
        say(row);
    }
    say("");
}

fn measure(stage: &Stage, kind: Kind, line: Line, extent: Extent, number: usize) -> Option<Cell> {
    let span = line.span(extent);
    let content = match kind {
        Kind::Node => stage.content(line, span),
        Kind::Quic(_) | Kind::Tcp(_) => stage.nothing(),
    };
    let mut room = Room::open(line.shape())?;
    let flow = Flow::start(&room, kind, span, &content, number);
    sleep(Duration::from_secs(span.settling));
    room.begin_figures();
    let share = flow.mb_per_s() * 1e6 / line.rate();
    stage.clear(number);
    Some(Cell {
        share,
        waits_ms: room.waits(),
    })
}
