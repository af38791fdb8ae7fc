//! The gate between strangers' bytes and everything else.
//!
//! A [`VerifiedChunk`] has private fields and is made only here, so holding one is proof that its
//! bytes have the length and the SHA-256 which the manifest lists for that position.

use bytes::Bytes;

use super::{Manifest, Recall};
use crate::chunk::ChunkIndex;
use crate::digest::Digest;

/// The right bytes of one chunk. Cloning shares them.
#[derive(Debug, Clone)]
pub struct VerifiedChunk {
    index: ChunkIndex,
    digest: Digest,
    bytes: Bytes,
}

/// Why bytes are not the chunk that they were said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChunk {
    /// The container has no chunk at this position.
    #[error("no chunk {index}, the container has {count}")]
    NoSuchChunk {
        /// The position.
        index: ChunkIndex,
        /// How many chunks there are.
        count: u32,
    },
    /// There are too few or too many bytes.
    #[error("chunk {index} has {found} B, expected {expected}")]
    Length {
        /// The chunk.
        index: ChunkIndex,
        /// Bytes that came.
        found: usize,
        /// Bytes that the chunk has.
        expected: u32,
    },
    /// The bytes are others.
    #[error("chunk {index} hashes to {found}, expected {expected}")]
    Hash {
        /// The chunk.
        index: ChunkIndex,
        /// SHA-256 of the bytes that came.
        found: Digest,
        /// SHA-256 that the manifest lists.
        expected: Digest,
    },
}

impl VerifiedChunk {
    /// Checks bytes against the manifest; takes one SHA-256 over them.
    pub fn verify(manifest: &Manifest, index: ChunkIndex, bytes: Bytes) -> Result<Self, BadChunk> {
        Self::verify_pausing(manifest, index, bytes, || ())
    }

    /// As [`verify`](Self::verify), with pauses on the way ([`Digest::of_pausing`]).
    pub fn verify_pausing(
        manifest: &Manifest,
        index: ChunkIndex,
        bytes: Bytes,
        pause: impl FnMut(),
    ) -> Result<Self, BadChunk> {
        let layout = manifest.layout();
        let (Some(len), Some(expected)) = (layout.chunk_len(index), manifest.chunk_hash(index))
        else {
            return Err(BadChunk::NoSuchChunk {
                index,
                count: layout.chunk_count(),
            });
        };
        if bytes.len() != len as usize {
            return Err(BadChunk::Length {
                index,
                found: bytes.len(),
                expected: len,
            });
        }
        match Digest::of_pausing(&bytes, pause) {
            digest if digest == expected => Ok(Self {
                index,
                digest,
                bytes,
            }),
            found => Err(BadChunk::Hash {
                index,
                found,
                expected,
            }),
        }
    }

    /// As [`verify_pausing`](Self::verify_pausing), without hashing bytes that are recognised; others are from now on.
    pub fn verify_with(
        manifest: &Manifest,
        index: ChunkIndex,
        bytes: Bytes,
        recall: &Recall,
        pause: impl FnMut(),
    ) -> Result<Self, BadChunk> {
        let len = manifest.layout().chunk_len(index).map(|len| len as usize);
        match manifest.chunk_hash(index) {
            Some(digest) if len == Some(bytes.len()) && recall.recognises(&bytes, digest) => {
                Ok(Self {
                    index,
                    digest,
                    bytes,
                })
            }
            Some(_) | None => {
                let verified = Self::verify_pausing(manifest, index, bytes, pause);
                verified.inspect(|chunk| recall.learn(chunk))
            }
        }
    }

    /// The same bytes as a chunk of this manifest, if that lists the same hash and length there.
    pub fn also_at(&self, manifest: &Manifest, index: ChunkIndex) -> Option<Self> {
        let len = manifest.layout().chunk_len(index)?;
        let fits = manifest.chunk_hash(index)? == self.digest && len as usize == self.bytes.len();
        fits.then(|| Self {
            index,
            digest: self.digest,
            bytes: self.bytes.clone(),
        })
    }

    /// The chunk's position in its container.
    pub const fn index(&self) -> ChunkIndex {
        self.index
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes, without the proof.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, ProgramId};
    use crate::manifest::{Draft, Layout};

    /// A container of two chunks, the second of one byte.
    fn container() -> (Manifest, Vec<u8>) {
        let bytes = vec![7; 32769];
        let draft = Draft {
            name: "two chunks".into(),
            layout: Layout::for_size(32769).unwrap(),
            program_id: ProgramId::new(Digest::of(&bytes)),
            chunk_hashes: bytes.chunks(32768).map(Digest::of).collect(),
            reach: None,
            time: 0,
            peers: vec![],
        };
        let address = Address::new(Digest::of(b"key"));
        (draft.unsigned(address).unwrap(), bytes)
    }

    #[test]
    fn the_right_bytes_pass() {
        let (manifest, bytes) = container();
        for (index, chunk) in bytes.chunks(32768).enumerate() {
            let index = ChunkIndex::new(u32::try_from(index).unwrap());
            let verified =
                VerifiedChunk::verify(&manifest, index, Bytes::copy_from_slice(chunk)).unwrap();
            assert_eq!(verified.index(), index);
            assert_eq!(verified.digest(), Digest::of(chunk));
            assert_eq!(verified.into_bytes(), chunk);
        }
    }

    #[test]
    fn what_is_recognised_is_as_good_as_hashed_and_nothing_else_is() {
        let (manifest, bytes) = container();
        let recall = Recall::new(&[3; 16]);
        let at = |index, bytes: &[u8]| {
            let bytes = Bytes::copy_from_slice(bytes);
            VerifiedChunk::verify_with(&manifest, ChunkIndex::new(index), bytes, &recall, || ())
        };
        let (first, last) = bytes.split_at(32768);
        for _ in 0..2 {
            assert_eq!(at(0, first).unwrap().bytes(), first);
            assert_eq!(at(1, last).unwrap().digest(), Digest::of(last));
            let error = at(1, first).unwrap_err().to_string();
            assert_eq!(error, "chunk 1 has 32768 B, expected 1");
            assert!(matches!(at(1, b"x"), Err(BadChunk::Hash { .. })));
            assert!(matches!(at(2, last), Err(BadChunk::NoSuchChunk { .. })));
        }
    }

    #[test]
    fn a_proof_holds_wherever_the_same_hash_and_length_are_listed() {
        let (manifest, bytes) = container();
        let zero = ChunkIndex::new(0);
        let first = VerifiedChunk::verify(&manifest, zero, bytes[..32768].to_vec().into()).unwrap();
        let draft = |size, hashes: Vec<Digest>| Draft {
            name: "another".into(),
            layout: Layout::for_size(size).unwrap(),
            program_id: ProgramId::new(Digest::of(b"another")),
            chunk_hashes: hashes,
            reach: None,
            time: 0,
            peers: vec![],
        };
        let (hash, other) = (first.digest(), Digest::of(b"other"));
        let address = Address::new(Digest::of(b"key"));
        let manifest = draft(65537, vec![other, hash, hash])
            .unsigned(address)
            .unwrap();
        let at = |index| first.also_at(&manifest, ChunkIndex::new(index));
        assert_eq!(at(1).map(|chunk| chunk.index().get()), Some(1));
        // another hash, another length, no such chunk
        assert!(at(0).is_none() && at(2).is_none() && at(3).is_none());
    }

    #[test]
    fn other_bytes_do_not() {
        let (manifest, mut bytes) = container();
        let mut verify = |index, range: std::ops::Range<usize>| {
            let chunk = Bytes::copy_from_slice(&bytes[range]);
            bytes[9] ^= 1;
            VerifiedChunk::verify(&manifest, ChunkIndex::new(index), chunk)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(verify(2, 0..1), "no chunk 2, the container has 2");
        assert_eq!(verify(0, 0..32767), "chunk 0 has 32767 B, expected 32768");
        assert_eq!(verify(1, 0..0), "chunk 1 has 0 B, expected 1");
        let wrong = verify(0, 0..32768);
        let expected = manifest.chunk_hash(ChunkIndex::new(0)).unwrap();
        assert!(wrong.starts_with("chunk 0 hashes to "), "{wrong}");
        assert!(
            wrong.ends_with(&format!(", expected {expected}")),
            "{wrong}"
        );
    }
}
