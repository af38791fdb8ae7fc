//! What is found, and in which order.

use std::sync::Arc;

use super::tests::{START, WHOLE, World, address, facts, listing, member, search, seat};
use super::{Change, Stop};
use crate::index::{Facts, Query};
use crate::wire::{Mode, Search};

#[test]
fn names_are_found_by_words_prefixes_and_expressions_the_best_first() {
    for mut world in World::all() {
        for name in [
            "ubuntu-24.04-desktop-amd64.iso",
            "Ubuntu-24.04-server-ARM64.iso",
            "debian-12-amd64.iso",
            "ÄPFEL und Birnen",
            "a\"b'c(d) AND",
        ] {
            world.list(name, 1, 1);
        }
        for node in 2..=5 {
            world.list("debian-12-amd64.iso", node, node.into());
        }
        assert_eq!(world.found("amd64", Mode::Words)[0], "debian-12-amd64.iso");
        assert_eq!(
            world.found("UBUNTU server", Mode::Words),
            ["Ubuntu-24.04-server-ARM64.iso"]
        );
        assert_eq!(world.found("ubu", Mode::Prefix).len(), 2);
        assert_eq!(world.found("D", Mode::Prefix), ["debian-12-amd64.iso"]);
        assert_eq!(world.found("buntu", Mode::Prefix), Vec::<String>::new());
        assert_eq!(world.found("u b", Mode::Words).len(), 3);
        assert_eq!(world.found("2", Mode::Words).len(), 3);
        assert_eq!(world.found("äpf", Mode::Words), ["ÄPFEL und Birnen"]);
        assert_eq!(
            world.found(r"^(debian|fedora)-\d+", Mode::Regex),
            ["debian-12-amd64.iso"]
        );
        assert_eq!(world.found(r"64\.iso$", Mode::Regex).len(), 3);
        assert_eq!(world.found("a\"b'c(d)", Mode::Words), ["a\"b'c(d) AND"]);
        for nothing in ["xyz", "\" OR \"", "NEAR(ubu)", "ubu*", "text:ubu", "%", "_"] {
            assert_eq!(
                world.found(nothing, Mode::Words),
                Vec::<String>::new(),
                "{nothing}"
            );
        }
    }
}

/// Few and many names that begin alike are found in the same order, by whichever way.
#[test]
fn names_that_begin_alike_are_found_the_best_first_however_many() {
    for mut world in World::all() {
        let name = |file: u32| format!("File {file:03}.img");
        let changes: Vec<Change> = (0..600)
            .map(|file| listing(&name(file), file % 7, u64::from(file % 7)))
            .chain(
                (0..600)
                    .step_by(100)
                    .map(|file| listing(&name(file), 90, 90)),
            )
            .collect();
        world.write(START, &changes);
        let all = world.found("file", Mode::Prefix);
        assert_eq!(all.len(), 50);
        assert_eq!(all[..6], [500, 400, 300, 200, 100, 0].map(name));
        assert_eq!(all[6..9], [599, 598, 597].map(name));
        let few = world.found("FILE 50", Mode::Prefix);
        let rest = (501..510).rev().map(name);
        let expected: Vec<String> = [name(500)].into_iter().chain(rest).collect();
        assert_eq!(few, expected);
        let gone = Change::Withdraw {
            seat: seat(90),
            id: None,
        };
        world.write(START, &[gone]);
        assert_eq!(world.found("file 50", Mode::Prefix)[0], name(509));
    }
}

#[test]
fn filters_and_owners_narrow_a_search() {
    for mut world in World::all() {
        for (node, size) in [(1, 10), (2, 20), (3, 30)] {
            let facts = Facts {
                size,
                owner: address(node),
                time: START + size,
                ..facts(&format!("file {node}"))
            };
            let change = Change::List {
                facts: Arc::new(facts),
                member: member(node, node.into()),
                held: WHOLE,
                expires: START + 1800,
            };
            world.write(START, &[change]);
        }
        let mut names = |change: &dyn Fn(&mut Search)| {
            let mut search = search("file", Mode::Words);
            change(&mut search);
            let query = Query::read(&search).unwrap();
            let (_, hits) = world.index.search(&query, Stop::when(|| false)).unwrap();
            hits.into_iter().map(|hit| hit.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&|it| it.size_min = Some(20)), ["file 3", "file 2"]);
        assert_eq!(names(&|it| it.size_max = Some(20)), ["file 2", "file 1"]);
        assert_eq!(names(&|it| it.since = Some(START + 21)), ["file 3"]);
        assert_eq!(names(&|it| it.owner = Some(address(2))), ["file 2"]);
        assert_eq!(names(&|it| it.seeders_min = 2), Vec::<String>::new());
        assert_eq!(names(&|it| it.limit = 1), ["file 3"]);
        let by_owner = |it: &mut Search| (it.text, it.owner) = (String::new(), Some(address(3)));
        assert_eq!(names(&by_owner), ["file 3"]);
    }
}
