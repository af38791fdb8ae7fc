//! Bytes that were hashed once, recognised when they come by again.
//!
//! A chunk that is served is read from disk and held against its SHA-256 each time, because a file may
//! have changed since. Once this process has seen that certain bytes have a certain digest, the same
//! certainty is to be had at a twentieth of the cost: their GMAC (NIST SP 800-38D) under a key that
//! exists nowhere else is remembered, and bytes with the same one are, but for a chance of one in
//! 2^100, the same bytes. No tag leaves this process, so there is nothing to forge one from; what is not
//! recognised is hashed.
//!
//! Invariant: a tag stands under the digest that SHA-256 gave for just those bytes. The digest is also
//! the nonce, so no nonce is used for two messages.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::VerifiedChunk;
use crate::digest::Digest;

/// Chunks that are remembered; the oldest go first. Eight containers of the most chunks, in some 4 MB.
const REMEMBERED_MAX: usize = 32_768;

/// Bytes of a tag.
const TAG_BYTES: usize = 16;

/// What was hashed, by digest.
pub struct Recall {
    key: LessSafeKey,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    tags: HashMap<Digest, [u8; TAG_BYTES]>,
    /// In the order in which they came.
    order: VecDeque<Digest>,
}

impl Recall {
    /// Remembers nothing yet. The key is drawn at random and not used for anything else.
    pub fn new(key: &[u8; 16]) -> Self {
        let key = UnboundKey::new(&AES_128_GCM, key).expect("the key has the cipher's length");
        Self {
            key: LessSafeKey::new(key),
            known: Mutex::default(),
        }
    }

    /// SHA-256 of these bytes, which are recognised from now on.
    pub fn hash(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.remember(digest, bytes);
        digest
    }

    /// A proven chunk is recognised from now on.
    pub fn learn(&self, chunk: &VerifiedChunk) {
        self.remember(chunk.digest(), chunk.bytes());
    }

    /// Whether these are bytes that had this digest. If not, nothing is known of them.
    pub(super) fn recognises(&self, bytes: &[u8], digest: Digest) -> bool {
        let tag = self.known().tags.get(&digest).copied();
        tag.is_some_and(|tag| tag == self.tag(bytes, digest))
    }

    fn remember(&self, digest: Digest, bytes: &[u8]) {
        if self.known().tags.contains_key(&digest) {
            return;
        }
        let tag = self.tag(bytes, digest);
        self.known().insert(digest, tag);
    }

    fn tag(&self, bytes: &[u8], digest: Digest) -> [u8; TAG_BYTES] {
        let nonce = digest.as_bytes().first_chunk::<NONCE_LEN>();
        let nonce = *nonce.expect("a digest is longer than a nonce");
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed =
            self.key
                .seal_in_place_separate_tag(nonce, Aad::from(bytes), &mut [] as &mut [u8]);
        let tag = sealed.expect("a chunk is shorter than what the cipher takes");
        tag.as_ref().try_into().expect("tags have one length")
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // at worst an order and a map that differ by one, which is then not recognised or not forgotten
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn insert(&mut self, digest: Digest, tag: [u8; TAG_BYTES]) {
        if self.tags.insert(digest, tag).is_none() {
            self.order.push_back(digest);
        }
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.tags.remove(&oldest);
        }
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

    #[test]
    fn only_what_was_hashed_is_recognised() {
        let recall = Recall::new(&[7; 16]);
        let bytes: Vec<u8> = (0..100_000u32).map(|at| (at % 251) as u8).collect();
        let digest = Digest::of(&bytes);
        assert!(!recall.recognises(&bytes, digest), "not seen yet");
        assert_eq!(recall.hash(&bytes), digest);
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
    fn keys_differ_and_so_do_tags() {
        let (one, other) = (Recall::new(&[1; 16]), Recall::new(&[2; 16]));
        let digest = one.hash(b"bytes");
        assert_ne!(one.tag(b"bytes", digest), other.tag(b"bytes", digest));
        assert_ne!(
            one.tag(b"bytes", digest),
            one.tag(b"bytes", Digest::of(b"more"))
        );
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut known = Known::default();
        let digest = |at: usize| Digest::of(&at.to_le_bytes());
        for at in 0..REMEMBERED_MAX + 5 {
            known.insert(digest(at), [0; TAG_BYTES]);
            known.insert(digest(at), [0; TAG_BYTES]);
        }
        assert_eq!(known.order.len(), REMEMBERED_MAX);
        assert_eq!(known.tags.len(), REMEMBERED_MAX);
        assert!(!known.tags.contains_key(&digest(4)));
        assert!(known.tags.contains_key(&digest(5)));
    }
}
