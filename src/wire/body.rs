//! How long the body of a chunk reply may be: known before its first byte is read.

use super::message::Encoding;

/// Why a body's announced length cannot be that of the chunk asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Raw bytes that are not as many as the chunk has.
    #[error("BAD_CHUNK length {found} expected {expected}")]
    Raw {
        /// Bytes announced.
        found: u32,
        /// Bytes in the chunk.
        expected: u32,
    },
    /// A zstd frame that is empty or saves nothing.
    #[error("BAD_CHUNK length {found} expected at least 1 and less than {below}")]
    Zstd {
        /// Bytes announced.
        found: u32,
        /// Bytes in the chunk.
        below: u32,
    },
}

/// Whether a body of `len` bytes can be the chunk of `chunk_len` bytes in this encoding: exactly
/// as long where raw, shorter where compressed.
pub const fn body_len_allowed(
    encoding: Encoding,
    len: u32,
    chunk_len: u32,
) -> Result<(), BodyError> {
    match encoding {
        Encoding::Raw if len != chunk_len => Err(BodyError::Raw {
            found: len,
            expected: chunk_len,
        }),
        Encoding::Zstd if len == 0 || len >= chunk_len => Err(BodyError::Zstd {
            found: len,
            below: chunk_len,
        }),
        Encoding::Raw | Encoding::Zstd => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_is_exact_and_compressed_is_shorter() {
        let allowed = |encoding, len| body_len_allowed(encoding, len, 1000).is_ok();
        assert_eq!(
            [999, 1000, 1001].map(|len| allowed(Encoding::Raw, len)),
            [false, true, false]
        );
        assert_eq!(
            [0, 1, 999, 1000].map(|len| allowed(Encoding::Zstd, len)),
            [false, true, true, false]
        );
    }
}
