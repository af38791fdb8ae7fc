//! Display names: what a publisher calls a container.
//!
//! A name is shown to people and is never a path, a command or an identity, so `../../x`, `CON` and
//! `<img>` are names like any other, and surfaces escape what their medium needs. What no surface
//! could show without harm is refused: control characters (they move a terminal's cursor and
//! colours), marks that turn the direction of text around (they make `exe.tar` read `rat.exe`), and
//! line separators.

use crate::limits::NAME_CHARS_MAX;

/// What stands in for a name of which nothing is left.
const UNNAMED: &str = "unnamed";

/// Why a text is not a display name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing to show.
    #[error("name is empty")]
    Empty,
    /// It has more than [`NAME_CHARS_MAX`] characters.
    #[error("name has {0} characters > limit {NAME_CHARS_MAX}")]
    Length(usize),
    /// A character in it would harm those who see it.
    #[error("name has {what} U+{:04X} at character {at}", u32::from(*found))]
    Character {
        /// What kind of character it is.
        what: &'static str,
        /// The character.
        found: char,
        /// Its position, in characters from 0.
        at: usize,
    },
}

/// Passes a text that is fit to be shown.
pub(super) fn check(text: &str) -> Result<(), NameError> {
    let harm = |(at, found)| harm(found).map(|what| NameError::Character { what, found, at });
    match text.chars().count() {
        0 => Err(NameError::Empty),
        length if length > NAME_CHARS_MAX => Err(NameError::Length(length)),
        _ => text.chars().enumerate().find_map(harm).map_or(Ok(()), Err),
    }
}

/// The nearest text that [`check`] passes: for names of our own making, such as file names.
pub(super) fn sanitise(text: &str) -> String {
    let shown = |c: char| if harm(c).is_some() { '_' } else { c };
    match text {
        "" => UNNAMED.to_owned(),
        _ => text.chars().take(NAME_CHARS_MAX).map(shown).collect(),
    }
}

/// What is wrong with a character, if anything.
fn harm(c: char) -> Option<&'static str> {
    match c {
        // Unicode category Cc: C0, DEL and C1, with NUL, ESC and line feed among them
        _ if c.is_control() => Some("control character"),
        // property Bidi_Control (UAX 9)
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some("direction mark")
        }
        '\u{2028}' | '\u{2029}' => Some("line separator"),
        '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => {
            Some("invisible character")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_names_pass_as_they_are() {
        for name in [
            "x",
            "../../x",
            "CON",
            "<img onerror>",
            "Контейнер 🦀",
            &"é".repeat(64),
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
            assert_eq!(sanitise(name), name);
        }
    }

    #[test]
    fn harmful_names_say_where() {
        for (name, error) in [
            ("", "name is empty"),
            ("a\0b", "name has control character U+0000 at character 1"),
            (
                "\x1b[2J",
                "name has control character U+001B at character 0",
            ),
            (
                "\u{9b}2J",
                "name has control character U+009B at character 0",
            ),
            (
                "é\u{202e}x",
                "name has direction mark U+202E at character 1",
            ),
            (
                "a\u{2028}b",
                "name has line separator U+2028 at character 1",
            ),
            (
                "a\u{200b}",
                "name has invisible character U+200B at character 1",
            ),
        ] {
            assert_eq!(check(name).unwrap_err().to_string(), error);
            assert_eq!(check(&sanitise(name)), Ok(()), "{name:?}");
        }
        let long = "é".repeat(65);
        assert_eq!(check(&long), Err(NameError::Length(65)));
        assert_eq!(check(&sanitise(&long)), Ok(()));
    }
}
