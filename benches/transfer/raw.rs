//! The reference: quinn and nothing else, one stream for each 32 KiB chunk, hashed and written.

use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    AckFrequencyConfig, ClientConfig, Endpoint, EndpointConfig, MtuDiscoveryConfig, Runtime,
    ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use socket2::SockRef;
use swarmhold::Wallet;
use swarmhold::identity::tls;
use swarmhold::manifest::Layout;
use swarmhold::net::Bursts;
use tokio::sync::Semaphore;

use crate::runtime::runtime;
use crate::say::say;
use crate::side::Side;

const ALPN: &[u8] = b"raw";
/// Streams open at once: enough for the window, few enough for the caches.
const STREAMS: usize = 64;

/// How the reference is tuned.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tuning {
    /// Streams of 32 KiB and quinn's datagrams.
    Small,
    /// Streams and datagrams as large as swarmhold's are.
    Large { datagram: u16 },
}

impl Tuning {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "small" => Self::Small,
            datagram => Self::Large {
                datagram: datagram.parse().expect("a size in bytes"),
            },
        }
    }

    fn chunk(self, size: u64) -> u64 {
        match self {
            Self::Small => 32 * 1024,
            Self::Large { .. } => {
                let layout = Layout::for_size(size).expect("a size that a container may have");
                layout.chunk_size().into()
            }
        }
    }
}

/// Serves chunks of a file until the input ends.
pub(crate) fn serve(content: &Path, tuning: Tuning) {
    let file = Arc::new(File::open(content).expect("the content"));
    let size = file.metadata().expect("its size").len();
    runtime().block_on(async {
        let crypto = tls::server_config(&wallet(), ALPN).expect("a server configuration");
        let crypto = QuicServerConfig::try_from(crypto).expect("it suits QUIC");
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(transport(tuning));
        let endpoint = endpoint(tuning, Some(config));
        say(endpoint.local_addr().expect("its address"));
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let connection = incoming.await.expect("a connection");
                tokio::spawn(answer_all(
                    connection,
                    Arc::clone(&file),
                    size,
                    tuning.chunk(size),
                ));
            }
        });
        let wait = || std::io::stdin().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(wait)
            .await
            .expect("no panic")
            .expect("the parent closes it");
        say(Side::now(0.0, 0.0).line());
    });
}

async fn answer_all(connection: quinn::Connection, file: Arc<File>, size: u64, chunk: u64) {
    let (mut send, _) = connection
        .accept_bi()
        .await
        .expect("the question for the size");
    send.write_all(&size.to_le_bytes())
        .await
        .expect("an answer");
    let _ = send.finish();
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        let file = Arc::clone(&file);
        tokio::spawn(async move {
            let mut index = [0; 8];
            recv.read_exact(&mut index).await.expect("an index");
            let offset = u64::from_le_bytes(index) * chunk;
            let mut bytes = vec![0; usize::try_from(chunk.min(size - offset)).expect("small")];
            file.read_exact_at(&mut bytes, offset).expect("the chunk");
            send.write_chunk(Bytes::from(bytes))
                .await
                .expect("a reader");
            let _ = send.finish();
        });
    }
}

/// Fetches every chunk, hashes it and writes it, on two threads.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn fetch(server: &str, copy: &Path, tuning: Tuning) {
    let server: SocketAddr = server.parse().expect("the server's address");
    let file = File::create(copy).expect("the copy");
    let (chunks, arrived) = sync_channel::<(u64, Vec<Bytes>)>(256);
    let began = Instant::now();
    let writer = std::thread::spawn(move || {
        for (offset, parts) in arrived {
            let chunk = parts.concat();
            std::hint::black_box(swarmhold::Digest::of(&chunk));
            file.write_all_at(&chunk, offset)
                .expect("room for the copy");
        }
    });
    runtime().block_on(async {
        let crypto = tls::client_config(&wallet(), ALPN, None).expect("a client configuration");
        let crypto = QuicClientConfig::try_from(crypto).expect("it suits QUIC");
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport(tuning));
        let endpoint = endpoint(tuning, None);
        let connecting = endpoint
            .connect_with(config, server, tls::SERVER_NAME)
            .expect("a dial");
        let connection = connecting.await.expect("a connection");
        let size = ask_size(&connection).await;
        let (places, chunk) = (Arc::new(Semaphore::new(STREAMS)), tuning.chunk(size));
        for index in 0..size.div_ceil(chunk) {
            let place = Arc::clone(&places)
                .acquire_owned()
                .await
                .expect("never closed");
            let (connection, chunks) = (connection.clone(), chunks.clone());
            tokio::spawn(async move {
                let parts = ask(&connection, index).await;
                drop(place);
                let _ = chunks.send((index * chunk, parts));
            });
        }
        let all = u32::try_from(STREAMS).expect("few");
        let _ = places.acquire_many(all).await.expect("never closed");
        connection.close(VarInt::from_u32(0), b"done");
        endpoint.wait_idle().await;
    });
    drop(chunks);
    writer.join().expect("no panic");
    say(Side::now(began.elapsed().as_secs_f64(), 0.0).line());
}

async fn ask_size(connection: &quinn::Connection) -> u64 {
    let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
    send.write_all(b"?").await.expect("a question");
    let mut size = [0; 8];
    recv.read_exact(&mut size).await.expect("the size");
    u64::from_le_bytes(size)
}

async fn ask(connection: &quinn::Connection, index: u64) -> Vec<Bytes> {
    let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
    send.write_all(&index.to_le_bytes())
        .await
        .expect("a request");
    let _ = send.finish();
    let mut parts = Vec::with_capacity(32);
    let mut pieces: [Bytes; 32] = std::array::from_fn(|_| Bytes::new());
    while let Some(count) = recv.read_chunks(&mut pieces).await.expect("a chunk") {
        parts.extend(pieces[..count].iter_mut().map(std::mem::take));
    }
    parts
}

fn endpoint(tuning: Tuning, server: Option<ServerConfig>) -> Endpoint {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let mut config = EndpointConfig::default();
    if let Tuning::Large { datagram } = tuning {
        config
            .max_udp_payload_size(datagram)
            .expect("more than 1200 bytes");
        let buffered = SockRef::from(&socket);
        buffered.set_recv_buffer_size(4 << 20).expect("a buffer");
        buffered.set_send_buffer_size(4 << 20).expect("a buffer");
    }
    let runtime = Arc::new(TokioRuntime);
    match tuning {
        Tuning::Small => Endpoint::new(config, server, socket, runtime),
        Tuning::Large { datagram } => {
            let socket = runtime
                .wrap_udp_socket(socket)
                .expect("an asynchronous socket");
            let socket = Arc::new(Bursts::new(socket, datagram));
            Endpoint::new_with_abstract_socket(config, server, socket, runtime)
        }
    }
    .expect("an endpoint")
}

fn transport(tuning: Tuning) -> Arc<TransportConfig> {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(20))
        .max_ack_delay(Some(Duration::from_millis(5)));
    let mut transport = TransportConfig::default();
    transport
        .send_fairness(false)
        .ack_frequency_config(Some(acks))
        .max_concurrent_bidi_streams(VarInt::from_u32(128));
    if let Tuning::Large { datagram } = tuning {
        let mut mtu = MtuDiscoveryConfig::default();
        mtu.upper_bound(datagram);
        transport.mtu_discovery_config(Some(mtu));
    }
    Arc::new(transport)
}

fn wallet() -> Wallet {
    Wallet::generate().expect("randomness")
}
