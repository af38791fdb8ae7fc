//! Content that no compressor shrinks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes so many bytes of noise (SplitMix64: Steele, Lea and Flood, 2014). Two files have nothing in
/// common unless they are equally long: a node would copy what it has, and not fetch it.
pub(crate) fn write_noise(path: &Path, size: u64) {
    let mut file = BufWriter::new(File::create(path).expect("a file for the content"));
    let mut state = size.wrapping_mul(0xd134_2543_de82_ef95);
    for at in (0..size).step_by(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let rest = usize::try_from(size - at).map_or(8, |rest| rest.min(8));
        let word = bits.to_le_bytes();
        file.write_all(&word[..rest]).expect("room for the content");
    }
    file.flush().expect("room for the content");
}
