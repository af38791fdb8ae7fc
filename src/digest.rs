//! SHA-256 digests, and the four kinds of name that are made of one.
//!
//! A [`Digest`] is 32 bytes, written as 64 lowercase hexadecimal digits and nothing else. The names
//! [`ProgramId`], [`ManifestId`] and [`Address`] wrap it, so that none can be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How much of one message is hashed before it is the other's turn: one block of SHA-256 (FIPS 180-4
/// section 5.2.1), because a processor looks no further ahead than a few hundred instructions.
const STEP_BYTES: usize = 64;
/// How much is hashed between two pauses, in bytes: about a tenth of a millisecond's work.
pub(crate) const PAUSE_BYTES: usize = 128 * 1024;

/// A SHA-256 digest (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of no bytes at all. As a chunk hash it is always wrong: chunks are never empty.
    pub const OF_NOTHING: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// Hashes bytes in one go.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// As [`of`](Self::of), with a pause after every 128 KiB.
    pub fn of_pausing(bytes: &[u8], mut pause: impl FnMut()) -> Self {
        let mut hasher = Hasher::new();
        for piece in bytes.chunks(PAUSE_BYTES) {
            hasher.update(piece);
            pause();
        }
        hasher.finish()
    }

    /// Takes 32 bytes that already are a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hexadecimal digits, for people to tell digests apart. Not an identity.
    pub fn short(&self) -> String {
        self.0[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Hashes bytes as they come.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes to what is hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Appends to two messages in turn, a step of each at a time. One message leaves a processor waiting for
    /// its own last step; the steps of another fit in between, so that both take a fifth less time than
    /// one after the other.
    pub fn update_both(hashers: [&mut Self; 2], bytes: [&[u8]; 2]) {
        let [one, other] = hashers;
        let together = bytes[0].len().min(bytes[1].len());
        let [(head, tail), (other_head, other_tail)] = bytes.map(|it| it.split_at(together));
        for (step, other_step) in head.chunks(STEP_BYTES).zip(other_head.chunks(STEP_BYTES)) {
            one.update(step);
            other.update(other_step);
        }
        one.update(tail);
        other.update(other_tail);
    }

    /// The digest of everything appended.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// It has the wrong number of characters.
    #[error("must be 64 lowercase hex, got {0}")]
    Length(usize),
    /// A character is not a lowercase hexadecimal digit.
    #[error("must be 64 lowercase hex, got {found:?} at {at}")]
    Character {
        /// The character that stands there.
        found: char,
        /// Its position, counted in bytes from 0.
        at: usize,
    },
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.len() != 64 {
            return Err(DigestError::Length(text.chars().count()));
        }
        if let Some((at, found)) = text
            .char_indices()
            .find(|(_, c)| !matches!(c, '0'..='9' | 'a'..='f'))
        {
            return Err(DigestError::Character { found, at });
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Ok(Self(bytes))
    }
}

/// The value of a digit that is known to be `0-9a-f`.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Digest);

        impl $name {
            /// Gives a digest this meaning.
            pub const fn new(digest: Digest) -> Self {
                Self(digest)
            }

            /// The digest without its meaning.
            pub const fn digest(&self) -> &Digest {
                &self.0
            }

            /// The first eight hexadecimal digits, for people. Not an identity.
            pub fn short(&self) -> String {
                self.0.short()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.parse().map(Self)
            }
        }
    };
}

name! {
    /// SHA-256 of a whole container: `_totalHash` in a manifest, and the container's OCI digest
    /// without its `sha256:`.
    ProgramId
}
name! {
    /// SHA-256 over a manifest's canonical content metadata. Swarms are scoped by it.
    ManifestId
}
name! {
    /// A wallet's address: SHA-256 of its 32-byte ed25519 public key.
    Address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_nothing_is_what_sha256_says() {
        assert_eq!(Digest::of(b""), Digest::OF_NOTHING);
        assert_eq!(Hasher::new().finish(), Digest::OF_NOTHING);
    }

    #[test]
    fn text_and_back() {
        let digest = Digest::of(b"swarmhold");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!(digest.to_string().starts_with(&digest.short()));
    }

    #[test]
    fn two_messages_in_turn_have_the_digests_of_each() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for (before, one, other) in [(0, 640, 640), (0, 0, 70), (3, 500, 129), (64, 63, 0)] {
            let mut hashers = [Hasher::new(), Hasher::new()];
            hashers[0].update(&bytes[..before]);
            let [first, second] = &mut hashers;
            let pieces = [&bytes[before..before + one], &bytes[..other]];
            Hasher::update_both([first, second], pieces);
            let digests = hashers.map(Hasher::finish);
            let expected = [
                Digest::of(&bytes[..before + one]),
                Digest::of(&bytes[..other]),
            ];
            assert_eq!(digests, expected, "{before} B, then {one} and {other}");
        }
    }

    #[test]
    fn only_64_lowercase_digits_are_a_digest() {
        let good = Digest::of(b"x").to_string();
        assert_eq!(good[1..].parse::<Digest>(), Err(DigestError::Length(63)));
        assert_eq!(
            format!("{good}0").parse::<Digest>(),
            Err(DigestError::Length(65))
        );
        let upper = format!("A{}", &good[1..]);
        assert_eq!(
            upper.parse::<Digest>(),
            Err(DigestError::Character { found: 'A', at: 0 })
        );
        let prefixed = format!("0x{}", &good[2..]);
        assert_eq!(
            prefixed.parse::<Digest>(),
            Err(DigestError::Character { found: 'x', at: 1 })
        );
        let wide = format!("é{}", &good[2..]);
        assert_eq!(
            wide.parse::<Digest>(),
            Err(DigestError::Character { found: 'é', at: 0 })
        );
    }
}
