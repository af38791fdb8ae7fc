//! An interactive flow: small datagrams to and fro, as of a terminal or a call.

use std::io::Read;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use crate::quic::seconds;
use crate::role::text_argument;
use crate::say;

/// The role that answers; its argument is the address to listen at.
pub(crate) const SERVE: &str = "echo-serve";
/// The role that asks; its arguments are the address and two times in seconds.
pub(crate) const ASK: &str = "echo-ask";

/// Time between two questions: a call's.
const EVERY: Duration = Duration::from_millis(20);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

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
    let mut rest = Vec::new();
    let input = std::io::stdin().read_to_end(&mut rest);
    input.expect("the parent closes it");
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
