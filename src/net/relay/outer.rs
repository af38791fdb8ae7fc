//! The connection that carries, as both of its sides use it.

use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream};

use super::socket::Carry;
use crate::net::ask;
use crate::net::fault::Fault;
use crate::wire::relay::{RELAY_BYTES_MAX, RelayRefusal};

/// Whether there was room for a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It is on its way, or lost: nothing more is to be done about it.
    Taken,
    /// Later.
    Full,
}

/// A connection that carries.
#[derive(Debug)]
pub(super) struct Outer(pub(super) Connection);

impl Carry for Outer {
    fn datagram_bytes_max(&self) -> usize {
        self.0.max_datagram_size().unwrap_or(0)
    }

    /// quinn drops what has waited longest where there is no room; here the newest waits instead.
    fn carry(&self, datagram: &Bytes) -> Room {
        if self.0.datagram_send_buffer_space() < datagram.len() {
            return Room::Full;
        }
        // One that is too long for the path meanwhile, or whose connection is over, is lost.
        let _ = self.0.send_datagram(datagram.clone());
        Room::Taken
    }
}

/// Reads one message about channels.
pub(super) async fn message(recv: &mut RecvStream) -> Result<Vec<u8>, Fault> {
    ask::read_frame(recv, RELAY_BYTES_MAX).await
}

/// Waits until a channel is over, which its stream says; why, as far as that is told.
pub(super) async fn ended(recv: &mut RecvStream) -> RelayRefusal {
    let mut byte = [0];
    match recv.read(&mut byte).await {
        Err(quinn::ReadError::Reset(code)) => {
            RelayRefusal::from_code(code.into_inner()).unwrap_or(RelayRefusal::Gone)
        }
        // Nothing is to be said on it; what is ends it too.
        Ok(_) | Err(_) => RelayRefusal::Gone,
    }
}

/// Ends the stream of a channel, and says why.
pub(super) fn end(send: &mut SendStream, why: RelayRefusal) {
    // A stream that the other side has stopped needs no reset.
    let _ = send.reset(quinn::VarInt::from_u32(why.code()));
}
