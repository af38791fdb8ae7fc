//! A socket for tests, with room for everything, that takes note of what is sent.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

/// Bytes of each transmit, and of each of its datagrams where it has several.
#[derive(Debug, Default)]
pub(super) struct Recording(Mutex<Vec<(usize, Option<usize>)>>);

impl Recording {
    /// What was sent since it was last asked.
    pub(super) fn take(&self) -> Vec<(usize, Option<usize>)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl AsyncUdpSocket for Recording {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room)
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        let sent = (transmit.contents.len(), transmit.segment_size);
        assert!(sent.1.is_none_or(|each| each < sent.0), "{sent:?}");
        self.0.lock().unwrap().push(sent);
        Ok(())
    }

    fn poll_recv(
        &self,
        _: &mut Context,
        _: &mut [IoSliceMut<'_>],
        _: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }

    fn max_receive_segments(&self) -> usize {
        64
    }
}

#[derive(Debug)]
struct Room;

impl UdpPoller for Room {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
