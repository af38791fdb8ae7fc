//! The reference: quinn and nothing else, one stream for each 32 KiB chunk, hashed and written.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{AckFrequencyConfig, ClientConfig, Endpoint, ServerConfig, TransportConfig, VarInt};
use swarmhold::Wallet;
use swarmhold::identity::tls;
use tokio::sync::Semaphore;

use crate::runtime::runtime;
use crate::say::say;
use crate::side::Side;

const ALPN: &[u8] = b"raw";
const CHUNK: u64 = 32 * 1024;
/// Streams open at once: enough for the window, few enough for the caches.
const STREAMS: usize = 64;

/// Serves chunks of a file until the input ends.
pub(crate) fn serve(content: &Path) {
    let file = Arc::new(File::open(content).expect("the content"));
    let size = file.metadata().expect("its size").len();
    runtime().block_on(async {
        let crypto = tls::server_config(&wallet(), ALPN).expect("a server configuration");
        let crypto = QuicServerConfig::try_from(crypto).expect("it suits QUIC");
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(transport());
        let endpoint = Endpoint::server(config, ([127, 0, 0, 1], 0).into()).expect("a socket");
        say(endpoint.local_addr().expect("its address"));
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let connection = incoming.await.expect("a connection");
                tokio::spawn(answer_all(connection, Arc::clone(&file), size));
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

async fn answer_all(connection: quinn::Connection, file: Arc<File>, size: u64) {
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
            let offset = u64::from_le_bytes(index) * CHUNK;
            let mut chunk = vec![0; usize::try_from(CHUNK.min(size - offset)).expect("small")];
            file.read_exact_at(&mut chunk, offset).expect("the chunk");
            send.write_chunk(Bytes::from(chunk))
                .await
                .expect("a reader");
            let _ = send.finish();
        });
    }
}

/// Fetches every chunk, hashes it and writes it, on two threads.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn fetch(server: &str, copy: &Path) {
    let server: SocketAddr = server.parse().expect("the server's address");
    let file = File::create(copy).expect("the copy");
    let (chunks, arrived) = sync_channel::<(u64, Vec<Bytes>)>(256);
    let began = Instant::now();
    let writer = std::thread::spawn(move || {
        for (index, parts) in arrived {
            let chunk = parts.concat();
            std::hint::black_box(swarmhold::Digest::of(&chunk));
            file.write_all_at(&chunk, index * CHUNK)
                .expect("room for the copy");
        }
    });
    runtime().block_on(async {
        let crypto = tls::client_config(&wallet(), ALPN, None).expect("a client configuration");
        let crypto = QuicClientConfig::try_from(crypto).expect("it suits QUIC");
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport());
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
        let connecting = endpoint
            .connect_with(config, server, tls::SERVER_NAME)
            .expect("a dial");
        let connection = connecting.await.expect("a connection");
        let size = ask_size(&connection).await;
        let places = Arc::new(Semaphore::new(STREAMS));
        for index in 0..size.div_ceil(CHUNK) {
            let place = Arc::clone(&places)
                .acquire_owned()
                .await
                .expect("never closed");
            let (connection, chunks) = (connection.clone(), chunks.clone());
            tokio::spawn(async move {
                let parts = ask(&connection, index).await;
                drop(place);
                let _ = chunks.send((index, parts));
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

fn transport() -> Arc<TransportConfig> {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(20))
        .max_ack_delay(Some(Duration::from_millis(5)));
    let mut transport = TransportConfig::default();
    transport
        .send_fairness(false)
        .ack_frequency_config(Some(acks))
        .max_concurrent_bidi_streams(VarInt::from_u32(128));
    Arc::new(transport)
}

fn wallet() -> Wallet {
    Wallet::generate().expect("randomness")
}
