//! The socket under guard.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, UdpPoller};

use super::super::bursts::with_contents;
use super::{Guard, Leave, Proof};

/// A socket from which leaves what a guard admits.
#[derive(Debug)]
pub(in crate::net) struct Guarded {
    socket: Arc<dyn AsyncUdpSocket>,
    guard: Arc<Guard>,
    timers: Option<Arc<dyn Runtime>>,
}

impl Guarded {
    /// This socket, under that guard. Where there are timers, they are fine enough to pace with.
    pub(in crate::net) fn new(
        socket: Arc<dyn AsyncUdpSocket>,
        guard: Arc<Guard>,
        timers: Option<Arc<dyn Runtime>>,
    ) -> Self {
        Self {
            socket,
            guard,
            timers,
        }
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
            pacing: self.timers.clone().map(Pacing::new),
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
    pacing: Option<Pacing>,
}

impl UdpPoller for Poller {
    /// Nobody is told when a transmit that was put off may go: the connection asks again when something comes for it,
    /// or when one of its timers fires.
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        if self.guard.take_wait() {
            return Poll::Pending;
        }
        let this = &mut *self;
        let paced = match &mut this.pacing {
            Some(pacing) => pacing.poll(&this.guard, cx),
            None => Poll::Ready(()),
        };
        if paced.is_pending() {
            return Poll::Pending;
        }
        let writable = this.system.as_mut().poll_writable(cx);
        if writable.is_pending() {
            this.guard.forget();
        }
        writable
    }
}

/// One connection's wait for its turn at the pace of the path that it sends on.
#[derive(Debug)]
struct Pacing {
    runtime: Arc<dyn Runtime>,
    /// Polled by one at a time; shared with nobody.
    timer: Mutex<Option<Pin<Box<dyn AsyncTimer>>>>,
    /// The path of the transmit that waits.
    waits: Option<Arc<Proof>>,
}

impl Pacing {
    fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            timer: Mutex::new(None),
            waits: None,
        }
    }

    /// Waits until what was handed over last may leave. Meanwhile it is not what the guard is to expect next.
    fn poll(&mut self, guard: &Guard, cx: &mut Context) -> Poll<()> {
        let announced = guard.next();
        let has_waited = announced.is_none();
        let Some(path) = announced.or_else(|| self.waits.take()) else {
            return Poll::Ready(());
        };
        let timer = self.timer.get_mut().expect("nothing panics with it");
        loop {
            let now = self.runtime.now();
            let Err(at) = path.pace.leave(now) else {
                if has_waited {
                    guard.announce(now, &path);
                }
                self.waits = None;
                return Poll::Ready(());
            };
            let timer = timer.get_or_insert_with(|| self.runtime.new_timer(at));
            timer.as_mut().reset(at);
            if timer.as_mut().poll(cx).is_pending() {
                guard.forget();
                self.waits = Some(path);
                return Poll::Pending;
            }
        }
    }
}
