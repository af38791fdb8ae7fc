//! Deciding who a peer is, from the certificate it presents and the handshake it signs.
//!
//! Invariants:
//!
//! * An address is believed only after *both*: the certificate is well-formed and signed by its own
//!   key ([`peer_address`]), and that key signed this very handshake (RFC 8446 section 4.4.3).
//!   The certificate alone is public and proves nothing about who sends it.
//! * There is no authority, no chain, no revocation and no expiry. The key is the identity.
//! * Neither side is anonymous, and there is no TLS below 1.3.

use ed25519_dalek::Signature;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, PeerIncompatible, PeerMisbehaved,
    SignatureScheme,
};

use super::leaf;
pub use super::refused::{CertificateRefused, refusal_in};
use super::wallet;
use crate::digest::Address;

/// The address of the peer that presented this chain: exactly one certificate, self-signed, ed25519.
///
/// Whoever calls this outside of a handshake must know from elsewhere that the peer has the key; for
/// the chain of a finished session of ours ([`super::tls`]) the handshake has proven it.
pub fn peer_address(chain: &[CertificateDer<'_>]) -> Result<Address, CertificateRefused> {
    let [certificate] = chain else {
        return Err(CertificateRefused::Count(chain.len()));
    };
    let key = leaf::key_of(certificate)?;
    Ok(wallet::address_of(key.as_bytes()))
}

/// Verifies the other side of a TLS session, whichever side that is.
#[derive(Debug)]
pub struct PeerVerifier {
    own: Address,
    expected: Option<Address>,
}

impl PeerVerifier {
    /// A verifier of the node `own`, which accepts anyone but itself; only `expected`, if given.
    pub const fn new(own: Address, expected: Option<Address>) -> Self {
        Self { own, expected }
    }

    /// Who presented this chain, if it may be talked to.
    fn admit(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<Address, CertificateRefused> {
        if !intermediates.is_empty() {
            return Err(CertificateRefused::Count(1 + intermediates.len()));
        }
        let got = peer_address(std::slice::from_ref(end_entity))?;
        if got == self.own {
            return Err(CertificateRefused::Own(got));
        }
        match self.expected {
            Some(expected) if expected != got => {
                Err(CertificateRefused::Identity { expected, got })
            }
            _ => Ok(got),
        }
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.admit(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_handshake(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.admit(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_handshake(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// The key of the certificate signed this handshake. `message` is what RFC 8446 section 4.4.3
/// prescribes: spaces, context, and the transcript's hash.
fn verify_handshake(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    if signed.scheme != SignatureScheme::ED25519 {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let key = leaf::key_of(certificate)?;
    let bad_signature = |_| rustls::Error::from(CertificateError::BadSignature);
    let signature = Signature::from_slice(signed.signature()).map_err(bad_signature)?;
    key.verify_strict(message, &signature)
        .map_err(bad_signature)?;
    Ok(HandshakeSignatureValid::assertion())
}
