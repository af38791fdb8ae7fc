//! How fetches go: their order, their readers, limits and pauses, from the start and as they change.
//!
//! A fetch remembers its [`Course`], because it may be given before the manifest is known; once the
//! container takes part the core is told all of it, and each change as it comes.

use std::ops::Range;
use std::time::Duration;

use super::driver::Driver;
use super::quest::FetchId;
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::manifest::Layout;
use crate::net::Lane;
use crate::swarm::{Input, Order, Rates, Wish};

/// How a fetch is to go.
#[derive(Debug)]
pub(super) struct Course {
    order: Order,
    rates: Rates,
    /// Ranges in bytes.
    readers: Vec<Range<u64>>,
    pace: Pace,
    /// The first wait where its bytes cannot be written.
    disk_retry: Duration,
}

/// Whether a fetch goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Going,
    Paused,
}

/// What changes about it.
#[derive(Debug)]
pub(super) enum Change {
    Order(Order),
    Readers(Vec<Range<u64>>),
    Limit(Rates),
    Pause,
    Resume,
}

impl Course {
    /// How a fetch goes at first.
    pub(super) fn new(order: Order, rates: Rates, disk_retry: Duration) -> Self {
        Self {
            order,
            rates,
            readers: Vec::new(),
            pace: Pace::Going,
            disk_retry,
        }
    }

    pub(super) fn order(&self) -> Order {
        self.order
    }

    pub(super) fn rates(&self) -> Rates {
        self.rates
    }

    pub(super) fn disk_retry(&self) -> Duration {
        self.disk_retry
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pace == Pace::Paused
    }

    fn on_change(&mut self, change: Change) {
        match change {
            Change::Order(order) => self.order = order,
            Change::Readers(readers) => self.readers = readers,
            Change::Limit(rates) => self.rates = rates,
            Change::Pause => self.pace = Pace::Paused,
            Change::Resume => self.pace = Pace::Going,
        }
    }

    /// All of it, as the core is told.
    fn wishes(&self, layout: Layout) -> [Wish; 4] {
        let readers = self.readers.iter().map(|range| chunks_of(layout, range));
        [
            Wish::Order(self.order),
            Wish::Limit(self.rates),
            Wish::Readers(readers.collect()),
            match self.pace {
                Pace::Going => Wish::Resume,
                Pace::Paused => Wish::Pause,
            },
        ]
    }
}

impl Driver {
    /// A fetch is to go another way.
    pub(super) fn on_steer(&mut self, fetch: FetchId, change: Change) {
        let Some(quest) = self.quests.get_mut(&fetch) else {
            return;
        };
        quest.course.on_change(change);
        quest.useful_at = self.clock.now();
        self.tell_course(fetch);
    }

    /// Tells the core how a fetch is to go, if its container takes part. What it knows already
    /// changes nothing.
    pub(super) fn tell_course(&mut self, fetch: FetchId) {
        let Some(quest) = self.quests.get(&fetch).filter(|quest| quest.has_bytes()) else {
            return;
        };
        let Some(manifest) = &quest.manifest else {
            return;
        };
        let (id, wishes) = (manifest.id(), quest.course.wishes(manifest.layout()));
        self.limit_lines(&id, quest.course.rates);
        for wish in wishes {
            self.tell(Input::Steer { id, wish });
        }
    }

    /// Other limits hold for a container, or for all of them together.
    pub(super) fn on_limit(&mut self, id: Option<ManifestId>, rates: Rates) {
        match id {
            Some(id) => {
                let mut quests = self.quests.values_mut();
                if let Some(quest) = quests.find(|quest| quest.manifest_id() == Some(id)) {
                    quest.course.rates = rates;
                }
                self.limit_lines(&id, rates);
                let wish = Wish::Limit(rates);
                self.tell(Input::Steer { id, wish });
            }
            None => {
                self.up.limit(rates.up);
                self.down.limit(rates.down);
                self.tell(Input::Limit { rates });
            }
        }
    }

    /// The way out for what is sent of a container.
    pub(super) fn lane_up(&self, id: &ManifestId) -> Lane {
        let entry = self.catalog.get(id);
        entry.map_or_else(|| Lane::all(&self.up), |it| Lane::of(&self.up, &it.up))
    }

    fn limit_lines(&self, id: &ManifestId, rates: Rates) {
        if let Some(entry) = self.catalog.get(id) {
            entry.up.limit(rates.up);
            entry.down.limit(rates.down);
        }
    }
}

/// The chunks that a range of bytes touches.
fn chunks_of(layout: Layout, bytes: &Range<u64>) -> Range<ChunkIndex> {
    let chunk_size = u64::from(layout.chunk_size());
    let end = bytes.end.min(layout.size()).div_ceil(chunk_size);
    let start = (bytes.start / chunk_size).min(end);
    let chunk = |at: u64| ChunkIndex::new(u32::try_from(at).expect("a layout's chunks fit"));
    chunk(start)..chunk(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_bytes_touches_chunks() {
        let layout = Layout::new(100_000, 32 * 1024).unwrap();
        for (bytes, chunks) in [
            (0..1, 0..1),
            (0..32_768, 0..1),
            (32_767..32_769, 0..2),
            (40_000..u64::MAX, 1..4),
            (0..0, 0..0),
            (u64::MAX - 1..u64::MAX, 4..4),
        ] {
            let found = chunks_of(layout, &bytes);
            assert_eq!(found.start.get()..found.end.get(), chunks, "{bytes:?}");
        }
    }
}
