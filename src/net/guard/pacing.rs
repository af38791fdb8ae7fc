//! What is sent on a fast path waits for its turn before the guard, and the guard still knows its path then.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use quinn::congestion::Controller as _;
use quinn::udp::Transmit;
use quinn::{AsyncUdpSocket as _, Runtime as _, TokioRuntime, UdpPoller};

use super::proof::{PathFactory, Watched};
use super::{Guard, Guarded};
use crate::net::congestion::BbrFactory;
use crate::net::recording::Recording;
use crate::net::system::runtime;

const THERE: ([u8; 4], u16) = ([192, 0, 2, 1], 7922);
const RTT: Duration = Duration::from_millis(10);

/// A guarded socket with one connection, whose only path is in its handshake.
struct Paced {
    guard: Arc<Guard>,
    system: Arc<Recording>,
    socket: Arc<Guarded>,
    poller: Pin<Box<dyn UdpPoller>>,
    path: Watched,
}

impl Paced {
    fn new() -> Self {
        let (guard, system) = (Arc::new(Guard::default()), Arc::new(Recording::default()));
        let timers = runtime().unwrap();
        let socket = Guarded::new(Arc::clone(&system) as _, Arc::clone(&guard), Some(timers));
        let socket = Arc::new(socket);
        let factory = PathFactory::new(&guard, BbrFactory);
        let (path, _) = guard.first(|| factory.watched(TokioRuntime.now(), 1200));
        path.proof.pace.set(TokioRuntime.now(), 1_000_000, RTT, RTT);
        Self {
            poller: Arc::clone(&socket).create_io_poller(),
            guard,
            system,
            socket,
            path,
        }
    }

    /// quinn makes so many bytes ready.
    fn make_ready(&mut self, bytes: u64) {
        self.path.on_sent(TokioRuntime.now(), bytes, 7);
    }

    /// Whether they may leave now.
    fn is_ready(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.poller.as_mut().poll_writable(&mut cx).is_ready()
    }

    /// Sends datagrams of a short header, of which a place that is not proven would get none.
    fn send(&self, datagrams: usize) -> usize {
        let sent = self.socket.try_send(&Transmit {
            destination: THERE.into(),
            ecn: None,
            contents: &vec![0x40; datagrams * 1200],
            segment_size: Some(1200),
            src_ip: None,
        });
        sent.unwrap();
        self.system.take().into_iter().map(|(bytes, _)| bytes).sum()
    }
}

#[tokio::test]
async fn a_transmit_waits_for_its_turn_and_is_woken_for_it() {
    let mut paced = Paced::new();
    // an hour at this pace
    paced.make_ready(125_000_000 * 3600);
    assert!(paced.is_ready());
    assert_eq!(paced.send(10), 12_000);
    paced.make_ready(12_000);
    assert!(!paced.is_ready(), "its turn is in an hour");
    assert!(!paced.is_ready());
    assert!(paced.guard.next().is_none(), "others may send meanwhile");
    // as it would be in an hour
    paced.path.proof.pace.set(TokioRuntime.now(), 0, RTT, RTT);
    assert!(paced.is_ready());
    assert_eq!(paced.send(10), 12_000, "its path is known");

    paced
        .path
        .proof
        .pace
        .set(TokioRuntime.now(), 1_000_000, RTT, RTT);
    paced.make_ready(1_250_000);
    assert!(paced.is_ready());
    let until = TokioRuntime.now();
    assert_eq!(paced.send(10), 12_000);
    paced.make_ready(12_000);
    poll_fn(|cx| paced.poller.as_mut().poll_writable(cx))
        .await
        .unwrap();
    assert!(TokioRuntime.now() >= until, "it is woken");
    assert_eq!(paced.send(10), 12_000);
}

#[tokio::test]
async fn what_is_sent_beside_all_paths_waits_for_none() {
    let mut paced = Paced::new();
    paced.make_ready(125_000_000 * 3600);
    assert!(paced.is_ready());
    assert_eq!(paced.send(10), 12_000);
    for _ in 0..100 {
        assert!(paced.is_ready());
    }
}
