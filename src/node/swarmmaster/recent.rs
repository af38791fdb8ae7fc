//! What searches found a moment ago. People who type ask the same: the first letters of a name, over and
//! over.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::moment::Moment;
use crate::wire::Search;

/// How long what was found is told again. Nobody minds that a container is found half a second later.
const FRESH: Duration = Duration::from_millis(500);
/// Searches that are remembered: of fifty results in 12 KiB each, 13 MB.
const SEARCHES_MAX: usize = 1024;

/// What was found since some moment, for all threads that search.
#[derive(Debug)]
pub(super) struct Recent(Mutex<Found>);

#[derive(Debug)]
struct Found {
    since: Moment,
    all: HashMap<Search, Bytes>,
}

impl Recent {
    pub(super) fn new() -> Self {
        let (since, all) = (Moment::ORIGIN, HashMap::new());
        Self(Mutex::new(Found { since, all }))
    }

    /// The listing of what this search found a moment ago, if it was made.
    pub(super) fn get(&self, now: Moment, search: &Search) -> Option<Bytes> {
        // a map is whole between any two calls
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = now.since(found.since) < FRESH;
        found.all.get(search).filter(|_| is_fresh).cloned()
    }

    /// A search found this.
    pub(super) fn put(&self, now: Moment, search: &Search, listing: Bytes) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(found.since) >= FRESH {
            found.all.clear();
            found.since = now;
        }
        if found.all.len() < SEARCHES_MAX {
            found.all.insert(search.clone(), listing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Mode;

    fn search(text: &str) -> Search {
        Search::new(text, Mode::Prefix)
    }

    #[test]
    fn what_was_found_is_told_for_half_a_second() {
        let recent = Recent::new();
        let at = |ms| Moment::ORIGIN + Duration::from_secs(9) + Duration::from_millis(ms);
        let listing = |text| Bytes::from_static(text);
        recent.put(at(0), &search("u"), listing(b"1"));
        recent.put(at(400), &search("ub"), listing(b"2"));
        assert_eq!(recent.get(at(499), &search("u")), Some(listing(b"1")));
        assert_eq!(recent.get(at(499), &search("x")), None);
        for text in ["u", "ub"] {
            assert_eq!(recent.get(at(500), &search(text)), None, "{text}");
        }
    }

    #[test]
    fn it_does_not_grow() {
        let (recent, now) = (Recent::new(), Moment::ORIGIN);
        for number in 0..2 * SEARCHES_MAX {
            recent.put(now, &search(&number.to_string()), Bytes::new());
        }
        assert_eq!(recent.0.lock().unwrap().all.len(), SEARCHES_MAX);
    }
}
