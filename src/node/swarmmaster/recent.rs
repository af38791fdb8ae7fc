//! What searches found a moment ago. People who type ask the same: the first letters of a name, over and
//! over.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::moment::Moment;
use crate::wire::{Extent, Hit, Search};

/// How long what was found is told again. Nobody minds that a container is found half a second later.
const FRESH: Duration = Duration::from_millis(500);
/// Searches that are remembered: with 50 results of 250 bytes each, 13 MB.
const SEARCHES_MAX: usize = 1024;

/// What was found since some moment, for all threads that search.
#[derive(Debug)]
pub(super) struct Recent(Mutex<Found>);

#[derive(Debug)]
struct Found {
    since: Moment,
    all: HashMap<Search, Vec<Hit>>,
}

impl Recent {
    pub(super) fn new() -> Self {
        let (since, all) = (Moment::ORIGIN, HashMap::new());
        Self(Mutex::new(Found { since, all }))
    }

    /// What this search found a moment ago, if it was made.
    pub(super) fn get(&self, now: Moment, search: &Search) -> Option<Vec<Hit>> {
        // a map is whole between any two calls
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = now.since(found.since) < FRESH;
        found.all.get(search).filter(|_| is_fresh).cloned()
    }

    /// A search found this. What ran out of time is asked again.
    pub(super) fn put(&self, now: Moment, search: &Search, extent: Extent, hits: &[Hit]) {
        if extent == Extent::Partial {
            return;
        }
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(found.since) >= FRESH {
            found.all.clear();
            found.since = now;
        }
        if found.all.len() < SEARCHES_MAX {
            found.all.insert(search.clone(), hits.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Mode;

    fn search(text: &str) -> Search {
        Search {
            text: text.to_owned(),
            mode: Mode::Prefix,
            size_min: None,
            size_max: None,
            owner: None,
            since: None,
            seeders_min: 0,
            limit: 10,
        }
    }

    #[test]
    fn what_was_found_is_told_for_half_a_second_and_never_what_was_cut_short() {
        let recent = Recent::new();
        let at = |ms| Moment::ORIGIN + Duration::from_secs(9) + Duration::from_millis(ms);
        recent.put(at(0), &search("u"), Extent::Whole, &[]);
        recent.put(at(400), &search("ub"), Extent::Whole, &[]);
        recent.put(at(400), &search("x"), Extent::Partial, &[]);
        assert_eq!(recent.get(at(499), &search("u")), Some(Vec::new()));
        assert_eq!(recent.get(at(499), &search("x")), None);
        for text in ["u", "ub"] {
            assert_eq!(recent.get(at(500), &search(text)), None, "{text}");
        }
    }

    #[test]
    fn it_does_not_grow() {
        let (recent, now) = (Recent::new(), Moment::ORIGIN);
        for number in 0..2 * SEARCHES_MAX {
            recent.put(now, &search(&number.to_string()), Extent::Whole, &[]);
        }
        assert_eq!(recent.0.lock().unwrap().all.len(), SEARCHES_MAX);
    }
}
