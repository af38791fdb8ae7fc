//! A line between two processes: the emulator of `benches/wan` in a process of its own.

use std::ffi::OsStr;
use std::process::Child;

use crate::link::Shape;
use crate::role::{self, text_argument};
use crate::wire;

/// The role of the process that is the line.
pub(crate) const ROLE: &str = "line";

/// Bytes per second of the line that these cases are tried on: 100 Mbit/s, IP headers included.
pub(crate) const RATE: u64 = 12_500_000;
/// What may wait at its bottleneck, in bytes: more than a bandwidth-delay product.
const BUFFER_BYTES: u64 = 5 << 20;

/// A line of 100 Mbit/s in front of a server. Says where it is to be reached.
pub(crate) fn start(server: &str, rtt_ms: u64) -> (Child, String) {
    let numbers = [RATE.to_string(), (rtt_ms * 500_000).to_string()];
    let arguments: [&OsStr; 3] = [server.as_ref(), numbers[0].as_ref(), numbers[1].as_ref()];
    role::start(ROLE, &arguments)
}

/// Is the line: the server, the rate in bytes per second and the delay in nanoseconds are its arguments.
pub(crate) fn play() {
    let number = |at| text_argument(at).parse().expect("a number");
    let shape = Shape {
        rate: number(2),
        delay_ns: number(3),
        buffer_bytes: BUFFER_BYTES,
        ..Shape::OPEN
    };
    wire::serve(text_argument(1).parse().expect("an address"), shape, 7);
}
