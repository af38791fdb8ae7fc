//! Reads and writes at positions, carried on until all of it is done.
//!
//! A system may do less than it was asked, and may be interrupted before it did anything. The loops
//! stand here by themselves, so that a test can be that system.

use std::io;

/// Fills `buffer` from `offset` on; short only where `read` says 0, which is where the bytes end.
pub(super) fn read_all(
    buffer: &mut [u8],
    offset: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The bytes from `offset` on, `len` of them, or fewer where they end; `read` appends to what it is given
/// and never makes it longer than `len`.
pub(super) fn read_new(
    len: usize,
    offset: u64,
    mut read: impl FnMut(&mut Vec<u8>, u64) -> io::Result<usize>,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let at = offset + bytes.len() as u64;
        match read(&mut bytes, at) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Writes all of `bytes` at `offset`.
pub(super) fn write_all(
    bytes: &[u8],
    offset: u64,
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match write(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that does a few bytes at a time, and is interrupted every second time.
    struct Hesitant {
        bytes: Vec<u8>,
        calls: usize,
    }

    impl Hesitant {
        fn of(bytes: &[u8]) -> Self {
            Self {
                bytes: bytes.to_vec(),
                calls: 0,
            }
        }

        /// How many of `wanted` bytes it does this time.
        fn portion(&mut self, wanted: usize) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 2 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                _ => Ok(wanted.min(3)),
            }
        }

        fn piece(&mut self, wanted: usize, offset: u64) -> io::Result<&[u8]> {
            let from = usize::try_from(offset).unwrap();
            let portion = self.portion(wanted.min(self.bytes.len() - from))?;
            Ok(&self.bytes[from..from + portion])
        }
    }

    #[test]
    fn short_and_interrupted_calls_are_carried_on() {
        let text = b"what came and what is there";
        let mut file = Hesitant::of(text);
        let mut buffer = [0; 64];
        let found = read_all(&mut buffer, 5, |buffer, at| {
            let piece = file.piece(buffer.len(), at)?;
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        });
        assert_eq!((found.unwrap(), &buffer[..22]), (22, &text[5..]));

        let bytes = read_new(9, 5, |bytes, at| {
            let piece = file.piece(9 - bytes.len(), at)?;
            bytes.extend_from_slice(piece);
            Ok(piece.len())
        });
        assert_eq!(bytes.unwrap(), &text[5..14]);

        let mut file = Hesitant::of(&[0; 27]);
        let written = write_all(&text[..20], 7, |bytes, at| {
            let (at, portion) = (usize::try_from(at).unwrap(), file.portion(bytes.len())?);
            file.bytes[at..at + portion].copy_from_slice(&bytes[..portion]);
            Ok(portion)
        });
        written.unwrap();
        assert_eq!(&file.bytes[7..], &text[..20]);
    }

    #[test]
    fn other_errors_end_it_and_so_does_a_write_of_nothing() {
        let fails = |_: &mut [u8], _| Err(io::ErrorKind::StorageFull.into());
        let error = read_all(&mut [0; 4], 0, fails).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let fails = |_: &mut Vec<u8>, _| Err(io::ErrorKind::Other.into());
        assert!(read_new(4, 0, fails).is_err());
        let error = write_all(b"abcd", 0, |_, _| Ok(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
