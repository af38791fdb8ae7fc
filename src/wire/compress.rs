//! zstd per chunk: making the body of a chunk reply smaller, or finding that it is not worth it.
//!
//! A compressed body is one frame of RFC 8878 with the content's size in its header, no checksum
//! (the chunk's hash is one) and no dictionary, and at least one part in [`COMPRESS_GAIN_MIN`]
//! shorter than the chunk. Reading one back is [`Decompressor`]'s work.

use std::io;

use zstd::bulk;
use zstd::zstd_safe::CParameter;

use super::probe;
use crate::limits::COMPRESS_GAIN_MIN;

pub use super::decompress::{DecompressError, Decompressor};

/// How hard to compress: the harder, the smaller, and the longer it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// zstd's fastest regular level.
    Least,
    /// The level that zstd takes unless told otherwise.
    Usual,
    /// As far as it pays: what is gained beyond is a percent for twice the time.
    Most,
}

impl Effort {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Least, Self::Usual, Self::Most];

    const fn level(self) -> i32 {
        match self {
            Self::Least => 1,
            Self::Usual => 3,
            Self::Most => 7,
        }
    }

    /// How many times as long as with the least effort it takes, about: as measured on the files of a
    /// root file system in chunks of 64 KiB, where it makes them 2.8 and 6.7 % smaller.
    pub const fn cost(self) -> f64 {
        match self {
            Self::Least => 1.0,
            Self::Usual => 1.4,
            Self::Most => 4.5,
        }
    }
}

/// Compresses chunks, one at a time; each worker thread has its own.
///
/// Keeps zstd's tables (a few MiB) and the probe's sample between chunks, and no chunk.
pub struct Compressor {
    zstd: bulk::Compressor<'static>,
    sample: Vec<u8>,
    scratch: Vec<u8>,
}

/// Whether compressing a chunk is worth trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A sample of it became small enough.
    Shrinks,
    /// A sample of it did not.
    Incompressible,
}

impl Compressor {
    /// A compressor; fails where zstd has no memory for its tables.
    pub fn new() -> io::Result<Self> {
        let mut zstd = bulk::Compressor::new(Effort::Least.level())?;
        zstd.include_contentsize(true)?;
        zstd.include_checksum(false)?;
        zstd.include_dictid(false)?;
        Ok(Self {
            zstd,
            sample: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Compresses a sample of the chunk, to say whether the whole is likely to shrink enough.
    ///
    /// The sample is between 2 and 16 KiB. Where nothing shrinks, this costs about a hundredth of
    /// hashing a chunk of a mebibyte, less for larger ones and up to a tenth for the smallest. A
    /// guess: what repeats only over long distances is missed.
    pub fn probe(&mut self, chunk: &[u8]) -> Verdict {
        probe::sample(chunk, &mut self.sample);
        let room = longest_worth_sending(self.sample.len());
        self.scratch.clear();
        self.scratch.reserve(room);
        let found = self.aim(Effort::Least);
        let found = found.and_then(|()| {
            self.zstd
                .compress_to_buffer(&self.sample, &mut self.scratch)
        });
        match found {
            Ok(found) if found <= room => Verdict::Shrinks,
            _ => Verdict::Incompressible,
        }
    }

    /// The chunk as one zstd frame, or none where that saves too little to be sent.
    ///
    /// The frame never has room to become longer than what is worth sending.
    pub fn compress(&mut self, chunk: &[u8], effort: Effort) -> Option<Vec<u8>> {
        let room = longest_worth_sending(chunk.len());
        let mut frame = Vec::with_capacity(room);
        // Whatever else may fail in zstd, the chunk can still go as it is.
        self.aim(effort).ok()?;
        let found = self.zstd.compress_to_buffer(chunk, &mut frame).ok()?;
        if found > room {
            return None;
        }
        frame.shrink_to_fit();
        Some(frame)
    }

    fn aim(&mut self, effort: Effort) -> io::Result<()> {
        let level = CParameter::CompressionLevel(effort.level());
        self.zstd.set_parameter(level)
    }
}

/// How long the compressed form of `len` bytes may be.
const fn longest_worth_sending(len: usize) -> usize {
    len - len.div_ceil(COMPRESS_GAIN_MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::fuzz::{noise, prose};

    #[test]
    fn the_gain_is_at_least_one_part_in_twenty() {
        assert_eq!(
            [0, 1, 20, 21, 32_768].map(longest_worth_sending),
            [0, 0, 19, 19, 31_129]
        );
    }

    #[test]
    fn a_little_prose_in_noise_is_not_worth_it() {
        let mut compressor = Compressor::new().unwrap();
        let mut chunk = noise(32_768, 7);
        assert_eq!(compressor.compress(&chunk, Effort::Least), None);
        chunk[..1000].fill(b' ');
        assert_eq!(compressor.compress(&chunk, Effort::Least), None, "3 % gain");
        chunk[..3000].fill(b' ');
        assert!(
            compressor.compress(&chunk, Effort::Least).is_some(),
            "9 % gain"
        );
    }

    #[test]
    fn a_frame_has_its_content_size_and_neither_checksum_nor_dictionary() {
        let mut compressor = Compressor::new().unwrap();
        for len in [300, 32_768, 3 << 20] {
            let frame = compressor.compress(&prose(len), Effort::Most).unwrap();
            // Frame_Header_Descriptor (RFC 8878 section 3.1.1.1.1): checksum and dictionary bits.
            assert_eq!(frame[4] & 0b0000_0111, 0, "{len}");
            let content = zstd::zstd_safe::get_frame_content_size(&frame);
            assert_eq!(content.unwrap(), Some(len as u64));
            assert_eq!(frame.capacity(), frame.len());
        }
    }

    #[test]
    fn more_effort_makes_less_of_it() {
        let mut compressor = Compressor::new().unwrap();
        let chunk = prose(256 << 10);
        let lengths = Effort::ALL.map(|it| compressor.compress(&chunk, it).unwrap().len());
        assert!(lengths.is_sorted_by(|a, b| a > b), "{lengths:?}");
        assert!(Effort::ALL.is_sorted_by(|a, b| a.cost() < b.cost()));
    }

    #[test]
    fn the_probe_agrees_with_the_outcome() {
        let mut compressor = Compressor::new().unwrap();
        for len in [1000, 32_768, 100_000, 1 << 20] {
            assert_eq!(compressor.probe(&prose(len)), Verdict::Shrinks, "{len}");
            assert_eq!(
                compressor.probe(&noise(len, 3)),
                Verdict::Incompressible,
                "{len}"
            );
        }
        assert_eq!(compressor.probe(&[]), Verdict::Incompressible);
        assert_eq!(compressor.compress(&[], Effort::Least), None);
    }

    #[test]
    fn the_probe_sees_the_half_that_shrinks_wherever_it_lies() {
        let mut compressor = Compressor::new().unwrap();
        for quarter in 0..4 {
            let mut chunk = noise(1 << 20, 11);
            let at = quarter << 18;
            chunk[at..at + (1 << 18)].copy_from_slice(&prose(1 << 18));
            assert_eq!(compressor.probe(&chunk), Verdict::Shrinks, "{quarter}");
        }
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(
            len in 1usize..200_000, noisy in 0usize..4, seed in any::<u64>(), effort in 0usize..3,
        ) {
            let mut chunk = prose(len);
            let from = len - len * noisy / 4;
            chunk[from..].copy_from_slice(&noise(len - from, seed));
            let mut compressor = Compressor::new().unwrap();
            if let Some(body) = compressor.compress(&chunk, Effort::ALL[effort]) {
                prop_assert!(body.len() <= longest_worth_sending(len));
                let back = Decompressor::new().unwrap().decompress(&body, len).unwrap();
                prop_assert!(back == chunk);
            } else {
                prop_assert!(noisy > 0 || len < 1000, "prose of {} B shrinks", len);
            }
        }
    }
}
