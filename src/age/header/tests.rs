//! Headers that open, and all the ways in which they must not.

use super::*;

const FILE_KEY: [u8; 16] = *b"sixteen bytes...";

fn key(number: u8) -> Key {
    Key::new([number; 32])
}

/// A header for the keys with these numbers.
fn header(numbers: &[u8]) -> Vec<u8> {
    let recipients: Vec<_> = numbers
        .iter()
        .map(|number| (key(*number).recipient(), key(100 + number)))
        .collect();
    FileKey::new(FILE_KEY).header(&recipients).unwrap()
}

fn open(bytes: &[u8], number: u8) -> Result<Vec<u8>, HeaderError> {
    let file_key = Header::decode(bytes)?.open(&key(number))?;
    Ok(file_key.as_bytes().to_vec())
}

fn malformed(what: &'static str, line: usize) -> Result<Vec<u8>, HeaderError> {
    Err(HeaderError::Malformed { what, line })
}

#[test]
fn each_recipient_opens_it_and_nobody_else() {
    let mut bytes = header(&[1, 2, 3]);
    let len = bytes.len();
    bytes.extend_from_slice(b"payload");
    assert_eq!(Header::decode(&bytes).unwrap().end(), len);
    for number in [1, 2, 3] {
        assert_eq!(open(&bytes, number).unwrap(), FILE_KEY);
    }
    assert_eq!(open(&bytes, 4), Err(HeaderError::NotForUs));
}

#[test]
fn for_nobody_and_for_too_many_it_is_not_written() {
    let file_key = FileKey::new(FILE_KEY);
    let error = |found| Err(HeaderError::Recipients { found });
    assert_eq!(file_key.header(&[]), error(0));
    let many = || (key(1).recipient(), key(2));
    let many: Vec<_> = std::iter::repeat_with(many)
        .take(RECIPIENTS_MAX + 1)
        .collect();
    assert_eq!(file_key.header(&many), error(RECIPIENTS_MAX + 1));
    let most = file_key.header(&many[1..]).unwrap();
    assert!(most.len() <= HEADER_BYTES_MAX, "what we write we read");
    let nobody = (Recipient::from_bytes([0; 32]), key(1));
    assert_eq!(file_key.header(&[nobody]), error(0));
}

#[test]
fn any_change_of_any_byte_is_noticed() {
    let bytes = header(&[1]);
    for at in 0..bytes.len() {
        for bit in [1, 0x20] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            assert!(open(&changed, 1).is_err(), "byte {at}");
        }
        assert!(open(&bytes[..at], 1).is_err(), "{at} bytes of it");
    }
}

#[test]
fn a_recipient_that_was_put_in_or_taken_out_is_noticed() {
    let (one, two) = (header(&[1]), header(&[1, 2]));
    let end = |bytes: &[u8]| bytes.windows(3).position(|it| it == b"---").unwrap();
    let forged = [&two[..end(&two)], &one[end(&one)..]].concat();
    assert_eq!(open(&forged, 1), Err(HeaderError::Changed));
    let forged = [&one[..end(&one)], &two[end(&two)..]].concat();
    assert_eq!(open(&forged, 1), Err(HeaderError::Changed));
}

#[test]
fn other_kinds_of_recipients_are_passed_over() {
    let stanza = "-> something-else with words\nAAAA\n-> empty\n\n";
    let long = format!("-> long\n{}\n\n", "A".repeat(64));
    let text = format!("{VERSION}{stanza}{long}--- {}\n", "A".repeat(43));
    assert_eq!(open(text.as_bytes(), 1), Err(HeaderError::NotForUs));
}

#[test]
fn what_breaks_the_format_says_where() {
    let share = "A".repeat(43);
    let mac = format!("--- {share}\n");
    for (body, what, line) in [
        (String::new(), "the file ends", 2),
        (mac.clone(), "it is for nobody", 2),
        (
            "->  X25519\n".into(),
            "words with one space between were expected",
            2,
        ),
        (
            "-> X\u{e4}\n".into(),
            "words with one space between were expected",
            2,
        ),
        ("stanza\n".into(), "a stanza was expected", 2),
        (
            format!("-> X25519 {share}\nAAAA\n"),
            "an X25519 stanza has 32 bytes and 32",
            3,
        ),
        (
            format!("-> X25519\n{share}\n"),
            "an X25519 stanza has 32 bytes and 32",
            3,
        ),
        (
            format!("-> a\n{}\n", "A".repeat(65)),
            "a line of more than 64 characters",
            3,
        ),
        ("-> a\nA\n".into(), "base64 without padding was expected", 3),
        (
            "-> a\nAA==\n".into(),
            "base64 without padding was expected",
            3,
        ),
        (
            "-> a\nAB\n".into(),
            "base64 without padding was expected",
            3,
        ),
        (
            "-> a\n\n--- AAAA\n".into(),
            "a MAC of 32 bytes was expected",
            4,
        ),
        (
            format!("-> a\n\n-> scrypt b\n\n{mac}"),
            "a passphrase must be the only stanza",
            6,
        ),
    ] {
        let text = format!("{VERSION}{body}");
        assert_eq!(open(text.as_bytes(), 1), malformed(what, line), "{body}");
    }
    assert_eq!(open(b"tar", 1), Err(HeaderError::OtherFormat));
    let binary = [VERSION.as_bytes(), b"\xff\xfe\n"].concat();
    assert_eq!(open(&binary, 1), malformed("text was expected", 2));
}

#[test]
fn a_header_that_does_not_end_is_not_read_for_long() {
    let stanzas = "-> a\nAAAA\n".repeat(10_000);
    let text = format!("{VERSION}{stanzas}");
    assert_eq!(open(text.as_bytes(), 1), Err(HeaderError::TooLong));
}
