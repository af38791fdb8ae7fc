//! Datagrams that are not QUIC: what opens a router, and what shows a master how a router maps.
//!
//! They leave from the endpoint's own socket, because what matters of them is where they come from. A punch
//! is eight bytes that begin with 0: too short for QUIC with its connection ids of eight bytes, and without
//! the bit that every QUIC packet has (RFC 9000 section 17.2), so that an endpoint drops it without an
//! answer. Nothing is ever received here.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::handshake::mapped;

/// What a punch begins with.
const PUNCH: [u8; 4] = [0, b'S', b'H', b'P'];
/// What a look from elsewhere begins with.
const LOOK: [u8; 8] = [0, b'S', b'H', b'L', 0, 0, 0, 0];
/// Bytes of a look.
pub(super) const LOOK_BYTES: usize = 16;

/// Sends them. Losing one is as if the network had.
#[derive(Debug)]
pub(super) struct Puncher {
    socket: UdpSocket,
    is_ipv6: bool,
}

impl Puncher {
    /// From the socket of an endpoint, which is bound.
    pub(super) fn of(socket: &UdpSocket) -> io::Result<Self> {
        Ok(Self {
            is_ipv6: socket.local_addr()?.is_ipv6(),
            socket: socket.try_clone()?,
        })
    }

    /// Opens a router towards this place.
    pub(super) fn punch(&self, remote: SocketAddr, number: [u8; 4]) {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&PUNCH);
        bytes[4..].copy_from_slice(&number);
        self.send(remote, &bytes);
    }

    /// Shows a master's second port where this socket's datagrams come from.
    pub(super) fn look(&self, remote: SocketAddr, token: [u8; 8]) {
        let mut bytes = [0; LOOK_BYTES];
        bytes[..8].copy_from_slice(&LOOK);
        bytes[8..].copy_from_slice(&token);
        self.send(remote, &bytes);
    }

    fn send(&self, remote: SocketAddr, bytes: &[u8]) {
        let target = if self.is_ipv6 { mapped(remote) } else { remote };
        if let Err(error) = self.socket.send_to(bytes, target) {
            tracing::debug!(%remote, %error, "a punch did not leave");
        }
    }
}

/// The token of a look, if this datagram is one.
pub(super) fn token_of(datagram: &[u8]) -> Option<[u8; 8]> {
    let (begin, token) = datagram.split_first_chunk::<8>()?;
    (*begin == LOOK).then(|| token.try_into().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_this_and_no_more() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let puncher = Puncher::of(&here).unwrap();
        let remote = there.local_addr().unwrap();
        let mut buffer = [0; 100];
        puncher.punch(remote, [1, 2, 3, 4]);
        let (len, from) = there.recv_from(&mut buffer).unwrap();
        assert_eq!(from, here.local_addr().unwrap());
        assert_eq!(&buffer[..len], [0, b'S', b'H', b'P', 1, 2, 3, 4]);
        assert_eq!(token_of(&buffer[..len]), None);
        puncher.look(remote, [7; 8]);
        let (len, _) = there.recv_from(&mut buffer).unwrap();
        assert_eq!((len, token_of(&buffer[..len])), (LOOK_BYTES, Some([7; 8])));
        assert_eq!(token_of(&buffer[..len - 1]), None);
        assert_eq!(token_of(&buffer[..=len]), None);
    }

    #[test]
    fn a_dual_stack_socket_reaches_ipv4() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
        here.set_only_v6(false).unwrap();
        let everywhere: SocketAddr = "[::]:0".parse().unwrap();
        if here.bind(&everywhere.into()).is_err() {
            return; // a machine without IPv6 has no such sockets
        }
        let puncher = Puncher::of(&here.into()).unwrap();
        puncher.punch(there.local_addr().unwrap(), [0; 4]);
        assert_eq!(there.recv_from(&mut [0; 100]).unwrap().0, 8);
    }
}
