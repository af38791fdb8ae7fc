//! Two flows on one line, in virtual time: what each gets, the later of them two seconds late.

use std::time::Instant;

use crate::control::Control;
use crate::lab::{Flow, Lab};
use crate::line::{self, Line};
use crate::{Extent, say};

const SECOND: u64 = 1_000_000_000;
/// When the second flow starts.
const LATE: u64 = 2 * SECOND;

/// Prints who gets what.
pub(crate) fn run(extent: Extent, named: &str) {
    say("share: two flows, virtual time. Each one's share of the link, the later flow second,");
    say("       and by how much the larger exceeds the smaller.\n");
    for line in line::named(line::shared(extent), named) {
        for pair in [
            [Control::Ours, Control::Ours],
            [Control::Ours, Control::Cubic],
            [Control::Cubic, Control::Ours],
        ] {
            let [first, second] = measure(pair, line, extent);
            let ratio = first.max(second) / first.min(second);
            let names = format!("{} then {}", pair[0].name(), pair[1].name());
            let name = line.name();
            say(format!(
                "{name:<34}{names:<18}{first:>8.3}{second:>8.3}   x {ratio:.1}"
            ));
        }
    }
    say("");
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time begins at some instant"
)]
fn measure(pair: [Control; 2], line: Line, extent: Extent) -> [f64; 2] {
    let mut lab = Lab::new(Instant::now(), line.shape(), 7);
    let flows = [0, LATE].map(|starts_at| {
        let control = pair[usize::from(starts_at > 0)];
        lab.add(Flow {
            client: control.client(),
            server: control.server(),
            starts_at,
        })
    });
    let (settling, measured) = extent.pick((10, 60), (5, 10));
    lab.run_until(settling * SECOND);
    let before = flows.map(|flow| lab.received(flow));
    lab.run_until((settling + measured) * SECOND);
    [0, 1].map(|n| {
        let bytes = (lab.received(flows[n]) - before[n]) as f64;
        bytes / measured as f64 / line.rate()
    })
}
