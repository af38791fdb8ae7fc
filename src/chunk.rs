//! Chunks by number, and sets of them.
//!
//! Invariant of a [`Bitfield`]: bits at and past its length are zero, so counting and comparing
//! need no masks.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::limits::CHUNKS_MAX;

/// The position of a chunk in its container, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkIndex(u32);

impl ChunkIndex {
    /// The chunk at this position.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The position.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The position, for indexing slices.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ChunkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of chunks of one container: which ones a peer holds.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bitfield {
    words: Vec<u64>,
    len: u32,
    ones: u32,
}

/// Why bytes from a peer are not a bitfield for this container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BitfieldError {
    /// There are too few or too many bytes.
    #[error("bitfield {found} B, expected {expected}")]
    Length {
        /// Bytes received.
        found: usize,
        /// Bytes that this container's bitfield has.
        expected: usize,
    },
    /// A bit past the last chunk is set.
    #[error("bitfield has spare bits set after chunk {0}")]
    SpareBits(u32),
}

impl Bitfield {
    /// The empty set over `len` chunks; `len` is at most [`CHUNKS_MAX`].
    pub fn empty(len: u32) -> Self {
        assert!(len <= CHUNKS_MAX, "{len} chunks > limit {CHUNKS_MAX}");
        Self {
            words: vec![0; len.div_ceil(64) as usize],
            len,
            ones: 0,
        }
    }

    /// The set of all `len` chunks.
    pub fn full(len: u32) -> Self {
        let mut all = Self::empty(len);
        all.words.fill(u64::MAX);
        if let (Some(last), tail @ 1..) = (all.words.last_mut(), len % 64) {
            *last = (1 << tail) - 1;
        }
        all.ones = len;
        all
    }

    /// Reads the wire form: chunk `i` is bit `0x80 >> (i % 8)` of byte `i / 8` (the order of BEP 3).
    pub fn from_bytes(bytes: &[u8], len: u32) -> Result<Self, BitfieldError> {
        let mut set = Self::empty(len);
        let expected = set.byte_len();
        if bytes.len() != expected {
            return Err(BitfieldError::Length {
                found: bytes.len(),
                expected,
            });
        }
        for (at, byte) in bytes.iter().enumerate() {
            set.words[at / 8] |= u64::from(byte.reverse_bits()) << (at % 8 * 8);
        }
        set.ones = set.words.iter().map(|word| word.count_ones()).sum();
        let spare = match (set.words.last(), len % 64) {
            (Some(last), tail @ 1..) => last >> tail != 0,
            _ => false,
        };
        if spare {
            Err(BitfieldError::SpareBits(len))
        } else {
            Ok(set)
        }
    }

    /// The wire form, `ceil(len / 8)` bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        bytes.take(self.byte_len()).map(u8::reverse_bits).collect()
    }

    /// How many chunks the container has.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether no chunk is in the set.
    pub const fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// Whether every chunk is in the set.
    pub const fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// How many chunks are in the set.
    pub const fn count(&self) -> u32 {
        self.ones
    }

    /// Whether a chunk is in the set; a chunk past the end is not.
    pub fn contains(&self, chunk: ChunkIndex) -> bool {
        chunk.0 < self.len && self.words[word(chunk)] & bit(chunk) != 0
    }

    /// Adds a chunk, which must be below [`len`](Self::len). True if it was not there before.
    pub fn insert(&mut self, chunk: ChunkIndex) -> bool {
        assert!(chunk.0 < self.len, "chunk {chunk} of {}", self.len);
        let new = self.words[word(chunk)] & bit(chunk) == 0;
        self.words[word(chunk)] |= bit(chunk);
        self.ones += u32::from(new);
        new
    }

    /// Takes a chunk out. True if it was there.
    pub fn remove(&mut self, chunk: ChunkIndex) -> bool {
        let there = self.contains(chunk);
        if there {
            self.words[word(chunk)] &= !bit(chunk);
            self.ones -= 1;
        }
        there
    }

    /// The chunks in the set, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ChunkIndex> + '_ {
        ones(self.words.iter().copied())
    }

    /// The chunks that are here and not in `other`, in ascending order.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = ChunkIndex> + 'a {
        debug_assert_eq!(self.len, other.len, "bitfields of two containers");
        ones(
            self.words
                .iter()
                .zip(&other.words)
                .map(|(here, there)| here & !there),
        )
    }

    /// The chunks that are in both sets, in ascending order.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = ChunkIndex> + 'a {
        debug_assert_eq!(self.len, other.len, "bitfields of two containers");
        ones(
            self.words
                .iter()
                .zip(&other.words)
                .map(|(here, there)| here & there),
        )
    }

    /// How many chunks are in both sets.
    pub fn intersection_count(&self, other: &Self) -> u32 {
        debug_assert_eq!(self.len, other.len, "bitfields of two containers");
        let words = self.words.iter().zip(&other.words);
        words.map(|(here, there)| (here & there).count_ones()).sum()
    }

    /// The chunk that has `nth` smaller ones in both sets, if there are so many.
    pub fn intersection_nth(&self, other: &Self, nth: u32) -> Option<ChunkIndex> {
        debug_assert_eq!(self.len, other.len, "bitfields of two containers");
        let mut left = nth;
        for (at, (here, there)) in self.words.iter().zip(&other.words).enumerate() {
            let both = here & there;
            if left < both.count_ones() {
                return ones_of(at, both).nth(left as usize);
            }
            left -= both.count_ones();
        }
        None
    }

    /// The chunks from `range` that are in both sets, in ascending order.
    pub fn intersection_in<'a>(
        &'a self,
        other: &'a Self,
        range: Range<u32>,
    ) -> impl Iterator<Item = ChunkIndex> + 'a {
        debug_assert_eq!(self.len, other.len, "bitfields of two containers");
        let masks = masks(range.start..range.end.min(self.len));
        masks.flat_map(|(at, mask)| ones_of(at, self.words[at] & other.words[at] & mask))
    }

    /// How many chunks from `range` are in both sets.
    pub fn intersection_count_in(&self, other: &Self, range: Range<u32>) -> u32 {
        debug_assert_eq!(self.len, other.len, "bitfields of two containers");
        let masks = masks(range.start..range.end.min(self.len));
        masks
            .map(|(at, mask)| (self.words[at] & other.words[at] & mask).count_ones())
            .sum()
    }

    /// Whether both sets have a chunk in common.
    pub fn intersects(&self, other: &Self) -> bool {
        self.words
            .iter()
            .zip(&other.words)
            .any(|(here, there)| here & there != 0)
    }

    const fn byte_len(&self) -> usize {
        self.len.div_ceil(8) as usize
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitfield({}/{})", self.ones, self.len)
    }
}

fn word(chunk: ChunkIndex) -> usize {
    chunk.as_usize() / 64
}

fn bit(chunk: ChunkIndex) -> u64 {
    1 << (chunk.0 % 64)
}

/// The words that a range touches, each with the bits of it that are in the range.
fn masks(range: Range<u32>) -> impl Iterator<Item = (usize, u64)> {
    let words = range.start / 64..range.end.div_ceil(64);
    words.map(move |at| {
        let base = at * 64;
        let from = u64::MAX << range.start.saturating_sub(base);
        let to = match range.end - base {
            64.. => u64::MAX,
            bits => (1 << bits) - 1,
        };
        (at as usize, from & to)
    })
}

/// The positions of the set bits of consecutive words.
fn ones(words: impl Iterator<Item = u64>) -> impl Iterator<Item = ChunkIndex> {
    words.enumerate().flat_map(|(at, word)| ones_of(at, word))
}

/// The positions of the set bits of the word at `at`.
fn ones_of(at: usize, mut word: u64) -> impl Iterator<Item = ChunkIndex> {
    let base = u32::try_from(at * 64).expect("a bitfield has at most CHUNKS_MAX bits");
    std::iter::from_fn(move || {
        let low = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(ChunkIndex(base + low))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(len: u32, chunks: &[u32]) -> Bitfield {
        let mut set = Bitfield::empty(len);
        for chunk in chunks {
            set.insert(ChunkIndex(*chunk));
        }
        set
    }

    #[test]
    fn wire_order_is_that_of_bep_3() {
        assert_eq!(set(10, &[0, 7, 8]).to_bytes(), [0b1000_0001, 0b1000_0000]);
    }

    #[test]
    fn wrong_lengths_and_spare_bits_are_refused() {
        assert_eq!(
            Bitfield::from_bytes(&[0; 513], 4096),
            Err(BitfieldError::Length {
                found: 513,
                expected: 512
            })
        );
        assert_eq!(
            Bitfield::from_bytes(&[0, 0b0010_0000], 10),
            Err(BitfieldError::SpareBits(10))
        );
        assert!(Bitfield::from_bytes(&[0xff; 8], 64).is_ok_and(|set| set.is_full()));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(len in 1u32..=4096, picks in prop::collection::vec(0u32..4096, 0..200),
                                   others in prop::collection::vec(0u32..4096, 0..200)) {
            let model: std::collections::BTreeSet<u32> = picks.iter().map(|p| p % len).collect();
            let other: std::collections::BTreeSet<u32> = others.iter().map(|p| p % len).collect();
            let a = set(len, &model.iter().copied().collect::<Vec<_>>());
            let b = set(len, &other.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(a.count() as usize, model.len());
            prop_assert!(a.iter().map(ChunkIndex::get).eq(model.iter().copied()));
            prop_assert!(a.difference(&b).map(ChunkIndex::get).eq(model.difference(&other).copied()));
            prop_assert!(a.intersection(&b).map(ChunkIndex::get).eq(model.intersection(&other).copied()));
            let common: Vec<u32> = model.intersection(&other).copied().collect();
            prop_assert_eq!(a.intersection_count(&b) as usize, common.len());
            for nth in 0..=a.intersection_count(&b) {
                let expected = common.get(nth as usize).copied().map(ChunkIndex);
                prop_assert_eq!(a.intersection_nth(&b, nth), expected);
            }
            let (from, to) = (picks.first().copied().unwrap_or(0), others.first().copied().unwrap_or(9));
            let within = common.iter().copied().filter(|chunk| (from..to).contains(chunk));
            prop_assert_eq!(a.intersection_count_in(&b, from..to) as usize, within.clone().count());
            prop_assert!(a.intersection_in(&b, from..to).map(ChunkIndex::get).eq(within));
            prop_assert_eq!(a.intersects(&b), model.intersection(&other).next().is_some());
            prop_assert_eq!(Bitfield::from_bytes(&a.to_bytes(), len), Ok(a));
        }

        #[test]
        fn insert_and_remove_keep_the_count(len in 1u32..=4096, steps in prop::collection::vec((any::<bool>(), 0u32..4096), 0..300)) {
            let mut bits = Bitfield::empty(len);
            let mut model = std::collections::BTreeSet::new();
            for (insert, at) in steps {
                let at = at % len;
                if insert {
                    prop_assert_eq!(bits.insert(ChunkIndex(at)), model.insert(at));
                } else {
                    prop_assert_eq!(bits.remove(ChunkIndex(at)), model.remove(&at));
                }
                prop_assert_eq!(bits.count() as usize, model.len());
                prop_assert_eq!(bits.is_full(), model.len() == len as usize);
            }
        }

        #[test]
        fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), len in 1u32..=4096) {
            if let Ok(set) = Bitfield::from_bytes(&bytes, len) {
                prop_assert_eq!(set.to_bytes(), bytes);
            }
        }
    }
}
