//! How a wallet speaks TLS: 1.3 only, a certificate from both sides, nothing remembered.
//!
//! * The key exchange is hybrid and post-quantum first (X25519MLKEM768); the provider is aws-lc-rs,
//!   named here, never the process-wide default.
//! * No session tickets, no resumption, no early data: a resumed session would skip the verifier, and
//!   early data can be replayed (RFC 8446 section 8). They would save one round trip.
//! * One server name for all, so that an observer does not learn who is dialed.
//! * No key log, whatever the environment says.
//!
//! rustls takes a connection *without* ALPN for valid outside of QUIC; within QUIC it refuses it, as
//! RFC 9001 section 8.1 demands.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group, sign};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use super::cert::{self, CertError, certificate_of};
pub use super::refused::{CertificateRefused, refusal_in};
use super::verify::{PeerVerifier, peer_address};
use super::wallet::Wallet;
use crate::digest::Address;

/// The server name (SNI) of every dial. It says nothing about who is dialed.
pub const SERVER_NAME: &str = cert::SUBJECT;

/// Why a wallet cannot speak TLS. Our own bug, or that of a library.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// The protocol name does not have 1 to 255 bytes (RFC 7301 section 3.1).
    #[error("protocol name of {0} B, expected 1 to 255")]
    Protocol(usize),
    /// rustls refuses the configuration.
    #[error("TLS cannot be configured")]
    Configuration(#[source] rustls::Error),
}

/// The side that answers: accepts any wallet but its own, over the protocol `alpn` only.
pub fn server_config(wallet: &Wallet, alpn: &[u8]) -> Result<ServerConfig, TlsError> {
    let verifier = PeerVerifier::new(wallet.address(), None);
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Configuration)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(own_certificate(wallet)?));
    config.alpn_protocols = vec![protocol_name(alpn)?];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.send_half_rtt_data = false;
    Ok(config)
}

/// The side that dials: accepts only `expected`, or any wallet but its own if that is `None`.
pub fn client_config(
    wallet: &Wallet,
    alpn: &[u8],
    expected: Option<Address>,
) -> Result<ClientConfig, TlsError> {
    let verifier = PeerVerifier::new(wallet.address(), expected);
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Configuration)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(own_certificate(wallet)?));
    config.alpn_protocols = vec![protocol_name(alpn)?];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

/// Who the other side of a finished session is, from the certificates that the session reports.
pub fn peer_of(identity: &[CertificateDer<'_>]) -> Result<Address, CertificateRefused> {
    peer_address(identity)
}

/// aws-lc-rs with TLS 1.3 suites only and the hybrid key exchange first.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
        ],
        ..aws_lc_rs::default_provider()
    }
}

/// The wallet's certificate with the key that signs handshakes.
fn own_certificate(wallet: &Wallet) -> Result<SingleCertAndKey, TlsError> {
    let certificate = certificate_of(wallet)?;
    let PrivateKeyDer::Pkcs8(pkcs8) = &certificate.key else {
        unreachable!("certificate_of writes PKCS #8");
    };
    let key = sign::any_eddsa_type(pkcs8).map_err(TlsError::Configuration)?;
    let chain = vec![certificate.chain.clone()];
    Ok(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

/// The protocol's name, if TLS can carry it.
fn protocol_name(alpn: &[u8]) -> Result<Vec<u8>, TlsError> {
    match alpn.len() {
        1..=255 => Ok(alpn.to_vec()),
        length => Err(TlsError::Protocol(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_remembered_and_nothing_is_early() {
        let wallet = Wallet::from_seed([1; 32]);
        let server = server_config(&wallet, b"x/1").unwrap();
        assert_eq!(server.send_tls13_tickets, 0);
        assert_eq!(server.max_early_data_size, 0);
        assert!(!server.send_half_rtt_data && !server.ticketer.enabled());
        assert!(!server.session_storage.can_cache());
        assert!(!server.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
        let client = client_config(&wallet, b"x/1", None).unwrap();
        assert!(!client.enable_early_data);
        assert!(!client.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
        assert!(format!("{:?}", client.resumption).contains("NoClientSessionStorage"));
    }

    #[test]
    fn the_hybrid_key_exchange_comes_first_and_every_suite_is_tls13() {
        let provider = provider();
        assert_eq!(
            provider.kx_groups[0].name(),
            rustls::NamedGroup::X25519MLKEM768
        );
        assert!(
            provider
                .cipher_suites
                .iter()
                .all(|suite| suite.tls13().is_some())
        );
    }

    #[test]
    fn a_protocol_has_a_name_of_1_to_255_bytes() {
        let wallet = Wallet::from_seed([1; 32]);
        assert!(matches!(
            server_config(&wallet, b""),
            Err(TlsError::Protocol(0))
        ));
        let long = [b'x'; 256];
        assert!(matches!(
            client_config(&wallet, &long, None),
            Err(TlsError::Protocol(256))
        ));
        assert!(client_config(&wallet, &long[..255], None).is_ok());
    }
}
