//! Slots: where they lie in a file, and how they are sealed and opened.

use std::io;
use std::ops::Range;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};

use super::super::backend::Backend;
use crate::limits::CHUNK_BYTES_MIN;

/// Bytes of the container in a slot; the last one has the rest.
pub(super) const SLOT_BYTES: usize = CHUNK_BYTES_MIN as usize;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// What a slot takes besides.
const EXTRA_BYTES: usize = TAG_BYTES + NONCE_BYTES;
/// From one slot to the next.
const STRIDE: usize = SLOT_BYTES + EXTRA_BYTES;
/// Where the first slot begins: the header has a page of its own.
const BEGIN: u64 = 4096;

/// The size of the file that a container of so many bytes takes in a vault, in bytes.
pub fn sealed_len(bytes: u64) -> u64 {
    BEGIN + bytes + count(bytes) * EXTRA_BYTES as u64
}

/// How many slots so many bytes take.
fn count(bytes: u64) -> u64 {
    bytes.div_ceil(SLOT_BYTES as u64)
}

/// The slots in which bytes of the container lie.
pub(super) struct Slots {
    numbers: Range<u64>,
    /// The container's size, in bytes.
    size: u64,
}

impl Slots {
    /// Those of the bytes from `offset` on, `len` of them or fewer where they end.
    pub(super) fn covering(offset: u64, len: usize, size: u64) -> Self {
        let end = offset.saturating_add(len as u64).min(size);
        let numbers = match offset < end {
            true => offset / SLOT_BYTES as u64..count(end),
            false => 0..0,
        };
        Self { numbers, size }
    }

    /// Where the first of the container's bytes in them is.
    pub(super) fn offset(&self) -> u64 {
        self.numbers.start * SLOT_BYTES as u64
    }

    /// Where the first of them is in the file.
    pub(super) fn place(&self) -> u64 {
        place(self.numbers.start)
    }

    /// How many bytes they take in the file.
    fn sealed_len(&self) -> usize {
        self.numbers
            .clone()
            .map(|slot| self.len(slot) + EXTRA_BYTES)
            .sum()
    }

    /// Bytes of the container in a slot.
    fn len(&self, slot: u64) -> usize {
        let rest = self.size - slot * SLOT_BYTES as u64;
        usize::try_from(rest).map_or(SLOT_BYTES, |rest| rest.min(SLOT_BYTES))
    }
}

/// Where a slot begins in the file.
fn place(slot: u64) -> u64 {
    BEGIN + slot * STRIDE as u64
}

/// The container's byte from which on something may have been written, if that is so from `place` of
/// the file on.
pub(super) fn offset_at(place: u64) -> u64 {
    place.saturating_sub(BEGIN) / STRIDE as u64 * SLOT_BYTES as u64
}

/// Where the slot of a byte of the container begins in the file.
pub(super) fn place_of(offset: u64) -> u64 {
    place(offset / SLOT_BYTES as u64)
}

/// What the slots of one file are sealed with.
pub(super) struct FileKey(RandomizedNonceKey);

impl FileKey {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key);
        Self(key.expect("the key has 32 bytes"))
    }

    /// What is to be written at [`Slots::place`] so that these slots hold `bytes`, which must be all
    /// of theirs.
    pub(super) fn seal(&self, slots: &Slots, mut bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut sealed = Vec::with_capacity(slots.sealed_len());
        for slot in slots.numbers.clone() {
            let (head, rest) = bytes
                .split_at_checked(slots.len(slot))
                .ok_or(io::ErrorKind::InvalidInput)?;
            bytes = rest;
            let begin = sealed.len();
            sealed.extend_from_slice(head);
            let (nonce, tag) = self
                .0
                .seal_in_place_separate_tag(bound_to(slot), &mut sealed[begin..])
                .map_err(|_| io::Error::other("the system gave no randomness to encrypt with"))?;
            sealed.extend_from_slice(tag.as_ref());
            sealed.extend_from_slice(nonce.as_ref());
        }
        match bytes.is_empty() {
            true => Ok(sealed),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// The bytes of these slots, or those of the first of them where the file ends. `InvalidData` if
    /// one of them was not sealed with this key in this place.
    pub(super) fn read(&self, slots: &Slots, file: &dyn Backend) -> io::Result<Vec<u8>> {
        let mut bytes = file.read_new(slots.sealed_len(), slots.place())?;
        let (mut from, mut opened) = (0, 0);
        for slot in slots.numbers.clone() {
            let len = slots.len(slot);
            let Some(sealed) = bytes.get_mut(from..from + len + EXTRA_BYTES) else {
                break;
            };
            let (sealed, nonce) = sealed.split_at_mut(len + TAG_BYTES);
            let nonce = Nonce::try_assume_unique_for_key(nonce).expect("it has twelve bytes");
            let plain = self.0.open_in_place(nonce, bound_to(slot), sealed);
            plain.map_err(|_| io::ErrorKind::InvalidData)?;
            if from != opened {
                bytes.copy_within(from..from + len, opened);
            }
            from += len + EXTRA_BYTES;
            opened += len;
        }
        bytes.truncate(opened);
        Ok(bytes)
    }
}

/// A slot opens in its own place only.
fn bound_to(slot: u64) -> Aad<[u8; 8]> {
    Aad::from(slot.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn bytes_lie_in_slots() {
        let size = 3 * SLOT_BYTES as u64 + 5;
        let slots = |offset, len| {
            let slots = Slots::covering(offset, len, size);
            (slots.offset(), slots.place(), slots.sealed_len())
        };
        let stride = SLOT_BYTES as u64 + 28;
        assert_eq!(slots(0, SLOT_BYTES), (0, 4096, STRIDE));
        assert_eq!(slots(1, SLOT_BYTES), (0, 4096, 2 * STRIDE));
        let last = 3 * SLOT_BYTES as u64;
        assert_eq!(slots(last, SLOT_BYTES), (last, 4096 + 3 * stride, 5 + 28));
        assert_eq!(slots(size, 1).2, 0);
        assert_eq!(slots(u64::MAX, 1).2, 0);
        assert_eq!(sealed_len(size), 4096 + size + 4 * 28);
        assert_eq!(sealed_len(1), 4096 + 29);
        for place in [0, 4095, 4096, 4096 + stride - 1] {
            assert_eq!(offset_at(place), 0);
        }
        assert_eq!(offset_at(4096 + stride), SLOT_BYTES as u64);
        assert_eq!(place_of(SLOT_BYTES as u64 + 9), 4096 + stride);
    }

    #[test]
    fn a_million_writes_of_one_slot_have_a_million_nonces() {
        let key = FileKey::new(&[1; 32]);
        let slots = Slots::covering(0, 1, 1);
        let mut seen = HashSet::new();
        for _ in 0..1_000_000 {
            let sealed = key.seal(&slots, b"x").unwrap();
            let nonce: [u8; NONCE_BYTES] = sealed[1 + TAG_BYTES..].try_into().unwrap();
            assert!(seen.insert(nonce));
        }
    }

    #[test]
    fn only_whole_slots_are_sealed() {
        let key = FileKey::new(&[1; 32]);
        for len in [0, 1, SLOT_BYTES - 1, SLOT_BYTES + 1] {
            let slots = Slots::covering(0, SLOT_BYTES, 2 * SLOT_BYTES as u64);
            let error = key.seal(&slots, &vec![0; len]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
