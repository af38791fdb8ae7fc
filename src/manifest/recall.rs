//! Bytes that were hashed once, recognised when they come by again.
//!
//! A chunk that is served is read from disk and held against its SHA-256 each time, because a file may
//! have changed since. Once this process has seen that certain bytes have a certain digest, the same
//! certainty is to be had at a twentieth of the cost: their GMAC (NIST SP 800-38D) under a key that
//! exists nowhere else is remembered, and bytes with the same one are, but for a chance of one in
//! 2^100, the same bytes. No tag leaves this process, so there is nothing to forge one from; what is not
//! recognised is hashed.
//!
//! A long chunk has a tag for each piece of it, so that it can be tagged as it goes by. The nonce is a
//! number that no other chunk gets, and the place of the piece.
//!
//! Invariant: tags stand under the digest that SHA-256 gave for just those bytes.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::VerifiedChunk;
use crate::digest::Digest;
use crate::limits::MIB;

/// Chunks that are remembered, the latest: eight containers of the most chunks.
const CHUNKS_MAX: usize = 32_768;
/// Tags of all of them: one container of 64 GiB.
///
/// Both full take 7 MB: 3.7 for the map (65,536 places of 57 B), 1.0 for the order, and 2.1 for the tags
/// (two for each chunk, 64 B as they are allocated).
const TAGS_MAX: usize = 65_536;
/// Bytes of a tag.
const TAG_BYTES: usize = 16;
/// Bytes of a piece; the last of a chunk may have fewer.
const PIECE_BYTES: usize = MIB;

/// What was hashed, by digest.
pub struct Recall {
    key: LessSafeKey,
    chunks: AtomicU64,
    known: Mutex<Known>,
}

/// The GMAC of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag([u8; TAG_BYTES]);

/// The tags of one chunk.
#[derive(Debug, Clone)]
struct Tags {
    number: u64,
    pieces: Arc<[Tag]>,
}

#[derive(Debug, Default)]
struct Known {
    tags: HashMap<Digest, Tags>,
    /// In the order in which they came.
    order: VecDeque<Digest>,
    /// Tags of all chunks together.
    count: usize,
}

/// The tags of a chunk that goes by piece by piece.
pub struct Tagger<'a> {
    recall: &'a Recall,
    number: u64,
    pieces: Vec<Tag>,
    /// Whether the last piece was shorter than others are.
    ended: bool,
    /// Whether it came in other pieces than could be found again.
    torn: bool,
}

impl Recall {
    /// Remembers nothing yet. The key is drawn at random and not used for anything else.
    pub fn new(key: &[u8; 16]) -> Self {
        let key = UnboundKey::new(&AES_128_GCM, key).expect("the key has the cipher's length");
        Self {
            key: LessSafeKey::new(key),
            chunks: AtomicU64::new(0),
            known: Mutex::default(),
        }
    }

    /// Begins to tag a chunk.
    pub fn tagger(&self) -> Tagger<'_> {
        Tagger {
            recall: self,
            number: self.chunks.fetch_add(1, Ordering::Relaxed),
            pieces: Vec::new(),
            ended: false,
            torn: false,
        }
    }

    /// A proven chunk is recognised from now on.
    pub fn learn(&self, chunk: &VerifiedChunk) {
        if self.known().tags.contains_key(&chunk.digest()) {
            return;
        }
        let mut tagger = self.tagger();
        tagger.update(chunk.bytes());
        tagger.remember(chunk.digest());
    }

    /// Whether these are bytes that had this digest. If not, nothing is known of them.
    pub(super) fn recognises(&self, bytes: &[u8], digest: Digest) -> bool {
        let Some(tags) = self.known().tags.get(&digest).cloned() else {
            return false;
        };
        let pieces = bytes.chunks(PIECE_BYTES);
        pieces.len() == tags.pieces.len()
            && pieces
                .zip(&*tags.pieces)
                .enumerate()
                .all(|(at, (piece, tag))| self.tag(piece, tags.number, at) == *tag)
    }

    fn tag(&self, bytes: &[u8], number: u64, piece: usize) -> Tag {
        let mut nonce = [0; NONCE_LEN];
        let piece = u32::try_from(piece).expect("a chunk has fewer pieces");
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        nonce[8..].copy_from_slice(&piece.to_le_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed =
            self.key
                .seal_in_place_separate_tag(nonce, Aad::from(bytes), &mut [] as &mut [u8]);
        let tag = sealed.expect("a piece is shorter than what the cipher takes");
        Tag(tag.as_ref().try_into().expect("tags have one length"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // at worst an order and a map that differ by one, which is then not recognised or not forgotten
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tagger<'_> {
    /// The chunk goes on with these bytes. It is recognised later if each call but the last brought a
    /// multiple of a mebibyte.
    pub fn update(&mut self, bytes: &[u8]) {
        self.torn |= self.ended;
        if self.torn {
            return;
        }
        for piece in bytes.chunks(PIECE_BYTES) {
            let tag = self.recall.tag(piece, self.number, self.pieces.len());
            self.pieces.push(tag);
            self.ended = piece.len() < PIECE_BYTES;
        }
    }

    /// The chunk has ended, and this is its SHA-256.
    pub fn remember(self, digest: Digest) {
        if !self.torn {
            let (number, pieces) = (self.number, self.pieces.into());
            self.recall.known().insert(digest, Tags { number, pieces });
        }
    }
}

impl Known {
    fn insert(&mut self, digest: Digest, tags: Tags) {
        let is_new = !self.tags.contains_key(&digest);
        if is_new && self.order.len() == CHUNKS_MAX {
            self.forget_oldest();
        }
        self.count += tags.pieces.len();
        match self.tags.insert(digest, tags) {
            Some(before) => self.count -= before.pieces.len(),
            None => self.order.push_back(digest),
        }
        while self.count > TAGS_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front();
        let forgotten = oldest.and_then(|oldest| self.tags.remove(&oldest));
        self.count -= forgotten.map_or(0, |tags| tags.pieces.len());
    }
}

impl fmt::Debug for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks = self.known().tags.len();
        f.debug_struct("Recall")
            .field("chunks", &chunks)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(len: usize) -> Vec<u8> {
        (0u8..251).cycle().take(len).collect()
    }

    /// Tags a chunk that comes in pieces of this length.
    fn go_by(recall: &Recall, bytes: &[u8], piece: usize) -> Digest {
        let mut tagger = recall.tagger();
        bytes.chunks(piece).for_each(|piece| tagger.update(piece));
        let digest = Digest::of(bytes);
        tagger.remember(digest);
        digest
    }

    #[test]
    fn only_what_was_hashed_is_recognised() {
        let recall = Recall::new(&[7; 16]);
        let bytes = content(100_000);
        let digest = Digest::of(&bytes);
        assert!(!recall.recognises(&bytes, digest), "not seen yet");
        assert_eq!(go_by(&recall, &bytes, PIECE_BYTES), digest);
        assert!(recall.recognises(&bytes, digest));
        assert!(!recall.recognises(&bytes[1..], digest));
        assert!(!recall.recognises(&bytes, Digest::of(b"other")));
        for at in [0, 15, 16, 50_000, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(!recall.recognises(&changed, digest), "byte {at}");
        }
    }

    #[test]
    fn a_long_chunk_is_recognised_whole_and_in_order_only() {
        let recall = Recall::new(&[7; 16]);
        for len in [PIECE_BYTES, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 5] {
            let bytes = content(len);
            let digest = go_by(&recall, &bytes, PIECE_BYTES);
            assert!(recall.recognises(&bytes, digest), "{len} B");
            assert!(!recall.recognises(&bytes[..len - 1], digest), "{len} B");
            assert!(!recall.recognises(&content(len + 1), digest), "{len} B");
        }
        let mut bytes = content(2 * PIECE_BYTES);
        let digest = go_by(&recall, &bytes, 2 * PIECE_BYTES);
        assert!(recall.recognises(&bytes, digest), "all at once");
        bytes.rotate_left(PIECE_BYTES);
        assert!(
            !recall.recognises(&bytes, digest),
            "two pieces that swapped"
        );
        let digest = go_by(&recall, &bytes, PIECE_BYTES - 1);
        assert!(!recall.recognises(&bytes, digest), "in other pieces");
    }

    #[test]
    fn keys_chunks_and_pieces_have_tags_of_their_own() {
        let (one, other) = (Recall::new(&[1; 16]), Recall::new(&[2; 16]));
        let tag = one.tag(b"bytes", 0, 0);
        assert_eq!(tag, one.tag(b"bytes", 0, 0));
        for differs in [
            other.tag(b"bytes", 0, 0),
            one.tag(b"bytes", 1, 0),
            one.tag(b"bytes", 0, 1),
        ] {
            assert_ne!(tag, differs);
        }
        assert_ne!(one.tagger().number, one.tagger().number);
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let digest = |at: usize| Digest::of(&at.to_le_bytes());
        let tags = |count: usize| Tags {
            number: 0,
            pieces: vec![Tag([0; TAG_BYTES]); count].into(),
        };
        for (each, most) in [(1, CHUNKS_MAX), (2, CHUNKS_MAX), (64, TAGS_MAX / 64)] {
            let mut known = Known::default();
            for at in 0..most + 5 {
                known.insert(digest(at), tags(1));
                known.insert(digest(at), tags(each));
            }
            assert_eq!((known.order.len(), known.tags.len()), (most, most));
            assert_eq!(known.count, most * each);
            assert!(!known.tags.contains_key(&digest(4)));
            assert!(known.tags.contains_key(&digest(5)));
        }
    }
}
