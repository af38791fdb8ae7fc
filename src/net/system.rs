//! What an endpoint has of the system: its socket, its timers and randomness.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::rand::SecureRandom as _;
use socket2::{Domain, Protocol, Socket, Type};

use super::buffers;

/// Draws the thread's first random number. Seeding takes the crypto library some 40 ms, which the
/// first peer would otherwise wait for.
pub(super) fn warm_up() {
    let mut byte = [0];
    // A system without randomness fails at the first handshake, with a message of its own.
    let _ = aws_lc_rs::rand::SystemRandom::new().fill(&mut byte);
}

/// tokio, with timers that pace finely where the system has them.
#[cfg(target_os = "linux")]
pub(super) fn runtime() -> io::Result<Arc<dyn quinn::Runtime>> {
    Ok(Arc::new(super::alarm::FineRuntime::start()?))
}

/// tokio, whose timers are a millisecond late at most: pacing loses some of its rate to that.
#[cfg(not(target_os = "linux"))]
pub(super) fn runtime() -> io::Result<Arc<dyn quinn::Runtime>> {
    Ok(Arc::new(quinn::TokioRuntime))
}

/// Whether its timers are fine enough to pace what leaves within less than a millisecond.
pub(super) const fn has_fine_timers() -> bool {
    cfg!(target_os = "linux")
}

pub(super) fn open_socket(listen: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(listen),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if listen.is_ipv6() && listen.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    buffers::widen(&socket);
    socket.bind(&listen.into())?;
    Ok(socket.into())
}
