//! What a zstd frame says about itself (RFC 8878 section 3.1.1), judged before it is decompressed.
//!
//! ```text
//!   magic  descriptor  [window]  [dictionary id]  [content size]  blocks ...  [checksum]
//!     4        1         0-1         0-4              0-8                        0-4      bytes
//! ```
//!
//! Only headers are read here: frame header and block headers, which say where the frame ends.
//! What is in the blocks is libzstd's to judge. A checksum is accepted and checked there.

use super::decompress::DecompressError;
use crate::limits::ZSTD_WINDOW_BYTES_MAX;

/// RFC 8878 section 3.1.1.
const MAGIC: u32 = 0xFD2F_B528;
/// RFC 8878 section 3.1.2: sixteen magic numbers, of which this is the first.
const MAGIC_SKIPPABLE: u32 = 0x184D_2A50;

/// Whether the body is exactly one frame, whose header promises `expected_len` bytes of content,
/// needs no dictionary and no window beyond what such a chunk may take.
pub(super) fn check(body: &[u8], expected_len: usize) -> Result<(), DecompressError> {
    let mut rest = Reader(body);
    check_magic(&mut rest)?;
    let descriptor = Descriptor(rest.byte()?);
    if descriptor.has_reserved_bit() {
        return Err(DecompressError::ReservedBit);
    }
    let window = if descriptor.is_single_segment() {
        None
    } else {
        Some(window_bytes(rest.byte()?))
    };
    if let id_bytes @ 1.. = descriptor.dictionary_id_bytes() {
        let id = rest.little_endian(id_bytes)?;
        return Err(DecompressError::Dictionary(
            u32::try_from(id).expect("at most four bytes"),
        ));
    }
    check_size(content_size(descriptor, &mut rest)?, expected_len)?;
    // A single segment's window is its content, whose size has just been found right.
    if let Some(found) = window {
        check_window(found, expected_len)?;
    }
    skip_blocks(&mut rest)?;
    rest.skip(descriptor.checksum_bytes())?;
    match rest.0.len() {
        0 => Ok(()),
        after => Err(DecompressError::Trailing(after)),
    }
}

fn check_magic(rest: &mut Reader<'_>) -> Result<(), DecompressError> {
    match rest.u32()? {
        MAGIC => Ok(()),
        skippable if skippable & !0xf == MAGIC_SKIPPABLE => Err(DecompressError::Skippable),
        other => Err(DecompressError::Magic(other)),
    }
}

fn check_size(found: Option<u64>, expected: usize) -> Result<(), DecompressError> {
    match found {
        Some(found) if found == expected as u64 => Ok(()),
        Some(found) => Err(DecompressError::Size { found, expected }),
        None => Err(DecompressError::SizeUnknown { expected }),
    }
}

fn check_window(found: u64, expected_len: usize) -> Result<(), DecompressError> {
    let limit = expected_len.next_power_of_two().max(ZSTD_WINDOW_BYTES_MAX) as u64;
    if found <= limit {
        Ok(())
    } else {
        Err(DecompressError::Window { found, limit })
    }
}

/// RFC 8878 section 3.1.1.1.4: two bytes count from 256.
fn content_size(
    descriptor: Descriptor,
    rest: &mut Reader<'_>,
) -> Result<Option<u64>, DecompressError> {
    Ok(match descriptor.content_size_bytes() {
        0 => None,
        2 => Some(rest.little_endian(2)? + 256),
        bytes => Some(rest.little_endian(bytes)?),
    })
}

/// RFC 8878 section 3.1.1.1.2: an exponent in the high five bits, eighths of that power in the
/// low three.
const fn window_bytes(descriptor: u8) -> u64 {
    let base = 1u64 << (10 + (descriptor >> 3));
    base + base / 8 * (descriptor & 7) as u64
}

/// RFC 8878 section 3.1.1.2: three bytes hold last-block flag, type and size. A repeated byte
/// (type 1) is stored once, whatever its size says.
fn skip_blocks(rest: &mut Reader<'_>) -> Result<(), DecompressError> {
    loop {
        let header = rest.little_endian(3)?;
        let stored = match header >> 1 & 3 {
            1 => 1,
            3 => return Err(DecompressError::ReservedBlock),
            _ => usize::try_from(header >> 3).expect("21 bits"),
        };
        rest.skip(stored)?;
        if header & 1 == 1 {
            return Ok(());
        }
    }
}

/// The Frame_Header_Descriptor (RFC 8878 section 3.1.1.1.1).
#[derive(Clone, Copy)]
struct Descriptor(u8);

impl Descriptor {
    const fn is_single_segment(self) -> bool {
        self.0 & 0b0010_0000 != 0
    }

    const fn has_reserved_bit(self) -> bool {
        self.0 & 0b0000_1000 != 0
    }

    const fn checksum_bytes(self) -> usize {
        if self.0 & 0b0000_0100 != 0 { 4 } else { 0 }
    }

    const fn dictionary_id_bytes(self) -> usize {
        [0, 1, 2, 4][(self.0 & 3) as usize]
    }

    const fn content_size_bytes(self) -> usize {
        match self.0 >> 6 {
            0 if self.is_single_segment() => 1,
            0 => 0,
            flag => 1 << flag,
        }
    }
}

/// What is left of the body.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn skip(&mut self, len: usize) -> Result<(), DecompressError> {
        self.0 = self.0.get(len..).ok_or(DecompressError::Truncated)?;
        Ok(())
    }

    /// A number of at most eight bytes, low byte first.
    fn little_endian(&mut self, len: usize) -> Result<u64, DecompressError> {
        let bytes = self.0.get(..len).ok_or(DecompressError::Truncated)?;
        let number = bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        self.skip(len)?;
        Ok(number)
    }

    fn byte(&mut self) -> Result<u8, DecompressError> {
        let (byte, rest) = self.0.split_first().ok_or(DecompressError::Truncated)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn u32(&mut self) -> Result<u32, DecompressError> {
        let (bytes, rest) = self
            .0
            .split_first_chunk()
            .ok_or(DecompressError::Truncated)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_an_exponent_and_eighths() {
        assert_eq!(window_bytes(0), 1024);
        assert_eq!(window_bytes(1), 1024 + 128);
        assert_eq!(window_bytes(21 << 3), 1 << 31);
        assert_eq!(window_bytes(0xff), (1 << 41) + 7 * (1 << 38));
    }

    #[test]
    fn content_sizes_have_one_two_four_or_eight_bytes_or_none() {
        let read = |descriptor| {
            let mut eight = Reader(&[1, 2, 3, 4, 5, 6, 7, 8]);
            let size = content_size(Descriptor(descriptor), &mut eight).unwrap();
            (size, 8 - eight.0.len())
        };
        assert_eq!(read(0x00), (None, 0));
        assert_eq!(read(0x20), (Some(1), 1));
        assert_eq!(read(0x40), (Some(0x0201 + 256), 2));
        assert_eq!(read(0x80), (Some(0x0403_0201), 4));
        assert_eq!(read(0xc0), (Some(0x0807_0605_0403_0201), 8));
    }

    /// A frame of 300 bytes: one raw block of 2 and one repeated byte for 298, not a single segment.
    const FRAME: [u8; 17] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x40, 0x00, 44, 0, // header: 256 + 44
        0x10, 0, 0, b'a', b'b', // raw, 2 bytes, not last
        0x53, 0x09, 0, b'c', // repeated, 298 bytes, last
    ];

    #[test]
    fn a_frame_by_the_book_passes_here_and_in_libzstd() {
        check(&FRAME, 300).unwrap();
        let content = zstd::bulk::decompress(&FRAME, 300).unwrap();
        assert_eq!((content.len(), &content[..3]), (300, &b"abc"[..]));
    }

    #[test]
    fn windows_up_to_a_mebibyte_or_the_chunk_are_taken() {
        let with_window = |descriptor, expected_len| {
            let mut frame = FRAME;
            frame[5] = descriptor;
            check(&frame, expected_len)
        };
        assert!(with_window(10 << 3, 300).is_ok());
        let over = with_window(10 << 3 | 1, 300).unwrap_err();
        assert_eq!(
            over.to_string(),
            "BAD_CHUNK zstd size: window 1179648 (limit 1048576)"
        );
        assert!(check_window(16 << 20, (16 << 20) - 5).is_ok());
        assert!(check_window((16 << 20) + 1, 16 << 20).is_err());
    }

    #[test]
    fn reserved_bit_and_reserved_block_are_refused() {
        let mut frame = FRAME;
        frame[4] |= 0b1000;
        let bit = check(&frame, 300).unwrap_err();
        assert_eq!(bit.to_string(), "BAD_CHUNK zstd: reserved bit set");
        let mut frame = FRAME;
        frame[8] |= 0b110;
        let block = check(&frame, 300).unwrap_err();
        assert_eq!(block.to_string(), "BAD_CHUNK zstd: reserved block type");
    }
}
