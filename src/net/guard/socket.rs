//! The socket under guard.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::super::bursts::with_contents;
use super::{Guard, Leave};

/// A socket from which leaves what a guard admits.
#[derive(Debug)]
pub(in crate::net) struct Guarded {
    socket: Arc<dyn AsyncUdpSocket>,
    guard: Arc<Guard>,
}

impl Guarded {
    /// This socket, under that guard.
    pub(in crate::net) fn new(socket: Arc<dyn AsyncUdpSocket>, guard: Arc<Guard>) -> Self {
        Self { socket, guard }
    }

    /// Sends the first datagrams of a burst.
    fn send_first(&self, transmit: &Transmit, datagrams: usize) -> io::Result<()> {
        let total = transmit.contents.len();
        let each = transmit.segment_size.unwrap_or(total);
        let bytes = total.min(datagrams.saturating_mul(each));
        if bytes == 0 {
            return Ok(());
        }
        self.socket
            .try_send(&with_contents(transmit, &transmit.contents[..bytes]))
    }
}

impl AsyncUdpSocket for Guarded {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller {
            system: Arc::clone(&self.socket).create_io_poller(),
            guard: Arc::clone(&self.guard),
        })
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        match self.guard.admit(transmit) {
            Leave::All => self.socket.try_send(transmit),
            // what does not leave is lost, as on a network
            Leave::Only(datagrams) => self.send_first(transmit, datagrams),
            Leave::Wait(datagrams) => {
                // if there is no room for them either, they are lost
                let _ = self.send_first(transmit, datagrams);
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let came = self.socket.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = came {
            for (meta, buffer) in meta.iter().zip(bufs.iter()).take(count) {
                self.guard
                    .on_received(meta.addr, &buffer[..meta.len], meta.stride);
            }
        }
        came
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

/// One connection's wait for the socket.
#[derive(Debug)]
struct Poller {
    system: Pin<Box<dyn UdpPoller>>,
    guard: Arc<Guard>,
}

impl UdpPoller for Poller {
    /// Nobody is told when a transmit that was put off may go: the connection asks again when something comes for it,
    /// or when one of its timers fires.
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        if self.guard.take_wait() {
            return Poll::Pending;
        }
        let writable = self.system.as_mut().poll_writable(cx);
        if writable.is_pending() {
            self.guard.forget();
        }
        writable
    }
}
