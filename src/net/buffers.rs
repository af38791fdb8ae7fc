//! The socket's buffers: what is asked for, what the system gives, and how to make it give more.
//!
//! All connections share one socket. A burst at 1 Gbit/s fills the 208 KiB that many systems give within
//! two milliseconds, and what comes while the network thread is not running is lost then. Systems cap
//! what a program may ask for without saying so; only what they report afterwards tells.

use std::fmt;

use socket2::Socket;

/// Bytes asked for in each direction: a burst at 1 Gbit/s for 30 ms.
const WANTED: usize = 4 * 1024 * 1024;

/// A direction of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Receive,
    Send,
}

/// A buffer that the system kept smaller than it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shortage {
    direction: Direction,
    /// In bytes.
    granted: usize,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, setting) = match self.direction {
            Direction::Receive => ("receive", "rmem_max"),
            Direction::Send => ("send", "wmem_max"),
        };
        let (granted, wanted) = (self.granted / 1024, WANTED / 1024);
        write!(
            f,
            "the system caps the UDP {what} buffer at {granted} KiB where {wanted} KiB were asked for; fast \
             lines lose datagrams to that"
        )?;
        if cfg!(target_os = "linux") {
            write!(f, " (to raise it: sysctl -w net.core.{setting}={WANTED})")?;
        }
        Ok(())
    }
}

/// Asks for [`WANTED`] bytes in both directions, and logs what came short.
pub(super) fn widen(socket: &Socket) {
    // A system that refuses leaves the buffer as it is, which shows in what it reports.
    let _ = socket.set_recv_buffer_size(WANTED);
    let _ = socket.set_send_buffer_size(WANTED);
    let reported = [
        (Direction::Receive, socket.recv_buffer_size()),
        (Direction::Send, socket.send_buffer_size()),
    ];
    for (direction, reported) in reported {
        if let Some(shortage) = reported.ok().and_then(|bytes| shortage(direction, bytes)) {
            tracing::info!("{shortage}");
        }
    }
}

/// What is missing where the system reports a buffer of so many bytes. Linux reports twice what was
/// granted, because it counts its own bookkeeping (socket(7)).
fn shortage(direction: Direction, reported: usize) -> Option<Shortage> {
    let granted = match cfg!(target_os = "linux") {
        true => reported / 2,
        false => reported,
    };
    (granted < WANTED).then_some(Shortage { direction, granted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_capped_buffer_is_told_with_its_remedy() {
        assert_eq!(shortage(Direction::Receive, 2 * WANTED), None);
        let short = shortage(Direction::Receive, 2 * 212_992).unwrap();
        assert_eq!(
            short.to_string(),
            "the system caps the UDP receive buffer at 208 KiB where 4096 KiB were asked for; fast lines lose \
             datagrams to that (to raise it: sysctl -w net.core.rmem_max=4194304)"
        );
        let short = shortage(Direction::Send, 2 * 212_992).unwrap();
        assert!(short.to_string().ends_with("wmem_max=4194304)"));
    }
}
