//! The payload: pieces of 64 KiB, each sealed with ChaCha20-Poly1305 (RFC 8439) under its number.
//!
//! The last piece says that it is the last, so nothing can be cut off or put behind it; the numbers keep
//! pieces from changing places. Every piece but the last is full, and the last is empty only
//! where everything is.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::header::FileKey;
use crate::identity::derive;

/// Bytes of a piece before it is sealed; the last may have fewer.
pub const PIECE_BYTES: usize = 64 * 1024;
/// Bytes that sealing adds to a piece.
pub const TAG_BYTES: usize = 16;
/// Bytes that stand before the first piece: they make the payload's key one of its own.
pub const NONCE_BYTES: usize = 16;

/// Where a piece stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Others follow.
    Inner,
    /// It is the last.
    Last,
}

/// Seals a payload, piece by piece.
pub struct Sealer(Pieces);

/// Opens a payload, piece by piece.
pub struct Opener(Pieces);

/// Why a payload does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It was changed, cut off, or has more behind it.
    #[error("E-AGE: the encrypted content is damaged or cut off, in piece {piece} of 64 KiB")]
    Damaged {
        /// Which piece, from 0.
        piece: u64,
    },
}

/// A key that is used up: each number once, and then none.
struct Pieces {
    key: LessSafeKey,
    next: u64,
}

impl Sealer {
    /// A payload under this key; `nonce` is random and stands before it.
    pub fn new(key: &FileKey, nonce: &[u8; NONCE_BYTES]) -> Self {
        Self(Pieces::new(key, nonce))
    }

    /// Seals a piece where it lies, and puts its tag behind it.
    ///
    /// # Panics
    ///
    /// If a piece that others follow is not full, or any is longer.
    pub fn seal(&mut self, piece: &mut Vec<u8>, position: Position) {
        assert!(
            piece.len() == PIECE_BYTES || (position == Position::Last && piece.len() < PIECE_BYTES),
            "a piece of {} B",
            piece.len()
        );
        let nonce = self.0.nonce(position);
        let sealed = self
            .0
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), piece);
        sealed.expect("a piece is shorter than what the cipher takes");
    }
}

impl Opener {
    /// The payload that follows this nonce.
    pub fn new(key: &FileKey, nonce: &[u8; NONCE_BYTES]) -> Self {
        Self(Pieces::new(key, nonce))
    }

    /// Opens a piece where it lies: the bytes that were sealed.
    pub fn open<'p>(
        &mut self,
        piece: &'p mut [u8],
        position: Position,
    ) -> Result<&'p [u8], StreamError> {
        let number = self.0.next;
        let damaged = StreamError::Damaged { piece: number };
        let len = piece
            .len()
            .checked_sub(TAG_BYTES)
            .ok_or_else(|| damaged.clone())?;
        let is_full = len == PIECE_BYTES;
        let fits = match position {
            Position::Inner => is_full,
            Position::Last => is_full || (len < PIECE_BYTES && (len > 0 || number == 0)),
        };
        if !fits {
            return Err(damaged);
        }
        let nonce = self.0.nonce(position);
        match self.0.key.open_in_place(nonce, Aad::empty(), piece) {
            Ok(opened) => Ok(opened),
            Err(_) => Err(damaged),
        }
    }
}

impl Pieces {
    fn new(key: &FileKey, nonce: &[u8; NONCE_BYTES]) -> Self {
        let key = derive(nonce, key.as_bytes(), b"payload");
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref());
        Self {
            key: LessSafeKey::new(key.expect("the key has the cipher's length")),
            next: 0,
        }
    }

    /// Eleven bytes of number, and whether it is the last.
    fn nonce(&mut self, position: Position) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..11].copy_from_slice(&self.next.to_be_bytes());
        nonce[11] = u8::from(position == Position::Last);
        self.next += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; NONCE_BYTES] = [9; NONCE_BYTES];

    fn key() -> FileKey {
        FileKey::new([3; 16])
    }

    fn sealed(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut sealer = Sealer::new(&key(), &NONCE);
        let last = pieces.len() - 1;
        let seal = |(at, piece): (usize, &&[u8])| {
            let mut piece = piece.to_vec();
            let position = if at == last {
                Position::Last
            } else {
                Position::Inner
            };
            sealer.seal(&mut piece, position);
            piece
        };
        pieces.iter().enumerate().map(seal).collect()
    }

    fn opened(pieces: &[Vec<u8>]) -> Result<Vec<u8>, StreamError> {
        let mut opener = Opener::new(&key(), &NONCE);
        let mut all = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            let is_last = at + 1 == pieces.len();
            let position = if is_last {
                Position::Last
            } else {
                Position::Inner
            };
            all.extend_from_slice(opener.open(&mut piece.clone(), position)?);
        }
        Ok(all)
    }

    #[test]
    fn what_was_sealed_opens() {
        let full = vec![1; PIECE_BYTES];
        for pieces in [
            &[&b""[..]][..],
            &[b"short"],
            &[&full],
            &[&full, b"x"],
            &[&full, &full],
        ] {
            assert_eq!(opened(&sealed(pieces)).unwrap(), pieces.concat());
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let full = [vec![1; PIECE_BYTES], vec![2; PIECE_BYTES]];
        let pieces = sealed(&[&full[0], &full[1], b"end"]);
        let damaged = |piece| Err(StreamError::Damaged { piece });
        for at in [0, 1, 2] {
            for byte in [0, pieces[at].len() - 1] {
                let mut changed = pieces.clone();
                changed[at][byte] ^= 1;
                assert_eq!(opened(&changed), damaged(at as u64));
            }
        }
        let swapped = [pieces[1].clone(), pieces[0].clone(), pieces[2].clone()];
        assert_eq!(opened(&swapped), damaged(0));
        assert_eq!(opened(&pieces[..2]), damaged(1), "the end is missing");
        let more = [&pieces[..], &pieces[2..]].concat();
        assert_eq!(opened(&more), damaged(2), "something follows");
    }

    #[test]
    fn only_the_whole_may_be_empty_and_only_the_last_short() {
        let full = vec![1; PIECE_BYTES];
        let pieces = sealed(&[&full, b""]);
        assert_eq!(opened(&pieces), Err(StreamError::Damaged { piece: 1 }));
        let mut opener = Opener::new(&key(), &NONCE);
        let mut short = sealed(&[b"short"]).remove(0);
        let error = opener.open(&mut short, Position::Inner).unwrap_err();
        assert_eq!(error, StreamError::Damaged { piece: 0 });
        let error = opener.open(&mut [0; 15], Position::Last).unwrap_err();
        assert_eq!(error, StreamError::Damaged { piece: 0 });
    }
}
