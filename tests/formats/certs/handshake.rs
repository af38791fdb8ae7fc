//! Real handshakes in memory, between sides that may lie about who they are.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::quic;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, ConnectionCommon, NamedGroup, ServerConfig,
    ServerConnection, SignatureAlgorithm, SignatureScheme,
};
use swarmhold::digest::Address;
use swarmhold::identity::Wallet;
use swarmhold::identity::cert::certificate_of;
use swarmhold::identity::tls::{SERVER_NAME, client_config, server_config};

/// The protocol that both sides speak here.
pub(super) const ALPN: &[u8] = b"conformance/1";
/// What each side would tell the other, if it got to it.
const SECRET: &[u8] = b"application bytes";

/// A side that dials.
pub(super) fn dialer(wallet: &Wallet, expected: Option<Address>) -> ClientConfig {
    client_config(wallet, ALPN, expected).expect("a wallet speaks TLS")
}

/// A side that answers.
pub(super) fn listener(wallet: &Wallet) -> ServerConfig {
    server_config(wallet, ALPN).expect("a wallet speaks TLS")
}

/// What a side presents instead of a certificate and the key that goes with it.
pub(super) fn presenting(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
) -> Arc<SingleCertAndKey> {
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

/// The key that signs a wallet's handshakes.
pub(super) fn signing_key(wallet: &Wallet) -> Arc<dyn SigningKey> {
    let certificate = certificate_of(wallet).expect("a wallet has a certificate");
    signing_key_of(&certificate.key)
}

/// The key that signs handshakes, of any kind that rustls knows.
pub(super) fn signing_key_of(key: &PrivateKeyDer<'_>) -> Arc<dyn SigningKey> {
    rustls::crypto::aws_lc_rs::sign::any_supported_type(key).expect("a key that rustls knows")
}

/// How a handshake over a byte stream ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) client: Result<(), rustls::Error>,
    pub(super) server: Result<(), rustls::Error>,
    /// Application bytes that the client, or the server, was handed.
    pub(super) client_read: usize,
    pub(super) server_read: usize,
    pub(super) group: Option<NamedGroup>,
}

impl Outcome {
    /// Both sides are through and have read all that the other had to say.
    pub(super) fn is_success(&self) -> bool {
        let all_read = (self.client_read, self.server_read) == (SECRET.len(), SECRET.len());
        self.client.is_ok() && self.server.is_ok() && all_read
    }

    /// The side that verifies failed and handed nothing to its application.
    pub(super) fn client_refused(&self) -> bool {
        self.client.is_err() && self.client_read == 0 && self.server_read == 0
    }

    /// The same, where the server is the one that verifies. The client may already be through: in
    /// TLS 1.3 it cannot know yet what the server thinks of it.
    pub(super) fn server_refused(&self) -> bool {
        self.server.is_err() && self.server_read == 0 && self.client_read == 0
    }
}

/// Runs both sides until neither has anything more to say.
pub(super) fn converse(client: ClientConfig, server: ServerConfig) -> Outcome {
    let name = ServerName::try_from(SERVER_NAME).expect("a valid name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a valid config");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a valid config");
    client.writer().write_all(SECRET).expect("memory");
    server.writer().write_all(SECRET).expect("memory");
    let (mut client_result, mut server_result) = (Ok(()), Ok(()));
    loop {
        let to_server = pump(&mut client, &mut server, &mut server_result);
        let to_client = pump(&mut server, &mut client, &mut client_result);
        if to_server + to_client == 0 {
            break;
        }
    }
    let group = client.negotiated_key_exchange_group();
    Outcome {
        client: client_result,
        server: server_result,
        client_read: read_all(&mut client),
        server_read: read_all(&mut server),
        group: group.map(|group| group.name()),
    }
}

/// Moves what one side has to send to the other, and keeps the first error. How many bytes moved.
fn pump<A, B>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
    result: &mut Result<(), rustls::Error>,
) -> usize {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).expect("memory");
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && result.is_ok() {
        to.read_tls(&mut rest).expect("memory");
        *result = to.process_new_packets().map(|_| ());
    }
    bytes.len()
}

fn read_all<S>(side: &mut ConnectionCommon<S>) -> usize {
    let mut bytes = Vec::new();
    // Ends with `WouldBlock` where the other side has not said that it is done.
    let _ = side.reader().read_to_end(&mut bytes);
    bytes.len()
}

/// Lets both sides shake hands as QUIC does (RFC 9001). The alert and the error of whoever failed.
pub(super) fn quic_alert(
    client: ClientConfig,
    server: ServerConfig,
) -> Option<(AlertDescription, rustls::Error)> {
    let name = ServerName::try_from(SERVER_NAME).expect("a valid name");
    let version = quic::Version::V1;
    let mut client =
        quic::ClientConnection::new(Arc::new(client), version, name, Vec::new()).expect("valid");
    let mut server =
        quic::ServerConnection::new(Arc::new(server), version, Vec::new()).expect("valid");
    for _ in 0..4 {
        for level in flight(|out| client.write_hs(out).is_some()) {
            if let Err(error) = server.read_hs(&level) {
                return Some((server.alert().expect("an alert"), error));
            }
        }
        for level in flight(|out| server.write_hs(out).is_some()) {
            if let Err(error) = client.read_hs(&level) {
                return Some((client.alert().expect("an alert"), error));
            }
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    None
}

/// All that a side has to send, one piece for each level of encryption.
fn flight(mut write: impl FnMut(&mut Vec<u8>) -> bool) -> Vec<Vec<u8>> {
    let mut levels = Vec::new();
    loop {
        let mut out = Vec::new();
        let key_change = write(&mut out);
        if !key_change && out.is_empty() {
            return levels;
        }
        levels.push(out);
    }
}

/// Answers a record that is no rustls client's. The error and the bytes sent back.
pub(super) fn answer_to(record: &[u8], server: ServerConfig) -> (rustls::Error, Vec<u8>) {
    let mut server = ServerConnection::new(Arc::new(server)).expect("a valid config");
    server.read_tls(&mut &record[..]).expect("memory");
    let error = server.process_new_packets().expect_err("a refusal");
    let mut sent = Vec::new();
    server.write_tls(&mut sent).expect("memory");
    (error, sent)
}

/// A dialer that has no certificate.
#[derive(Debug)]
pub(super) struct Anonymous;

impl ResolvesClientCert for Anonymous {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// A key that signs well, but for one byte of each signature.
#[derive(Debug)]
pub(super) struct Corrupted {
    pub(super) key: Arc<dyn SigningKey>,
    pub(super) byte: usize,
}

impl SigningKey for Corrupted {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(offered)?;
        let byte = self.byte;
        Some(Box::new(CorruptedSigner { signer, byte }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct CorruptedSigner {
    signer: Box<dyn Signer>,
    byte: usize,
}

impl Signer for CorruptedSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let mut signature = self.signer.sign(message)?;
        signature[self.byte] ^= 1;
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}
