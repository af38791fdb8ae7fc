//! What only PostgreSQL can get wrong: several masters at once, sessions that end, and its own sums.

use ::postgres::{Client, NoTls};

use super::server::own_database;
use super::{Database, PostgresIndex, VERSION};
use crate::index::{Place, Query, crowd};
use crate::store::index::tests::{START, facts, listing, search, seat};
use crate::store::index::{Change, IndexError, IndexStore, Outcome, Stop};
use crate::wire::{Mode, Wanted};

#[test]
fn several_masters_share_one_index() {
    let Some(owned) = own_database() else { return };
    let database: Database = owned.url.parse().unwrap();
    let masters = (0..4u32).map(|master| {
        let database = database.clone();
        std::thread::spawn(move || {
            let mut index = PostgresIndex::open_to_write(&database).unwrap();
            for file in 0..50 {
                // each lists a node of its own with containers of all
                let change = listing(&format!("file {file}"), master, master.into());
                assert_eq!(index.write(START, &[change]).unwrap(), [Outcome::Listed]);
            }
        })
    });
    for master in masters.collect::<Vec<_>>() {
        master.join().unwrap();
    }
    let mut reader = PostgresIndex::open_to_read(&database).unwrap();
    let extent = reader.extent(START).unwrap();
    assert_eq!((extent.nodes, extent.entries, extent.holders), (4, 50, 200));
    let query = Query::read(&search("file 7", Mode::Words)).unwrap();
    let (_, hits) = reader.search(&query, Stop::when(|| false)).unwrap();
    assert_eq!((hits[0].seeders, hits[0].peers), (4, 4));
}

#[test]
fn a_master_that_starts_does_not_revive_whom_another_has_seen_die() {
    let Some(owned) = own_database() else { return };
    let database: Database = owned.url.parse().unwrap();
    let mut first = PostgresIndex::open_to_write(&database).unwrap();
    first
        .write(START, &[listing("app", 1, 1), listing("app", 2, 2)])
        .unwrap();
    let alive = Change::Seen {
        seats: vec![seat(2)],
    };
    first.write(START + 60, &[alive]).unwrap();
    let mut second = PostgresIndex::open_to_write(&database).unwrap();
    second.write(START + 61, &[Change::Revive]).unwrap();
    let wanted = Wanted::Manifest(facts("app").manifest_id);
    let named = second.holders(START + 61, wanted, 0).unwrap();
    assert_eq!(
        named.iter().map(|it| it.seat).collect::<Vec<_>>(),
        [seat(2)]
    );
}

#[test]
fn a_session_that_was_ended_is_opened_anew() {
    let Some(owned) = own_database() else { return };
    let database: Database = owned.url.parse().unwrap();
    let mut index = PostgresIndex::open_to_write(&database).unwrap();
    index.write(START, &[listing("app", 1, 1)]).unwrap();
    let mut other = Client::connect(&owned.url, NoTls).unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND datname = current_database()";
    for _ in 0..3 {
        other.batch_execute(end).unwrap();
        index.write(START, &[listing("app", 2, 2)]).unwrap();
        other.batch_execute(end).unwrap();
        assert_eq!(index.extent(START).unwrap().holders, 2);
    }
}

#[test]
fn places_are_those_of_the_other_engine() {
    let Some(owned) = own_database() else { return };
    let database: Database = owned.url.parse().unwrap();
    drop(PostgresIndex::open_to_write(&database).unwrap());
    let mut client = Client::connect(&owned.url, NoTls).unwrap();
    for seeders in [0, 1, 2, 3, 4, 7, 8, 9, 16_383, 16_384, 1 << 20, i32::MAX] {
        for files in [0, 10, 11, 100, 101, 1000, 1001, i64::from(u32::MAX)] {
            for number in [1, 77, (1 << 42) - 1, 1 << 42, i64::MAX] {
                let sql = "SELECT swarmhold.place($1, swarmhold.crowd($2), $3)";
                let row = client.query_one(sql, &[&seeders, &files, &number]).unwrap();
                let place: i64 = row.get(0);
                let crowd = crowd(u32::try_from(files).unwrap());
                let expected = Place::of(seeders.cast_unsigned(), crowd, number.cast_unsigned());
                assert_eq!(place.cast_unsigned(), expected.number());
            }
        }
    }
}

#[test]
fn tables_of_a_later_version_are_left_alone() {
    let Some(owned) = own_database() else { return };
    let database: Database = owned.url.parse().unwrap();
    drop(PostgresIndex::open_to_write(&database).unwrap());
    let mut client = Client::connect(&owned.url, NoTls).unwrap();
    let later = "UPDATE swarmhold.version SET version = version + 1";
    client.batch_execute(later).unwrap();
    let error = PostgresIndex::open_to_write(&database).unwrap_err();
    let version = i64::from(VERSION);
    assert!(
        matches!(error, IndexError::Newer { found, known, .. } if found == version + 1 && known == version),
        "{error}"
    );
}

#[test]
fn a_server_that_is_not_there_is_told_without_its_password() {
    let database: Database = "postgres://swarm:secret@127.0.0.1:1/index".parse().unwrap();
    let error = PostgresIndex::open_to_read(&database)
        .unwrap_err()
        .to_string();
    let place = "E-INDEX: postgres://127.0.0.1/index: ";
    assert!(error.starts_with(place), "{error}");
    assert!(!error.contains("secret"), "{error}");
}
