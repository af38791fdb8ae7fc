//! A14: first packets from addresses that may be others'. What goes back is at most three times what came
//! (RFC 9000 section 8.1), and whoever really is there gets in.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn_proto::{Endpoint, EndpointConfig};
use swarmhold::identity::tls::{SERVER_NAME, client_config};
use swarmhold::wire::ALPN;
use tokio::time::Instant;

use crate::raw::Raw;
use crate::world::{World, wallet};

/// First packets, in all.
const INITIALS: usize = 10_000;
/// Addresses that they come from: nobody there ever answers.
const SOURCES: u8 = 40;
/// Packets after which somebody honest connects.
const BETWEEN: usize = 2500;

/// What was sent as one would-be client, and what came back, in bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    sent: usize,
    back: usize,
}

/// A lot of clients that send one packet each.
struct Flood {
    config: quinn::ClientConfig,
    endpoint: Endpoint,
    sockets: Vec<UdpSocket>,
    /// By the connection ID that each wants to be called by.
    tallies: BTreeMap<Vec<u8>, Tally>,
    retries: usize,
}

impl Flood {
    fn new() -> Self {
        let tls = client_config(&wallet("forger"), ALPN, None).unwrap();
        let crypto = QuicClientConfig::try_from(tls).unwrap();
        let from = |source| {
            let socket = UdpSocket::bind((format!("127.0.9.{source}"), 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Self {
            config: quinn::ClientConfig::new(Arc::new(crypto)),
            endpoint: Endpoint::new(Arc::new(EndpointConfig::default()), None, true, None),
            sockets: (1..=SOURCES).map(from).collect(),
            tallies: BTreeMap::new(),
            retries: 0,
        }
    }

    /// Sends one first packet.
    fn send(&mut self, number: usize, target: SocketAddr) {
        let (now, config) = (Instant::now().into_std(), self.config.clone());
        let connected = self.endpoint.connect(now, config, target, SERVER_NAME);
        let (_, mut connection) = connected.unwrap();
        let mut packet = Vec::new();
        let first = connection.poll_transmit(now, 1, &mut packet).unwrap();
        assert_eq!(first.size, packet.len());
        let (_, own) = connection_ids(&packet);
        self.tallies.entry(own.to_vec()).or_default().sent += packet.len();
        let socket = &self.sockets[number % self.sockets.len()];
        // a full buffer loses it, as a network does
        let _ = socket.send_to(&packet, target);
    }

    /// Counts what has come back.
    fn hear(&mut self) {
        let mut buffer = [0; 65_536];
        for socket in &self.sockets {
            while let Ok((len, _)) = socket.recv_from(&mut buffer) {
                let (to, _) = connection_ids(&buffer[..len]);
                self.tallies.get_mut(to).expect("one of ours").back += len;
                // long header packets of type 3 (RFC 9000 section 17.2.5)
                self.retries += usize::from(buffer[0] & 0x30 == 0x30);
            }
        }
    }
}

/// The destination and the source of a packet with a long header (RFC 9000 section 17.2).
fn connection_ids(packet: &[u8]) -> (&[u8], &[u8]) {
    assert!(packet[0] & 0x80 != 0, "a long header");
    let (to, rest) = packet[6..].split_at(packet[5].into());
    (to, &rest[1..][..rest[0].into()])
}

#[tokio::test]
async fn forged_first_packets_amplify_nothing_and_keep_nobody_out() {
    let world = World::new();
    let master = world.master("master").await;
    let target = master.listen_address();
    let mut flood = Flood::new();
    for number in 0..INITIALS {
        flood.send(number, target);
        if number % BETWEEN == BETWEEN - 1 {
            // from an address that nothing was forged from, while handshakes without end are open
            let name = format!("honest {number}");
            drop(Raw::greet_at(target, &wallet(&name)).await);
        }
        if number % 50 == 49 {
            flood.hear();
        }
    }
    flood.hear();
    let all = flood.tallies.values();
    let worst = all
        .clone()
        .max_by_key(|it| it.back * 1000 / it.sent)
        .unwrap();
    assert!(worst.back <= 3 * worst.sent, "{worst:?}");
    // those who came first were answered, and when there were too many they were asked to prove where they are
    assert!(all.filter(|it| it.back > 0).count() > 100);
    assert!(flood.retries > 100, "{}", flood.retries);
}
