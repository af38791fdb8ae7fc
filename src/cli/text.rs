//! Text that is fit for a terminal.

/// Makes a text harmless: characters that move the cursor, change colours, hide, or turn the direction
/// of writing are shown as escapes. Errors quote what peers and files say, so all of stderr passes here.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_harmful(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

fn is_harmful(c: char) -> bool {
    // property Bidi_Control (UAX 9), line separators, and what cannot be seen
    let marks = "\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{feff}";
    c.is_control()
        || marks.contains(c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2060}'..='\u{2069}').contains(&c)
        || ('\u{fff9}'..='\u{fffb}').contains(&c)
}

/// A number of things: `1 chunk`, `2 chunks`.
pub(super) fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_harm_a_terminal_is_escaped() {
        assert_eq!(shown("Контейнер 🦀 <b>"), "Контейнер 🦀 <b>");
        assert_eq!(shown("\x1b[2J\u{9b}"), "\\u{1b}[2J\\u{9b}");
        assert_eq!(shown("a\u{202e}b\r\n"), "a\\u{202e}b\\u{d}\\u{a}");
        assert_eq!(shown("\u{2066}\u{feff}"), "\\u{2066}\\u{feff}");
    }

    #[test]
    fn one_is_singular() {
        let all = [0, 1, 2].map(|number| count(number, "peer"));
        assert_eq!(all, ["0 peers", "1 peer", "2 peers"]);
    }
}
