//! A flow of the kernel's TCP, with one of its congestion controls.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use socket2::SockRef;

use crate::host::{seconds, wait_for_input_to_end};
use crate::meter::Meter;
use crate::role::text_argument;
use crate::say;

/// The role that sends; its arguments are the address to listen at and a congestion control.
pub(crate) const SERVE: &str = "tcp-serve";
/// The role that receives; its arguments are the address and two times in seconds.
pub(crate) const FETCH: &str = "tcp-fetch";

/// Sends to whoever connects, until the input ends.
pub(crate) fn serve() {
    let listener = TcpListener::bind(text_argument(1)).expect("a socket");
    let control = text_argument(2);
    let chosen = SockRef::from(&listener).set_tcp_congestion(control.as_bytes());
    chosen.expect("a congestion control that the kernel has");
    say(listener.local_addr().expect("its address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || while stream.write_all(&[0x5a; 64 * 1024]).is_ok() {});
        }
    });
    wait_for_input_to_end();
}

/// Takes what comes for a while: MB/s once settled, in all and by parts.
pub(crate) fn fetch() {
    let mut stream = TcpStream::connect(text_argument(1)).expect("a connection");
    let mut meter = Meter::start(seconds(2), seconds(3));
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    while !meter.is_over() {
        bytes += stream.read(&mut buffer).expect("data") as u64;
        meter.note(bytes);
    }
    say(meter.rates());
}
