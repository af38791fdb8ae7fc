//! Why bytes are not a manifest, and what to remark about one that is.
//!
//! Every error's text starts with a stable code and says what is wrong, where, the limit and what
//! was found. Texts of strangers are quoted with escapes and cut short, so that an error is safe to
//! print. A place is a JSON pointer (RFC 6901).

use std::fmt;

use super::VERSION;
use super::json::JsonError;
use super::layout::LayoutError;
use super::name::NameError;
use crate::digest::{Address, DigestError};
use crate::limits::{CHUNKS_MAX, MANIFEST_BYTES_MAX, MANIFEST_PEERS_MAX};

/// Why bytes, or the parts of a draft, are not a valid manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The file is longer than [`MANIFEST_BYTES_MAX`].
    #[error("E-SIZE: manifest {0} B > limit {MANIFEST_BYTES_MAX} B")]
    TooLong(usize),
    /// The file is not one JSON object.
    #[error("E-JSON: {0}")]
    Json(JsonError),
    /// A key stands there twice.
    #[error("E-DUPKEY: {0:?} appears twice")]
    DuplicateKey(&'static str),
    /// A key is not one of the format's.
    #[error("E-FIELD: unknown field {0:?}")]
    UnknownField(String),
    /// A key that every manifest has is not there.
    #[error("E-FIELD: missing {0:?}")]
    MissingField(&'static str),
    /// Some of the keys that a signature needs are there, and this one is not.
    #[error("E-FIELD: missing {0:?}, which every signed manifest has")]
    MissingForSignature(&'static str),
    /// A value is of another JSON type.
    #[error("E-TYPE: {at} must be {expected}")]
    Type {
        /// Where it stands.
        at: Place,
        /// The type that belongs there.
        expected: &'static str,
    },
    /// A value is not an integer in its range.
    #[error("E-NUM: /{field} must be an integer {min}..{max}")]
    Number {
        /// The key.
        field: &'static str,
        /// The smallest value allowed.
        min: u64,
        /// The largest value allowed.
        max: u64,
    },
    /// A hash is not written as a digest.
    #[error("E-HASH: {at} {why}")]
    Hash {
        /// Where it stands.
        at: Place,
        /// What is wrong with it.
        why: DigestError,
    },
    /// A hash list entry is the decimal index of another one, as the original program wrote it.
    #[error("E-HASH: /hashList/{index} is a back-reference {text:?} (old format)")]
    BackReference {
        /// The entry.
        index: usize,
        /// What stands there.
        text: String,
    },
    /// A hash list entry is the hash of no bytes; no chunk is empty.
    #[error("E-HASH: /hashList/{0} is the hash of zero bytes")]
    EmptyChunk(usize),
    /// The hash list is empty.
    #[error("E-COUNT: 0 hashes for {size} B, expected {expected}")]
    NoHashes {
        /// The container's size in bytes.
        size: u64,
        /// How many hashes it needs.
        expected: u32,
    },
    /// The hash list is longer than [`CHUNKS_MAX`].
    #[error("E-COUNT: {0} hashes > limit {CHUNKS_MAX}")]
    TooManyHashes(usize),
    /// The hash list does not fit the size.
    #[error("E-COUNT: {found} hashes, expected {expected}")]
    HashCount {
        /// How many hashes there are.
        found: usize,
        /// How many the container needs.
        expected: u32,
    },
    /// The container cannot be cut as the manifest says.
    #[error("{code}: {0}", code = .0.code())]
    Layout(LayoutError),
    /// The format is of another version.
    #[error("E-VERSION: {0:?} not supported (this build: {VERSION})")]
    Version(String),
    /// The file is of the original program, or has a hash list of its making.
    #[error(
        "E-LEGACY: v0.1.2-alpha hash lists do not cover content; re-create with swarmhold create"
    )]
    Legacy,
    /// The display name is not fit to be shown.
    #[error("E-NAME: {0}")]
    Name(NameError),
    /// The publisher's IP is not one, or not in its one form.
    #[error("E-IP: /_ip must be an IP address in its shortest form, got {0:?}")]
    Ip(String),
    /// The manifest names an owner whose key this is not.
    #[error("E-ADDR-MISMATCH: key hashes to {}…, manifest says {}…", key.short(), manifest.short())]
    AddressMismatch {
        /// The address of the key.
        key: Address,
        /// The address in the manifest.
        manifest: Address,
    },
    /// The public key is not written as one.
    #[error("E-KEY: not a valid ed25519 key: {0}")]
    KeyText(DigestError),
    /// The public key is not the encoding of a point on the curve (RFC 8032 section 5.1.3).
    #[error("E-KEY: not a valid ed25519 key: not a point on the curve")]
    KeyPoint,
    /// The public key has small order, so that signatures by it prove nothing.
    #[error("E-KEY: weak key")]
    WeakKey,
    /// The signature cannot be one.
    #[error("E-SIG: malformed signature: {0}")]
    MalformedSignature(&'static str),
    /// The signature is a variation that someone else made of a valid one (RFC 8032 section 8.4).
    #[error("E-SIG: non-canonical signature")]
    NonCanonicalSignature,
    /// The signature is over something else, or by another key.
    #[error("E-SIG: signature does not match manifest")]
    WrongSignature,
    /// There are more peers than [`MANIFEST_PEERS_MAX`].
    #[error("E-PEERS: {0} > limit {MANIFEST_PEERS_MAX}")]
    TooManyPeers(usize),
}

impl ManifestError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "E-SIZE",
            Self::Json(_) => "E-JSON",
            Self::DuplicateKey(_) => "E-DUPKEY",
            Self::UnknownField(_) | Self::MissingField(_) | Self::MissingForSignature(_) => {
                "E-FIELD"
            }
            Self::Type { .. } => "E-TYPE",
            Self::Number { .. } => "E-NUM",
            Self::Hash { .. } | Self::BackReference { .. } | Self::EmptyChunk(_) => "E-HASH",
            Self::NoHashes { .. } | Self::TooManyHashes(_) | Self::HashCount { .. } => "E-COUNT",
            Self::Layout(why) => why.code(),
            Self::Version(_) => "E-VERSION",
            Self::Legacy => "E-LEGACY",
            Self::Name(_) => "E-NAME",
            Self::Ip(_) => "E-IP",
            Self::AddressMismatch { .. } => "E-ADDR-MISMATCH",
            Self::KeyText(_) | Self::KeyPoint | Self::WeakKey => "E-KEY",
            Self::MalformedSignature(_) | Self::NonCanonicalSignature | Self::WrongSignature => {
                "E-SIG"
            }
            Self::TooManyPeers(_) => "E-PEERS",
        }
    }
}

impl From<JsonError> for ManifestError {
    fn from(why: JsonError) -> Self {
        Self::Json(why)
    }
}

impl From<LayoutError> for ManifestError {
    fn from(why: LayoutError) -> Self {
        Self::Layout(why)
    }
}

impl From<NameError> for ManifestError {
    fn from(why: NameError) -> Self {
        Self::Name(why)
    }
}

/// Where in a manifest something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The value of a key.
    Field(&'static str),
    /// An entry of the hash list, from 0.
    Hash(usize),
    /// An entry of the peers, from 0.
    Peer(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, "/{name}"),
            Self::Hash(index) => write!(f, "/hashList/{index}"),
            Self::Peer(index) => write!(f, "/peers/{index}"),
        }
    }
}

/// What to tell about a manifest that is valid all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A peer was left out, because a manifest may not make us dial it.
    Peer(usize),
    /// The manifest says that it was signed in the future.
    SignedAhead {
        /// By how many seconds.
        by_s: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(index) => write!(f, "W-PEER: not dialable: {}", Place::Peer(*index)),
            Self::SignedAhead { by_s } => {
                write!(
                    f,
                    "W-TIME: signed {by_s} s ahead of our clock; not relied on"
                )
            }
        }
    }
}

/// The start of a stranger's text, for quoting.
pub(super) fn excerpt(text: &str) -> String {
    const CHARS: usize = 32;
    let mut excerpt: String = text.chars().take(CHARS).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_are_short_and_harmless() {
        let hostile = "\x1b[2J\u{202e}".repeat(1000);
        let text = ManifestError::UnknownField(excerpt(&hostile)).to_string();
        assert!(text.chars().count() < 400, "{text}");
        assert!(
            text.chars().all(|c| !c.is_control() && c != '\u{202e}'),
            "{text}"
        );
        assert_eq!(excerpt("short"), "short");
    }
}
