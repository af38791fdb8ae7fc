//! Two sockets joined by a wire that loses, reorders and fills up, without any master.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use quinn::{ClientConfig, Endpoint, EndpointConfig, TokioRuntime};

use super::*;
use crate::identity::{Wallet, tls};
use crate::net::endpoint::server_config;
use crate::net::mtu::discovery;
use crate::net::transport::{Purpose, Role, transport};
use crate::wire::ALPN;

const CHANNEL: ChannelId = ChannelId(7);

/// Keeps what it is given until somebody takes it away.
#[derive(Debug)]
struct Wire {
    longest: usize,
    room: usize,
    kept: Mutex<Vec<Bytes>>,
}

impl Wire {
    fn new(longest: usize, room: usize) -> Arc<Self> {
        let kept = Mutex::default();
        Arc::new(Self {
            longest,
            room,
            kept,
        })
    }

    fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.kept.lock().unwrap())
    }
}

impl Carry for Wire {
    fn datagram_bytes_max(&self) -> usize {
        self.longest
    }

    fn carry(&self, datagram: &Bytes) -> Room {
        assert!(datagram.len() <= self.longest);
        let mut kept = self.kept.lock().unwrap();
        if kept.len() >= self.room {
            return Room::Full;
        }
        kept.push(datagram.clone());
        Room::Taken
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn socket(wire: &Arc<Wire>) -> Arc<RelaySocket> {
    Arc::new(RelaySocket::new(Arc::clone(wire) as _).unwrap())
}

fn send(socket: &RelaySocket, to: SocketAddr, contents: &[u8], segment: usize) -> io::Result<()> {
    socket.try_send(&Transmit {
        destination: to,
        ecn: None,
        contents,
        segment_size: (segment < contents.len()).then_some(segment),
        src_ip: None,
    })
}

/// What waits to be read, in buffers of 1472 bytes; none where the reader is to be woken later.
fn received(socket: &RelaySocket, waker: &Waker) -> Option<Vec<(SocketAddr, Vec<u8>)>> {
    let mut room = vec![[0; 1472]; 8];
    let mut bufs: Vec<IoSliceMut<'_>> = room.iter_mut().map(|it| IoSliceMut::new(it)).collect();
    let mut meta = [RecvMeta::default(); 8];
    match socket.poll_recv(&mut Context::from_waker(waker), &mut bufs, &mut meta) {
        Poll::Ready(count) => {
            let read = bufs.iter().zip(&meta).take(count.unwrap());
            Some(
                read.map(|(it, meta)| (meta.addr, it[..meta.len].to_vec()))
                    .collect(),
            )
        }
        Poll::Pending => None,
    }
}

fn packets(socket: &RelaySocket) -> Vec<Vec<u8>> {
    let all = std::iter::from_fn(|| received(socket, Waker::noop())).flatten();
    all.map(|(_, packet)| packet).collect()
}

#[test]
fn a_packet_arrives_whole_whichever_way_it_was_carried() {
    let packet: Vec<u8> = (0..=255).cycle().take(1200).collect();
    for (longest, datagrams) in [(1300, 1), (1205, 1), (1204, 2), (605, 2)] {
        let wire = Wire::new(longest, 100);
        let (one, other) = (socket(&wire), socket(&wire));
        let (there, here) = (one.open(CHANNEL).unwrap(), other.open(CHANNEL).unwrap());
        send(&one, there, &packet, 1200).unwrap();
        let mut carried = wire.take();
        assert_eq!(carried.len(), datagrams, "{longest}");
        // in whatever order
        carried.reverse();
        carried.into_iter().for_each(|it| other.handle(it).unwrap());
        let arrived = received(&other, Waker::noop());
        assert_eq!(arrived, Some(vec![(here, packet.clone())]));
    }
}

#[test]
fn a_burst_is_cut_into_its_packets() {
    let wire = Wire::new(1300, 100);
    let (one, other) = (socket(&wire), socket(&wire));
    let there = one.open(CHANNEL).unwrap();
    other.open(CHANNEL).unwrap();
    send(&one, there, &[5; 3000], 1200).unwrap();
    wire.take()
        .into_iter()
        .for_each(|it| other.handle(it).unwrap());
    let lengths: Vec<_> = packets(&other).iter().map(Vec::len).collect();
    assert_eq!(lengths, [1200, 1200, 600]);
}

#[test]
fn nobody_is_reached_or_heard_without_an_open_channel() {
    let wire = Wire::new(1300, 100);
    let socket = socket(&wire);
    let address = socket.open(CHANNEL).unwrap();
    assert_eq!(socket.open(CHANNEL).unwrap(), address, "it is open already");
    // an address that somebody names means nothing here
    send(&socket, "[fd00::1]:1".parse().unwrap(), b"x", 9).unwrap();
    send(&socket, "127.0.0.1:7922".parse().unwrap(), b"x", 9).unwrap();
    assert!(wire.take().is_empty());
    let header = |id| Header {
        channel: ChannelId(id),
        part: Part::Whole,
    };
    assert_eq!(
        socket.handle(header(8).datagram(b"x")),
        Err(Dropped::Closed(ChannelId(8)))
    );
    let short = socket.handle(Bytes::from_static(&[1, 2, 3]));
    assert_eq!(short, Err(HeaderError::Short(3).into()));
    socket.close(CHANNEL);
    send(&socket, address, b"x", 9).unwrap();
    assert!(wire.take().is_empty() && socket.channels() == 0);
    let late = socket.handle(header(7).datagram(b"x"));
    assert_eq!(late, Err(Dropped::Closed(CHANNEL)));
    let again = socket.open(CHANNEL).unwrap();
    assert_ne!(again, address, "what it was is not told again");
    let SocketAddr::V6(again) = again else {
        panic!("{again}");
    };
    assert!(again.ip().is_unique_local() && again.port() != 0);
}

#[test]
fn what_is_not_read_does_not_pile_up() {
    let wire = Wire::new(1300, 100);
    let socket = socket(&wire);
    socket.open(CHANNEL).unwrap();
    let header = Header {
        channel: CHANNEL,
        part: Part::Whole,
    };
    let outcomes: Vec<_> = (0..2 * INBOUND_MAX)
        .map(|_| socket.handle(header.datagram(b"x")))
        .collect();
    let taken = outcomes.iter().filter(|it| it.is_ok()).count();
    assert_eq!(taken, INBOUND_MAX);
    assert_eq!(outcomes.last(), Some(&Err(Dropped::Full)));
    assert_eq!(packets(&socket).len(), INBOUND_MAX);
    // longer than any packet of QUIC here: not cut off, but dropped
    socket.handle(header.datagram(&[0; 1473])).unwrap();
    socket.handle(header.datagram(&[0; 1472])).unwrap();
    assert_eq!(packets(&socket).len(), 1);
}

#[test]
fn readers_are_woken_by_what_comes() {
    let wire = Wire::new(1300, 100);
    let socket = socket(&wire);
    socket.open(CHANNEL).unwrap();
    let woken = Arc::new(Woken::default());
    assert_eq!(received(&socket, &Arc::clone(&woken).into()), None);
    let header = Header {
        channel: CHANNEL,
        part: Part::First(3),
    };
    socket.handle(header.datagram(b"x")).unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 0, "half a packet is none");
    let part = Part::Second(3);
    socket
        .handle(Header { part, ..header }.datagram(b"y"))
        .unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(packets(&socket), [b"xy"]);
}

#[test]
fn a_full_carrier_makes_the_endpoint_wait_and_loses_nothing() {
    let wire = Wire::new(700, 3);
    let one = socket(&wire);
    let there = one.open(CHANNEL).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut poller = Arc::clone(&one).create_io_poller();
    let mut poll = || {
        poller
            .as_mut()
            .poll_writable(&mut Context::from_waker(&waker))
            .is_ready()
    };
    assert!(poll());
    // four packets are eight halves: three are taken, five wait
    send(&one, there, &[1; 4 * 1200], 1200).unwrap();
    assert!(!poll() && !poll());
    let refused = send(&one, there, &[2; 100], 1200).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    let mut carried = wire.take();
    carried.extend(std::iter::from_fn(|| one.next_waiting()));
    assert_eq!(carried.len(), 8);
    assert_eq!(
        woken.0.load(Ordering::Relaxed),
        1,
        "once, however often it asked"
    );
    assert!(poll());
    send(&one, there, &[2; 100], 1200).unwrap();
    let other = socket(&wire);
    other.open(CHANNEL).unwrap();
    carried.into_iter().for_each(|it| other.handle(it).unwrap());
    assert_eq!(packets(&other), vec![vec![1; 1200]; 4]);
}

fn endpoint(socket: &Arc<RelaySocket>, wallet: &Wallet) -> Endpoint {
    Endpoint::new_with_abstract_socket(
        EndpointConfig::default(),
        Some(server_config(wallet, Purpose::Relayed, &Arc::default()).unwrap()),
        Arc::clone(socket) as _,
        Arc::new(TokioRuntime),
    )
    .unwrap()
}

/// Carries what one socket sends to the other: the seventeenth of each gets lost, the fifth comes late.
async fn carry(wire: Arc<Wire>, from: Arc<RelaySocket>, to: Arc<RelaySocket>) {
    let (mut count, mut late) = (0u32, None);
    loop {
        let mut carried = wire.take();
        carried.extend(std::iter::from_fn(|| from.next_waiting()));
        for datagram in carried {
            count += 1;
            if count.is_multiple_of(17) {
                continue;
            }
            let now = match count.is_multiple_of(5) {
                true => late.replace(datagram),
                false => Some(datagram),
            };
            now.into_iter().for_each(|it| to.handle(it).unwrap());
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn quic_goes_through_a_wire_that_splits_loses_and_reorders() {
    let (alice, bob) = (Wallet::from_seed([1; 32]), Wallet::from_seed([2; 32]));
    // packets of 1200 bytes do not fit
    let (there, back) = (Wire::new(1162, 40), Wire::new(1162, 40));
    let (one, other) = (socket(&there), socket(&back));
    let (address, _) = (one.open(CHANNEL).unwrap(), other.open(CHANNEL).unwrap());
    tokio::spawn(carry(there, Arc::clone(&one), Arc::clone(&other)));
    tokio::spawn(carry(back, Arc::clone(&other), Arc::clone(&one)));
    let (dialer, acceptor) = (endpoint(&one, &alice), endpoint(&other, &bob));
    let serving = tokio::spawn(async move {
        let connection = acceptor.accept().await.unwrap().await.unwrap();
        let (mut send, mut recv) = connection.accept_bi().await.unwrap();
        let bytes = recv.read_to_end(1 << 20).await.unwrap();
        send.write_all(&bytes).await.unwrap();
        send.finish().unwrap();
        connection.closed().await;
    });
    let crypto = tls::client_config(&alice, ALPN, Some(bob.address())).unwrap();
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(crypto).unwrap();
    let mut config = ClientConfig::new(Arc::new(crypto));
    let guard = Arc::default();
    config.transport_config(transport(
        Role::Dialer,
        Purpose::Relayed,
        &guard,
        discovery(),
    ));
    let connecting = dialer.connect_with(config, address, tls::SERVER_NAME);
    let connection = connecting.unwrap().await.unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&bytes).await.unwrap();
    send.finish().unwrap();
    assert!(recv.read_to_end(1 << 20).await.unwrap() == bytes);
    assert!(connection.stats().path.current_mtu <= 1200);
    connection.close(0u32.into(), b"");
    serving.await.unwrap();
}
