//! A strict JSON reader (RFC 8259) that says exactly what is wrong and where.
//!
//! It reads in place and builds no tree: [`object`] checks the syntax of a whole document while it
//! hands out the members of its top-level object as [`Raw`] slices, which are read by type later.
//! So it allocates nothing but strings that have escapes in them, and nothing nests deeper than
//! [`MANIFEST_DEPTH_MAX`]. Duplicate keys are the caller's business. Positions are bytes from 0.

use std::borrow::Cow;
use std::fmt;

use super::scanner::Scanner;
use crate::limits::MANIFEST_DEPTH_MAX;

/// Why bytes are not one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// There are no bytes.
    #[error("empty file, expected a .deluge manifest")]
    Empty,
    /// A byte order mark, or UTF-16 or UTF-32.
    #[error("not UTF-8 without BOM")]
    Encoding,
    /// Bytes that are no character.
    #[error("invalid UTF-8 at byte {0}")]
    Utf8(usize),
    /// The document stops in the middle.
    #[error("unexpected end at byte {0}")]
    End(usize),
    /// The document is a JSON value of another type.
    #[error("top level must be an object, got {0}")]
    TopLevel(Kind),
    /// Something else stands where the grammar wants one thing.
    #[error("expected {expected} at byte {at}, found {found:?}")]
    Unexpected {
        /// What the grammar wants.
        expected: &'static str,
        /// What stands there.
        found: char,
        /// Where.
        at: usize,
    },
    /// A control character stands in a string without an escape.
    #[error("bare control character in a string at byte {0}")]
    Control(usize),
    /// An escape that is none, or half of a surrogate pair.
    #[error("invalid escape at byte {0}")]
    Escape(usize),
    /// Arrays and objects nest deeper than [`MANIFEST_DEPTH_MAX`].
    #[error("nesting deeper than {MANIFEST_DEPTH_MAX}")]
    Depth,
    /// Something follows the top-level object.
    #[error("{0} bytes after end of manifest")]
    Trailing(usize),
}

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{..}`
    Object,
    /// `[..]`
    Array,
    /// `".."`
    String,
    /// Digits.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
        })
    }
}

/// Reads a document that is one object, and hands each member to `member` in the order written.
pub(super) fn object<'a, E: From<JsonError>>(
    bytes: &'a [u8],
    mut member: impl FnMut(Cow<'a, str>, Raw<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner::new(text(bytes)?);
    let kind = scanner.kind()?;
    if kind != Kind::Object {
        return Err(JsonError::TopLevel(kind).into());
    }
    let mut more = scanner.opened(b'}')?;
    while more {
        let key = scanner.key()?;
        member(key, Raw(scanner.value(1)?))?;
        more = scanner.continued(b'}')?;
    }
    match scanner.left() {
        0 => Ok(()),
        left => Err(JsonError::Trailing(left).into()),
    }
}

/// The bytes as text.
fn text(bytes: &[u8]) -> Result<&str, JsonError> {
    match bytes {
        [] => return Err(JsonError::Empty),
        // the marks of UTF-8 and UTF-16, and ASCII written as UTF-16 or UTF-32 without one
        [0xef, 0xbb, 0xbf, ..] | [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, ..] | [_, 0, ..] => {
            return Err(JsonError::Encoding);
        }
        _ => {}
    }
    std::str::from_utf8(bytes).map_err(|error| match error.error_len() {
        Some(_) => JsonError::Utf8(error.valid_up_to()),
        None => JsonError::End(bytes.len()),
    })
}

/// One value whose syntax is known to be right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The characters of a string; none if it is no string.
    pub(super) fn string(self) -> Option<Cow<'a, str>> {
        Scanner::new(self.0).string().ok()
    }

    /// The value of a number that is written in digits only and fits; none for all else.
    pub(super) fn integer(self) -> Option<u64> {
        let digits = self.0.bytes().all(|byte| byte.is_ascii_digit());
        self.0.parse().ok().filter(|_| digits)
    }

    /// The elements of an array; none if it is no array.
    pub(super) fn elements(self) -> Option<impl Iterator<Item = Self>> {
        let mut scanner = Scanner::new(self.0);
        if scanner.kind() != Ok(Kind::Array) {
            return None;
        }
        let mut more = scanner.opened(b']').unwrap_or(false);
        // the syntax was checked when the document was read, so no element is lost to an error
        Some(std::iter::from_fn(move || {
            let element = more.then(|| scanner.value(1).ok().map(Raw))??;
            more = scanner.continued(b']').unwrap_or(false);
            Some(element)
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The members of a document, as they are written.
    fn members(text: &str) -> Result<Vec<(String, String)>, JsonError> {
        let mut members = vec![];
        object(text.as_bytes(), |key, value| {
            members.push((key.into_owned(), value.0.to_owned()));
            Ok::<_, JsonError>(())
        })?;
        Ok(members)
    }

    /// What is wrong with a document.
    fn error(text: &str) -> String {
        members(text).unwrap_err().to_string()
    }

    #[test]
    fn members_come_in_order_and_as_written() {
        let text =
            " {\"a\" : [1, [ ] ,{\"x\":null}] ,\r\n\t\"\\u0061\":\"\\\"}\",\"c\":-0.5e+3 } \n";
        let pairs = [
            ("a", r#"[1, [ ] ,{"x":null}]"#),
            ("a", r#""\"}""#),
            ("c", "-0.5e+3"),
        ];
        let expected = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(members(text).unwrap(), expected);
        assert_eq!(members("{}").unwrap(), []);
    }

    #[test]
    fn values_are_read_by_their_type() {
        let string = |text| Raw(text).string().map(Cow::into_owned);
        assert_eq!(string(r#""a\n\/\u00e9\ud83e\udd80z""#).unwrap(), "a\n/é🦀z");
        assert_eq!(string("1"), None);
        for (text, value) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("-0", None),
            ("1.0", None),
            ("1e9", None),
            ("\"1\"", None),
            ("null", None),
        ] {
            assert_eq!(Raw(text).integer(), value, "{text}");
        }
        let elements = |text| {
            Raw(text)
                .elements()
                .map(|all| all.map(|e| e.0).collect::<Vec<_>>())
        };
        assert_eq!(
            elements("[ 1 ,[2,3], \"]\"]").unwrap(),
            ["1", "[2,3]", "\"]\""]
        );
        assert_eq!(elements("[]").unwrap(), [""; 0]);
        assert_eq!(elements("{}"), None);
    }

    #[test]
    fn broken_documents_say_what_and_where() {
        for (text, message) in [
            ("", "empty file, expected a .deluge manifest"),
            (" ", "unexpected end at byte 1"),
            ("\u{feff}{}", "not UTF-8 without BOM"),
            ("{\0", "not UTF-8 without BOM"),
            ("[]", "top level must be an object, got array"),
            ("x", "expected a value at byte 0, found 'x'"),
            ("{\"a\":1}{}", "2 bytes after end of manifest"),
            ("{\"a\":1,}", "expected a string at byte 7, found '}'"),
            ("{,}", "expected a string at byte 1, found ','"),
            ("{\"a\" 1}", "expected ':' at byte 5, found '1'"),
            ("{\"a\":01}", "expected ',' or '}' at byte 6, found '1'"),
            ("{\"a\":[1 é]}", "expected ',' or ']' at byte 8, found 'é'"),
            ("{\"a\":[1,]}", "expected a value at byte 8, found ']'"),
            ("{\"a\":-}", "expected a digit at byte 6, found '}'"),
            ("{\"a\":1.}", "expected a digit at byte 7, found '}'"),
            ("{\"a\":1e}", "expected a digit at byte 7, found '}'"),
            ("{\"a\":nul}", "expected null at byte 8, found '}'"),
            (
                "{\"a\":\"\n\"}",
                "bare control character in a string at byte 6",
            ),
            ("{\"a\":\"\\x\"}", "invalid escape at byte 6"),
            ("{\"a\":\"\\u12g4\"}", "invalid escape at byte 6"),
            ("{\"a\":\"\\ud800\"}", "invalid escape at byte 6"),
            ("{\"a\":\"\\ud800\\u0041\"}", "invalid escape at byte 6"),
            ("{\"a\":\"\\udc00\"}", "invalid escape at byte 6"),
            ("{\"a\":[[[[]]]]}", "nesting deeper than 4"),
        ] {
            assert_eq!(error(text), message, "{text:?}");
        }
        assert!(members("{\"a\":[[[]]]}").is_ok());
        assert_eq!(error(&"{\"a\":".repeat(10_000)), "nesting deeper than 4");
    }

    #[test]
    fn a_cut_is_an_unexpected_end_wherever_it_falls() {
        let text = r#"{"aé":[true,false,null,-1.5e-7,"\u00e9\ud83e\udd80\n"],"b":{"c":{}}}"#;
        assert!(members(text).is_ok());
        for cut in 1..text.len() {
            let error = object(&text.as_bytes()[..cut], |_, _| Ok(()));
            assert_eq!(error, Err(JsonError::End(cut)));
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_another_reader(
            pairs in proptest::collection::vec((0..KEYS.len(), 0..VALUES.len()), 0..5),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let pairs = pairs.into_iter().map(|(key, value)| format!("{}:{}", KEYS[key], VALUES[value]));
            let mut text = format!("{{ {} }}", pairs.collect::<Vec<_>>().join(" , "));
            if let Some(cut) = cut {
                text.remove(cut.index(text.len()));
            }
            let theirs: Result<BTreeMap<String, serde_json::Value>, _> = serde_json::from_str(&text);
            match (members(&text), theirs) {
                (Ok(ours), Ok(theirs)) => {
                    let last = ours.into_iter().collect::<BTreeMap<_, _>>();
                    let read = |text: &String| serde_json::from_str(text).unwrap();
                    let ours: BTreeMap<String, serde_json::Value> =
                        last.iter().map(|(key, value)| (key.clone(), read(value))).collect();
                    prop_assert_eq!(ours, theirs);
                }
                (ours, theirs) => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text),
            }
        }
    }

    /// Keys as they may be written.
    const KEYS: [&str; 4] = [r#""a""#, r#""\u0061""#, r#""\n\\""#, r#""""#];
    /// Values, good and bad.
    const VALUES: [&str; 16] = [
        "0",
        "-0.5e+3",
        "12E-2",
        "01",
        "1.",
        "-",
        "true",
        "nul",
        "null",
        r#""a\u00e9""#,
        r#""\ud83e\udd80""#,
        r#""\ud83e""#,
        "[]",
        r#"[1,[{"x":2}]]"#,
        "[1,]",
        r#"{"b":"}"}"#,
    ];
}
