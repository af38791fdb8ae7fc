//! Somebody who has connected under a wallet address and sends on under the IP address of somebody else (RFC 9000
//! section 21.5.3): what a node sends there is counted at the somebody else, who has said nothing.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use swarmhold::node::Stopwatch;
use swarmhold::{Digest, Link, Wallet};

use crate::forger::{Forger, Out};
use crate::process::PATIENCE;
use crate::share::{folder, sharing};

/// Sockets of the victim, each with a port of its own.
const PORTS: usize = 16;
/// What a node may send for each byte that came from a place which has proven nothing (RFC 9000 section 8.1).
const FACTOR: usize = 3;
/// The datagrams beyond that, with which a connection is followed to another place.
const BEYOND_BYTES: usize = 4 * 1500;
/// Long enough for what is on its way over loopback, and no test depends on that.
const QUIET: Duration = Duration::from_millis(1);
/// Rounds of an attack.
const ROUNDS: u64 = 200;
/// Bytes that fill a packet up to what every path carries.
const PADDING: usize = 1100;

/// A host that is not the attacker's, to which a node owes nothing.
struct Victim {
    sockets: Vec<UdpSocket>,
    /// Bytes that somebody has sent in its name.
    forged: usize,
    /// Bytes that came for it.
    arrived: usize,
}

impl Victim {
    /// The host of this number. Loopback has many (RFC 1122 section 3.2.1.3).
    fn new(number: u8) -> Self {
        let socket = || UdpSocket::bind(SocketAddr::from(([127, 0, 0, number], 0))).unwrap();
        let sockets: Vec<UdpSocket> = (0..PORTS).map(|_| socket()).collect();
        for socket in &sockets {
            socket.set_nonblocking(true).unwrap();
        }
        Self {
            sockets,
            forged: 0,
            arrived: 0,
        }
    }

    /// The attacker sends in its name, from one port after the other.
    fn is_named(&mut self, forger: &mut Forger, round: u64, out: &Out) {
        let port = usize::try_from(round).unwrap() % PORTS;
        self.forged += forger.send_from(&self.sockets[port], out);
    }

    fn count(&mut self) {
        let mut buffer = [0; 65_536];
        for socket in &self.sockets {
            while let Ok(len) = socket.recv(&mut buffer) {
                self.arrived += len;
            }
        }
    }
}

/// One round of an attack, of this number.
type Attack = fn(&mut Forger, &mut Victim, u64);

/// A challenge, as if somebody looked whether another path works.
fn challenge(forger: &mut Forger, victim: &mut Victim, round: u64) {
    let mut out = Out::default();
    out.path_challenge(round);
    victim.is_named(forger, round, &out);
    forger.hear(QUIET);
}

/// A packet as if the connection had moved, and one as if it had come back.
fn to_and_fro(forger: &mut Forger, victim: &mut Victim, round: u64) {
    let mut out = Out::default();
    out.ping();
    victim.is_named(forger, round, &out);
    forger.hear(QUIET);
    forger.ping();
    forger.hear(QUIET);
}

/// The connection moves, and then much comes from where it was that does not bring it back.
fn fed_from_elsewhere(forger: &mut Forger, victim: &mut Victim, round: u64) {
    let mut out = Out::default();
    match round % 50 {
        0 => {
            out.ping();
            victim.is_named(forger, round, &out);
        }
        _ => {
            out.path_challenge(round);
            out.padding(PADDING);
            forger.send(&out);
        }
    }
    forger.hear(QUIET);
}

fn wallet(name: &str) -> Wallet {
    Wallet::from_seed(*Digest::of(name.as_bytes()).as_bytes())
}

/// A15: what a node sends to somebody who has said nothing is three times what came in that name, and four datagrams.
#[test]
fn a_forged_source_gets_no_more_than_three_times_what_came_in_its_name() {
    let folder = folder(100_000);
    let (process, link) = sharing(&folder, &["app.tar"]);
    let at = link.parse::<Link>().unwrap().peers[0];
    let attacks = [
        ("challenges", challenge as Attack, 0),
        ("moved to and fro", to_and_fro, BEYOND_BYTES),
        ("fed from elsewhere", fed_from_elsewhere, BEYOND_BYTES),
    ];
    let mut too_much = Vec::new();
    for (number, (name, attack, beyond)) in (2..).zip(attacks) {
        let mut victim = Victim::new(number);
        let mut forger = Forger::greeted(at, &wallet(name));
        let began = Stopwatch::start();
        let mut round = 0;
        // until something has come, so that something is measured
        while round < ROUNDS || victim.arrived == 0 {
            assert!(began.elapsed() < PATIENCE, "{name}: nothing came");
            attack(&mut forger, &mut victim, round);
            victim.count();
            round += 1;
        }
        // whatever was sent there, the connection goes on here
        forger.ping();
        forger.hear(10 * QUIET);
        victim.count();
        let (arrived, forged) = (victim.arrived, victim.forged);
        println!("{name}: {arrived} bytes for {forged}");
        if arrived > FACTOR * forged + beyond {
            too_much.push((name, arrived, forged));
        }
        assert!(!forger.is_over(), "{name}");
        forger.leave();
    }
    assert!(too_much.is_empty(), "{too_much:?}");
    Forger::greeted(at, &wallet("honest")).leave();
    drop(process);
}
