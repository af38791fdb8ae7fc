//! Flows of quinn's own protocol code over links in virtual time.
//!
//! Everything of quinn but its sockets: connections, loss detection, pacing, acknowledgements. No
//! clock and no socket, so the load of the machine changes nothing, and a run takes as long as its
//! packets take to seal and open. What it leaves out is what real sockets and schedulers add:
//! `wire.rs` has those.
//!
//! Each flow is a pair of endpoints; all flows share the two links, data goes one way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, EcnCodepoint, Endpoint,
    EndpointConfig, Event, ServerConfig, StreamEvent, StreamId, WriteError,
};

use crate::link::{Fate, Figures, HEADERS, Link, Shape};

/// Datagrams that one call may put together, as quinn's driver allows with segmentation offload.
const BATCH: usize = 10;
/// What a sender writes at a time, in bytes.
static PIECE: [u8; 64 * 1024] = [0x5a; 64 * 1024];

/// A world with two links and the flows on them.
pub(crate) struct Lab {
    now: u64,
    epoch: Instant,
    links: [Link; 2],
    hosts: Vec<Host>,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    packets: BTreeMap<u64, Packet>,
    sequence: u64,
}

/// A datagram on its way, between hosts by number.
struct Packet {
    to: usize,
    from: usize,
    ecn: Option<EcnCodepoint>,
    data: BytesMut,
}

/// One end of a flow.
struct Host {
    endpoint: Endpoint,
    address: SocketAddr,
    connection: Option<(ConnectionHandle, Connection)>,
    peer: usize,
    starts_at: u64,
    stream: Option<StreamId>,
    is_sender: bool,
    received: u64,
    armed: Option<u64>,
}

/// What a flow brings along.
pub(crate) struct Flow {
    /// The dialing and sending side.
    pub(crate) client: ClientConfig,
    /// The receiving side.
    pub(crate) server: ServerConfig,
    /// When it starts, in nanoseconds.
    pub(crate) starts_at: u64,
}

impl Lab {
    pub(crate) fn new(epoch: Instant, shape: Shape, seed: u64) -> Self {
        Self {
            now: 0,
            epoch,
            links: [
                Link::new(shape, seed),
                Link::new(shape.for_answers(), seed ^ 0xbac4),
            ],
            hosts: Vec::new(),
            events: BinaryHeap::new(),
            packets: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Adds a flow; its number.
    pub(crate) fn add(&mut self, flow: Flow) -> usize {
        let number = self.hosts.len() / 2;
        for side in 0..2 {
            let host = u8::try_from(2 * number + side).expect("few flows");
            let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host + 1), 7922);
            let mut config = EndpointConfig::default();
            config.rng_seed(Some([host; 32]));
            config
                .max_udp_payload_size(4000)
                .expect("more than QUIC's least");
            let server = (side == 1).then(|| Arc::new(flow.server.clone()));
            self.hosts.push(Host {
                endpoint: Endpoint::new(Arc::new(config), server, true, None),
                address: address.into(),
                connection: None,
                peer: 2 * number + 1 - side,
                starts_at: flow.starts_at,
                stream: None,
                is_sender: side == 0,
                received: 0,
                armed: None,
            });
        }
        let at = self.epoch + Duration::from_nanos(flow.starts_at);
        let peer = self.hosts[2 * number + 1].address;
        let sender = &mut self.hosts[2 * number];
        let dialed = sender
            .endpoint
            .connect(at, flow.client, peer, "swarmhold.invalid")
            .expect("a dial");
        sender.connection = Some(dialed);
        self.schedule(flow.starts_at);
        number
    }

    /// Lets time pass.
    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some(&Reverse((at, sequence))) = self.events.peek() {
            if at > end {
                break;
            }
            self.events.pop();
            self.now = at;
            if let Some(packet) = self.packets.remove(&sequence) {
                let host = packet.to;
                self.deliver(packet);
                self.turn(host);
            } else {
                for host in 0..self.hosts.len() {
                    self.wake(host);
                }
            }
        }
        self.now = end;
    }

    /// Bytes that the flow has delivered to its application.
    pub(crate) fn received(&self, flow: usize) -> u64 {
        self.hosts[2 * flow + 1].received
    }

    /// What passed the link that carries the data.
    pub(crate) fn take_figures(&mut self) -> Figures {
        self.links[0].take_figures()
    }

    fn instant(&self) -> Instant {
        self.epoch + Duration::from_nanos(self.now)
    }

    fn schedule(&mut self, at: u64) -> u64 {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence)));
        self.sequence
    }

    fn deliver(&mut self, packet: Packet) {
        let now = self.instant();
        let remote = self.hosts[packet.from].address;
        let side = &mut self.hosts[packet.to];
        let Packet { ecn, data, .. } = packet;
        let mut answer = Vec::new();
        match side
            .endpoint
            .handle(now, remote, None, ecn, data, &mut answer)
        {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = &mut side.connection {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = side.endpoint.accept(incoming, now, &mut answer, None);
                side.connection = Some(accepted.map_err(|e| e.cause).expect("a handshake"));
            }
            Some(DatagramEvent::Response(_)) | None => (),
        }
    }

    fn wake(&mut self, host: usize) {
        let now = self.instant();
        let due = |at: Instant| at <= now;
        if self.now < self.hosts[host].starts_at {
            return;
        }
        if let Some((_, connection)) = &mut self.hosts[host].connection
            && connection.poll_timeout().is_some_and(due)
        {
            connection.handle_timeout(now);
        } else if self.hosts[host].armed.is_some_and(|at| at > self.now) {
            return;
        }
        self.turn(host);
    }

    /// Lets one host do what there is to do, then sets its alarm.
    fn turn(&mut self, host: usize) {
        self.applications(host);
        self.transmit(host);
        let epoch = self.epoch;
        let alarm = self.hosts[host].connection.as_mut().and_then(|(_, c)| {
            let at = c.poll_timeout()?.saturating_duration_since(epoch);
            u64::try_from(at.as_nanos()).ok()
        });
        let alarm = alarm.map(|at| at.max(self.now + 1));
        if alarm != self.hosts[host].armed {
            self.hosts[host].armed = alarm;
            if let Some(at) = alarm {
                self.schedule(at);
            }
        }
    }

    fn applications(&mut self, host: usize) {
        let side = &mut self.hosts[host];
        let Some((handle, connection)) = &mut side.connection else {
            return;
        };
        while let Some(event) = connection.poll() {
            match event {
                Event::Connected if side.is_sender => {
                    side.stream = connection.streams().open(Dir::Uni);
                }
                Event::Stream(StreamEvent::Opened { dir: Dir::Uni }) => {
                    side.stream = connection.streams().accept(Dir::Uni);
                }
                Event::ConnectionLost { reason } => panic!("a flow broke: {reason}"),
                Event::Connected
                | Event::HandshakeDataReady
                | Event::Stream(_)
                | Event::DatagramReceived
                | Event::DatagramsUnblocked => (),
            }
        }
        if let Some(stream) = side.stream {
            if side.is_sender {
                while !matches!(
                    connection.send_stream(stream).write(&PIECE),
                    Err(WriteError::Blocked)
                ) {}
            } else if let Ok(mut chunks) = connection.recv_stream(stream).read(true) {
                while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                    side.received += chunk.bytes.len() as u64;
                }
                let _ = chunks.finalize();
            }
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = side.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
    }

    fn transmit(&mut self, host: usize) {
        let now = self.instant();
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let side = &mut self.hosts[host];
            let (peer, is_sender) = (side.peer, side.is_sender);
            let Some((_, connection)) = &mut side.connection else {
                return;
            };
            let Some(transmit) = connection.poll_transmit(now, BATCH, &mut buffer) else {
                return;
            };
            let size = transmit.segment_size.unwrap_or(transmit.size);
            for datagram in buffer[..transmit.size].chunks(size) {
                let link = &mut self.links[usize::from(!is_sender)];
                let bytes = datagram.len() as u64 + HEADERS;
                let (at, ecn) = match link.offer(self.now, bytes) {
                    Fate::Arrives(at) => (at, transmit.ecn),
                    Fate::ArrivesMarked(at) => (at, transmit.ecn.map(|_| EcnCodepoint::Ce)),
                    Fate::Gone => continue,
                };
                let data = BytesMut::from(datagram);
                let sequence = self.schedule(at);
                let packet = Packet {
                    to: peer,
                    from: host,
                    ecn,
                    data,
                };
                self.packets.insert(sequence, packet);
            }
        }
    }
}
