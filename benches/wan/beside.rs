//! Two flows that share a line between two hosts, the later two seconds late.

use std::thread::sleep;
use std::time::Duration;

use crate::flow::{Flow, Kind, Span};
use crate::line::{self, Line};
use crate::room::{Room, SKIPPED};
use crate::stage::Stage;
use crate::{Extent, say};

/// When the second flow starts, in seconds.
const LATE: u64 = 2;
/// Who comes first, and who comes then.
const PAIRS: [[Kind; 2]; 5] = [
    [Kind::Node, Kind::Node],
    [Kind::Node, Kind::Tcp("cubic")],
    [Kind::Tcp("cubic"), Kind::Node],
    [Kind::Node, Kind::Tcp("bbr")],
    [Kind::Tcp("bbr"), Kind::Node],
];

/// Prints who gets what.
pub(crate) fn run(extent: Extent, named: &str) {
    say(
        "beside: two flows between two hosts. Each one's share of the link, the later flow second,",
    );
    say("        and by how much the larger exceeds the smaller.\n");
    let stage = Stage::new();
    let (settling, measured) = extent.pick((8, 12), (4, 4));
    let span = Span { settling, measured };
    for line in line::named(line::shared(extent), named) {
        for pair in PAIRS {
            let Some([first, second]) = share(&stage, pair, line, span) else {
                return say(format!("beside: {SKIPPED}"));
            };
            let ratio = first.max(second) / first.min(second);
            let names = format!("{}, then {}", pair[0].name(), pair[1].name());
            let name = line.name();
            say(format!(
                "{name:<34}{names:<26}{first:>8.3}{second:>8.3}   x {ratio:.1}"
            ));
        }
    }
    say("");
}

fn share(stage: &Stage, pair: [Kind; 2], line: Line, span: Span) -> Option<[f64; 2]> {
    let later = Span {
        settling: span.settling - LATE,
        ..span
    };
    let content = stage.content(line, span);
    let room = Room::open(line.shape())?;
    let first = Flow::start(&room, pair[0], span, &content, 0);
    sleep(Duration::from_secs(LATE));
    let second = Flow::start(&room, pair[1], later, &content, 1);
    let shares = [first, second].map(|flow| flow.mb_per_s() * 1e6 / line.rate());
    stage.clear(0);
    stage.clear(1);
    Some(shares)
}
