//! Names as they are compared: in lower case, and with marks where they begin and end.

/// Stands twice before a folded name, so that its first letter already makes a piece of three.
pub(super) const START: char = '\u{2}';
/// Stands twice behind a folded name.
pub(super) const END: char = '\u{3}';

/// A name, or a piece of a query, as it is compared: each character by the small form of its capital,
/// so that all that a case-insensitive regular expression takes for one is one here. Control characters,
/// which no name has, become spaces, so that nobody writes the marks.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'a'..='z' => folded.push(c),
            _ if c.is_ascii() && !c.is_control() => folded.push(c.to_ascii_lowercase()),
            _ if c.is_control() => folded.push(' '),
            _ => {
                let small = c.to_lowercase().flat_map(char::to_uppercase);
                folded.extend(small.flat_map(char::to_lowercase));
            }
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_its_oddities_do_not_matter() {
        for (one, other) in [
            ("Ubuntu-24.04.ISO", "ubuntu-24.04.iso"),
            ("ÄPFEL", "äpfel"),
            ("Straße", "STRASSE"),
            ("ẞ", "ß"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("\u{212a}elvin", "kelvin"),
            ("mo\u{17f}t", "MOST"),
        ] {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        assert_eq!(fold("a\u{2}b\n"), "a b ");
    }
}
