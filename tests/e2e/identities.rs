//! Who gets in: expected addresses, and certificates that belong to somebody else.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, SignatureScheme};
use swarmhold::identity::cert::certificate_of;
use swarmhold::identity::tls::{client_config, server_config};
use swarmhold::node::FetchError;
use swarmhold::wire::ALPN;
use swarmhold::{PeerHint, Wallet, What};

use crate::raw::{Fate, Raw, hello};
use crate::rogue::{Rogue, Say};
use crate::world::{SHORT, World, noise, wallet};

/// Alerts of TLS 1.3 (RFC 8446 section 6.2).
const DECRYPT_ERROR: u64 = 51;
const CERTIFICATE_REQUIRED: u64 = 116;
const NO_APPLICATION_PROTOCOL: u64 = 120;

#[tokio::test]
async fn somebody_else_than_expected_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let manifest = alice.seed(b"container").await;
    let expected = wallet("carol").address();
    let wrong = PeerHint {
        remote: alice.hint().remote,
        expected: Some(expected),
    };
    let error = bob
        .fetch(&manifest, &[wrong])
        .await
        .end()
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Identity(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("E-IDENTITY: expected {expected}, got {}", alice.address())
    );
    assert_eq!(alice.status().await.connections, 0);
}

/// C-10.
#[tokio::test]
async fn a_node_does_not_fetch_from_itself() {
    let world = World::new();
    let bob = world.node("bob").await;
    let manifest = world.node("alice").await.seed(b"container").await;
    let itself = PeerHint::from(bob.hint().remote);
    assert_eq!(
        bob.fetch(&manifest, &[itself]).await.fails().await,
        format!(
            "E-SELF: the peer has this node's own address {}",
            bob.address()
        )
    );
}

/// C-04, the liar listening.
#[tokio::test]
async fn whoever_listens_with_anothers_certificate_is_nobody() {
    let world = World::new();
    let (alice, bob) = (wallet("alice"), world.node("bob").await);
    let mut tls = server_config(&wallet("mallory"), ALPN).unwrap();
    tls.cert_resolver = stolen(&alice, &wallet("mallory"));
    let mut liar = Rogue::start_as(&alice, tls, |_| Say::Reset(0));
    let manifest = world.node("publisher").await.seed(b"container").await;
    let what = What::Manifest(manifest);
    let mut fetch = bob.fetch_patiently(what, &[liar.hint()], SHORT).await;
    assert_eq!(liar.fate().await, Fate::Alert(DECRYPT_ERROR));
    let tried = fetch.finds_nobody().await;
    let start = format!("E-HANDSHAKE: {}: ", liar.hint().remote);
    let is_told = |text: &String| text.starts_with(&start) && text.contains("BadSignature");
    assert!(!tried.is_empty() && tried.iter().all(is_told), "{tried:?}");
}

/// C-04 with the liar dialing, C-05 and C-08.
#[tokio::test]
async fn whoever_dials_without_proof_or_protocol_does_not_get_in() {
    let world = World::new();
    let bytes = noise(1, 100_000);
    let node = world.node("node").await;
    let manifest = node.seed(&bytes).await;
    let dialer = |alpn: &[u8]| client_config(&wallet("mallory"), alpn, None).unwrap();
    let mut stealing = dialer(ALPN);
    stealing.client_auth_cert_resolver = stolen(&wallet("alice"), &wallet("mallory"));
    let mut nameless = dialer(ALPN);
    nameless.client_auth_cert_resolver = Arc::new(Nobody);
    let mut silent = dialer(ALPN);
    silent.alpn_protocols.clear();
    for (case, tls, alert) in [
        ("C-04", stealing, DECRYPT_ERROR),
        ("C-05", nameless, CERTIFICATE_REQUIRED),
        ("C-08 none", silent, NO_APPLICATION_PROTOCOL),
        ("C-08 h3", dialer(b"h3"), NO_APPLICATION_PROTOCOL),
        (
            "C-08 later",
            dialer(b"swarmhold/2"),
            NO_APPLICATION_PROTOCOL,
        ),
    ] {
        assert_eq!(end_of(&node, tls).await, Fate::Alert(alert), "{case}");
    }
    let bob = world.node("bob").await;
    bob.fetch(&manifest, &[node.hint()])
        .await
        .gets(&bytes)
        .await;
}

/// With TLS 1.3 a dialer may think that it is in before it is refused: then its hello fails.
async fn end_of(node: &crate::world::Peer, tls: ClientConfig) -> Fate {
    match Raw::dial_as(node, tls).await {
        Ok(raw) => {
            raw.ask(&hello()).await;
            raw.fate().await
        }
        Err(error) => Fate::of(&error),
    }
}

/// One wallet's certificate with another's key.
fn stolen(whose: &Wallet, by: &Wallet) -> Arc<SingleCertAndKey> {
    let (theirs, own) = (certificate_of(whose).unwrap(), certificate_of(by).unwrap());
    let PrivateKeyDer::Pkcs8(key) = &own.key else {
        unreachable!("certificates come with PKCS #8 keys");
    };
    let key = rustls::crypto::aws_lc_rs::sign::any_eddsa_type(key).unwrap();
    Arc::new(CertifiedKey::new(vec![theirs.chain.clone()], key).into())
}

/// Presents no certificate.
#[derive(Debug)]
struct Nobody;

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
