//! Percent-encoding (RFC 3986 section 2.1), for the one field of a link that is free text.
//!
//! `decode` takes what `encode` writes and, for people, hexadecimal digits of either case and
//! encoded bytes that need not be; a byte that should be encoded must be.

/// A text with all but the plain bytes percent-encoded.
pub(super) fn encode(text: &str) -> String {
    let byte = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The text that was percent-encoded, with digits of either case; none if it is not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = vec![];
    let mut rest = text.bytes();
    let nibble = |digit: Option<u8>| {
        let digit = char::from(digit?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => nibble(rest.next())? << 4 | nibble(rest.next())?,
            plain if is_plain(plain) => plain,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Whether a byte stands for itself in a link (RFC 3986 section 2.3).
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (text, code) in [
            ("plain-._~Z9", "plain-._~Z9"),
            ("a b&c=d%", "a%20b%26c%3Dd%25"),
            ("é🦀", "%C3%A9%F0%9F%A6%80"),
            ("", ""),
        ] {
            assert_eq!(encode(text), code);
            assert_eq!(decode(code).as_deref(), Some(text));
        }
        assert_eq!(decode("%c3%A9%61").as_deref(), Some("éa"));
    }

    #[test]
    fn what_is_not_encoded_is_refused() {
        for code in ["a b", "é", "+", "%", "%4", "%4g", "%+4", "%ff", "%c3"] {
            assert_eq!(decode(code), None, "{code}");
        }
    }
}
