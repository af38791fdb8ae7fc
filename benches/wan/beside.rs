//! Two flows that share a line between two hosts, the later two seconds late; and an interactive flow
//! beside each kind of download.

use std::ffi::OsStr;
use std::thread::sleep;
use std::time::Duration;

use crate::control::Control;
use crate::flow::{Flow, Kind, Span};
use crate::line::{self, Line};
use crate::room::{Room, SENDER};
use crate::stage::Stage;
use crate::{Extent, echo, host, role, say};

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
const NEIGHBOURS: [Option<Kind>; 5] = [
    None,
    Some(Kind::Node),
    Some(Kind::Quic(Control::Cubic)),
    Some(Kind::Quic(Control::QuinnBbr)),
    Some(Kind::Tcp("cubic")),
];
const SKIPPED: &str = "skipped: it takes root, Linux, ip(8) and /dev/net/tun";

/// Prints who gets what.
pub(crate) fn run(extent: Extent) {
    say(
        "beside: two flows between two hosts. Each one's share of the link, the later flow second,",
    );
    say("        and by how much the larger exceeds the smaller.\n");
    let stage = Stage::new();
    let span = match extent {
        Extent::Full => Span {
            settling: 8,
            measured: 12,
        },
        Extent::Quick => Span {
            settling: 4,
            measured: 4,
        },
    };
    for line in line::shared(extent) {
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

/// Prints what an interactive flow feels.
pub(crate) fn run_echo(extent: Extent) {
    say(
        "echo: small datagrams to and fro beside a download. Round-trip time in ms: median, and what 95",
    );
    say("      of 100 stay below; in brackets the share without an answer.\n");
    let stage = Stage::new();
    let span = match extent {
        Extent::Full => Span {
            settling: 5,
            measured: 10,
        },
        Extent::Quick => Span {
            settling: 3,
            measured: 3,
        },
    };
    for line in line::interactive(extent) {
        for neighbour in NEIGHBOURS {
            let Some([median, high, lost]) = ask(&stage, neighbour, line, span) else {
                return say(format!("echo: {SKIPPED}"));
            };
            let beside = neighbour.map_or_else(|| "nothing".to_owned(), Kind::name);
            let name = line.name();
            say(format!(
                "{name:<34}beside {beside:<18}{median:>8.1}{high:>8.1}   ({lost:.1} %)"
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

fn ask(stage: &Stage, beside: Option<Kind>, line: Line, span: Span) -> Option<[f64; 3]> {
    let content = stage.content(line, span);
    let room = Room::open(line.shape())?;
    let flow = beside.map(|kind| Flow::start(&room, kind, span, &content, 0));
    let any_port = format!("{SENDER}:0");
    let (server, address) = room.sender(echo::SERVE, &[any_port.as_ref()]);
    let times = [span.settling.to_string(), span.measured.to_string()];
    let words: [&OsStr; 3] = [address.as_ref(), times[0].as_ref(), times[1].as_ref()];
    let figures = role::last_line(room.receiver(echo::ASK, &words));
    if let Some(flow) = flow {
        flow.mb_per_s();
    }
    host::end(server);
    stage.clear(0);
    let mut figures = figures.split(' ').map(|n| n.parse().expect("a figure"));
    Some([(); 3].map(|()| figures.next().expect("three figures")))
}
