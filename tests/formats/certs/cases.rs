//! Cases C-01 to C-10: what is presented, and the exact words of the answer.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CipherSuite, NamedGroup};
use swarmhold::identity::Wallet;
use swarmhold::identity::verify::{PeerVerifier, refusal_in};

use super::answers::ANSWERS;
use super::handshake::{
    self, Anonymous, Corrupted, Outcome, answer_to, converse, dialer, listener, presenting,
    quic_alert, signing_key, signing_key_of,
};
use super::vectors::{alice, bob};
use super::{answer, vector};

/// Two parties that have nothing to hide succeed: without this, no refusal below means anything.
#[test]
fn honest_peers_shake_hands_with_the_hybrid_key_exchange() {
    let (alice, bob) = (alice(), bob());
    for expected in [None, Some(bob.address())] {
        let outcome = converse(dialer(&alice, expected), listener(&bob));
        assert!(outcome.is_success(), "{outcome:?}");
        assert_eq!(outcome.group, Some(NamedGroup::X25519MLKEM768));
    }
    assert_eq!(quic_alert(dialer(&alice, None), listener(&bob)), None);
}

/// What was found wrong by the side that verifies, then what the other side was told.
fn client_says(outcome: &Outcome) -> String {
    assert!(outcome.client_refused(), "{outcome:?}");
    says(&outcome.client, &outcome.server)
}

fn server_says(outcome: &Outcome) -> String {
    assert!(outcome.server_refused(), "{outcome:?}");
    says(&outcome.server, &outcome.client)
}

fn says(finder: &Result<(), rustls::Error>, told: &Result<(), rustls::Error>) -> String {
    let error = finder.as_ref().expect_err("a refusal");
    let found = refusal_in(error).map_or_else(|| error.to_string(), |refused| refused.to_string());
    match told {
        Err(told) => format!("{found} / {told}"),
        Ok(()) => found,
    }
}

/// A listener that presents this chain and signs with this key.
fn lying_listener(chain: &[&str], key: Arc<dyn rustls::sign::SigningKey>) -> rustls::ServerConfig {
    let mut config = listener(&mallory());
    config.cert_resolver = presenting(chain.iter().map(|name| vector(name)).collect(), key);
    config
}

/// A dialer that presents this chain and signs with this key.
fn lying_dialer(chain: &[&str], key: Arc<dyn rustls::sign::SigningKey>) -> rustls::ClientConfig {
    let mut config = dialer(&mallory(), None);
    config.client_auth_cert_resolver =
        presenting(chain.iter().map(|name| vector(name)).collect(), key);
    config
}

/// Somebody who talks to Alice and Bob.
fn carol() -> Wallet {
    Wallet::from_seed([0xca; 32])
}

/// Whose wallet stands behind a side that presents another's certificate.
fn mallory() -> Wallet {
    Wallet::from_seed([0x66; 32])
}

/// An honest listener's key with a certificate of another kind, and a key of that other kind.
fn c01_other_kinds_of_key() -> Vec<(&'static str, String)> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let p256 = signing_key_of(&PrivateKeyDer::Pkcs8(pair.serialize_der().into()));
    let honest = || dialer(&carol(), None);
    vec![
        ("C-01 P-256", answer(&[vector("p256.der")])),
        ("C-01 RSA", answer(&[vector("rsa.der")])),
        (
            "C-01 P-256, signed with ed25519",
            client_says(&converse(
                honest(),
                lying_listener(&["p256.der"], signing_key(&alice())),
            )),
        ),
        (
            "C-01 P-256, signed with P-256",
            server_error(&converse(honest(), lying_listener(&["p256.der"], p256))),
        ),
    ]
}

/// The listener itself gives up, as it has nothing to offer that the dialer takes.
fn server_error(outcome: &Outcome) -> String {
    assert!(
        outcome.server_refused() && outcome.client.is_err(),
        "{outcome:?}"
    );
    says(&outcome.server, &outcome.client)
}

fn c02_chains() -> Vec<(&'static str, String)> {
    let two = ["good.der", "other-known.der"];
    vec![
        ("C-02 none", answer(&[])),
        ("C-02 two", answer(&two.map(vector))),
        (
            "C-02 two, from a listener",
            client_says(&converse(
                dialer(&carol(), None),
                lying_listener(&two, signing_key(&alice())),
            )),
        ),
        (
            "C-02 two, from a dialer",
            server_says(&converse(
                lying_dialer(&two, signing_key(&alice())),
                listener(&carol()),
            )),
        ),
    ]
}

fn c03_sizes() -> Vec<(&'static str, String)> {
    let mut long = vector("good.der").to_vec();
    long.resize(64 * 1024, 0);
    vec![
        ("C-03 truncated", answer(&[vector("truncated.der")])),
        ("C-03 64 KiB", answer(&[CertificateDer::from(long)])),
        ("C-03 empty", answer(&[CertificateDer::from(Vec::new())])),
    ]
}

fn c04_somebody_elses_certificate() -> Vec<(&'static str, String)> {
    let expecting_alice = dialer(&carol(), Some(alice().address()));
    vec![
        (
            "C-04 listener with Alice's certificate and Bob's key",
            client_says(&converse(
                expecting_alice,
                lying_listener(&["good.der"], signing_key(&bob())),
            )),
        ),
        (
            "C-04 dialer with Alice's certificate and Bob's key",
            server_says(&converse(
                lying_dialer(&["good.der"], signing_key(&bob())),
                listener(&carol()),
            )),
        ),
    ]
}

fn c05_no_certificate() -> Vec<(&'static str, String)> {
    let mut anonymous = dialer(&alice(), None);
    anonymous.client_auth_cert_resolver = Arc::new(Anonymous);
    vec![(
        "C-05 dialer without a certificate",
        server_says(&converse(anonymous, listener(&bob()))),
    )]
}

fn c06_somebody_else() -> Vec<(&'static str, String)> {
    let expecting_bob = dialer(&carol(), Some(bob().address()));
    vec![(
        "C-06 Bob dialed, Alice answers",
        client_says(&converse(expecting_bob, listener(&alice()))),
    )]
}

fn c07_contents() -> Vec<(&'static str, String)> {
    let in_session = |name| {
        let outcome = converse(
            dialer(&carol(), Some(alice().address())),
            lying_listener(&[name], signing_key(&alice())),
        );
        if outcome.is_success() {
            return "accepted".to_owned();
        }
        client_says(&outcome)
    };
    vec![
        (
            "C-07 self-signature",
            in_session("broken-self-signature.der"),
        ),
        ("C-07 expired", in_session("good-expired.der")),
        ("C-07 not yet valid", in_session("good-not-yet-valid.der")),
        (
            "C-07 unknown critical extension",
            in_session("unknown-critical-extension.der"),
        ),
    ]
}

fn c08_protocols() -> Vec<(&'static str, String)> {
    let offering = |protocols: &[&[u8]]| {
        let mut config = dialer(&alice(), None);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config
    };
    let mut silent = listener(&bob());
    silent.alpn_protocols.clear();
    let alert = |ended: Option<(rustls::AlertDescription, rustls::Error)>| {
        let (alert, error) = ended.expect("a refusal");
        format!("{alert:?}: {error}")
    };
    vec![
        (
            "C-08 no ALPN",
            alert(quic_alert(offering(&[]), listener(&bob()))),
        ),
        (
            "C-08 h3",
            alert(quic_alert(offering(&[b"h3"]), listener(&bob()))),
        ),
        (
            "C-08 h3 over a byte stream",
            server_says(&converse(offering(&[b"h3"]), listener(&bob()))),
        ),
        (
            "C-08 a listener without ALPN",
            alert(quic_alert(offering(&[handshake::ALPN]), silent)),
        ),
    ]
}

/// A ClientHello of TLS 1.2 (RFC 5246 section 7.4.1.2) that offers one suite and nothing newer.
fn c09_tls12() -> Vec<(&'static str, String)> {
    let suite = u16::from(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256).to_be_bytes();
    let extensions = [
        &[0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d][..], // groups: x25519
        &[0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x08, 0x07][..], // signatures: ed25519
    ]
    .concat();
    let body = [
        &[0x03, 0x03][..],
        &[0x5a; 32],
        &[0],
        &[0, 2],
        &suite,
        &[1, 0],
        &[0, 16],
        &extensions,
    ]
    .concat();
    let length = u8::try_from(body.len()).unwrap();
    let message = [&[0x01, 0, 0, length][..], &body].concat();
    let record = [&[0x16, 0x03, 0x01, 0, length + 4][..], &message].concat();
    let (error, sent) = answer_to(&record, listener(&alice()));
    // Alert, fatal, protocol_version (RFC 8446 section 6).
    assert_eq!(sent, [0x15, 0x03, 0x03, 0, 2, 2, 70]);
    vec![("C-09 TLS 1.2", error.to_string())]
}

fn c10_self() -> Vec<(&'static str, String)> {
    let alice = alice();
    let own = Some(alice.address());
    vec![
        (
            "C-10 dialing whoever it is",
            client_says(&converse(dialer(&alice, None), listener(&alice))),
        ),
        (
            "C-10 dialing its own address",
            client_says(&converse(dialer(&alice, own), listener(&alice))),
        ),
        (
            "C-10 answering itself",
            server_says(&converse(
                lying_dialer(&["good.der"], signing_key(&alice)),
                listener(&alice),
            )),
        ),
    ]
}

#[test]
fn cases_c01_to_c10() {
    let cases = [
        c01_other_kinds_of_key(),
        c02_chains(),
        c03_sizes(),
        c04_somebody_elses_certificate(),
        c05_no_certificate(),
        c06_somebody_else(),
        c07_contents(),
        c08_protocols(),
        c09_tls12(),
        c10_self(),
    ]
    .concat();
    for ((case, found), (listed, expected)) in cases.iter().zip(ANSWERS) {
        assert_eq!((*case, found.as_str()), (*listed, *expected));
    }
    assert_eq!(cases.len(), ANSWERS.len());
}

/// C-04 to the byte: a handshake signature that is wrong anywhere proves nothing, in either role.
#[test]
fn no_byte_of_a_handshake_signature_may_be_wrong() {
    for byte in 0..64 {
        let corrupted = || {
            let key = signing_key(&alice());
            Arc::new(Corrupted { key, byte })
        };
        let answered = converse(
            dialer(&carol(), Some(alice().address())),
            lying_listener(&["good.der"], corrupted()),
        );
        assert_eq!(
            client_says(&answered),
            "invalid peer certificate: BadSignature / received fatal alert: DecryptError",
            "byte {byte}"
        );
        let dialed = converse(lying_dialer(&["good.der"], corrupted()), listener(&carol()));
        assert_eq!(
            server_says(&dialed),
            "invalid peer certificate: BadSignature / received fatal alert: DecryptError",
            "byte {byte}"
        );
    }
}

/// There is one scheme that both verifiers name, and no other is let in by the back door.
#[test]
fn only_ed25519_is_asked_for() {
    use rustls::SignatureScheme;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::server::danger::ClientCertVerifier;
    let verifier = PeerVerifier::new(alice().address(), None);
    let only = [SignatureScheme::ED25519];
    assert_eq!(
        ServerCertVerifier::supported_verify_schemes(&verifier),
        only
    );
    assert_eq!(
        ClientCertVerifier::supported_verify_schemes(&verifier),
        only
    );
    assert!(verifier.offer_client_auth() && verifier.client_auth_mandatory());
}
