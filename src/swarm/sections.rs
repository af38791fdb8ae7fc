//! Contiguous sections of a container, one for each peer (seed `flashget-torrent`).
//!
//! Each peer works through a section of its own from its front. One that is done, or has just come,
//! splits the largest section that is left and takes its back half; a section whose peer has gone is
//! taken whole. So each peer delivers long runs, and a slow one is helped by all the others.
//!
//! Invariants: the sections follow each other without a gap from chunk 0 to the last; a peer has at
//! most one; two neighbours without a peer are one. So there are at most twice as many as peers, and
//! one more.

use std::collections::BTreeMap;
use std::ops::Range;

use super::event::PeerKey;
use crate::chunk::{Bitfield, ChunkIndex};

/// How a container is divided among peers.
#[derive(Debug)]
pub(super) struct Sections {
    /// By its first chunk, whose each section is. It ends where the next begins.
    owners: BTreeMap<u32, Option<PeerKey>>,
    starts: BTreeMap<PeerKey, u32>,
    chunks: u32,
}

impl Sections {
    /// One section, nobody's.
    pub(super) fn new(chunks: u32) -> Self {
        Self {
            owners: BTreeMap::from([(0, None)]),
            starts: BTreeMap::new(),
            chunks,
        }
    }

    /// The chunk to ask a peer for: the first of its own section that is wanted and that it holds,
    /// or else where it should begin in what is left of the largest other section.
    pub(super) fn pick(
        &self,
        peer: PeerKey,
        wanted: &Bitfield,
        held: &Bitfield,
    ) -> Option<ChunkIndex> {
        let own = self.starts.get(&peer).map(|start| self.section(*start));
        let next = own.and_then(|own| held.intersection_in(wanted, own).next());
        next.or_else(|| {
            let left = |start: &u32| held.intersection_count_in(wanted, self.section(*start));
            let all = self
                .owners
                .keys()
                .map(|start| (left(start), std::cmp::Reverse(*start)));
            let (count, std::cmp::Reverse(start)) = all.max()?;
            let taken = self.owners[&start].is_some();
            let nth = if taken { count / 2 } else { 0 };
            held.intersection_in(wanted, self.section(start))
                .nth(nth as usize)
        })
    }

    /// A peer is about to be asked for what was picked for it. From another's section it takes what
    /// begins there.
    pub(super) fn on_picked(&mut self, peer: PeerKey, chunk: ChunkIndex) {
        let chunk = chunk.get();
        let (_, owner) = self.at(chunk);
        if owner == Some(peer) {
            return;
        }
        self.on_gone(peer);
        let start = match owner {
            None => self.at(chunk).0,
            Some(_) => chunk,
        };
        if let Some(Some(robbed)) = self.owners.insert(start, Some(peer)) {
            self.starts.remove(&robbed);
        }
        self.starts.insert(peer, start);
    }

    /// A peer has no section any more.
    pub(super) fn on_gone(&mut self, peer: PeerKey) {
        let Some(start) = self.starts.remove(&peer) else {
            return;
        };
        self.owners.insert(start, None);
        let end = self.section(start).end;
        if self.owners.get(&end) == Some(&None) {
            self.owners.remove(&end);
        }
        let before = self.owners.range(..start).next_back();
        if before.is_some_and(|(_, owner)| owner.is_none()) {
            self.owners.remove(&start);
        }
    }

    /// The section that a chunk is in: its first chunk, and whose it is.
    fn at(&self, chunk: u32) -> (u32, Option<PeerKey>) {
        let section = self.owners.range(..=chunk).next_back();
        let (start, owner) = section.expect("the first section begins at 0");
        (*start, *owner)
    }

    fn section(&self, start: u32) -> Range<u32> {
        let next = self.owners.range(start + 1..).next();
        start..next.map_or(self.chunks, |(next, _)| *next)
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.owners.contains_key(&0));
        assert!(self.owners.keys().all(|start| *start < self.chunks));
        let owned = self
            .owners
            .iter()
            .filter_map(|(at, it)| Some(((*it)?, *at)));
        assert_eq!(owned.collect::<BTreeMap<_, _>>(), self.starts);
        let owners: Vec<_> = self.owners.values().collect();
        let free = |pair: &&[&Option<PeerKey>]| pair[0].is_none() && pair[1].is_none();
        assert_eq!(owners.windows(2).filter(free).count(), 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A container that some peers fetch, one chunk at a time.
    struct Work {
        sections: Sections,
        wanted: Bitfield,
    }

    impl Work {
        fn new(chunks: u32) -> Self {
            Self {
                sections: Sections::new(chunks),
                wanted: Bitfield::full(chunks),
            }
        }

        fn ask(&mut self, peer: u64, held: &Bitfield) -> Option<u32> {
            let chunk = self.sections.pick(PeerKey(peer), &self.wanted, held)?;
            self.sections.on_picked(PeerKey(peer), chunk);
            assert!(self.wanted.remove(chunk));
            self.sections.check();
            Some(chunk.get())
        }

        fn ask_times(&mut self, peer: u64, times: usize) -> Vec<u32> {
            let all = Bitfield::full(self.wanted.len());
            (0..times).map_while(|_| self.ask(peer, &all)).collect()
        }
    }

    #[test]
    fn each_peer_has_a_section_and_newcomers_split_the_largest() {
        let mut work = Work::new(64);
        assert_eq!(work.ask_times(1, 4), [0, 1, 2, 3]);
        assert_eq!(
            work.ask_times(2, 2),
            [34, 35],
            "half of the 60 that are left"
        );
        assert_eq!(work.ask_times(3, 2), [19, 20], "half of the larger rest");
        assert_eq!(work.ask_times(1, 2), [4, 5]);
        assert_eq!(work.ask_times(2, 1), [36]);
    }

    #[test]
    fn a_peer_that_is_done_takes_from_the_largest_that_is_left() {
        let mut work = Work::new(32);
        work.ask_times(1, 1);
        assert_eq!(work.ask_times(2, 16), (16..32).collect::<Vec<_>>());
        assert_eq!(work.ask_times(2, 2), [8, 9], "1 to 15 are left");
        let rest = work.ask_times(2, 100);
        assert_eq!(rest.len(), 13, "down to the last");
    }

    #[test]
    fn what_a_peer_that_goes_had_is_taken_whole() {
        let mut work = Work::new(32);
        work.ask_times(1, 4);
        work.ask_times(2, 4);
        work.sections.on_gone(PeerKey(1));
        assert_eq!(
            work.ask_times(3, 2),
            [4, 5],
            "14 are left of it, and 10 of the other"
        );
    }

    #[test]
    fn a_peer_with_a_part_works_where_it_can() {
        let mut work = Work::new(32);
        work.ask_times(1, 2);
        let mut held = Bitfield::empty(32);
        for chunk in [0, 5, 6, 30] {
            held.insert(ChunkIndex::new(chunk));
        }
        let asked: Vec<_> = std::iter::from_fn(|| work.ask(2, &held)).collect();
        assert_eq!(asked, [6, 30, 5]);
    }

    proptest! {
        #[test]
        fn everything_is_asked_for_once_whoever_comes_and_goes(
            steps in prop::collection::vec((0u64..6, any::<bool>()), 0..200), chunks in 1u32..150,
        ) {
            let mut work = Work::new(chunks);
            let mut asked = Vec::new();
            for (peer, stays) in steps {
                if stays {
                    asked.extend(work.ask_times(peer, 3));
                } else {
                    work.sections.on_gone(PeerKey(peer));
                    work.sections.check();
                }
            }
            asked.extend(work.ask_times(9, chunks as usize + 1));
            asked.sort_unstable();
            prop_assert_eq!(asked, (0..chunks).collect::<Vec<_>>());
        }
    }
}
