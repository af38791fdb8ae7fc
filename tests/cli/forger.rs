//! Somebody who speaks QUIC by hand (RFC 9000, RFC 9001): a real handshake with a wallet's certificate,
//! and then whatever frames they like.
//!
//! Just enough for loopback: version 1, packet numbers of four bytes, nothing is sent again. What
//! the other side sends is decrypted, counted and, unless told otherwise, acknowledged.

mod frames;
mod packets;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::quic::{ClientConnection, KeyChange, Version};
use swarmhold::Wallet;
use swarmhold::identity::tls::{SERVER_NAME, client_config};
use swarmhold::node::Stopwatch;
use swarmhold::wire::{ALPN, Hello, Request, VERSION, frame};

pub(crate) use self::frames::Out;

use self::frames::{Frame, transport_parameters};
use self::packets::{CONNECTION_ID_BYTES, Level, Space, open, seal};
use crate::process::PATIENCE;

/// Bytes of a handshake that go into one packet.
const CRYPTO_BYTES: usize = 1000;

/// A connection.
pub(crate) struct Forger {
    socket: UdpSocket,
    remote: SocketAddr,
    tls: ClientConnection,
    /// What the other side calls us by.
    own: [u8; CONNECTION_ID_BYTES],
    /// What we call the other side by.
    theirs: Vec<u8>,
    spaces: [Space; 3],
    /// The level at which the handshake writes.
    level: Level,
    acks: Acks,
    reset_token: Option<Vec<u8>>,
    pub(crate) heard: Heard,
}

/// What is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acks {
    /// What came.
    Honest,
    /// Nothing.
    Withheld,
    /// All numbers up to the last that came, also those that did not come.
    Everything,
}

/// What has come so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Connection IDs that we may use, by their numbers.
    pub(crate) issued: BTreeMap<u64, Vec<u8>>,
    /// How many connection IDs of ours are not used any more.
    pub(crate) retired: usize,
    pub(crate) path_responses: usize,
    /// What came on the first stream.
    pub(crate) answer: Vec<u8>,
    /// How it ended.
    pub(crate) closed: Option<Closed>,
    /// Whether the other side knows the connection no more (RFC 9000 section 10.3).
    is_reset: bool,
    is_confirmed: bool,
}

/// What the other side said when it closed the connection (RFC 9000 section 19.19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: u64,
    pub(crate) reason: String,
}

impl Forger {
    /// Connects as a wallet, and waits until the handshake is confirmed.
    pub(crate) fn connect(remote: SocketAddr, wallet: &Wallet) -> Self {
        let config = Arc::new(client_config(wallet, ALPN, None).unwrap());
        let (mut own, mut theirs) = ([0; CONNECTION_ID_BYTES], [0; CONNECTION_ID_BYTES]);
        getrandom::fill(&mut own).unwrap();
        getrandom::fill(&mut theirs).unwrap();
        let initial = packets::initial_keys(&config, &theirs);
        let name = SERVER_NAME.try_into().unwrap();
        let parameters = transport_parameters(&own);
        let tls = ClientConnection::new(config, Version::V1, name, parameters).unwrap();
        let mut forger = Self {
            socket: UdpSocket::bind("127.0.0.1:0").unwrap(),
            remote,
            tls,
            own,
            theirs: theirs.to_vec(),
            spaces: Default::default(),
            level: Level::Initial,
            acks: Acks::Honest,
            reset_token: None,
            heard: Heard::default(),
        };
        forger.spaces[Level::Initial as usize].keys = Some(initial);
        forger.shake_hands();
        forger.until("the handshake's end", |heard| heard.is_confirmed);
        let theirs = forger.tls.quic_transport_parameters();
        forger.reset_token = theirs.and_then(frames::reset_token);
        forger
    }

    /// Says hello, and waits for the answer.
    pub(crate) fn greet(&mut self) {
        let hello = Request::Hello(Hello {
            version: VERSION,
            features: 0,
            listen: Vec::new(),
            observed: self.remote,
        });
        let mut out = Out::default();
        out.stream(0, &frame::encode_request(&hello));
        self.send(&out);
        self.until("a hello", |heard| !heard.answer.is_empty());
    }

    /// A wallet connects and says hello.
    pub(crate) fn greeted(remote: SocketAddr, wallet: &Wallet) -> Self {
        let mut forger = Self::connect(remote, wallet);
        forger.greet();
        forger
    }

    pub(crate) fn acknowledge(&mut self, acks: Acks) {
        self.acks = acks;
    }

    /// Sends these frames in one packet; answers its size.
    pub(crate) fn send(&mut self, out: &Out) -> usize {
        self.send_at(Level::OneRtt, out.bytes())
    }

    /// The same from another socket.
    pub(crate) fn send_from(&mut self, socket: &UdpSocket, out: &Out) -> usize {
        let packet = self.sealed(Level::OneRtt, out.bytes());
        // a full buffer loses it, as a network does
        let _ = socket.send_to(&packet, self.remote);
        packet.len()
    }

    /// Calls the other side by the connection ID of this number from now on.
    pub(crate) fn call_by(&mut self, number: u64) {
        self.theirs.clone_from(&self.heard.issued[&number]);
    }

    /// Has the other side send something, and acknowledges once more.
    pub(crate) fn ping(&mut self) {
        let mut out = Out::default();
        out.ping();
        self.send(&out);
        self.spaces[Level::OneRtt as usize].owes_ack = true;
        self.send_acks();
    }

    /// Takes in what comes until nothing has for so long.
    pub(crate) fn hear(&mut self, quiet: Duration) {
        while self.hear_one(quiet) {}
    }

    /// Takes in what comes until it is like this.
    pub(crate) fn until(&mut self, what: &str, is: impl Fn(&Heard) -> bool) {
        let began = Stopwatch::start();
        while !is(&self.heard) {
            assert!(self.heard.closed.is_none(), "{what}: {:?}", self.heard);
            assert!(began.elapsed() < PATIENCE, "no {what}: {:?}", self.heard);
            self.hear_one(Duration::from_millis(100));
        }
    }

    /// Waits until the other side has closed the connection.
    pub(crate) fn wait_for_close(&mut self) {
        let began = Stopwatch::start();
        while self.heard.closed.is_none() {
            assert!(
                began.elapsed() < PATIENCE,
                "it is still open: {:?}",
                self.heard
            );
            self.hear_one(Duration::from_millis(100));
        }
    }

    /// Whether the other side has ended it.
    pub(crate) fn is_over(&self) -> bool {
        self.heard.closed.is_some() || self.heard.is_reset
    }

    /// Says that it is over.
    pub(crate) fn leave(mut self) {
        let mut out = Out::default();
        out.close();
        self.send(&out);
    }

    /// Numbers of packets that came with frames of requests and answers.
    pub(crate) fn numbers(&self) -> &BTreeSet<u64> {
        &self.spaces[Level::OneRtt as usize].received
    }

    /// Takes in one datagram; answers whether one came.
    fn hear_one(&mut self, patience: Duration) -> bool {
        let mut buffer = [0; 65_536];
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let Ok((len, from)) = self.socket.recv_from(&mut buffer) else {
            return false;
        };
        assert_eq!(from, self.remote);
        let token = self.reset_token.as_ref();
        self.heard.is_reset |= token.is_some_and(|token| buffer[..len].ends_with(token));
        let mut rest = &mut buffer[..len];
        while let Some((level, packet, behind)) = packets::split(rest, &mut self.theirs) {
            if let Some((number, payload)) = open(&mut self.spaces[level as usize], packet) {
                self.take(level, number, &payload);
            }
            rest = behind;
        }
        self.send_acks();
        true
    }

    fn take(&mut self, level: Level, number: u64, payload: &[u8]) {
        let space = &mut self.spaces[level as usize];
        if !space.received.insert(number) {
            return;
        }
        for frame in frames::read(payload) {
            space.owes_ack |= frame.is_ack_eliciting();
            match frame {
                Frame::Crypto { offset, data } => {
                    space.pieces.insert(offset, data);
                }
                Frame::NewConnectionId { number, id } => {
                    self.heard.issued.insert(number, id);
                }
                Frame::RetireConnectionId => self.heard.retired += 1,
                Frame::PathResponse => self.heard.path_responses += 1,
                Frame::Stream { id: 0, data } => self.heard.answer.extend(data),
                Frame::HandshakeDone => self.heard.is_confirmed = true,
                Frame::Close { code, reason } => self.heard.closed = Some(Closed { code, reason }),
                Frame::Ack | Frame::Silent | Frame::Other | Frame::Stream { .. } => {}
            }
        }
        while let Some(piece) = self.spaces[level as usize].next_piece() {
            self.tls.read_hs(&piece).unwrap();
            self.shake_hands();
        }
    }

    /// Sends what TLS wants to say, and takes the keys that come of it.
    fn shake_hands(&mut self) {
        loop {
            let mut said = Vec::new();
            let change = self.tls.write_hs(&mut said);
            for piece in said.chunks(CRYPTO_BYTES) {
                let space = &mut self.spaces[self.level as usize];
                let mut out = Out::default();
                out.crypto(space.said, piece);
                space.said += piece.len() as u64;
                self.send_at(self.level, out.bytes());
            }
            let (level, keys) = match change {
                Some(KeyChange::Handshake { keys }) => (Level::Handshake, keys),
                Some(KeyChange::OneRtt { keys, next }) => {
                    self.spaces[Level::OneRtt as usize].later = Some(next);
                    (Level::OneRtt, keys)
                }
                None => break,
            };
            self.spaces[level as usize].keys = Some(keys);
            self.level = level;
        }
    }

    fn send_acks(&mut self) {
        for level in [Level::Initial, Level::Handshake, Level::OneRtt] {
            let space = &mut self.spaces[level as usize];
            let owes = std::mem::take(&mut space.owes_ack);
            let mut out = Out::default();
            match self.acks {
                _ if !owes => continue,
                Acks::Withheld if level == Level::OneRtt => continue,
                Acks::Everything if level == Level::OneRtt => {
                    out.ack(&BTreeSet::from_iter(0..=*space.received.last().unwrap()));
                }
                Acks::Honest | Acks::Withheld | Acks::Everything => out.ack(&space.received),
            }
            self.send_at(level, out.bytes());
        }
    }

    fn send_at(&mut self, level: Level, payload: &[u8]) -> usize {
        let packet = self.sealed(level, payload);
        // as above
        let _ = self.socket.send_to(&packet, self.remote);
        packet.len()
    }

    fn sealed(&mut self, level: Level, payload: &[u8]) -> Vec<u8> {
        let space = &mut self.spaces[level as usize];
        seal(level, space, &self.theirs, &self.own, payload)
    }
}
