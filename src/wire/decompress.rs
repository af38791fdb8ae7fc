//! Reading back what [`Compressor`](super::compress::Compressor) made, from a peer who may lie.
//!
//! Nothing is decompressed, and no room made for it, before the frame's headers have been judged
//! (`zstd_frame.rs`): afterwards the room needed is known, is what the manifest says the chunk
//! takes, and cannot be exceeded.

use std::io;

use zstd::zstd_safe::{DCtx, get_error_name};

use super::body::{BodyError, body_len_allowed};
use super::message::Encoding;
use super::zstd_frame;

/// Decompresses chunks, one at a time; each worker thread has its own.
pub struct Decompressor {
    zstd: DCtx<'static>,
}

impl Decompressor {
    /// A decompressor; fails where zstd has no memory for its tables.
    pub fn new() -> io::Result<Self> {
        let zstd = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { zstd })
    }

    /// The `expected_len` bytes of which this body is the compressed form.
    ///
    /// Allocates those bytes once the headers promise them, and nothing else.
    pub fn decompress(
        &mut self,
        body: &[u8],
        expected_len: usize,
    ) -> Result<Vec<u8>, DecompressError> {
        let (found, below) = (saturated(body.len()), saturated(expected_len));
        body_len_allowed(Encoding::Zstd, found, below)?;
        zstd_frame::check(body, expected_len)?;
        let mut chunk = Vec::with_capacity(expected_len);
        self.zstd
            .decompress(&mut chunk, body)
            .map_err(|code| DecompressError::Corrupt(get_error_name(code)))?;
        if chunk.len() == expected_len {
            Ok(chunk)
        } else {
            Err(DecompressError::Size {
                found: chunk.len() as u64,
                expected: expected_len,
            })
        }
    }
}

/// A length for comparing: no chunk comes near the largest `u32`.
fn saturated(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Why a body is not the compressed form of the chunk that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The body is too long or too short to be one.
    #[error(transparent)]
    Length(#[from] BodyError),
    /// The body ends inside the frame.
    #[error("BAD_CHUNK zstd: ends early")]
    Truncated,
    /// The body begins with something else than a frame.
    #[error("BAD_CHUNK zstd: magic number {0:#010x}")]
    Magic(u32),
    /// The bit that must be zero is not.
    #[error("BAD_CHUNK zstd: reserved bit set")]
    ReservedBit,
    /// A block is of the kind that has no meaning.
    #[error("BAD_CHUNK zstd: reserved block type")]
    ReservedBlock,
    /// The headers were right and what they head is not; this is libzstd's reason.
    #[error("BAD_CHUNK zstd: {0}")]
    Corrupt(&'static str),
    /// The header does not say how long the content is.
    #[error("BAD_CHUNK zstd size: unknown, expected {expected}")]
    SizeUnknown {
        /// Bytes in the chunk.
        expected: usize,
    },
    /// The content is not as long as the chunk.
    #[error("BAD_CHUNK zstd size: {found}, expected {expected}")]
    Size {
        /// Bytes of content.
        found: u64,
        /// Bytes in the chunk.
        expected: usize,
    },
    /// Decompressing would need more memory than the chunk is worth.
    #[error("BAD_CHUNK zstd size: window {found} (limit {limit})")]
    Window {
        /// Bytes of window asked for.
        found: u64,
        /// Bytes allowed for this chunk.
        limit: u64,
    },
    /// The frame is one that decoders pass over.
    #[error("BAD_CHUNK zstd frame: skippable")]
    Skippable,
    /// The frame names a dictionary; there is none.
    #[error("BAD_CHUNK zstd frame: dictionary {0}")]
    Dictionary(u32),
    /// Something follows the frame.
    #[error("BAD_CHUNK zstd frame: {0} B after it")]
    Trailing(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::compress::{Compressor, Effort};
    use crate::wire::fuzz::prose;

    #[test]
    fn the_context_does_not_grow_with_what_a_frame_claims() {
        let mut decompressor = Decompressor::new().unwrap();
        let before = decompressor.zstd.sizeof();
        let chunk = prose(1 << 20);
        let body = Compressor::new()
            .unwrap()
            .compress(&chunk, Effort::Least)
            .unwrap();
        assert_eq!(decompressor.decompress(&body, 1 << 20).unwrap(), chunk);
        // Window_Descriptor (RFC 8878 section 3.1.1.1.2) for 1.75 TiB, in a frame without content.
        let bomb = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf7, 0x01, 0x00, 0x00];
        assert!(decompressor.decompress(&bomb, 1 << 20).is_err());
        assert_eq!(decompressor.zstd.sizeof(), before);
    }

    #[test]
    fn a_failure_leaves_the_decompressor_usable() {
        let mut decompressor = Decompressor::new().unwrap();
        let chunk = prose(40_000);
        let body = Compressor::new()
            .unwrap()
            .compress(&chunk, Effort::Least)
            .unwrap();
        // Its first block's literals claim to be of the previous block's kind; there is none.
        let mut broken = body.clone();
        let block = 4 + 1 + 1 + 4 + 3;
        broken[block] |= 3;
        let wrong = decompressor.decompress(&broken, chunk.len());
        assert!(
            matches!(wrong, Err(DecompressError::Corrupt(_))),
            "{wrong:?}"
        );
        assert_eq!(decompressor.decompress(&body, chunk.len()), Ok(chunk));
    }
}
