//! Somebody whom a node dials, and who answers by a script: honestly, wrongly, or not at all.

use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use swarmhold::chunk::Bitfield;
use swarmhold::identity::tls::server_config;
use swarmhold::wire::{ALPN, Deluge, Encoding, Reply, Request, Update, frame};
use swarmhold::{Address, Manifest, PeerHint, Wallet};
use tokio::sync::mpsc;

use crate::raw::{Fate, words};
use crate::world::{CHUNK, within};

/// What to answer on one stream.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    /// These bytes and the end.
    Bytes(Vec<u8>),
    /// These bytes, and no end.
    Open(Vec<u8>),
    /// A reset with this code.
    Reset(u32),
}

/// A listening peer.
pub(crate) struct Rogue {
    endpoint: Endpoint,
    address: Address,
    fates: mpsc::UnboundedReceiver<Fate>,
    taken_back: mpsc::UnboundedReceiver<u64>,
}

/// Where what happens to a rogue is noted.
#[derive(Clone)]
struct Notes {
    ended: mpsc::UnboundedSender<Fate>,
    taken_back: mpsc::UnboundedSender<u64>,
}

impl Rogue {
    /// Listens as this wallet, says hello properly, and answers everything else by the script.
    pub(crate) fn start(
        wallet: &Wallet,
        script: impl Fn(&Request) -> Say + Send + Sync + 'static,
    ) -> Self {
        Self::start_as(wallet, server_config(wallet, ALPN).unwrap(), script)
    }

    /// The same with any TLS configuration.
    pub(crate) fn start_as(
        wallet: &Wallet,
        tls: rustls::ServerConfig,
        script: impl Fn(&Request) -> Say + Send + Sync + 'static,
    ) -> Self {
        let endpoint = listen_with(tls);
        let (ended, fates) = mpsc::unbounded_channel();
        let (note, taken_back) = mpsc::unbounded_channel();
        let notes = Notes {
            ended,
            taken_back: note,
        };
        tokio::spawn(accept(endpoint.clone(), Arc::new(script), notes));
        Self {
            endpoint,
            address: wallet.address(),
            fates,
            taken_back,
        }
    }

    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// How a node finds it.
    pub(crate) fn hint(&self) -> PeerHint {
        PeerHint {
            remote: self.endpoint.local_addr().unwrap(),
            expected: Some(self.address),
        }
    }

    /// Waits until one of its connections has ended, and says how.
    pub(crate) async fn fate(&mut self) -> Fate {
        within(self.fates.recv())
            .await
            .expect("the rogue still listens")
    }

    /// Waits until an answer that it left open has been taken back, and says with which code.
    pub(crate) async fn taken_back(&mut self) -> u64 {
        within(self.taken_back.recv())
            .await
            .expect("the rogue still listens")
    }
}

/// Listens on a free port of loopback as this wallet.
pub(crate) fn listen_as(wallet: &Wallet) -> Endpoint {
    listen_with(server_config(wallet, ALPN).unwrap())
}

fn listen_with(tls: rustls::ServerConfig) -> Endpoint {
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap()
}

async fn accept<S>(endpoint: Endpoint, script: Arc<S>, notes: Notes)
where
    S: Fn(&Request) -> Say + Send + Sync + 'static,
{
    while let Some(incoming) = endpoint.accept().await {
        let (script, notes) = (Arc::clone(&script), notes.clone());
        tokio::spawn(async move {
            let error = match incoming.await {
                Ok(connection) => attend(connection, script, &notes).await,
                Err(error) => error,
            };
            // The test may be over.
            let _ = notes.ended.send(Fate::of(&error));
        });
    }
}

/// Answers what comes on a connection that was dialed, by the script, until it ends.
pub(crate) fn answer_on<S>(connection: Connection, script: S)
where
    S: Fn(&Request) -> Say + Send + Sync + 'static,
{
    let (ended, _) = mpsc::unbounded_channel();
    let (taken_back, _) = mpsc::unbounded_channel();
    let notes = Notes { ended, taken_back };
    tokio::spawn(async move { attend(connection, Arc::new(script), &notes).await });
}

async fn attend<S>(connection: Connection, script: Arc<S>, notes: &Notes) -> quinn::ConnectionError
where
    S: Fn(&Request) -> Say + Send + Sync + 'static,
{
    loop {
        match connection.accept_bi().await {
            Ok((send, recv)) => {
                let (script, notes) = (Arc::clone(&script), notes.clone());
                tokio::spawn(answer(send, recv, script, notes));
            }
            Err(error) => return error,
        }
    }
}

async fn answer<S>(mut send: SendStream, mut recv: RecvStream, script: Arc<S>, notes: Notes)
where
    S: Fn(&Request) -> Say + Send + Sync + 'static,
{
    // A request that is taken back, or a connection that ends, needs no answer.
    let Ok(bytes) = recv.read_to_end(4096).await else {
        return;
    };
    let request = frame::decode_request(&bytes[2..]).expect("a node asks properly");
    let say = match &request {
        Request::Hello(_) => Say::Bytes(frame::encode_reply(&Reply::Hello(words()))),
        other => script(other),
    };
    match say {
        Say::Bytes(bytes) => {
            let _ = send.write_all(&bytes).await;
            let _ = send.finish();
        }
        Say::Open(bytes) => {
            let _ = send.write_all(&bytes).await;
            if let Ok(Some(code)) = send.stopped().await {
                // The test may be over.
                let _ = notes.taken_back.send(code.into_inner());
            }
        }
        Say::Reset(code) => {
            let _ = send.reset(VarInt::from_u32(code));
        }
    }
}

/// The script of an honest seeder who never checks what it sends.
pub(crate) fn honest(
    manifest: &Arc<Manifest>,
    content: &[u8],
) -> impl Fn(&Request) -> Say + Clone + use<> {
    let (manifest, content) = (Arc::clone(manifest), content.to_vec());
    move |request| match request {
        Request::Hello(_) => unreachable!("answered already"),
        Request::Manifest { .. } => manifest_file(&manifest),
        Request::Deluges { .. } => {
            let deluge = Deluge {
                manifest_id: manifest.id(),
                program_id: manifest.program_id(),
                size: manifest.layout().size(),
            };
            Say::Bytes(frame::encode_reply(&Reply::Deluges(vec![deluge])))
        }
        Request::Subscribe { .. } => {
            claims(&Bitfield::full(manifest.layout().chunk_count()).to_bytes())
        }
        Request::Chunk(asked) => {
            let at = asked.index.as_usize() * CHUNK;
            raw_chunk(&content[at..content.len().min(at + CHUNK)])
        }
        // it is no master
        _ => Say::Bytes(frame::encode_reply(&Reply::Denied)),
    }
}

/// A manifest as the answer to any question for one.
pub(crate) fn manifest_file(manifest: &Manifest) -> Say {
    let file = manifest.to_json();
    let len = u32::try_from(file.len()).unwrap();
    let header = frame::encode_reply(&Reply::Manifest { len });
    Say::Bytes([header, file].concat())
}

/// A subscription that begins with this bitfield and goes on.
pub(crate) fn claims(bitfield: &[u8]) -> Say {
    let subscribed = frame::encode_reply(&Reply::Subscribed);
    let update = frame::encode_update(&Update::Bitfield(bitfield.to_vec()));
    Say::Open([subscribed, update].concat())
}

/// A chunk's bytes as they are, with the right length.
pub(crate) fn raw_chunk(bytes: &[u8]) -> Say {
    chunk_reply(Encoding::Raw, bytes.len(), bytes)
}

/// A chunk reply that claims one length and has another.
pub(crate) fn chunk_reply(encoding: Encoding, len: usize, body: &[u8]) -> Say {
    let len = u32::try_from(len).unwrap();
    let header = frame::encode_reply(&Reply::Data { encoding, len });
    Say::Bytes([&header[..], body].concat())
}
