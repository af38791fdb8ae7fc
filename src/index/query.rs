//! A search: which entries are looked at, in which order, and which of them are right.
//!
//! The store walks the [`Route`] and shows each entry's name to [`Query::fits`]; what stands in columns it
//! compares with the filters itself or lets [`Query::admits`] do it. The walk ends at the limit or when
//! its time is over, so nothing that anybody asks costs more than that.

use super::fold::{END, START, fold};
use super::grams::Grams;
use super::pattern::Pattern;
use crate::digest::Address;
use crate::limits::HITS_MAX;
use crate::wire::{Mode, Search};

/// A search that can be made.
#[derive(Debug, Clone)]
pub struct Query {
    name: Name,
    bounds: Bounds,
    owner: Option<Address>,
    limit: usize,
}

/// What a name has to be.
#[derive(Debug, Clone)]
enum Name {
    /// To contain each of these, folded.
    Words(Vec<String>),
    /// To begin with this, folded.
    Prefix(String),
    Pattern(Pattern),
}

/// What an entry's columns have to be: sizes in bytes, `since` in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At least so large.
    pub size_min: u64,
    /// At most so large.
    pub size_max: u64,
    /// Signed then or later.
    pub since: u64,
    /// Held whole in so many subnets.
    pub seeders_min: u32,
}

/// Which entries are looked at, all in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Those whose names contain this.
    Grams(Grams),
    /// Those of this owner.
    Owner(Address),
    /// All.
    All,
}

/// Why a search cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is neither a text nor an owner.
    #[error("E-QUERY: nothing to search for")]
    Empty,
    /// The regular expression is none, is too large, or matches every name.
    #[error("E-QUERY: not a regular expression of a bearable size, or it matches everything")]
    Pattern,
}

impl Query {
    /// Reads what somebody asks.
    pub fn read(search: &Search) -> Result<Self, QueryError> {
        let name = match search.mode {
            Mode::Words => Name::Words(words(&search.text)),
            Mode::Prefix => Name::Prefix(fold(search.text.trim_start())),
            Mode::Regex => Name::Pattern(Pattern::read(&search.text).ok_or(QueryError::Pattern)?),
        };
        let says_nothing = match &name {
            Name::Words(words) => words.is_empty(),
            Name::Prefix(prefix) => prefix.is_empty(),
            Name::Pattern(_) => false,
        };
        if says_nothing && search.owner.is_none() {
            return Err(QueryError::Empty);
        }
        Ok(Self {
            name,
            bounds: Bounds {
                size_min: search.size_min.unwrap_or(0),
                size_max: search.size_max.unwrap_or(u64::MAX),
                since: search.since.unwrap_or(0),
                seeders_min: search.seeders_min,
            },
            owner: search.owner,
            limit: usize::from(search.limit).clamp(1, HITS_MAX),
        })
    }

    /// Which entries to look at.
    pub fn route(&self) -> Route {
        if let Some(owner) = self.owner {
            return Route::Owner(owner);
        }
        let demand = match &self.name {
            Name::Words(words) => Grams::all(words.iter().map(|word| Grams::of(word))),
            // one letter needs both marks, and more letters tell more than they
            Name::Prefix(prefix) if prefix.chars().nth(1).is_none() => {
                Grams::of(&format!("{START}{START}{prefix}"))
            }
            Name::Prefix(prefix) => Grams::of(&format!("{START}{prefix}")),
            Name::Pattern(pattern) => pattern.demand().clone(),
        };
        match demand.bounded() {
            Grams::Anything => Route::All,
            demand @ (Grams::Piece(_) | Grams::All(_) | Grams::Any(_)) => Route::Grams(demand),
        }
    }

    /// Whether a name is one that is looked for.
    pub fn fits(&self, name: &str) -> bool {
        match &self.name {
            Name::Words(words) => {
                let folded = fold(name);
                words.iter().all(|word| folded.contains(word.as_str()))
            }
            Name::Prefix(prefix) => fold(name).starts_with(prefix.as_str()),
            Name::Pattern(pattern) => pattern.is_match(name),
        }
    }

    /// Whether a container of this size, owner, signing time and number of seeders is looked for.
    pub fn admits(&self, size: u64, owner: &Address, time: u64, seeders: u32) -> bool {
        let bounds = &self.bounds;
        (bounds.size_min..=bounds.size_max).contains(&size)
            && self.owner.is_none_or(|wanted| wanted == *owner)
            && time >= bounds.since
            && seeders >= bounds.seeders_min
    }

    /// What [`Query::admits`] compares, for a store that can compare it itself.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What names begin with, folded, if that is all that is asked of them.
    pub fn start(&self) -> Option<&str> {
        match &self.name {
            Name::Prefix(prefix) if self.owner.is_none() => Some(prefix),
            Name::Prefix(_) | Name::Words(_) | Name::Pattern(_) => None,
        }
    }

    /// What every name that [fits](Query::fits) contains when it is folded and between its marks. For words and
    /// prefixes that is all there is to it.
    pub fn parts(&self) -> Vec<String> {
        match &self.name {
            Name::Words(words) => words.clone(),
            Name::Prefix(prefix) if prefix.is_empty() => Vec::new(),
            Name::Prefix(prefix) => vec![format!("{START}{START}{prefix}")],
            Name::Pattern(_) => Vec::new(),
        }
    }

    /// How many results are wanted.
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

/// A folded name as the index knows it: between its marks.
pub(super) fn marked(folded: &str) -> String {
    format!("{START}{START}{folded}{END}{END}")
}

/// The words of a text; a longer one that contains a shorter one says both.
fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let all: Vec<&str> = folded.split_whitespace().collect();
    let mut words: Vec<String> = Vec::new();
    for (at, word) in all.iter().enumerate() {
        let said = |(other_at, other): (usize, &&str)| {
            other_at != at && other.contains(word) && (other != word || other_at < at)
        };
        if !all.iter().enumerate().any(said) {
            words.push((*word).to_owned());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn search(text: &str, mode: Mode) -> Search {
        Search::new(text, mode)
    }

    fn query(text: &str, mode: Mode) -> Query {
        Query::read(&search(text, mode)).unwrap()
    }

    #[test]
    fn all_words_count_in_any_order_and_a_prefix_only_at_the_start() {
        let name = "ubuntu-24.04-desktop-ARM64.iso";
        for (text, mode, fits) in [
            ("ubuntu arm64", Mode::Words, true),
            ("arm64  Ubuntu", Mode::Words, true),
            ("ubuntu amd64", Mode::Words, false),
            ("u", Mode::Words, true),
            ("Ubuntu-24", Mode::Prefix, true),
            ("u", Mode::Prefix, true),
            ("buntu", Mode::Prefix, false),
            (r"^ubuntu-\d+\.\d+.*arm64", Mode::Regex, true),
            (r"arm64$", Mode::Regex, false),
        ] {
            let query = query(text, mode);
            assert_eq!(query.fits(name), fits, "{text}");
            if let (true, Route::Grams(demand)) = (fits, query.route()) {
                assert!(demand.fits(&marked(&fold(name))), "{text}: {demand:?}");
            }
        }
    }

    #[test]
    fn one_letter_is_enough_for_a_prefix_and_three_for_a_word() {
        let goes = |text, mode| query(text, mode).route() != Route::All;
        assert!(goes("u", Mode::Prefix) && goes("ubu", Mode::Words));
        assert!(!goes("ub", Mode::Words) && !goes("u b", Mode::Words));
        assert!(goes("ab ubuntu", Mode::Words) && !goes("[a-z]b", Mode::Regex));
    }

    #[test]
    fn filters_and_owners() {
        let owner = Address::new(Digest::of(b"owner"));
        let other = Address::new(Digest::of(b"other"));
        let query = Query::read(&Search {
            size_min: Some(10),
            size_max: Some(20),
            owner: Some(owner),
            since: Some(5),
            seeders_min: 2,
            ..search("", Mode::Words)
        });
        let query = query.unwrap();
        assert_eq!(query.route(), Route::Owner(owner));
        assert!(query.fits("anything") && query.admits(10, &owner, 5, 2));
        for (size, owner, time, seeders) in [
            (9, owner, 5, 2),
            (21, owner, 5, 2),
            (10, other, 5, 2),
            (10, owner, 4, 2),
            (10, owner, 5, 1),
        ] {
            assert!(!query.admits(size, &owner, time, seeders));
        }
    }

    #[test]
    fn nothing_to_search_for_is_an_error() {
        for (text, mode, error) in [
            ("", Mode::Words, QueryError::Empty),
            (" \t", Mode::Words, QueryError::Empty),
            (" ", Mode::Prefix, QueryError::Empty),
            ("", Mode::Regex, QueryError::Pattern),
            ("a{9}{9}{9}{9}{9}", Mode::Regex, QueryError::Pattern),
        ] {
            assert_eq!(
                Query::read(&search(text, mode)).unwrap_err(),
                error,
                "{text}"
            );
        }
    }
}
