//! Two flows that share a line between two hosts, the later two seconds late.

use std::thread::sleep;
use std::time::Duration;

use crate::control::Control;
use crate::flow::{Flow, Kind, Span};
use crate::line::{self, Line};
use crate::pair;
use crate::room::{Room, SKIPPED};
use crate::stage::Stage;
use crate::{Extent, say};

/// When the second flow starts, in seconds.
const LATE: u64 = 2;
/// Who comes first, and who comes then.
const PAIRS: [[Kind; 2]; 7] = [
    [Kind::Node, Kind::Node],
    [Kind::Node, Kind::Tcp("cubic")],
    [Kind::Tcp("cubic"), Kind::Node],
    [Kind::Node, Kind::Tcp("bbr")],
    [Kind::Tcp("bbr"), Kind::Node],
    [Kind::Node, Kind::Quic(Control::Cubic)],
    [Kind::Quic(Control::Cubic), Kind::Node],
];

/// Prints who gets what.
pub(crate) fn run(extent: Extent, named: &str, paired: &str) {
    say(
        "beside: two flows between two hosts. Each one's share of the link, the later flow second, by",
    );
    say("        how much the larger exceeds the smaller, and both shares by tens of seconds.\n");
    let stage = Stage::new();
    let (settling, measured) = extent.pick((10, 60), (4, 4));
    let span = Span { settling, measured };
    for line in line::named(line::shared(extent), named) {
        for pair in PAIRS {
            let names = pair::names(pair.map(Kind::name));
            if !names.contains(paired) {
                continue;
            }
            let Some(courses) = share(&stage, pair, line, span) else {
                return say(format!("beside: {SKIPPED}"));
            };
            say(pair::row(line, &names, &courses));
        }
    }
    say("");
}

fn share(stage: &Stage, pair: [Kind; 2], line: Line, span: Span) -> Option<[Vec<f64>; 2]> {
    let later = Span {
        settling: span.settling - LATE,
        ..span
    };
    let content = stage.content(line, span);
    let room = Room::open(line.shape())?;
    let first = Flow::start(&room, pair[0], span, &content, 0);
    sleep(Duration::from_secs(LATE));
    let second = Flow::start(&room, pair[1], later, &content, 1);
    let share = |rate: f64| rate * 1e6 / line.rate();
    let shares = [first, second].map(|flow| flow.course().into_iter().map(share).collect());
    stage.clear(0);
    stage.clear(1);
    Some(shares)
}
