//! An interactive flow: small datagrams to and fro, as of a terminal or a call.

use std::ffi::OsStr;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use crate::control::Control;
use crate::flow::{Flow, Kind, Span};
use crate::host::{self, seconds, wait_for_input_to_end};
use crate::line::{self, Line};
use crate::role::{self, text_argument};
use crate::room::{Room, SENDER, SKIPPED};
use crate::stage::Stage;
use crate::{Extent, say};

/// The role that answers; its argument is the address to listen at.
pub(crate) const SERVE: &str = "echo-serve";
/// The role that asks; its arguments are the address and two times in seconds.
pub(crate) const ASK: &str = "echo-ask";

/// Time between two questions: a call's.
const EVERY: Duration = Duration::from_millis(20);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Beside whom it runs.
const NEIGHBOURS: [Option<Kind>; 5] = [
    None,
    Some(Kind::Node),
    Some(Kind::Quic(Control::Cubic)),
    Some(Kind::Quic(Control::QuinnBbr)),
    Some(Kind::Tcp("cubic")),
];

/// Prints what an interactive flow feels.
pub(crate) fn run(extent: Extent) {
    say(
        "echo: small datagrams to and fro beside a download. Round-trip time in ms: median, and what 95",
    );
    say("      of 100 stay below; in brackets the share without an answer.\n");
    let stage = Stage::new();
    let (settling, measured) = extent.pick((5, 10), (3, 3));
    let span = Span { settling, measured };
    for line in line::interactive(extent) {
        for neighbour in NEIGHBOURS {
            let Some([median, high, lost]) = feel(&stage, neighbour, line, span) else {
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

fn feel(stage: &Stage, beside: Option<Kind>, line: Line, span: Span) -> Option<[f64; 3]> {
    let content = stage.content(line, span);
    let room = Room::open(line.shape())?;
    let flow = beside.map(|kind| Flow::start(&room, kind, span, &content, 0));
    let any_port = format!("{SENDER}:0");
    let (server, address) = room.sender(SERVE, &[any_port.as_ref()]);
    let times = [span.settling.to_string(), span.measured.to_string()];
    let words: [&OsStr; 3] = [address.as_ref(), times[0].as_ref(), times[1].as_ref()];
    let figures = role::last_line(room.receiver(ASK, &words));
    if let Some(flow) = flow {
        flow.mb_per_s();
    }
    host::end(server);
    stage.clear(0);
    let mut figures = figures.split(' ').map(|n| n.parse().expect("a figure"));
    Some([(); 3].map(|()| figures.next().expect("three figures")))
}

/// Answers until the input ends.
pub(crate) fn serve() {
    let socket = UdpSocket::bind(text_argument(1)).expect("a socket");
    say(socket.local_addr().expect("its address"));
    thread::spawn(move || {
        let mut question = [0; 160];
        while let Ok((bytes, from)) = socket.recv_from(&mut question) {
            // A lost answer is what is measured.
            let _ = socket.send_to(&question[..bytes], from);
        }
    });
    wait_for_input_to_end();
}

/// Asks for a while: the round-trip time in ms, its median and what 95 of 100 stay below, and the
/// share that got no answer.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn ask() {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).expect("a socket");
    socket.connect(text_argument(1)).expect("an address");
    let hears = socket.try_clone().expect("a socket");
    let patience = hears.set_read_timeout(Some(PATIENCE));
    patience.expect("a time that is not zero");
    let (epoch, settling, measured) = (Instant::now(), seconds(2), seconds(3));
    let hearing = thread::spawn(move || {
        let (mut answer, mut times) = ([0; 160], Vec::new());
        while let Ok(bytes) = hears.recv(&mut answer) {
            let sent = u64::from_le_bytes(answer[..8].try_into().expect("eight bytes"));
            assert_eq!(bytes, answer.len(), "an answer is its question");
            let sent = Duration::from_nanos(sent);
            if sent >= settling {
                times.push((epoch.elapsed() - sent).as_secs_f64() * 1e3);
            }
        }
        times
    });
    let mut asked = 0;
    while epoch.elapsed() < settling + measured {
        let now = epoch.elapsed();
        let mut question = [0; 160];
        let nanos = u64::try_from(now.as_nanos()).expect("hours");
        question[..8].copy_from_slice(&nanos.to_le_bytes());
        // One that cannot be sent gets no answer.
        let _ = socket.send(&question);
        asked += usize::from(now >= settling);
        thread::sleep(EVERY);
    }
    let mut times = hearing.join().expect("no panic");
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).copied();
    let lost =
        100.0 * (1.0 - times.len() as f64 / f64::from(u32::try_from(asked).expect("minutes")));
    let none = f64::INFINITY;
    say(format!(
        "{} {} {lost}",
        at(50).unwrap_or(none),
        at(95).unwrap_or(none)
    ));
}
