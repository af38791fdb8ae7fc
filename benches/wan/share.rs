//! Two flows on one line, in virtual time: what each gets, the later of them two seconds late.

use std::time::Instant;

use crate::control::Control;
use crate::lab::{Flow, Lab};
use crate::line::{self, Line};
use crate::meter::PART;
use crate::pair;
use crate::{Extent, say};

const SECOND: u64 = 1_000_000_000;
/// When the second flow starts.
const LATE: u64 = 2 * SECOND;

/// Prints who gets what.
pub(crate) fn run(extent: Extent, named: &str, paired: &str) {
    say(
        "share: two flows, virtual time. Each one's share of the link, the later flow second, by how",
    );
    say("       much the larger exceeds the smaller, and both shares by tens of seconds.\n");
    for line in line::named(line::shared(extent), named) {
        for pair in [
            [Control::Ours, Control::Ours],
            [Control::Ours, Control::Cubic],
            [Control::Cubic, Control::Ours],
            [Control::Ours, Control::Bounded],
            [Control::Bounded, Control::Ours],
        ] {
            let names = pair::names(pair.map(Control::name));
            if names.contains(paired) {
                say(pair::row(line, &names, &measure(pair, line, extent)));
            }
        }
    }
    say("");
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time begins at some instant"
)]
fn measure(pair: [Control; 2], line: Line, extent: Extent) -> [Vec<f64>; 2] {
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
    let mut taken = vec![flows.map(|flow| lab.received(flow))];
    let part = PART.as_secs().min(measured);
    for n in 1..=measured / part {
        lab.run_until((settling + n * part) * SECOND);
        taken.push(flows.map(|flow| lab.received(flow)));
    }
    let share =
        |from: u64, to: u64, seconds: u64| (to - from) as f64 / seconds as f64 / line.rate();
    [0, 1].map(|n| {
        let whole = share(taken[0][n], taken[taken.len() - 1][n], measured);
        let parts = taken
            .windows(2)
            .map(|ends| share(ends[0][n], ends[1][n], part));
        [whole].into_iter().chain(parts).collect()
    })
}
