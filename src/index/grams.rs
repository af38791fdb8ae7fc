//! What an index of three-letter pieces is asked for.
//!
//! A demand says what every name that can be right contains. It may let in names that are wrong, which
//! are looked at one by one; it never keeps out one that is right.

use std::collections::BTreeSet;

/// Pieces of one literal that are asked for. More would be read and gain nothing.
const PER_LITERAL_MAX: usize = 6;
/// Pieces in one demand.
const ALL_MAX: usize = 64;

/// What names have to contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grams {
    /// Nothing in particular.
    Anything,
    /// This piece of three characters.
    Piece(String),
    /// Each of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
}

impl Grams {
    /// What contains this literal, which is folded.
    pub fn of(literal: &str) -> Self {
        let letters: Vec<char> = literal.chars().collect();
        if letters.len() < 3 {
            return Self::Anything;
        }
        let last = letters.len() - 3;
        let step = (last / (PER_LITERAL_MAX - 1)).max(3);
        let starts: BTreeSet<usize> = (0..last).step_by(step).chain([last]).collect();
        let piece = |start: usize| Self::Piece(letters[start..start + 3].iter().collect());
        Self::all(starts.into_iter().map(piece))
    }

    /// What fulfils each of these demands.
    pub fn all(demands: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for demand in demands {
            match demand {
                Self::Anything => {}
                Self::All(inner) => parts.extend(inner),
                other @ (Self::Piece(_) | Self::Any(_)) => parts.push(other),
            }
        }
        let mut known = Vec::new();
        for part in parts {
            if !known.contains(&part) {
                known.push(part);
            }
        }
        match known.len() {
            0 => Self::Anything,
            1 => known.remove(0),
            _ => Self::All(known),
        }
    }

    /// What fulfils one of these demands.
    pub fn any(demands: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for demand in demands {
            match demand {
                Self::Anything => return Self::Anything,
                Self::Any(inner) => parts.extend(inner),
                other @ (Self::Piece(_) | Self::All(_)) => parts.push(other),
            }
        }
        match parts.len() {
            0 => Self::Anything,
            1 => parts.remove(0),
            _ => Self::Any(parts),
        }
    }

    /// How many pieces it asks for.
    pub fn len(&self) -> usize {
        match self {
            Self::Anything => 0,
            Self::Piece(_) => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::len).sum(),
        }
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same if it is of a bearable size, and nothing otherwise.
    pub fn bounded(self) -> Self {
        match self.len() <= ALL_MAX {
            true => self,
            false => Self::Anything,
        }
    }

    /// Whether a folded name, with its marks, fulfils it.
    pub fn fits(&self, marked: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Piece(piece) => marked.contains(piece.as_str()),
            Self::All(parts) => parts.iter().all(|part| part.fits(marked)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(marked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str) -> Grams {
        Grams::Piece(text.to_owned())
    }

    #[test]
    fn a_literal_asks_for_pieces_that_cover_its_ends() {
        assert_eq!(Grams::of("ab"), Grams::Anything);
        assert_eq!(Grams::of("abc"), piece("abc"));
        assert_eq!(Grams::of("abcd"), Grams::all([piece("abc"), piece("bcd")]));
        let long = Grams::of("ubuntu-24.04.1-desktop-amd64.iso");
        assert!(long.len() <= PER_LITERAL_MAX + 1, "{long:?}");
        assert!(long.fits("ubuntu-24.04.1-desktop-amd64.iso"));
        assert!(!long.fits("ubuntu-24.04.1-desktop-amd64.is"));
        assert_eq!(Grams::of("äöü"), piece("äöü"));
    }

    #[test]
    fn demands_are_joined_and_bounded() {
        let (a, b) = (piece("aaa"), piece("bbb"));
        assert_eq!(Grams::all([Grams::Anything, a.clone()]), a);
        assert_eq!(Grams::all([a.clone(), a.clone()]), a);
        assert_eq!(Grams::any([a.clone(), Grams::Anything]), Grams::Anything);
        let either = Grams::any([a.clone(), b.clone()]);
        assert!(either.fits("xaaax") && either.fits("bbb") && !either.fits("abab"));
        let many = (0..65).map(|at| piece(&format!("{at:03}")));
        assert_eq!(Grams::any(many).bounded(), Grams::Anything);
    }
}
