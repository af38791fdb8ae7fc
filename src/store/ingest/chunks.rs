//! The hashes of the chunks: two chunks at a time, as their bytes go by.
//!
//! Short chunks come in pairs in one block; of longer ones, two blocks come at once that are a chunk apart.
//! What is too large for that is hashed alone.

use std::mem;

use super::read_ahead::{APART_MAX, Blocks, User};
use super::source::BLOCK_BYTES;
use crate::digest::{Digest, Hasher};
use crate::manifest::{Layout, Recall, Tagger};

/// The digests of all chunks, in order; fewer where a block could not be read. With `recall`, chunks
/// need not be hashed again when they are read.
pub(super) fn hash_chunks(
    layout: Layout,
    recall: Option<&Recall>,
    blocks: &Blocks<'_>,
) -> Vec<Digest> {
    let mut hashes = Vec::with_capacity(layout.chunk_count() as usize);
    let chunk_size = layout.chunk_size() as usize;
    let apart = (chunk_size / BLOCK_BYTES) as u64;
    let mut pair = Pair::begin(recall);
    let mut show = |two: [&[u8]; 2]| {
        pair.update(two);
        if pair.first_bytes == chunk_size {
            mem::replace(&mut pair, Pair::begin(recall)).finish(&mut hashes);
        }
    };
    match apart {
        0 => blocks.each(User::Chunks, |block| {
            for two in block.chunks(2 * chunk_size) {
                show(two.split_at(chunk_size.min(two.len())).into());
            }
        }),
        1..=APART_MAX => blocks.each_two(User::Chunks, apart, show),
        _ => blocks.each(User::Chunks, |block| show([block, &[]])),
    }
    pair.finish(&mut hashes);
    hashes
}

/// Two chunks that go by at once, or one.
struct Pair<'a> {
    chunks: [Chunk<'a>; 2],
    first_bytes: usize,
}

impl<'a> Pair<'a> {
    fn begin(recall: Option<&'a Recall>) -> Self {
        Self {
            chunks: [Chunk::begin(recall), Chunk::begin(recall)],
            first_bytes: 0,
        }
    }

    fn update(&mut self, pieces: [&[u8]; 2]) {
        let [one, other] = &mut self.chunks;
        Hasher::update_both([&mut one.hasher, &mut other.hasher], pieces);
        one.tag(pieces[0]);
        other.tag(pieces[1]);
        self.first_bytes += pieces[0].len();
    }

    /// Adds the digests of the chunks that have bytes.
    fn finish(self, hashes: &mut Vec<Digest>) {
        let begun = self.chunks.into_iter().filter(|chunk| chunk.has_bytes);
        hashes.extend(begun.map(Chunk::finish));
    }
}

/// A chunk that goes by.
struct Chunk<'a> {
    hasher: Hasher,
    tagger: Option<Tagger<'a>>,
    has_bytes: bool,
}

impl<'a> Chunk<'a> {
    fn begin(recall: Option<&'a Recall>) -> Self {
        Self {
            hasher: Hasher::new(),
            tagger: recall.map(Recall::tagger),
            has_bytes: false,
        }
    }

    /// Tags bytes that have been hashed.
    fn tag(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.has_bytes = true;
        if let Some(tagger) = &mut self.tagger {
            tagger.update(piece);
        }
    }

    fn finish(self) -> Digest {
        let digest = self.hasher.finish();
        if let Some(tagger) = self.tagger {
            tagger.remember(digest);
        }
        digest
    }
}
