//! Certificates as somebody else might make them, good and bad, written in DER by hand.
//!
//! Shares no code with `identity::cert`, so that a good certificate made here checks that one too.

use swarmhold::identity::Wallet;

/// AlgorithmIdentifier of ed25519 (RFC 8410 section 3).
pub(super) const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
/// The same with parameters, which RFC 8410 forbids.
pub(super) const ED25519_NULL: &[u8] = &[0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00];
/// AlgorithmIdentifier of ecdsa-with-SHA256.
pub(super) const ECDSA: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
/// The prime order of ed25519's base point, little-endian (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// What goes into a certificate. Every part is DER already and may be wrong on purpose.
#[derive(Clone)]
pub(super) struct Recipe {
    pub(super) version: Vec<u8>,
    pub(super) serial: Vec<u8>,
    pub(super) inner_algorithm: Vec<u8>,
    pub(super) outer_algorithm: Vec<u8>,
    pub(super) not_before: Vec<u8>,
    pub(super) not_after: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) extensions: Vec<Vec<u8>>,
    /// Stands behind the extensions, within what is signed.
    pub(super) excess: Vec<u8>,
}

impl Recipe {
    /// What a verifier accepts as this wallet.
    pub(super) fn good(wallet: &Wallet) -> Self {
        let mut serial = wallet.address().digest().as_bytes()[..16].to_vec();
        serial[0] = serial[0] & 0x3f | 0x40;
        Self {
            version: tlv(0xa0, &[&[0x02, 0x01, 0x02]]),
            serial: tlv(0x02, &[&serial]),
            inner_algorithm: ED25519.to_vec(),
            outer_algorithm: ED25519.to_vec(),
            not_before: tlv(0x17, &[b"700101000000Z"]),
            not_after: tlv(0x18, &[b"99991231000000Z"]),
            key: spki(ED25519, &wallet.public_key()),
            extensions: vec![alternative_name()],
            excess: Vec::new(),
        }
    }

    /// The certificate, signed by whoever signs.
    pub(super) fn der(&self, sign: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let signed = self.to_be_signed();
        let signature = bit_string(&sign(&signed));
        tlv(0x30, &[&signed, &self.outer_algorithm, &signature])
    }

    fn to_be_signed(&self) -> Vec<u8> {
        let name = common_name();
        let validity = tlv(0x30, &[&self.not_before, &self.not_after]);
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            some => tlv(0xa3, &[&tlv(0x30, &[&some.concat()])]),
        };
        let parts: [&[u8]; 9] = [
            &self.version,
            &self.serial,
            &self.inner_algorithm,
            &name,
            &validity,
            &name,
            &self.key,
            &extensions,
            &self.excess,
        ];
        tlv(0x30, &parts)
    }
}

/// Signs as this wallet does.
pub(super) fn signed_by(wallet: &Wallet) -> impl Fn(&[u8]) -> Vec<u8> {
    |message| wallet.sign(message).to_vec()
}

/// The other signature that a lax verifier takes for the same message: S + L in place of S.
pub(super) fn malleated(mut signature: Vec<u8>) -> Vec<u8> {
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    signature
}

/// SubjectPublicKeyInfo.
pub(super) fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tlv(0x30, &[algorithm, &bit_string(key)])
}

/// An extension; `critical` is the DER of that field, or nothing.
pub(super) fn extension(oid: &[u8], critical: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x06, &[oid]), critical, &tlv(0x04, &[value])])
}

/// subjectAltName: swarmhold.invalid, not critical.
pub(super) fn alternative_name() -> Vec<u8> {
    let names = tlv(0x30, &[&tlv(0x82, &[b"swarmhold.invalid"])]);
    extension(&[0x55, 0x1d, 0x11], &[], &names)
}

/// CN=swarmhold.invalid.
fn common_name() -> Vec<u8> {
    let oid = tlv(0x06, &[&[0x55, 0x04, 0x03]]);
    let text = tlv(0x0c, &[b"swarmhold.invalid"]);
    tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&oid, &text])])])
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes])
}

/// Tag, length in its shortest form, value.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = u16::try_from(value.len()).expect("certificates here are small");
    let [high, low] = length.to_be_bytes();
    let mut out = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(&value);
    out
}
