//! The same identities over real sockets, as the node uses them: quinn on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ConnectionError, Endpoint};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ServerConfig};
use swarmhold::digest::Address;
use swarmhold::identity::tls::{SERVER_NAME, peer_of};
use swarmhold::identity::{CertificateRefused, refusal_in};

use super::handshake::{dialer, listener, presenting, signing_key};
use super::vector;
use super::vectors::{alice, bob};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What each side has of the other in the end: its address, or why the connection ended.
struct Outcome {
    dialer: Result<Address, ConnectionError>,
    listener: Result<Address, ConnectionError>,
    /// Bytes that the listener's application was handed.
    handed_over: usize,
}

/// Connects, sends one byte string, and waits for both sides to be done.
fn connect(client: ClientConfig, server: ServerConfig) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = QuicServerConfig::try_from(server).unwrap();
        let server = quinn::ServerConfig::with_crypto(Arc::new(server));
        let answering = Endpoint::server(server, LOOPBACK).unwrap();
        let target = answering.local_addr().unwrap();
        let client = QuicClientConfig::try_from(client).unwrap();
        let client = quinn::ClientConfig::new(Arc::new(client));
        let dialing = Endpoint::client(LOOPBACK).unwrap();
        let (dialer, (listener, handed_over)) =
            tokio::join!(dial(&dialing, client, target), answer(&answering),);
        Outcome {
            dialer,
            listener,
            handed_over,
        }
    })
}

async fn dial(
    endpoint: &Endpoint,
    config: quinn::ClientConfig,
    target: SocketAddr,
) -> Result<Address, ConnectionError> {
    let connecting = endpoint.connect_with(config, target, SERVER_NAME).unwrap();
    let connection = connecting.await?;
    let (mut send, _) = connection.open_bi().await?;
    // Whether it is taken is for the other side to say; it closes either way.
    let _ = send.write_all(b"application bytes").await;
    let _ = send.finish();
    let end = connection.closed().await;
    if matches!(end, ConnectionError::ApplicationClosed(_)) {
        return Ok(address_of(&connection));
    }
    Err(end)
}

async fn answer(endpoint: &Endpoint) -> (Result<Address, ConnectionError>, usize) {
    let incoming = endpoint.accept().await.unwrap();
    let connection = match incoming.accept().unwrap().await {
        Ok(connection) => connection,
        Err(error) => {
            endpoint.wait_idle().await;
            return (Err(error), 0);
        }
    };
    let (_, mut receive) = connection.accept_bi().await.unwrap();
    let bytes = receive.read_to_end(1024).await.unwrap();
    let address = address_of(&connection);
    connection.close(0u32.into(), b"done");
    endpoint.wait_idle().await;
    (Ok(address), bytes.len())
}

/// The address that the session proves.
fn address_of(connection: &quinn::Connection) -> Address {
    let identity = connection.peer_identity().unwrap();
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().unwrap();
    peer_of(&chain).unwrap()
}

#[test]
fn each_side_learns_the_other_from_the_session() {
    let (alice, bob) = (alice(), bob());
    let outcome = connect(dialer(&alice, Some(bob.address())), listener(&bob));
    assert_eq!(outcome.dialer, Ok(bob.address()));
    assert_eq!(outcome.listener, Ok(alice.address()));
    assert_eq!(outcome.handed_over, b"application bytes".len());
}

#[test]
fn the_dialer_can_tell_exactly_why_it_refused() {
    let (alice, bob) = (alice(), bob());
    let stranger = swarmhold::identity::Wallet::from_seed([0x57; 32]);
    let outcome = connect(dialer(&alice, Some(stranger.address())), listener(&bob));
    let error = outcome.dialer.unwrap_err();
    let refused = CertificateRefused::Identity {
        expected: stranger.address(),
        got: bob.address(),
    };
    assert_eq!(refusal_in(&error), Some(refused));
    // The listener hears of it, and does not take it for a finding of its own.
    assert_eq!(refusal_in(&outcome.listener.unwrap_err()), None);
    assert_eq!(outcome.handed_over, 0);
}

#[test]
fn a_node_that_reaches_itself_notices() {
    let alice = alice();
    let outcome = connect(dialer(&alice, None), listener(&alice));
    let error = outcome.dialer.unwrap_err();
    let own = CertificateRefused::Own(alice.address());
    assert_eq!(refusal_in(&error), Some(own));
    assert_eq!(outcome.handed_over, 0);
}

#[test]
fn alices_certificate_with_bobs_key_is_nobody_in_both_directions() {
    let (alice, bob) = (alice(), bob());
    let stranger = swarmhold::identity::Wallet::from_seed([0x57; 32]);
    let lie = || presenting(vec![vector("good.der")], signing_key(&bob));

    let mut listening = listener(&bob);
    listening.cert_resolver = lie();
    let outcome = connect(dialer(&stranger, Some(alice.address())), listening);
    let error = outcome.dialer.unwrap_err().to_string();
    assert!(error.contains("BadSignature"), "{error}");
    assert!(outcome.listener.is_err() && outcome.handed_over == 0);

    let mut dialing = dialer(&bob, None);
    dialing.client_auth_cert_resolver = lie();
    let outcome = connect(dialing, listener(&stranger));
    let error = outcome.listener.unwrap_err().to_string();
    assert!(error.contains("BadSignature"), "{error}");
    assert!(outcome.dialer.is_err() && outcome.handed_over == 0);
}
