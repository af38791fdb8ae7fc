//! The grammar of JSON (RFC 8259), one token or value at a time.
//!
//! A [`Scanner`] moves forward only, and stops for good at the first error. It recurses no deeper
//! than [`MANIFEST_DEPTH_MAX`].

use std::borrow::Cow;

use super::json::{JsonError, Kind};
use crate::limits::MANIFEST_DEPTH_MAX;

/// A position in a text. `at` is on a character boundary and at most the text's length.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at the first byte that is not white space.
    pub(super) fn new(text: &'a str) -> Self {
        let mut scanner = Self { text, at: 0 };
        scanner.space();
        scanner
    }

    /// How many bytes follow, white space before them aside.
    pub(super) fn left(&mut self) -> usize {
        self.space();
        self.text.len() - self.at
    }

    /// Reads one value, which stands inside `depth` arrays and objects.
    pub(super) fn value(&mut self, depth: usize) -> Result<&'a str, JsonError> {
        self.space();
        let start = self.at;
        match self.kind()? {
            Kind::Object => self.nested(b'}', depth, |inner, depth| {
                inner.key()?;
                inner.value(depth)
            })?,
            Kind::Array => self.nested(b']', depth, Self::value)?,
            Kind::String => drop(self.string()?),
            Kind::Number => self.number()?,
            Kind::Boolean if self.peek()? == b't' => self.literal("true")?,
            Kind::Boolean => self.literal("false")?,
            Kind::Null => self.literal("null")?,
        }
        Ok(&self.text[start..self.at])
    }

    /// Reads an array or object, each item of it with `item`.
    fn nested(
        &mut self,
        close: u8,
        depth: usize,
        item: impl Fn(&mut Self, usize) -> Result<&'a str, JsonError>,
    ) -> Result<(), JsonError> {
        if depth >= MANIFEST_DEPTH_MAX {
            return Err(JsonError::Depth);
        }
        let mut more = self.opened(close)?;
        while more {
            item(self, depth + 1)?;
            more = self.continued(close)?;
        }
        Ok(())
    }

    /// At an opening bracket: passes it, and says whether an item follows and not `close`.
    pub(super) fn opened(&mut self, close: u8) -> Result<bool, JsonError> {
        self.at += 1;
        self.space();
        let closed = self.peek()? == close;
        self.at += usize::from(closed);
        Ok(!closed)
    }

    /// After an item: whether a comma follows, and not the closing bracket.
    pub(super) fn continued(&mut self, close: u8) -> Result<bool, JsonError> {
        self.space();
        let found = self.peek()?;
        if found == b',' || found == close {
            self.at += 1;
            return Ok(found == b',');
        }
        Err(self.unexpected(match close {
            b'}' => "',' or '}'",
            _ => "',' or ']'",
        }))
    }

    /// Reads a key and its colon.
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.space();
        let key = self.string()?;
        self.space();
        match self.peek()? {
            b':' => self.at += 1,
            _ => return Err(self.unexpected("':'")),
        }
        Ok(key)
    }

    /// Reads a string, with its escapes resolved.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        if self.peek()? != b'"' {
            return Err(self.unexpected("a string"));
        }
        self.at += 1;
        let mut resolved = String::new();
        let mut start = self.at;
        loop {
            let run = &self.text[start..self.at];
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(match resolved.is_empty() {
                        true => Cow::Borrowed(run),
                        false => Cow::Owned(resolved + run),
                    });
                }
                b'\\' => {
                    resolved.push_str(run);
                    resolved.push(self.escape()?);
                    start = self.at;
                }
                0..0x20 => return Err(JsonError::Control(self.at)),
                _ => self.at += self.found().len_utf8(),
            }
        }
    }

    /// Reads an escape, from its backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.at += 1;
        let plain = match self.peek()? {
            simple @ (b'"' | b'\\' | b'/') => char::from(simple),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(start),
            _ => return Err(JsonError::Escape(start)),
        };
        self.at += 1;
        Ok(plain)
    }

    /// Reads the rest of a `\u` escape, or of a pair of them, that began at `start`.
    fn unicode(&mut self, start: usize) -> Result<char, JsonError> {
        let mut units = [self.unit(start)?, 0];
        let mut count = 1;
        if matches!(units[0], 0xd800..0xdc00) {
            for expected in [b'\\', b'u'] {
                if self.peek()? != expected {
                    return Err(JsonError::Escape(start));
                }
                // stops on the `u`, where `unit` begins
                self.at += usize::from(expected == b'\\');
            }
            units[1] = self.unit(start)?;
            count = 2;
        }
        match char::decode_utf16(units[..count].iter().copied()).next() {
            Some(Ok(c)) => Ok(c),
            Some(Err(_)) | None => Err(JsonError::Escape(start)),
        }
    }

    /// Reads a `u` and its four digits.
    fn unit(&mut self, start: usize) -> Result<u16, JsonError> {
        self.at += 1;
        (0..4).try_fold(0, |unit, _| {
            let digit = char::from(self.peek()?).to_digit(16);
            let digit = digit.and_then(|digit| u16::try_from(digit).ok());
            self.at += usize::from(digit.is_some());
            Ok(unit << 4 | digit.ok_or(JsonError::Escape(start))?)
        })
    }

    /// Passes a number.
    fn number(&mut self) -> Result<(), JsonError> {
        self.at += usize::from(self.peek()? == b'-');
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.next_is(b".") {
            self.at += 1;
            self.digits()?;
        }
        if self.next_is(b"eE") {
            self.at += 1;
            self.at += usize::from(self.next_is(b"+-"));
            self.digits()?;
        }
        Ok(())
    }

    /// Passes one digit or more.
    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(self.unexpected("a digit"));
        }
        while self.next_is(b"0123456789") {
            self.at += 1;
        }
        Ok(())
    }

    /// Passes a word.
    fn literal(&mut self, word: &'static str) -> Result<(), JsonError> {
        for letter in word.bytes() {
            if self.peek()? != letter {
                return Err(self.unexpected(word));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Passes white space.
    fn space(&mut self) {
        while self.next_is(b" \n\r\t") {
            self.at += 1;
        }
    }

    /// The type of the value that begins here.
    pub(super) fn kind(&self) -> Result<Kind, JsonError> {
        Ok(match self.peek()? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' | b'f' => Kind::Boolean,
            b'n' => Kind::Null,
            _ => return Err(self.unexpected("a value")),
        })
    }

    /// The byte here, which must be there.
    fn peek(&self) -> Result<u8, JsonError> {
        let byte = self.text.as_bytes().get(self.at);
        byte.copied().ok_or(JsonError::End(self.text.len()))
    }

    /// Whether the byte here is one of these.
    fn next_is(&self, any: &[u8]) -> bool {
        self.peek().is_ok_and(|byte| any.contains(&byte))
    }

    /// The character here, which must be there.
    fn found(&self) -> char {
        let mut rest = self.text[self.at..].chars();
        rest.next().expect("peeked before")
    }

    /// The error that something else stands here.
    fn unexpected(&self, expected: &'static str) -> JsonError {
        JsonError::Unexpected {
            expected,
            found: self.found(),
            at: self.at,
        }
    }
}
