//! A link between real sockets: a UDP forwarder in a process of its own.
//!
//! Every datagram that comes from a client passes one [`Link`], every answer another, and leaves when
//! the link says. The kernel takes apart what was sent as segments of one buffer, because these sockets
//! do not ask for such buffers. One system call for each datagram and side: measured against itself,
//! with no limit and no delay, that carries more than the links here are given. Four threads: for each
//! direction one that receives and one that waits for what is due. Larger datagrams than the link's
//! MTU are dropped, so the ends find the path's size as on any path.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::link::{Fate, HEADERS, Link, Shape};
use crate::say;
use crate::waiting::Waiting;

/// The largest UDP payload.
const BUFFER: usize = 64 * 1024;

/// One direction of one client's traffic.
struct Pipe {
    socket: UdpSocket,
    to: SocketAddr,
    waiting: Waiting,
}

/// The two links, and the time by which they go.
struct Wire {
    links: [Mutex<Link>; 2],
    epoch: Instant,
}

/// Forwards between whoever asks and a server until the input ends, then says what passed.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn serve(server: SocketAddr, shape: Shape, seed: u64) {
    let wire = Arc::new(Wire {
        links: [
            Mutex::new(Link::new(shape, seed)),
            Mutex::new(Link::new(shape.for_answers(), seed + 1)),
        ],
        epoch: Instant::now(),
    });
    let front = socket().expect("a socket");
    say(front.local_addr().expect("its address"));
    let forwarding = Arc::clone(&wire);
    thread::spawn(move || forward(&forwarding, &front, server));
    io::stdin()
        .read_to_end(&mut Vec::new())
        .expect("the parent closes it");
    let figures = wire.links[0].lock().expect("no panic").take_figures();
    say(figures.line());
}

/// Takes in what clients send; each new one gets a socket towards the server. What the server sends
/// is the data, so that direction is link 0.
fn forward(wire: &Arc<Wire>, front: &UdpSocket, server: SocketAddr) {
    let mut clients: BTreeMap<SocketAddr, Arc<Pipe>> = BTreeMap::new();
    receive(front, |client, datagram| {
        let pipe = clients.entry(client).or_insert_with(|| {
            let there = socket().expect("a socket");
            let back = Pipe::start(front.try_clone().expect("a socket"), client, wire);
            let hears = there.try_clone().expect("a socket");
            let answers = Arc::clone(wire);
            thread::spawn(move || {
                receive(&hears, |_, datagram| answers.pass(0, &back, datagram));
            });
            Pipe::start(there, server, wire)
        });
        wire.pass(1, pipe, datagram);
    });
}

impl Wire {
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).expect("hours")
    }

    fn pass(&self, link: usize, pipe: &Pipe, datagram: &[u8]) {
        let bytes = datagram.len() as u64 + HEADERS;
        let fate = self.links[link]
            .lock()
            .expect("no panic")
            .offer(self.now(), bytes);
        if let Fate::Arrives(at) | Fate::ArrivesMarked(at) = fate {
            pipe.waiting.extend([(at, datagram.to_vec())]);
        }
    }
}

impl Pipe {
    fn start(socket: UdpSocket, to: SocketAddr, wire: &Arc<Wire>) -> Arc<Self> {
        let pipe = Arc::new(Self {
            socket,
            to,
            waiting: Waiting::default(),
        });
        let (started, wire) = (Arc::clone(&pipe), Arc::clone(wire));
        thread::spawn(move || started.deliver(&wire));
        pipe
    }

    /// Sends what is due, in order.
    fn deliver(&self, wire: &Wire) {
        loop {
            let at = self.waiting.next_due();
            let now = wire.now();
            if at > now {
                thread::sleep(Duration::from_nanos(at - now));
            }
            for datagram in self.waiting.take_due(wire.now(), usize::MAX) {
                // A full socket buffer is one more place where packets are lost.
                let _ = self.socket.send_to(&datagram, self.to);
            }
        }
    }
}

/// Takes datagrams in, one by one.
fn receive(socket: &UdpSocket, mut each: impl FnMut(SocketAddr, &[u8])) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((bytes, from)) => each(from, &buffer[..bytes]),
            // What the far end's system says of a process that has ended.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => (),
            Err(error) => panic!("the emulator cannot receive: {error}"),
        }
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    let options = socket2::SockRef::from(&socket);
    options.set_recv_buffer_size(4 << 20)?;
    options.set_send_buffer_size(4 << 20)?;
    Ok(socket)
}
