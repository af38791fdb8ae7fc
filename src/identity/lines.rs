//! Walking the lines of a key's text, with errors that say which line it was.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::keytext::KeyTextError;

/// Walks a text line by line and knows where it is.
pub(super) struct Lines<'t> {
    text: &'t str,
    number: usize,
    /// Bytes of the text that have been read, line ends included.
    offset: usize,
}

impl<'t> Lines<'t> {
    /// A walk that begins with the first line.
    fn of(text: &'t str) -> Self {
        Self {
            text,
            number: 0,
            offset: 0,
        }
    }

    /// A walk over bytes, which must be text.
    pub(super) fn of_bytes(bytes: &'t [u8]) -> Result<Self, KeyTextError> {
        let text = std::str::from_utf8(bytes).map_err(|error| KeyTextError::Utf8 {
            at: error.valid_up_to(),
        })?;
        Ok(Self::of(text))
    }

    /// The next line, which must be there and end with a line feed.
    pub(super) fn next(&mut self, expected: &'static str) -> Result<&'t str, KeyTextError> {
        self.number += 1;
        let (line, _) = self.text[self.offset..]
            .split_once('\n')
            .ok_or_else(|| self.error(expected))?;
        self.offset += line.len() + 1;
        Ok(line)
    }

    /// What follows the name at the start of the next line.
    pub(super) fn field(
        &mut self,
        name: &str,
        expected: &'static str,
    ) -> Result<&'t str, KeyTextError> {
        self.next(expected)?
            .strip_prefix(name)
            .ok_or_else(|| self.error(expected))
    }

    /// A value of the current line: base64 of exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(
        &self,
        value: &str,
    ) -> Result<Zeroizing<[u8; N]>, KeyTextError> {
        let wrong = KeyTextError::Value {
            line: self.number,
            bytes: N,
        };
        let decoded = Zeroizing::new(BASE64.decode(value).map_err(|_| wrong.clone())?);
        if decoded.len() != N {
            return Err(wrong);
        }
        let mut bytes = Zeroizing::new([0; N]);
        bytes.copy_from_slice(&decoded);
        Ok(bytes)
    }

    /// Everything read so far.
    pub(super) fn read(&self) -> &'t str {
        &self.text[..self.offset]
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) -> Result<(), KeyTextError> {
        if self.offset == self.text.len() {
            return Ok(());
        }
        self.number += 1;
        Err(self.error("the end of the file"))
    }

    /// That the current line is not what must stand there.
    pub(super) fn error(&self, expected: &'static str) -> KeyTextError {
        KeyTextError::Line {
            line: self.number,
            expected,
        }
    }
}
