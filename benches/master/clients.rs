//! Connections to a master, each with a socket and a wallet of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use swarmhold::net::{Answered, Endpoint, Event, Fault, Session};
use swarmhold::node::MasterHint;
use swarmhold::wire::{Holding, Nonce, Registration, Reply, Request};
use swarmhold::{Address, Digest, Manifest, Wallet};
use tokio::sync::mpsc;

/// One connection.
pub(crate) struct Client {
    pub(crate) session: Session,
    wallet: Arc<Wallet>,
    nonce: Nonce,
    sequence: u64,
}

/// All connections. Keys of sessions are not theirs alone; the numbers of questions are.
pub(crate) struct Clients {
    pub(crate) all: Vec<Client>,
    pub(crate) events: mpsc::Receiver<Event>,
    master: Address,
    _endpoints: Vec<Endpoint>,
}

/// Where a master is, and who it is.
pub(crate) fn place(hint: &str) -> (SocketAddr, Address) {
    let hint: MasterHint = hint.parse().expect("a master says a good hint");
    let ip = hint.host.parse().expect("an address");
    let address = hint.expected.expect("a master says who it is");
    (SocketAddr::new(ip, hint.port), address)
}

impl Clients {
    /// Connects and enlists so many.
    pub(crate) async fn connect(hint: &str, count: usize) -> Self {
        let (remote, master) = place(hint);
        let (events_in, mut events) = mpsc::channel(4096);
        let (mut all, mut endpoints): (Vec<Client>, Vec<Endpoint>) = (Vec::new(), Vec::new());
        for number in 0..count {
            let seed = Digest::of(&number.to_le_bytes());
            let wallet = Arc::new(Wallet::from_seed(*seed.as_bytes()));
            let (own, events_in) = (Arc::clone(&wallet), events_in.clone());
            let loopback = ([127, 0, 0, 1], 0).into();
            let endpoint = Endpoint::bind(loopback, own, events_in, |own| vec![own]);
            let endpoint = endpoint.expect("a socket");
            // one after the other: who is who is known by the order alone
            endpoint.dial(remote, Some(master));
            endpoints.push(endpoint);
            let mut session = None;
            loop {
                match events.recv().await.expect("an endpoint lives") {
                    Event::Connected { session: up, .. } => {
                        up.ask(0, Request::Enlist, Duration::from_secs(30));
                        session = Some(up);
                    }
                    Event::DialFailed { error, .. } => panic!("a dial failed: {error}"),
                    Event::Replied { answer, .. } => {
                        all.push(Client {
                            session: session.take().expect("it is connected"),
                            wallet,
                            nonce: nonce_in(answer),
                            sequence: 0,
                        });
                        break;
                    }
                    _ => {}
                }
            }
        }
        Self {
            all,
            events,
            master,
            _endpoints: endpoints,
        }
    }

    /// A registration of all of a container by the client of this number.
    pub(crate) fn registration(&mut self, at: usize, manifest: &Manifest) -> Request {
        let client = &mut self.all[at];
        client.sequence += 1;
        let plain = Registration {
            id: manifest.id(),
            held: Holding {
                chunks: manifest.layout().chunk_count(),
                map: u64::MAX,
            },
            ttl_s: 1800,
            audience: self.master,
            nonce: client.nonce,
            sequence: client.sequence,
            public_key: client.wallet.public_key(),
            signature: [[0; 32]; 2],
        };
        let signature = client.wallet.sign(&plain.signed_bytes());
        Request::Register(plain.signed(signature))
    }
}

/// What a master says to one that enlists.
pub(crate) fn nonce_in(answer: Result<Answered, Fault>) -> Nonce {
    match answer.expect("a master answers").reply {
        Reply::Enlisted { nonce, .. } => nonce,
        other => panic!("not enlisted: {other:?}"),
    }
}
