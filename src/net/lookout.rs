//! A master's second port: it sees where datagrams come from, and answers nothing.
//!
//! A router that gives a node the same outside address here as at the first port gives it to everybody
//! (RFC 4787 section 4.1). What was seen is told on the node's own connection, so that nobody can have this
//! port send anything to anybody.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::handshake::canonical;
use super::punch::{LOOK_BYTES, token_of};

/// A datagram that showed where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// What it carried.
    pub token: [u8; 8],
    /// Where it came from.
    pub from: SocketAddr,
}

/// The second port. Closed with the runtime that it was opened in.
#[derive(Debug)]
pub struct Lookout {
    port: u16,
}

impl Lookout {
    /// Opens a socket beside `listen`: at the next port, or any that is free. Must run inside a tokio runtime.
    ///
    /// What comes while `views` is full is dropped, as by a network.
    pub fn open(listen: SocketAddr, views: mpsc::Sender<View>) -> io::Result<Self> {
        let next = listen.port().checked_add(1).unwrap_or(0);
        let at = |port| super::system::open_socket(SocketAddr::new(listen.ip(), port));
        let socket = at(next).or_else(|_| at(0))?;
        let port = socket.local_addr()?.port();
        tokio::spawn(watch(UdpSocket::from_std(socket)?, views));
        Ok(Self { port })
    }

    /// Its UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

async fn watch(socket: UdpSocket, views: mpsc::Sender<View>) {
    // one byte more, so that what is too long shows
    let mut buffer = [0; LOOK_BYTES + 1];
    while !views.is_closed() {
        // errors are about datagrams that were sent, of which there are none
        let Ok((len, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Some(token) = token_of(&buffer[..len]) {
            let from = canonical(from);
            // the one who waits for it asks again
            let _ = views.try_send(View { token, from });
        }
    }
}
