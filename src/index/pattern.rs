//! Regular expressions: what each matches, and what every match must contain.
//!
//! The engine takes time linear in the name, whatever the expression (no backtracking), and the
//! size of what it is compiled to is bounded. What is left to fear is that all names are looked at;
//! so the literals that every match contains are read off the parsed expression, and the index is asked
//! for those.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::fold::{END, START, fold};
use super::grams::Grams;

/// What an expression may be compiled to, in bytes.
const COMPILED_BYTES_MAX: usize = 256 * 1024;
/// How deep an expression may nest.
const NEST_MAX: u32 = 24;
/// Characters that a class may have which are one when they are folded.
const SAME_MAX: u32 = 4;

/// A regular expression over names.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    demand: Grams,
}

impl Pattern {
    /// Reads an expression, in the syntax of the `regex` crate. Nothing where it is wrong, too large,
    /// or matches everything.
    pub(super) fn read(text: &str) -> Option<Self> {
        let parsed = regex_syntax::ParserBuilder::new()
            .nest_limit(NEST_MAX)
            .build()
            .parse(text)
            .ok()?;
        let regex = RegexBuilder::new(text)
            .case_insensitive(true)
            .nest_limit(NEST_MAX)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .build()
            .ok()?;
        (!regex.is_match("")).then(|| Self {
            regex,
            demand: demand(&parsed).bounded(),
        })
    }

    /// Whether it matches somewhere in a name.
    pub(super) fn is_match(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// What every name contains that it matches.
    pub(super) const fn demand(&self) -> &Grams {
        &self.demand
    }
}

/// What every match contains.
fn demand(hir: &Hir) -> Grams {
    let mut reader = Reader::default();
    reader.read(hir);
    reader.finish()
}

/// Reads literals off an expression, from left to right.
#[derive(Default)]
struct Reader {
    /// The literal, folded, that goes on here.
    run: String,
    found: Vec<Grams>,
}

impl Reader {
    fn read(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Literal(literal) => match str::from_utf8(&literal.0) {
                Ok(text) => self.run.push_str(&fold(text)),
                Err(_) => self.end_run(),
            },
            HirKind::Class(class) => match single(class) {
                Some(letter) => self.run.push_str(&letter),
                None => self.end_run(),
            },
            HirKind::Look(Look::Start) => {
                self.end_run();
                self.run.extend([START, START]);
            }
            HirKind::Look(Look::End) => {
                self.run.extend([END, END]);
                self.end_run();
            }
            // of no width: a literal goes on behind it
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Capture(capture) => self.read(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.read(part)),
            HirKind::Repetition(repetition) => {
                self.end_run();
                if repetition.min > 0 {
                    self.found.push(demand(&repetition.sub));
                }
            }
            HirKind::Alternation(branches) => {
                self.end_run();
                self.found.push(Grams::any(branches.iter().map(demand)));
            }
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.found.push(Grams::of(&run));
    }

    fn finish(mut self) -> Grams {
        self.end_run();
        Grams::all(self.found)
    }
}

/// What all characters of a class are when they are folded, where that is one thing: `[Aa]`.
fn single(class: &Class) -> Option<String> {
    let Class::Unicode(class) = class else {
        return None;
    };
    let all = class
        .iter()
        .map(|range| u32::from(range.end()) - u32::from(range.start()) + 1);
    if all.sum::<u32>() > SAME_MAX {
        return None;
    }
    let letters = class.iter().flat_map(|range| range.start()..=range.end());
    let mut folded = letters.map(|letter| fold(&letter.to_string()));
    let first = folded.next()?;
    folded.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::read(text).unwrap()
    }

    fn marked(name: &str) -> String {
        format!("{START}{START}{}{END}{END}", fold(name))
    }

    #[test]
    fn literals_are_read_off_whatever_surrounds_them() {
        let asks = |text: &str| pattern(text).demand().clone();
        let lit = Grams::of;
        assert_eq!(asks("ubuntu"), lit("ubuntu"));
        assert_eq!(asks("Ubu[Nn]tu"), lit("ubuntu"));
        assert_eq!(asks("x*linux"), lit("linux"));
        assert_eq!(asks("(linux)+[0-9]"), lit("linux"));
        assert_eq!(asks("lin(?:ux)?abc"), Grams::all([lit("lin"), lit("abc")]));
        assert_eq!(asks("^ub"), lit("\u{2}\u{2}ub"));
        assert_eq!(asks(r"\.iso$"), lit(".iso\u{3}\u{3}"));
        let either = Grams::any([lit("deb"), lit("rpm")]);
        assert_eq!(asks("(deb|rpm)"), either);
        assert_eq!(asks("app.*(deb|rpm)"), Grams::all([lit("app"), either]));
        for text in ["[a-z]+", "a.b", "abc|x", "..."] {
            assert_eq!(asks(text), Grams::Anything, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_or_matches_everything_or_explodes_is_refused() {
        let nested = format!("{}a{}", "(".repeat(99), ")".repeat(99));
        let bombs = [
            "",
            "a*",
            "(",
            "[",
            "(?P<n",
            "a{1000}{1000}",
            r"\pL{200}",
            "(a?){999}",
            &nested,
            "(?i)(x+x+)+y{9999}",
            ".*",
        ];
        for bomb in bombs {
            assert!(Pattern::read(bomb).is_none(), "{bomb}");
        }
    }

    #[test]
    fn what_makes_others_backtrack_for_ever_takes_no_time_here() {
        let slow = pattern(r"^(a+)+b$");
        assert!(!slow.is_match(&"a".repeat(64)));
    }

    proptest! {
        /// Whatever matches fulfils the demand: no result is lost to the index.
        #[test]
        fn a_match_fulfils_the_demand(
            text in r"\^?([abAß]|ab|\[abc\]|\(a\|bc\)|c\+|a\?|\.|\(abc\)\*|k|s){1,6}\$?",
            name in "[abcABCkKs\u{212a}\u{17f}ßẞ]{0,12}",
        ) {
            if let Some(pattern) = Pattern::read(&text)
                && pattern.is_match(&name)
            {
                prop_assert!(pattern.demand().fits(&marked(&fold(&name))), "{text} {name}");
            }
        }
    }
}
