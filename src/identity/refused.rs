//! Why a peer's certificate is refused, and finding that reason again in a transport's error.
//!
//! The reason passes through two libraries on its way to the user. rustls keeps the value but shows
//! only its `Debug`; quinn keeps only the text. So `Debug` is the same text as `Display`, and
//! [`CertificateRefused::in_reason`] reads the text back.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use crate::digest::Address;

/// Why a certificate, or the peer behind it, is refused. The peer is to blame for each.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefused {
    /// The chain has none, or more than one.
    #[error("bad_certificate: expected exactly one, got {0}")]
    Count(usize),
    /// It is longer than any certificate that could be accepted.
    #[error("bad_certificate: {found} B > limit {limit}")]
    TooLarge {
        /// Bytes of the certificate.
        found: usize,
        /// The largest allowed, in bytes.
        limit: usize,
    },
    /// It is not one X.509 certificate in strict DER.
    #[error("bad_certificate: not DER: {0}")]
    Encoding(String),
    /// Bytes follow it.
    #[error("bad_certificate: {0} B after its end")]
    TrailingBytes(usize),
    /// It is not X.509 version 3. The number counts versions from 1.
    #[error("bad_certificate: X.509 version {0}, expected 3")]
    Version(u64),
    /// It carries an extension twice. Named by its OID.
    #[error("bad_certificate: extension {0} stands twice")]
    DuplicateExtension(String),
    /// It demands that an extension be understood that this build does not know. Named by its OID.
    #[error("bad_certificate: unknown critical extension {0}")]
    CriticalExtension(String),
    /// Its key is of another kind than ed25519.
    #[error("unsupported key: {0}, expected ed25519")]
    Key(String),
    /// Its key is no point of the curve, or written in a form that RFC 8410 does not allow.
    #[error("bad_certificate: malformed ed25519 key")]
    MalformedKey,
    /// Its key is of small order: anyone can make signatures that it verifies.
    #[error("bad_certificate: weak ed25519 key")]
    WeakKey,
    /// It is signed by another algorithm than ed25519. Named by its OID.
    #[error("bad_certificate: signed with {0}, expected ed25519")]
    SignatureAlgorithm(String),
    /// Its signature is not one of its own key over its contents.
    #[error("bad_certificate: self-signature does not verify")]
    SelfSignature,
    /// The peer is not the one that was dialed.
    #[error("E-IDENTITY: expected {expected}, got {got}")]
    Identity {
        /// Who was dialed.
        expected: Address,
        /// Who answered.
        got: Address,
    },
    /// The peer is this node itself.
    #[error("E-SELF: the peer has this node's own address {0}")]
    Own(Address),
}

/// How rustls shows an error of ours: before and after it.
const RUSTLS_BEFORE: &str = "invalid peer certificate: Other(OtherError(";
const RUSTLS_AFTER: &str = "))";

impl CertificateRefused {
    /// The refusal that the text of a *local* transport error reports, such as the `reason` of
    /// `quinn_proto::TransportError`.
    ///
    /// Not for texts that a peer sent (`ConnectionClosed`): it could write anything there.
    pub fn in_reason(reason: &str) -> Option<Self> {
        let (_, rest) = reason.split_once(RUSTLS_BEFORE)?;
        Self::from_text(rest.strip_suffix(RUSTLS_AFTER)?)
    }

    /// The inverse of `Display`.
    fn from_text(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("E-IDENTITY: expected ") {
            let (expected, got) = rest.split_once(", got ")?;
            return Some(Self::Identity {
                expected: expected.parse().ok()?,
                got: got.parse().ok()?,
            });
        }
        if let Some(own) = text.strip_prefix("E-SELF: the peer has this node's own address ") {
            return own.parse().ok().map(Self::Own);
        }
        if let Some(rest) = text.strip_prefix("unsupported key: ") {
            return Some(Self::Key(
                rest.strip_suffix(", expected ed25519")?.to_owned(),
            ));
        }
        Self::from_bad_certificate(text.strip_prefix("bad_certificate: ")?)
    }

    /// The part of [`Self::from_text`] for the refusals of the certificate as such.
    fn from_bad_certificate(text: &str) -> Option<Self> {
        Some(match text {
            "malformed ed25519 key" => Self::MalformedKey,
            "weak ed25519 key" => Self::WeakKey,
            "self-signature does not verify" => Self::SelfSignature,
            _ => {
                if let Some(count) = text.strip_prefix("expected exactly one, got ") {
                    Self::Count(count.parse().ok()?)
                } else if let Some(reason) = text.strip_prefix("not DER: ") {
                    Self::Encoding(reason.to_owned())
                } else if let Some(oid) = text.strip_prefix("unknown critical extension ") {
                    Self::CriticalExtension(oid.to_owned())
                } else if let Some((found, limit)) = text.split_once(" B > limit ") {
                    let (found, limit) = (found.parse().ok()?, limit.parse().ok()?);
                    Self::TooLarge { found, limit }
                } else if let Some(found) = text.strip_suffix(" B after its end") {
                    Self::TrailingBytes(found.parse().ok()?)
                } else if let Some(oid) = between(text, "extension ", " stands twice") {
                    Self::DuplicateExtension(oid.to_owned())
                } else if let Some(oid) = between(text, "signed with ", ", expected ed25519") {
                    Self::SignatureAlgorithm(oid.to_owned())
                } else {
                    let version = between(text, "X.509 version ", ", expected 3")?;
                    Self::Version(version.parse().ok()?)
                }
            }
        })
    }
}

/// What stands between the two ends of a text.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

/// The refusal by this side's verifier that an error, or one of its sources, is about.
///
/// Sees through `rustls::Error`, an `io::Error` around one, and quinn's connection errors. A refusal
/// that the *peer* reports about our certificate is not found: it is hearsay.
pub fn refusal_in(error: &(dyn StdError + 'static)) -> Option<CertificateRefused> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refused) = refusal_at(error) {
            return Some(refused);
        }
        next = error.source();
    }
    None
}

/// The refusal that this very error is about, its sources left aside.
fn refusal_at(error: &(dyn StdError + 'static)) -> Option<CertificateRefused> {
    if let Some(refused) = error.downcast_ref::<CertificateRefused>() {
        return Some(refused.clone());
    }
    if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) =
        error.downcast_ref()
    {
        return refusal_in(other);
    }
    if let Some(quinn::ConnectionError::TransportError(local)) = error.downcast_ref() {
        return CertificateRefused::in_reason(&local.reason);
    }
    let wrapped = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    refusal_in(wrapped)
}

impl From<CertificateRefused> for rustls::Error {
    fn from(refused: CertificateRefused) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
    }
}

impl fmt::Debug for CertificateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn every_refusal() -> Vec<CertificateRefused> {
        let address = |name: &str| Address::new(Digest::of(name.as_bytes()));
        vec![
            CertificateRefused::Count(2),
            CertificateRefused::TooLarge {
                found: 65536,
                limit: 2048,
            },
            CertificateRefused::Encoding("invalid date".to_owned()),
            CertificateRefused::TrailingBytes(1),
            CertificateRefused::Version(1),
            CertificateRefused::DuplicateExtension("2.5.29.17".to_owned()),
            CertificateRefused::CriticalExtension("1.3.6.1.4.1.32473.1".to_owned()),
            CertificateRefused::Key("RSA".to_owned()),
            CertificateRefused::MalformedKey,
            CertificateRefused::WeakKey,
            CertificateRefused::SignatureAlgorithm("1.2.840.10045.4.3.2".to_owned()),
            CertificateRefused::SelfSignature,
            CertificateRefused::Identity {
                expected: address("alice"),
                got: address("bob"),
            },
            CertificateRefused::Own(address("alice")),
        ]
    }

    #[test]
    fn every_refusal_is_found_in_a_rustls_error_and_in_its_text() {
        for refused in every_refusal() {
            let error = rustls::Error::from(refused.clone());
            assert_eq!(refusal_in(&error), Some(refused.clone()));
            let shown = error.to_string();
            assert_eq!(CertificateRefused::in_reason(&shown), Some(refused.clone()));
            let wrapped = std::io::Error::other(error);
            assert_eq!(refusal_in(&wrapped), Some(refused));
        }
    }

    #[test]
    fn what_the_peer_wrote_is_not_taken_for_our_refusal() {
        let text = rustls::Error::from(CertificateRefused::WeakKey).to_string();
        let close = quinn::ConnectionClose {
            error_code: quinn::TransportErrorCode::crypto(0x2a),
            frame_type: None,
            reason: text.into_bytes().into(),
        };
        let error = quinn::ConnectionError::ConnectionClosed(close);
        assert_eq!(refusal_in(&error), None);
    }

    #[test]
    fn other_errors_hold_no_refusal() {
        assert_eq!(refusal_in(&rustls::Error::DecryptError), None);
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(refusal_in(&expired), None);
        assert_eq!(CertificateRefused::in_reason("E-SELF"), None);
    }
}
