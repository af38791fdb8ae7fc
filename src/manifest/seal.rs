//! The owner's signature: what it is over, and when it counts.
//!
//! It is ed25519 (RFC 8032) over these 84 bytes, in which every field has a fixed length:
//!
//! ```text
//! "swarmhold/manifest-sig/v1" 00
//! manifest id  32 bytes
//! time         8 bytes, little-endian, seconds since 1970
//! ip           16 bytes, network order; IPv4 as ::ffff:a.b.c.d
//! port         2 bytes, little-endian
//! ```
//!
//! The tag separates it from every other signature in the project, so none of those can be passed
//! off as one of these. Verification is strict: keys and nonces of small order and encodings that
//! are not the only one of their value are refused, so a manifest has one signature per signing and
//! nobody but the owner can make another.

use std::net::{IpAddr, SocketAddr};

use ed25519_dalek::VerifyingKey;

use super::error::ManifestError;
use super::hint;
use crate::digest::{Address, Digest, ManifestId};
use crate::limits::SIGNED_TIME_MAX_S;

/// Separates these signatures from every other one in the project.
const TAG: &[u8] = b"swarmhold/manifest-sig/v1\0";

/// The order of the curve's base point, little-endian (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Where the publisher says to be. Invariant: `ip` is no IPv4 address written as IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

impl Contact {
    /// The address, if it can be dialled.
    pub(super) fn reach(self) -> Option<SocketAddr> {
        let address = SocketAddr::new(self.ip, self.port?);
        hint::is_dialable(address).then_some(address)
    }
}

/// A signature with what is needed to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) time: u64,
    pub(super) public_key: [u8; 32],
    pub(super) signature: [u8; 64],
}

impl Seal {
    /// Passes a signature that the owner made over this manifest.
    pub(super) fn check(
        &self,
        id: ManifestId,
        contact: Contact,
        owner: Address,
    ) -> Result<(), ManifestError> {
        if self.time > SIGNED_TIME_MAX_S {
            return Err(ManifestError::Number {
                field: "_time",
                min: 0,
                max: SIGNED_TIME_MAX_S,
            });
        }
        let public_key = strong_key(&self.public_key)?;
        let signer = Address::new(Digest::of(&self.public_key));
        if signer != owner {
            return Err(ManifestError::AddressMismatch {
                key: signer,
                manifest: owner,
            });
        }
        self.check_form()?;
        let signature = ed25519_dalek::Signature::from_bytes(&self.signature);
        public_key
            .verify_strict(&signed_bytes(id, self.time, contact), &signature)
            .map_err(|_| ManifestError::WrongSignature)
    }

    /// Passes a signature that could be one: a point of full order, and a reduced scalar.
    fn check_form(&self) -> Result<(), ManifestError> {
        let (nonce, scalar) = self.signature.split_at(32);
        // the nonce is a point as a public key is, with the same demands
        let nonce = nonce.try_into().expect("32 of 64 bytes");
        strong_key(nonce).map_err(|_| {
            ManifestError::MalformedSignature("its first half is no point of full order")
        })?;
        match scalar.iter().rev().lt(ORDER.iter().rev()) {
            true => Ok(()),
            false => Err(ManifestError::NonCanonicalSignature),
        }
    }
}

/// What is signed. A contact without a port is signed with port 0.
pub(super) fn signed_bytes(id: ManifestId, time: u64, contact: Contact) -> Vec<u8> {
    let ip = match contact.ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut bytes = TAG.to_vec();
    bytes.extend(id.digest().as_bytes());
    bytes.extend(time.to_le_bytes());
    bytes.extend(ip.octets());
    bytes.extend(contact.port.unwrap_or(0).to_le_bytes());
    bytes
}

/// A point on the curve in its only encoding, and not of small order.
fn strong_key(bytes: &[u8; 32]) -> Result<VerifyingKey, ManifestError> {
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| ManifestError::KeyPoint)?;
    if key.is_weak() {
        return Err(ManifestError::WeakKey);
    }
    // a y of 2^255-19 or more is written twice over; the sign bit is not part of y
    match key.to_edwards().compress().as_bytes() == bytes {
        true => Ok(key),
        false => Err(ManifestError::KeyPoint),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    const CONTACT: Contact = Contact {
        ip: IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)),
        port: Some(7922),
    };

    /// A key, its address, and a signature by it over `message`.
    fn seal(message: &[u8]) -> (Seal, Address) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public_key = key.verifying_key().to_bytes();
        let seal = Seal {
            time: 1_790_000_000,
            public_key,
            signature: key.sign(message).to_bytes(),
        };
        (seal, Address::new(Digest::of(&public_key)))
    }

    /// The bytes that a signature must be over, put together by hand.
    fn drawn(id: ManifestId, tag: &[u8]) -> Vec<u8> {
        [
            tag,
            id.digest().as_bytes(),
            &[0x80, 0x3b, 0xb1, 0x6a, 0, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 7],
            &[0xf2, 0x1e],
        ]
        .concat()
    }

    #[test]
    fn a_signature_counts_under_its_own_domain_tag_only() {
        let id = ManifestId::new(Digest::of(b"manifest"));
        let (good, owner) = seal(&drawn(id, b"swarmhold/manifest-sig/v1\0"));
        assert_eq!(good.check(id, CONTACT, owner), Ok(()));
        for tag in [
            "",
            "swarmhold/manifest/v1\0",
            "swarmhold/manifest-sig/v1",
            "swarmhold/manifest-sig/v2\0",
            "swarmhold/result/v1\0",
            "swarmhold/register/v1\0",
        ] {
            let (foreign, owner) = seal(&drawn(id, tag.as_bytes()));
            let refused = foreign.check(id, CONTACT, owner);
            assert_eq!(refused, Err(ManifestError::WrongSignature), "{tag:?}");
        }
    }

    #[test]
    fn keys_of_small_order_are_weak_and_double_encodings_are_none() {
        let zeros = [0; 32];
        let mut one = zeros;
        one[0] = 1;
        // 0, 1 and p-1 are the y of points of order 4, 1 and 2
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for weak in [zeros, one, minus_one] {
            assert_eq!(strong_key(&weak), Err(ManifestError::WeakKey));
        }
        // of p..2^255 some are no points, the others second encodings, of weak ones among them
        for low in 0xed..=0xff {
            let mut double = [0xff; 32];
            (double[0], double[31]) = (low, 0x7f);
            assert!(strong_key(&double).is_err(), "{low:x}");
        }
        let mut off = zeros;
        off[0] = 2;
        assert_eq!(strong_key(&off), Err(ManifestError::KeyPoint));
    }

    #[test]
    fn scalars_are_below_the_order() {
        let id = ManifestId::new(Digest::of(b"manifest"));
        let (good, _) = seal(b"anything");
        let with = |scalar: [u8; 32]| {
            let mut seal = good.clone();
            seal.signature[32..].copy_from_slice(&scalar);
            seal.check_form()
        };
        let mut below = ORDER;
        below[0] -= 1;
        assert_eq!(with(below), Ok(()));
        assert_eq!(with(ORDER), Err(ManifestError::NonCanonicalSignature));
        assert_eq!(with([0xff; 32]), Err(ManifestError::NonCanonicalSignature));
        assert_ne!(signed_bytes(id, 0, CONTACT), signed_bytes(id, 1, CONTACT));
    }
}
