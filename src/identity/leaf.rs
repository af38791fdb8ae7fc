//! Reading one certificate: DER bytes in, the ed25519 key out, or the exact reason why not.
//!
//! Two parsers must agree that the bytes are a certificate. x509-parser gives the fields, and names
//! what is wrong with them; the one inside rustls accepts nothing but strict DER, with no byte left
//! over at any level. The key, the signed bytes and the signature come from the first alone, so
//! there is one reading of what the peer is called.
//!
//! The dates are not read: a wallet does not expire, and a node's clock may be wrong. The names are
//! not read: the key is the name.

use ed25519_dalek::{Signature, VerifyingKey};
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::{Oid, oid};
use x509_parser::error::X509Error;
use x509_parser::extensions::X509Extension;
use x509_parser::nom::{self, error::ErrorKind};
use x509_parser::parse_x509_certificate;
use x509_parser::x509::{AlgorithmIdentifier, X509Version};

use super::refused::CertificateRefused;
use crate::limits::CERTIFICATE_BYTES_MAX;

/// id-Ed25519 (RFC 8410 section 3).
const ED25519: Oid<'static> = oid!(1.3.101.112);

/// What stands before the 32 bytes of an ed25519 key in a certificate (RFC 8410 section 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Extensions that may be critical: key usage, alternative names, basic constraints, extended key
/// usage (RFC 5280 section 4.2.1). None of them can change whose key this is.
const KNOWN_CRITICAL: [Oid<'static>; 4] = [
    oid!(2.5.29.15),
    oid!(2.5.29.17),
    oid!(2.5.29.19),
    oid!(2.5.29.37),
];

/// The key of a self-signed ed25519 certificate that is well-formed and signed by that key.
pub(super) fn key_of(certificate: &CertificateDer<'_>) -> Result<VerifyingKey, CertificateRefused> {
    let parsed = parse(certificate)?;
    let key = public_key(&parsed)?;
    check_extensions(parsed.tbs_certificate.extensions())?;
    check_algorithms(&parsed)?;
    ParsedCertificate::try_from(certificate)
        .map_err(|error| CertificateRefused::Encoding(strict_reason(&error)))?;
    check_signature(&parsed, &key)?;
    Ok(key)
}

/// One X.509 version 3 certificate and nothing behind it.
fn parse<'c>(
    certificate: &'c CertificateDer<'_>,
) -> Result<X509Certificate<'c>, CertificateRefused> {
    if certificate.len() > CERTIFICATE_BYTES_MAX {
        return Err(CertificateRefused::TooLarge {
            found: certificate.len(),
            limit: CERTIFICATE_BYTES_MAX,
        });
    }
    let (rest, parsed) = parse_x509_certificate(certificate)
        .map_err(|error| CertificateRefused::Encoding(reason(&error)))?;
    if !rest.is_empty() {
        return Err(CertificateRefused::TrailingBytes(rest.len()));
    }
    let version = parsed.tbs_certificate.version;
    if version != X509Version::V3 {
        return Err(CertificateRefused::Version(u64::from(version.0) + 1));
    }
    Ok(parsed)
}

/// The public key: ed25519, a point of the curve in its one encoding, not of small order.
fn public_key(parsed: &X509Certificate<'_>) -> Result<VerifyingKey, CertificateRefused> {
    let info = &parsed.tbs_certificate.subject_pki;
    if info.algorithm.algorithm != ED25519 {
        return Err(CertificateRefused::Key(name_of(&info.algorithm.algorithm)));
    }
    let bytes = info
        .raw
        .strip_prefix(&SPKI_PREFIX)
        .and_then(|raw| <&[u8; 32]>::try_from(raw).ok())
        .ok_or(CertificateRefused::MalformedKey)?;
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| CertificateRefused::MalformedKey)?;
    if key.is_weak() {
        return Err(CertificateRefused::WeakKey);
    }
    // Some points have a second encoding, which would be a second address of one key.
    if key.to_edwards().compress().as_bytes() != bytes {
        return Err(CertificateRefused::MalformedKey);
    }
    Ok(key)
}

/// No extension twice, and none critical that is not known (RFC 5280 section 4.2).
fn check_extensions(extensions: &[X509Extension<'_>]) -> Result<(), CertificateRefused> {
    for (index, extension) in extensions.iter().enumerate() {
        let oid = &extension.oid;
        if extensions[..index]
            .iter()
            .any(|earlier| earlier.oid == *oid)
        {
            return Err(CertificateRefused::DuplicateExtension(oid.to_id_string()));
        }
        if extension.critical && !KNOWN_CRITICAL.contains(oid) {
            return Err(CertificateRefused::CriticalExtension(oid.to_id_string()));
        }
    }
    Ok(())
}

/// Both places that name the signature's algorithm say ed25519.
fn check_algorithms(parsed: &X509Certificate<'_>) -> Result<(), CertificateRefused> {
    let named = [
        &parsed.signature_algorithm,
        &parsed.tbs_certificate.signature,
    ];
    match named.into_iter().find(|algorithm| !is_ed25519(algorithm)) {
        None => Ok(()),
        Some(other) => {
            let name = other.algorithm.to_id_string();
            Err(CertificateRefused::SignatureAlgorithm(name))
        }
    }
}

/// The certificate is signed by its own key. Says nothing about who sent it: that is for the
/// handshake to prove.
fn check_signature(
    parsed: &X509Certificate<'_>,
    key: &VerifyingKey,
) -> Result<(), CertificateRefused> {
    // An ed25519 signature is whole bytes, so no bits of the last one may be unused.
    if parsed.signature_value.unused_bits != 0 {
        return Err(CertificateRefused::SelfSignature);
    }
    let signature = Signature::from_slice(&parsed.signature_value.data)
        .map_err(|_| CertificateRefused::SelfSignature)?;
    key.verify_strict(parsed.tbs_certificate.as_ref(), &signature)
        .map_err(|_| CertificateRefused::SelfSignature)
}

/// ed25519, with its parameters absent as RFC 8410 section 3 demands.
fn is_ed25519(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm == ED25519 && algorithm.parameters.is_none()
}

/// What people call a kind of key; its OID where they have no name for it.
fn name_of(algorithm: &Oid<'_>) -> String {
    let oid = algorithm.to_id_string();
    match oid.as_str() {
        "1.2.840.113549.1.1.1" => "RSA".to_owned(),
        "1.2.840.10045.2.1" => "ECDSA".to_owned(),
        "1.3.101.113" => "ed448".to_owned(),
        _ => oid,
    }
}

/// What x509-parser found wrong.
fn reason(error: &nom::Err<X509Error>) -> String {
    match error {
        nom::Err::Incomplete(_)
        | nom::Err::Error(X509Error::NomError(ErrorKind::Eof))
        | nom::Err::Failure(X509Error::NomError(ErrorKind::Eof)) => {
            "a length does not fit its contents".to_owned()
        }
        nom::Err::Error(error) | nom::Err::Failure(error) => error.to_string(),
    }
}

/// What the strict parser found wrong.
fn strict_reason(error: &rustls::Error) -> String {
    if *error == CertificateError::BadEncoding.into() {
        return "not the one encoding that DER allows".to_owned();
    }
    error.to_string()
}
