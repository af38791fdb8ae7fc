//! What clients ask: drawn from the names that there are.

use swarmhold::wire::{Mode, Request, Search, Wanted};

use crate::Part;
use crate::fill::manifest_id;

/// xorshift64*, Vigna 2016.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        usize::try_from(number % bound.max(1) as u64).unwrap_or(0)
    }
}

/// The next request of a part that only asks.
pub(crate) fn question(part: Part, names: &[String], random: &mut Random) -> Request {
    let at = random.below(names.len());
    match part {
        Part::Lookup => Request::Lookup {
            wanted: Wanted::Manifest(manifest_id(at)),
            limit: 50,
        },
        Part::Search | Part::Mixed | Part::Overload => {
            search(piece(&names[at], 3, 8, random), Mode::Words)
        }
        Part::Prefix => {
            let len = 1 + random.below(6);
            search(names[at].chars().take(len).collect(), Mode::Prefix)
        }
        Part::Short => {
            let len = 1 + random.below(2);
            search(piece(&names[at], len, len, random), Mode::Words)
        }
        Part::Regex | Part::Fill | Part::Register | Part::Idle => regex(&names[at], random),
    }
}

/// An expression with three letters of a name in it.
fn regex(name: &str, random: &mut Random) -> Request {
    let literal = piece(name, 3, 3, random);
    let literal: String = literal
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let literal = if literal.len() == 3 {
        literal
    } else {
        "lib".to_owned()
    };
    let text = match random.below(4) {
        0 => format!("{literal}[a-z]+"),
        1 => format!("^.{{0,6}}{literal}"),
        2 => format!("{literal}.*[0-9]$"),
        _ => format!("[-_]{literal}"),
    };
    search(text, Mode::Regex)
}

/// Letters from the middle of a name.
fn piece(name: &str, least: usize, most: usize, random: &mut Random) -> String {
    let letters: Vec<char> = name.chars().filter(|c| !c.is_whitespace()).collect();
    let len = (least + random.below(most - least + 1)).min(letters.len());
    let start = random.below(letters.len() - len + 1);
    letters[start..start + len].iter().collect()
}

fn search(text: String, mode: Mode) -> Request {
    Request::Search(Search {
        limit: 20,
        ..Search::new(text, mode)
    })
}
