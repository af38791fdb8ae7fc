//! A guarded socket as quinn uses it: paths, what came from where, and what leaves.

use super::proof::Watched;
use super::*;
use crate::net::congestion::BbrFactory;
use crate::net::recording::Recording;
use quinn::congestion::Controller as _;
use quinn::{AsyncUdpSocket, UdpPoller};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

/// A guarded socket, as quinn uses it.
struct Endpoint {
    guard: Arc<Guard>,
    factory: PathFactory<BbrFactory>,
    system: Arc<Recording>,
    socket: Arc<Guarded>,
    poller: Pin<Box<dyn UdpPoller>>,
    now: Instant,
}

impl Endpoint {
    #[expect(
        clippy::disallowed_methods,
        reason = "an instant has no other beginning"
    )]
    fn new() -> Self {
        let (guard, system) = (Arc::new(Guard::default()), Arc::new(Recording::default()));
        let socket = Arc::new(Guarded::new(
            Arc::clone(&system) as _,
            Arc::clone(&guard),
            None,
        ));
        Self {
            factory: PathFactory::new(&guard, BbrFactory),
            poller: Arc::clone(&socket).create_io_poller(),
            guard,
            system,
            socket,
            now: Instant::now(),
        }
    }

    fn path(&self) -> Watched {
        self.factory.watched(self.now, 1200)
    }

    /// A connection's first path, and what is known of it.
    fn first_path(&self) -> (Watched, Arc<Proof>) {
        let (path, proof) = self.guard.first(|| self.path());
        (path, proof.unwrap())
    }

    /// Something has come.
    fn receive(&self, from: SocketAddr, datagram: &[u8]) {
        self.guard.on_received(from, datagram, datagram.len());
    }

    /// Sends so many datagrams of so many bytes at once, on a path or beside all; answers whether they are to be sent
    /// again, and what left.
    fn send(
        &mut self,
        path: Option<&mut Watched>,
        to: SocketAddr,
        (count, each): (usize, usize),
    ) -> (bool, usize) {
        if let Some(path) = path {
            path.on_sent(self.now, (count * each) as u64, 7);
        }
        self.hand_over(to, (count, each))
    }

    fn hand_over(&mut self, to: SocketAddr, (count, each): (usize, usize)) -> (bool, usize) {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(self.poller.as_mut().poll_writable(&mut cx).is_ready());
        let contents = vec![SHORT; count * each];
        let sent = self.socket.try_send(&Transmit {
            destination: to,
            ecn: None,
            contents: &contents,
            segment_size: (count > 1).then_some(each),
            src_ip: None,
        });
        let waits = sent.is_err();
        // a connection that is to wait does so once, and then tries again
        assert_eq!(
            self.poller.as_mut().poll_writable(&mut cx).is_pending(),
            waits
        );
        let left = self.system.take().iter().map(|(bytes, _)| bytes).sum();
        (waits, left)
    }
}

/// The first byte of a packet after a handshake, and of one within.
const SHORT: u8 = 0x40;
const LONG: u8 = 0xc0;

fn place(number: u8) -> SocketAddr {
    ([198, 51, 100, number], 7922).into()
}

#[test]
fn beside_all_paths_an_unproven_host_gets_three_times_what_came() {
    let mut endpoint = Endpoint::new();
    assert_eq!(endpoint.send(None, place(1), (1, 1200)), (false, 0));
    for _ in 0..100 {
        endpoint.receive(place(1), &[SHORT; 40]);
    }
    let mut left = 0;
    for _ in 0..100 {
        left += endpoint.send(None, place(1), (1, 1200)).1;
    }
    assert_eq!(left, 12_000, "4000 came");
    let other_port = SocketAddr::new(place(1).ip(), 1);
    assert_eq!(endpoint.send(None, other_port, (1, 1)), (false, 0));
}

#[test]
fn a_place_is_proven_when_hands_are_shaken_and_for_as_long_as_the_path_lives() {
    let mut endpoint = Endpoint::new();
    let (mut path, proof) = endpoint.first_path();
    // in the handshake quinn counts
    assert_eq!(
        endpoint.send(Some(&mut path), place(1), (2, 1200)),
        (false, 2400)
    );
    // what is acknowledged may have been guessed
    path.proof.on_ack();
    endpoint.send(Some(&mut path), place(1), (1, 1200));
    assert_eq!(endpoint.send(None, place(1), (1, 1200)), (false, 0));
    proof.on_shaken_hands();
    drop(proof);
    endpoint.send(Some(&mut path), place(1), (1, 1200));
    assert_eq!(endpoint.send(None, place(1), (1, 4000)), (false, 4000));
    assert_eq!(endpoint.send(None, place(2), (1, 1200)), (false, 0));
    drop(path);
    assert_eq!(endpoint.send(None, place(1), (1, 4000)), (false, 0));
}

#[test]
fn who_moves_gets_a_datagram_then_three_times_what_came_and_everything_when_proven() {
    let mut endpoint = Endpoint::new();
    let mut path = endpoint.path();
    endpoint.receive(place(1), &[SHORT; 40]);
    assert_eq!(
        endpoint.send(Some(&mut path), place(1), (1, 1200)),
        (false, 1200)
    );
    // its answer to the challenge, which is as long
    endpoint.receive(place(1), &[SHORT; 1200]);
    assert_eq!(
        endpoint.send(Some(&mut path), place(1), (10, 1200)),
        (true, 3600)
    );
    // for nothing: it is tried once more, and what does not fit is lost
    assert_eq!(endpoint.hand_over(place(1), (10, 1200)), (false, 0));
    assert_eq!(
        endpoint.send(Some(&mut path), place(1), (10, 1200)),
        (true, 0)
    );
    path.proof.on_ack();
    assert_eq!(endpoint.hand_over(place(1), (10, 1200)), (false, 12_000));
    assert_eq!(endpoint.send(None, place(1), (1, 4000)), (false, 4000));
    // nobody has proven to be at that port, but who moves may move again
    let other = SocketAddr::new(place(1).ip(), 1);
    let mut path = endpoint.path();
    assert_eq!(endpoint.send(Some(&mut path), other, (1, 1200)), (true, 0));
    endpoint.receive(other, &[SHORT; 40]);
    assert_eq!(endpoint.hand_over(other, (1, 1200)), (false, 0));
    assert_eq!(
        endpoint.send(Some(&mut path), other, (1, 1200)),
        (false, 1200)
    );
    assert_eq!(endpoint.send(Some(&mut path), other, (1, 1200)), (true, 0));
}

#[test]
fn a_path_on_which_all_is_spent_before_it_is_proven_is_probed_a_few_times() {
    let mut endpoint = Endpoint::new();
    let mut path = endpoint.path();
    endpoint.receive(place(1), &[SHORT; 4000]);
    endpoint.send(Some(&mut path), place(1), (10, 1200));
    assert_eq!(endpoint.hand_over(place(1), (10, 1200)), (false, 0));
    let mut probes = 0;
    for _ in 0..1000 {
        // the probe is sent, the rest waits, is tried once more and lost
        let (waits, left) = endpoint.send(Some(&mut path), place(1), (2, 1200));
        assert!(waits && (left == 0 || left == 1200), "{left}");
        probes += left / 1200;
        assert_eq!(endpoint.hand_over(place(1), (2, 1200)), (false, 0));
        endpoint.now += Duration::from_millis(1);
    }
    assert_eq!(probes, 4);
}

#[test]
fn moving_to_and_fro_is_worth_no_more_than_one_datagram_at_once() {
    let mut endpoint = Endpoint::new();
    let (mut came, mut left) = (0, 0);
    for _ in 0..1000 {
        let mut path = endpoint.path();
        endpoint.receive(place(1), &[SHORT; 40]);
        came += 40;
        left += endpoint.send(Some(&mut path), place(1), (1, 1200)).1;
        left += endpoint.hand_over(place(1), (1, 1200)).1;
        assert!(left <= 3 * came + 1200, "{left} for {came}");
    }
    assert!(left > 2 * came);
}

#[test]
fn packets_of_a_handshake_are_no_credit_for_others() {
    let mut endpoint = Endpoint::new();
    endpoint.receive(place(1), &[LONG; 1200]);
    assert_eq!(endpoint.send(None, place(1), (1, 40)), (false, 0));
    let mut burst = vec![SHORT; 50];
    burst[..20].fill(LONG);
    endpoint.guard.on_received(place(1), &burst, 20);
    assert_eq!(endpoint.send(None, place(1), (1, 90)), (false, 90));
    assert_eq!(endpoint.send(None, place(1), (1, 1)), (false, 0));
}

#[test]
fn what_is_known_of_places_does_not_outlive_their_paths() {
    let mut endpoint = Endpoint::new();
    for number in 0..100_000u32 {
        let (mut path, proof) = endpoint.first_path();
        proof.on_shaken_hands();
        let [_, a, b, c] = number.to_be_bytes();
        endpoint.send(Some(&mut path), ([10, a, b, c], 7922).into(), (1, 40));
    }
    assert!(endpoint.guard.lock().places.len() <= PLACES_MIN);
}
