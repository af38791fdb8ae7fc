//! The body of a chunk reply as it came off the stream: untrusted, encoded, in pieces.

use bytes::Bytes;

use super::Encoding;

/// Bytes that claim to be a chunk. Only [`VerifiedChunk`](crate::manifest) makes the claim a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    encoding: Encoding,
    parts: Vec<Bytes>,
    len: usize,
}

impl Payload {
    /// Collects the pieces of a body, in order. Nothing is copied.
    pub fn new(encoding: Encoding, parts: Vec<Bytes>) -> Self {
        let len = parts.iter().map(Bytes::len).sum();
        Self {
            encoding,
            parts,
            len,
        }
    }

    /// How the bytes are encoded.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes that travelled.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte travelled.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes in one piece, copied once where they came in several.
    pub fn into_contiguous(mut self) -> Bytes {
        if self.parts.len() == 1 {
            return self.parts.swap_remove(0);
        }
        let mut whole = Vec::with_capacity(self.len);
        self.parts
            .iter()
            .for_each(|part| whole.extend_from_slice(part));
        whole.into()
    }
}
