//! The index as a master uses it: who is named, what is found, and what a flood changes.
//!
//! Every test runs against each engine that there is.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use super::postgres::server;
use super::*;
use crate::digest::{Address, Digest, ProgramId};
use crate::wire::{Mode, Search};

/// Seconds since 1970, at the start of each test.
pub(super) const START: u64 = 1_790_000_000;

/// An index of its own.
pub(super) struct World {
    pub(super) index: Box<dyn IndexStore>,
    /// Registrations that it takes in some seconds.
    pub(super) flood: u32,
    place: IndexPlace,
    _home: Box<dyn Any>,
}

impl World {
    /// One of each engine that there is.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let engines: [fn() -> Option<Self>; 2] = [Self::sqlite, Self::postgres];
        engines.into_iter().filter_map(|make| make())
    }

    fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self::at(
            IndexPlace::in_folder(folder.path()),
            100_000,
            folder,
        ))
    }

    fn postgres() -> Option<Self> {
        let server = server::own_database()?;
        let place = IndexPlace::Postgres(server.url.parse().unwrap());
        Some(Self::at(place, 10_000, server))
    }

    fn at(place: IndexPlace, flood: u32, home: impl Any) -> Self {
        println!("in {place:?}");
        Self {
            index: place.open_to_write().unwrap(),
            flood,
            place,
            _home: Box::new(home),
        }
    }

    pub(super) fn write(&mut self, now: u64, changes: &[Change]) -> Vec<Outcome> {
        self.index.write(now, changes).unwrap()
    }

    pub(super) fn list(&mut self, name: &str, node: u32, subnet: u64) -> Outcome {
        self.write(START, &[listing(name, node, subnet)])[0]
    }

    pub(super) fn found(&mut self, text: &str, mode: Mode) -> Vec<String> {
        let query = Query::read(&search(text, mode)).unwrap();
        let (extent, hits) = self.index.search(&query, Stop::when(|| false)).unwrap();
        assert_eq!(extent, Extent::Whole);
        hits.into_iter().map(|hit| hit.name).collect()
    }

    pub(super) fn named(&mut self, now: u64, name: &str) -> Vec<Listed> {
        let wanted = Wanted::Manifest(facts(name).manifest_id);
        self.index.holders(now, wanted, 7).unwrap()
    }
}

pub(super) fn search(text: &str, mode: Mode) -> Search {
    Search::new(text, mode)
}

pub(super) fn address(node: u32) -> Address {
    Address::new(Digest::of(&node.to_le_bytes()))
}

pub(super) fn seat(node: u32) -> Seat {
    Seat {
        address: address(node),
        remote: SocketAddr::from(([198, 51, 100, 7], 7922)),
    }
}

pub(super) fn facts(name: &str) -> Facts {
    let digest = |what: &str| Digest::of(format!("{what} {name}").as_bytes());
    Facts {
        manifest_id: ManifestId::new(digest("manifest")),
        program_id: ProgramId::new(digest("program")),
        owner: address(0),
        name: name.to_owned(),
        size: 1000,
        chunks: 4,
        time: START,
    }
}

pub(super) fn member(node: u32, subnet: u64) -> Member {
    Member {
        seat: seat(node),
        listen: vec![SocketAddr::from(([192, 0, 2, 7], 7922))],
        subnet,
        is_open: true,
    }
}

pub(super) const WHOLE: Holding = Holding {
    chunks: 4,
    map: u64::MAX,
};
const HALF: Holding = Holding {
    chunks: 2,
    map: 0xffff_ffff,
};

pub(super) fn listing(name: &str, node: u32, subnet: u64) -> Change {
    Change::List {
        facts: Arc::new(facts(name)),
        member: member(node, subnet),
        held: WHOLE,
        expires: START + 1800,
    }
}

fn refresh(name: &str, node: u32, held: Holding) -> Change {
    Change::Refresh {
        id: facts(name).manifest_id,
        member: member(node, 1),
        held,
        expires: START + 3600,
    }
}

#[test]
fn who_holds_a_container_is_named_while_it_is_alive() {
    for mut world in World::all() {
        for node in 1..=3 {
            assert_eq!(world.list("app.tar", node, node.into()), Outcome::Listed);
        }
        let mut named = world.named(START + 10, "app.tar");
        named.sort_by_key(|it| it.seat);
        let mut all = [1, 2, 3].map(seat);
        all.sort();
        assert_eq!(named.iter().map(|it| it.seat).collect::<Vec<_>>(), all);
        assert_eq!(named[0].listen, member(1, 1).listen);
        assert_eq!((named[0].held, named[0].candidate.is_whole), (WHOLE, true));
        let of_program = Wanted::Program(facts("app.tar").program_id);
        assert_eq!(world.index.holders(START, of_program, 0).unwrap().len(), 3);

        world.write(START + 20, &[Change::Left { seat: seat(1) }]);
        assert_eq!(world.named(START + 20, "app.tar").len(), 2);
        let alive = Change::Seen {
            seats: vec![seat(2)],
        };
        world.write(START + 40, &[alive]);
        let named = world.named(START + 40, "app.tar");
        assert_eq!(named.len(), 1, "{named:?}");
        assert_eq!(named[0].seat, seat(2));
    }
}

#[test]
fn the_dead_are_swept_and_what_nobody_holds_is_not_found() {
    for mut world in World::all() {
        world.list("app.tar", 1, 1);
        world.list("other.tar", 2, 2);
        let alive = Change::Seen {
            seats: vec![seat(2)],
        };
        world.write(START + 100, &[alive, Change::Sweep { limit: 10 }]);
        assert_eq!(world.found("tar", Mode::Words), ["other.tar"]);
        let extent = world.index.extent(START + 100).unwrap();
        assert_eq!((extent.nodes, extent.entries, extent.holders), (1, 1, 1));
        // what is not said again is over
        let outcome = world.write(START + 1801, &[Change::Sweep { limit: 10 }]);
        assert_eq!(outcome, [Outcome::Done(1)]);
        assert_eq!(world.found("tar", Mode::Words), Vec::<String>::new());
    }
}

#[test]
fn a_sweep_does_no_more_than_it_may() {
    for mut world in World::all() {
        for file in 0..30 {
            world.list(&format!("file {file}"), 1, 1);
        }
        for left in [20, 10, 0] {
            let gone = world.write(START + 200, &[Change::Sweep { limit: 10 }]);
            assert_eq!(gone, [Outcome::Done(10)]);
            assert_eq!(world.index.extent(START).unwrap().entries, left);
        }
    }
}

#[test]
fn what_is_withdrawn_is_gone_at_once() {
    for mut world in World::all() {
        for name in ["one", "two", "three"] {
            world.list(name, 1, 1);
        }
        let one = Change::Withdraw {
            seat: seat(1),
            id: Some(facts("one").manifest_id),
        };
        assert_eq!(
            world.write(START, &[one.clone(), one]),
            [Outcome::Done(1), Outcome::Done(0)]
        );
        assert_eq!(world.found("one", Mode::Words), Vec::<String>::new());
        let all = Change::Withdraw {
            seat: seat(1),
            id: None,
        };
        assert_eq!(world.write(START, &[all]), [Outcome::Done(2)]);
        assert_eq!(world.index.extent(START).unwrap().entries, 0);
    }
}

#[test]
fn what_is_listed_is_refreshed_and_to_become_a_seeder_is_proven() {
    for mut world in World::all() {
        assert_eq!(
            world.write(START, &[refresh("app", 1, WHOLE)]),
            [Outcome::Unknown]
        );
        let partial = Change::List {
            facts: Arc::new(facts("app")),
            member: member(1, 1),
            held: HALF,
            expires: START + 60,
        };
        assert_eq!(world.write(START, &[partial]), [Outcome::Listed]);
        assert_eq!(
            world.write(START, &[refresh("app", 1, HALF)]),
            [Outcome::Listed]
        );
        assert_eq!(
            world.write(START, &[refresh("app", 2, HALF)]),
            [Outcome::Unknown]
        );
        assert_eq!(
            world.write(START, &[refresh("app", 1, WHOLE)]),
            [Outcome::Unknown]
        );
        assert!(!world.named(START, "app")[0].candidate.is_whole);
        assert_eq!(world.list("app", 1, 1), Outcome::Listed);
        assert_eq!(
            world.write(START, &[refresh("app", 1, WHOLE)]),
            [Outcome::Listed]
        );
        // the time that was asked for last is what counts
        world.write(
            START + 80,
            &[Change::Seen {
                seats: vec![seat(1)],
            }],
        );
        world.write(START + 100, &[Change::Sweep { limit: 9 }]);
        assert_eq!(world.named(START + 100, "app").len(), 1);
    }
}

#[test]
fn an_index_is_the_same_after_a_restart_and_everybody_has_time_to_come_back() {
    for mut world in World::all() {
        world.list("app.tar", 1, 1);
        world.index = world.place.open_to_write().unwrap();
        let later = START + 900;
        world.write(later, &[Change::Revive, Change::Sweep { limit: 9 }]);
        assert_eq!(world.named(later + 20, "app.tar").len(), 1);
        assert_eq!(world.found("app", Mode::Words), ["app.tar"]);
        let mut reader = world.place.open_to_read().unwrap();
        assert_eq!(reader.extent(later).unwrap().entries, 1);
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let folder = tempfile::tempdir().unwrap();
    let place = IndexPlace::in_folder(folder.path());
    std::fs::write(folder.path().join(INDEX_FILE), vec![7; 10_000]).unwrap();
    let mut index = place.open_to_write().unwrap();
    assert_eq!(index.extent(START).unwrap(), IndexExtent::default());
    let aside = folder.path().join("index.db.damaged");
    assert_eq!(std::fs::read(aside).unwrap(), vec![7; 10_000]);
}
