//! zstd per chunk.
