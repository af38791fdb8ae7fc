//! Which bytes of a chunk stand for all of it when we guess whether it compresses.
//!
//! Pieces at even distances, from its first byte to its last, put together into one sample: a
//! piece is long enough to show the content's texture, and one sample costs one header.

use crate::limits::KIB;

/// The shortest sample, in bytes; less says nothing. It is a sixteenth of the smallest chunk.
pub(super) const BYTES_MIN: usize = 2 * KIB;
/// The longest sample, in bytes: a thousandth of the largest chunk.
pub(super) const BYTES_MAX: usize = 16 * KIB;
/// A sample is one part in this of a chunk, between the two.
const SHARE: usize = 64;
/// One piece, in bytes.
const PIECE_BYTES: usize = KIB / 2;

/// Puts a sample of the chunk into `sample`, in place of what was there.
pub(super) fn sample(chunk: &[u8], sample: &mut Vec<u8>) {
    sample.clear();
    let wanted = (chunk.len() / SHARE).clamp(BYTES_MIN, BYTES_MAX);
    if chunk.len() <= wanted {
        sample.extend_from_slice(chunk);
        return;
    }
    let pieces = wanted / PIECE_BYTES;
    let last = chunk.len() - PIECE_BYTES;
    for piece in 0..pieces {
        let at = last * piece / (pieces - 1);
        sample.extend_from_slice(&chunk[at..at + PIECE_BYTES]);
    }
}

const _: () = assert!(BYTES_MIN >= 2 * PIECE_BYTES, "a first piece and a last");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_reach_from_end_to_end_and_stay_small() {
        let mut taken = vec![9; 9];
        for (len, expected) in [
            (0, 0),
            (2048, 2048),
            (2049, 2048),
            (32 * KIB, 2048),
            (512 * KIB, 8 * KIB),
            (2048 * KIB, 16 * KIB),
        ] {
            let mut chunk = vec![0; len];
            if let [first, .., last] = chunk.as_mut_slice() {
                (*first, *last) = (1, 2);
            }
            sample(&chunk, &mut taken);
            assert_eq!(taken.len(), expected, "of {len}");
            if expected > 0 {
                assert_eq!((taken[0], taken[expected - 1]), (1, 2), "of {len}");
            }
        }
    }
}
