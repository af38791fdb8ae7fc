//! How a container is cut: its size, its chunk size, and where each chunk lies.
//!
//! Invariants: `1 <= size`, the chunk size is a power of two within
//! [`CHUNK_BYTES_MIN`]..=[`CHUNK_BYTES_MAX`], and `chunk_count <= CHUNKS_MAX`. The chunks tile the
//! container: every byte lies in exactly one, and only the last may be short. All arithmetic on
//! sizes and offsets of chunks stands here.

use crate::chunk::ChunkIndex;
use crate::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNKS_MAX};

/// The cut of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    size: u64,
    chunk_size: u32,
}

/// Why a container cannot be cut so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// There are no bytes to distribute.
    #[error("container is empty")]
    Empty,
    /// The chunk size is not one of the ten that there are.
    #[error(
        "chunk size {0} unsupported, expected a power of two from {CHUNK_BYTES_MIN} to {CHUNK_BYTES_MAX}"
    )]
    ChunkSize(u64),
    /// More chunks would be needed than a manifest may list.
    #[error("{size} B > limit {} B ({CHUNKS_MAX} × {chunk_size})", capacity(*chunk_size))]
    TooLarge {
        /// The container's size in bytes.
        size: u64,
        /// The chunk size in bytes.
        chunk_size: u32,
    },
}

impl LayoutError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::TooLarge { .. } => "E-SIZE",
            Self::ChunkSize(_) => "E-CHUNK",
        }
    }
}

impl Layout {
    /// The cut that a writer makes: the smallest chunk size that needs at most [`CHUNKS_MAX`]
    /// chunks. `size` is in bytes.
    pub fn for_size(size: u64) -> Result<Self, LayoutError> {
        let mut chunk_size = CHUNK_BYTES_MIN;
        while capacity(chunk_size) < size && chunk_size < CHUNK_BYTES_MAX {
            chunk_size *= 2;
        }
        Self::new(size, chunk_size)
    }

    /// A cut that someone else made. Both sizes are in bytes.
    pub fn new(size: u64, chunk_size: u32) -> Result<Self, LayoutError> {
        if !chunk_size.is_power_of_two()
            || !(CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&chunk_size)
        {
            return Err(LayoutError::ChunkSize(chunk_size.into()));
        }
        match size {
            0 => Err(LayoutError::Empty),
            _ if size > capacity(chunk_size) => Err(LayoutError::TooLarge { size, chunk_size }),
            _ => Ok(Self { size, chunk_size }),
        }
    }

    /// The container's size in bytes, at least 1.
    pub const fn size(self) -> u64 {
        self.size
    }

    /// The size in bytes of every chunk but the last.
    pub const fn chunk_size(self) -> u32 {
        self.chunk_size
    }

    /// How many chunks there are, from 1 to [`CHUNKS_MAX`].
    pub fn chunk_count(self) -> u32 {
        u32::try_from(self.size.div_ceil(self.chunk_size.into()))
            .expect("a layout has at most CHUNKS_MAX chunks")
    }

    /// The length of a chunk in bytes, at least 1; none if there is no such chunk.
    pub fn chunk_len(self, index: ChunkIndex) -> Option<u32> {
        let rest = self.size - self.offset(index)?;
        Some(u32::try_from(rest).map_or(self.chunk_size, |rest| rest.min(self.chunk_size)))
    }

    /// Where a chunk starts in the container, in bytes; none if there is no such chunk.
    pub fn offset(self, index: ChunkIndex) -> Option<u64> {
        let offset = u64::from(index.get()) * u64::from(self.chunk_size);
        (offset < self.size).then_some(offset)
    }

    /// All chunks, in order.
    pub fn chunks(self) -> impl Iterator<Item = ChunkIndex> {
        (0..self.chunk_count()).map(ChunkIndex::new)
    }
}

/// The most bytes that chunks of this size can hold.
const fn capacity(chunk_size: u32) -> u64 {
    CHUNKS_MAX as u64 * chunk_size as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::CONTAINER_BYTES_MAX;

    #[test]
    fn small_containers_have_the_chunks_of_the_original_format() {
        for (size, chunk_size, chunks) in [
            (1, 32768, 1),
            (32767, 32768, 1),
            (32768, 32768, 1),
            (32769, 32768, 2),
            (27_260_050, 32768, 832),
            (128 << 20, 32768, 4096),
            ((128 << 20) + 1, 65536, 2049),
            (CONTAINER_BYTES_MAX, 16 << 20, 4096),
        ] {
            let layout = Layout::for_size(size).unwrap();
            assert_eq!(
                (layout.chunk_size(), layout.chunk_count()),
                (chunk_size, chunks),
                "{size}"
            );
        }
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        let text = |layout: Result<Layout, LayoutError>| {
            let error = layout.unwrap_err();
            format!("{}: {error}", error.code())
        };
        assert_eq!(text(Layout::for_size(0)), "E-SIZE: container is empty");
        assert_eq!(
            text(Layout::for_size(CONTAINER_BYTES_MAX + 1)),
            "E-SIZE: 68719476737 B > limit 68719476736 B (4096 × 16777216)"
        );
        assert_eq!(
            text(Layout::new(134_217_729, 32768)),
            "E-SIZE: 134217729 B > limit 134217728 B (4096 × 32768)"
        );
        for chunk_size in [0, 1, 16384, 32769, 65535, 1 << 25, u32::MAX] {
            assert_eq!(
                Layout::new(1, chunk_size),
                Err(LayoutError::ChunkSize(chunk_size.into()))
            );
        }
        assert!(Layout::for_size(u64::MAX).is_err());
    }

    #[test]
    fn a_chunk_past_the_end_has_no_place() {
        let layout = Layout::for_size(32769).unwrap();
        for index in [2, u32::MAX] {
            assert_eq!(layout.offset(ChunkIndex::new(index)), None);
            assert_eq!(layout.chunk_len(ChunkIndex::new(index)), None);
        }
    }

    proptest! {
        #[test]
        fn chunks_tile_the_container(size in 1..=CONTAINER_BYTES_MAX, extra in 0u32..4) {
            let least = Layout::for_size(size).unwrap();
            let chunk_size = least.chunk_size().checked_shl(extra).unwrap().min(CHUNK_BYTES_MAX);
            let layout = Layout::new(size, chunk_size).unwrap();
            let mut end = 0;
            for index in layout.chunks() {
                prop_assert_eq!(layout.offset(index), Some(end));
                let len = layout.chunk_len(index).unwrap();
                prop_assert!(len == chunk_size || index.get() + 1 == layout.chunk_count());
                prop_assert!(len >= 1);
                end += u64::from(len);
            }
            prop_assert_eq!(end, size);
            prop_assert_eq!(layout.chunk_len(ChunkIndex::new(layout.chunk_count())), None);
        }

        #[test]
        fn writers_take_the_smallest_chunks_that_do(size in 1..=CONTAINER_BYTES_MAX) {
            let layout = Layout::for_size(size).unwrap();
            prop_assert!(layout.chunk_count() <= CHUNKS_MAX);
            prop_assert!(
                layout.chunk_size() == CHUNK_BYTES_MIN
                    || Layout::new(size, layout.chunk_size() / 2).is_err()
            );
        }
    }
}
