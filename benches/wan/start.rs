//! The first seconds of one flow on narrow lines with short buffers, in virtual time: what an initial
//! window that is larger than the buffer costs.

use std::time::Instant;

use crate::control::Control;
use crate::lab::{Flow, Lab};
use crate::line::{self, Line};
use crate::{Extent, say};

const MS: u64 = 1_000_000;
/// Until when what happened is told, in milliseconds.
const UNTIL_MS: [u64; 3] = [500, 1000, 4000];

/// Prints what each controller has delivered, lost and kept waiting.
pub(crate) fn run(extent: Extent) {
    say(
        "start: one flow from its dial on, virtual time. Until 0.5, 1 and 4 s: KiB delivered, packets",
    );
    say(
        "       dropped for want of room, and the wait at the bottleneck in ms (mean, 95th percentile).\n",
    );
    for line in line::narrow(extent) {
        for control in Control::ALL {
            let (name, controller) = (line.name(), control.name());
            say(format!(
                "{name:<34}{controller:<12}{}",
                measure(control, line)
            ));
        }
    }
    say("");
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time begins at some instant"
)]
fn measure(control: Control, line: Line) -> String {
    let mut lab = Lab::new(Instant::now(), line.shape(), 7);
    let flow = lab.add(Flow {
        client: control.client(),
        server: control.server(),
        starts_at: 0,
    });
    let spans = UNTIL_MS.map(|until_ms| {
        lab.run_until(until_ms * MS);
        let figures = lab.take_figures();
        let (mean, high) = figures.waits_ms();
        let kib = lab.received(flow) >> 10;
        format!(
            "{kib:>7} KiB, {:>4} dropped ({mean:.0}, {high:.0})",
            figures.overflowed
        )
    });
    spans.join(";")
}
