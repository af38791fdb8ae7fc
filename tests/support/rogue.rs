//! Hostile peers: the library's own lower layers over real sockets, used to lie.
//!
//! A [`Rogue`] has an identity and a UDP socket like any node, says hello, claims to hold a whole
//! container, and then misbehaves in one way. It runs on a thread and a current-thread runtime of
//! its own, counts what it was asked, and remembers in what words it was shown the door.
//!
//! Used by `example swarm`, through `#[path]`.

#[path = "rogue/act.rs"]
mod act;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use swarmhold::net::{BindError, EVENTS_MAX, Endpoint};
use swarmhold::{Address, Manifest, Wallet};
use tokio::sync::{mpsc, oneshot};

use self::act::Act;

/// What a rogue does wrong. In everything else it behaves.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// Answers every chunk request with wrong bytes of the right length.
    Liar,
    /// Answers honestly, but the very first request with wrong bytes.
    LiarOnce {
        /// The container's bytes.
        truth: Arc<[u8]>,
    },
    /// Answers with the right bytes of another chunk of the same length, where there is one.
    OtherIndex {
        /// The container's bytes.
        truth: Arc<[u8]>,
    },
    /// Answers with one byte more than the chunk has.
    WrongLength,
    /// Answers with bytes that claim to be a zstd frame and are none.
    BadZstd,
    /// Takes chunk requests and never answers them.
    Silent,
    /// Claims to hold everything, in every answer that says that it does not hold the chunk.
    SaysAllHasNone,
}

/// What has happened to a rogue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// Connections that came up.
    pub(crate) connections: u64,
    /// Chunk requests that came in.
    pub(crate) asked: u64,
    /// How each connection that is over ended, in the transport's words, oldest first.
    pub(crate) endings: Vec<String>,
}

/// A hostile peer. Dropped, it closes its connections and its thread ends.
#[derive(Debug)]
pub(crate) struct Rogue {
    address: Address,
    listen: SocketAddr,
    record: Arc<Mutex<Record>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why a rogue could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RogueError {
    /// The system gave no randomness for an identity.
    #[error("no identity: {0}")]
    Identity(String),
    /// The socket cannot be used.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gave no thread or no runtime.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl Rogue {
    /// Starts a rogue on a free port of loopback that claims to hold all of this container.
    /// Waits until it listens.
    pub(crate) fn start(behaviour: Behaviour, manifest: Arc<Manifest>) -> Result<Self, RogueError> {
        let wallet = Wallet::generate().map_err(|error| RogueError::Identity(error.to_string()))?;
        let wallet = Arc::new(wallet);
        let record = Arc::<Mutex<Record>>::default();
        let act = Act::new(behaviour, manifest, Arc::clone(&record));
        let address = wallet.address();
        let (stop, stopped) = oneshot::channel();
        let (up, ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("rogue".to_owned())
            .spawn(move || run(act, wallet, &up, stopped))?;
        let gone = |_| RogueError::System(std::io::Error::other("the rogue's thread ended"));
        let listen = ready.recv().map_err(gone)??;
        Ok(Self {
            address,
            listen,
            record,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Who it is.
    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Where it listens.
    pub(crate) fn listen_address(&self) -> SocketAddr {
        self.listen
    }

    /// What has happened to it so far.
    pub(crate) fn record(&self) -> Record {
        let record = self.record.lock();
        record.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that it has stopped already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

fn run(
    act: Act,
    wallet: Arc<Wallet>,
    up: &std::sync::mpsc::Sender<Result<SocketAddr, RogueError>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let played = runtime.map_err(RogueError::from).and_then(|runtime| {
        runtime.block_on(async {
            let (sender, events) = mpsc::channel(EVENTS_MAX);
            let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
            let endpoint = Endpoint::bind(loopback, wallet, sender, |own| vec![own])?;
            // Whoever started it waits for this.
            let _ = up.send(Ok(endpoint.local_address()?));
            act.play(events, stopped).await;
            endpoint.close();
            endpoint.farewell().await;
            Ok(())
        })
    });
    if let Err(error) = played {
        let _ = up.send(Err(error));
    }
}
