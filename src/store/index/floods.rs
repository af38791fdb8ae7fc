//! What floods of registrations and of questions change: little.

use std::sync::Arc;

use super::tests::{START, World, facts, listing, search, seat};
use super::{Change, Outcome, Stop};
use crate::index::{FILES_PER_KEY, Query};
use crate::wire::{Extent, Mode};

#[test]
fn one_wallet_lists_a_thousand_containers_and_no_more() {
    for mut world in World::all() {
        let changes: Vec<Change> = (0..FILES_PER_KEY + 50)
            .map(|file| listing(&format!("junk {file}"), 1, 1))
            .collect();
        let outcomes = world.write(START, &changes);
        let refused = outcomes.iter().filter(|it| **it == Outcome::Quota).count();
        assert_eq!(refused, 50);
        assert_eq!(
            world.index.extent(START).unwrap().entries,
            u64::from(FILES_PER_KEY)
        );
        // what it has it may say again, and once something is withdrawn there is room
        assert_eq!(world.list("junk 0", 1, 1), Outcome::Listed);
        let one = Change::Withdraw {
            seat: seat(1),
            id: Some(facts("junk 0").manifest_id),
        };
        world.write(START, &[one]);
        assert_eq!(world.list("more junk", 1, 1), Outcome::Listed);
    }
}

/// A34: as many as `SWARMHOLD_FLOOD` fake registrations from 100 keys, by default 100,000 (10,000 in PostgreSQL).
#[test]
fn a_flood_of_registrations_is_bounded_and_the_honest_one_stays_first() {
    let flood = std::env::var("SWARMHOLD_FLOOD").ok();
    let flood: Option<u32> = flood.map(|text| text.parse().unwrap());
    for mut world in World::all() {
        let flood = flood.unwrap_or(world.flood);
        // one honest seeder, who shares a handful of files, and whom nobody else supports
        world.list("ubuntu-24.04-desktop-amd64.iso", 1_000_000, 77);
        let keys = 100;
        for batch in (0..flood).collect::<Vec<_>>().chunks(2000) {
            let changes: Vec<Change> = batch
                .iter()
                .map(|at| {
                    let name = format!("ubuntu-24.04-desktop-amd64.iso #{at}");
                    // a hundred keys of one attacker, who has four subnets
                    listing(&name, at % keys, 1 + u64::from(at % 4))
                })
                .collect();
            world.write(START, &changes);
        }
        let extent = world.index.extent(START).unwrap();
        let most = u64::from(FILES_PER_KEY * keys).min(80_000);
        assert!(extent.entries <= most + 1, "{extent:?}");
        let found = world.found("ubuntu amd64 iso", Mode::Words);
        assert_eq!(found[0], "ubuntu-24.04-desktop-amd64.iso");
        assert_eq!(found.len(), 50);
        // and all keys together on one junk file do not make it more than four seeders
        let together: Vec<Change> = (0..keys)
            .map(|key| {
                listing(
                    "ubuntu-24.04-desktop-amd64.iso #1",
                    key,
                    1 + u64::from(key % 4),
                )
            })
            .collect();
        world.write(START, &together);
        let honest: Vec<Change> = (0..8)
            .map(|node| {
                listing(
                    "ubuntu-24.04-desktop-amd64.iso",
                    2_000_000 + node,
                    100 + u64::from(node),
                )
            })
            .collect();
        world.write(START, &honest);
        assert_eq!(
            world.found("ubuntu amd64", Mode::Words)[0],
            "ubuntu-24.04-desktop-amd64.iso"
        );
    }
}

/// A35: whatever is asked ends when its time is over, with what was found until then.
#[test]
fn a_search_stops_when_it_is_told() {
    for mut world in World::all() {
        let changes: Vec<Change> = (0..3000)
            .map(|file| listing(&format!("file {file} {}", "x".repeat(40)), file / 900, 1))
            .collect();
        world.write(START, &changes);
        for (text, mode) in [
            ("zz", Mode::Words),
            ("[0-9] [y-z]{3}", Mode::Regex),
            ("xxx zzz", Mode::Words),
            (r"(x+x+)+y", Mode::Regex),
        ] {
            let query = Query::read(&search(text, mode)).unwrap();
            let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
            let count = Arc::clone(&asked);
            let stop =
                Stop::when(move || count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 5);
            let (extent, hits) = world.index.search(&query, stop).unwrap();
            assert_eq!(hits, []);
            let cut = asked.load(std::sync::atomic::Ordering::Relaxed) > 5;
            assert_eq!(extent == Extent::Partial, cut, "{text}");
            // the connection is as good as before
            assert_eq!(world.found("file 77 ", Mode::Prefix).len(), 1, "{text}");
        }
    }
}
