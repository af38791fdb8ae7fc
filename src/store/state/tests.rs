//! The file in every condition in which it can be found, and shared by several processes.
//!
//! Two handles on one home have a connection and a lock each, as two processes do.

use std::fs;
use std::path::Path;
use std::thread;

use rusqlite::Connection;

use super::schema::{self, tests::of_version};
use super::*;
use crate::digest::{Address, Digest};

fn ban(of: u64) -> BanRow {
    BanRow {
        address: Address::new(Digest::of(&of.to_le_bytes())),
        left_s: of,
        written: 7,
        strikes: "protocol".to_owned(),
    }
}

/// Bans one more.
fn add(state: &State, of: u64) {
    let more = move |_, mut bans: Vec<BanRow>| {
        bans.push(ban(of));
        (Some(bans), ())
    };
    state.exchange_bans(more).unwrap();
}

/// A home whose state names somebody.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let state = State::open(home.path());
    assert_eq!(state.troubles(), []);
    add(&state, 1);
    home
}

fn names(home: &Path) -> Vec<String> {
    let entries = fs::read_dir(home).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_there_for_the_next_one() {
    let home = home();
    let state = State::open(home.path());
    assert_eq!(state.bans().unwrap(), [ban(1)]);
    state.set("quota", Some("5")).unwrap();
    let epoch = state.epoch().unwrap();
    drop(state);
    let wal = fs::metadata(home.path().join("state.db-wal")).unwrap();
    assert_eq!(wal.len(), 0, "the journal went into the file");
    let state = State::open(home.path());
    assert_eq!(
        (state.epoch().unwrap(), state.kept().is_ok()),
        (epoch, true)
    );
    assert_eq!(state.settings().unwrap()["quota"], "5");
    state.set("quota", None).unwrap();
    assert!(state.settings().unwrap().is_empty());
}

/// A way to damage a file: what becomes of its bytes.
struct Damage {
    name: &'static str,
    of: fn(Vec<u8>) -> Vec<u8>,
}

const DAMAGES: [Damage; 6] = [
    Damage {
        name: "garbage",
        of: |_| b"no database at all".repeat(1000),
    },
    Damage {
        name: "short garbage",
        of: |_| b"{}".to_vec(),
    },
    Damage {
        name: "wrong magic",
        of: |bytes| [b"sqlite FORMAT 3\0", &bytes[16..]].concat(),
    },
    Damage {
        name: "pages overwritten",
        of: |bytes| [&bytes[..4096], &vec![0xa5; bytes.len() - 4096]].concat(),
    },
    Damage {
        name: "truncated",
        of: |bytes| bytes[..bytes.len() / 2 + 100].to_vec(),
    },
    Damage {
        name: "foreign",
        of: |_| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x");
            let other = Connection::open(&path).unwrap();
            other.execute_batch("CREATE TABLE bans (x)").unwrap();
            drop(other);
            fs::read(path).unwrap()
        },
    },
];

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    for Damage { name, of } in DAMAGES {
        let home = home();
        let path = home.path().join(STATE_FILE);
        let bytes = of(fs::read(&path).unwrap());
        fs::write(&path, &bytes).unwrap();
        let state = State::open(home.path());
        let [Trouble::SetAside { aside, .. }] = &state.troubles()[..] else {
            panic!("{name}: not set aside");
        };
        // looking at a good database of somebody else's changes how it is to be journaled
        let same = if name == "foreign" { 15 } else { bytes.len() };
        assert!(fs::read(aside).unwrap()[..same] == bytes[..same], "{name}");
        assert!(state.kept().is_ok() && state.bans().unwrap().is_empty());
        add(&state, 2);
        drop(state);
        let state = State::open(home.path());
        assert_eq!(state.troubles(), [], "{name}: once is enough");
        assert_eq!(state.bans().unwrap(), [ban(2)], "{name}");
    }
}

#[test]
fn damage_that_shows_while_it_is_open_is_dealt_with_by_who_is_alone() {
    let home = home();
    let path = home.path().join(STATE_FILE);
    let damage = || {
        let mut bytes = fs::read(&path).unwrap();
        bytes[100..].fill(0xa5);
        fs::write(&path, bytes).unwrap();
    };
    let touched = |state: &State| {
        // what was read before is still in memory
        state.read(Connection::release_memory).unwrap();
        state.set("x", Some("y")).is_err()
    };
    let (one, two) = (State::open(home.path()), State::open(home.path()));
    damage();
    assert!(touched(&one), "a job that meets it says so");
    assert!(matches!(one.troubles()[..], [Trouble::Damaged { .. }]));
    assert!(one.kept().is_err());
    add(&one, 3);
    assert_eq!(one.bans().unwrap(), [ban(3)], "it goes on in memory");
    drop(one);
    assert!(touched(&two));
    assert!(matches!(two.troubles()[..], [Trouble::SetAside { .. }]));
    add(&two, 4);
    drop(two);
    assert_eq!(State::open(home.path()).bans().unwrap(), [ban(4)]);
}

#[test]
fn a_later_version_is_left_alone() {
    let home = home();
    let path = home.path().join(STATE_FILE);
    let later = Connection::open(&path).unwrap();
    later
        .execute_batch("CREATE TABLE later (x); PRAGMA user_version = 99")
        .unwrap();
    drop(later);
    let before = fs::read(&path).unwrap();
    let state = State::open(home.path());
    let known = schema::VERSION;
    assert_eq!(
        state.kept().unwrap_err().to_string(),
        format!(
            "E-STATE-VERSION: {} is of version 99, this program knows up to {known}; \
             going on without it",
            path.display()
        )
    );
    add(&state, 5);
    assert_eq!(state.bans().unwrap(), [ban(5)]);
    drop(state);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn earlier_versions_keep_what_they_hold() {
    for version in 1..usize::try_from(schema::VERSION).unwrap() {
        let home = tempfile::tempdir().unwrap();
        let old = Connection::open(home.path().join(STATE_FILE)).unwrap();
        of_version(&old, version);
        let sql = "INSERT INTO bans VALUES (zeroblob(32), 60, 7, 'protocol')";
        old.execute(sql, []).unwrap();
        drop(old);
        // two at once, as two processes may be
        let open = || State::open(home.path()).bans().unwrap().len();
        let counts = thread::scope(|scope| {
            let threads = [scope.spawn(open), scope.spawn(open)];
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(counts, [1, 1], "version {version}");
    }
}

#[test]
fn many_hands_write_at_once_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for hand in 0..4 {
            let path = home.path();
            scope.spawn(move || {
                let state = State::open(path);
                (0..25).for_each(|number| add(&state, hand * 100 + number));
                assert_eq!(state.troubles(), []);
            });
        }
    });
    let state = State::open(home.path());
    assert_eq!(
        (state.troubles(), state.bans().unwrap().len()),
        (vec![], 100)
    );
}

#[test]
fn a_job_that_fails_is_undone_alone() {
    let state = State::in_memory();
    let failed = state.write(|connection| {
        connection.execute("INSERT INTO settings VALUES ('a', '1')", [])?;
        connection.execute("INSERT INTO nothing VALUES (1)", [])
    });
    assert_eq!(failed.unwrap_err().code(), "E-STATE");
    state.set("b", Some("2")).unwrap();
    let settings = state.settings().unwrap();
    assert_eq!(settings.keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn where_nothing_can_be_written_the_file_is_read_and_the_rest_is_memory() {
    let home = home();
    // a folder where the lock belongs: what a file system that is read-only answers, for any user
    fs::remove_file(home.path().join("state.lock")).unwrap();
    fs::create_dir(home.path().join("state.lock")).unwrap();
    let state = State::open(home.path());
    assert!(matches!(state.troubles()[..], [Trouble::Unwritable { .. }]));
    assert_eq!(state.bans().unwrap(), [ban(1)], "bans hold");
    add(&state, 2);
    assert_eq!(state.bans().unwrap().len(), 2);
    assert_eq!(state.kept().unwrap_err().code(), "E-STATE");
    drop(state);
    fs::remove_dir(home.path().join("state.lock")).unwrap();
    assert_eq!(State::open(home.path()).bans().unwrap(), [ban(1)]);
}

/// A32.
#[cfg(unix)]
#[test]
fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = home();
    let mode = |name: &String| {
        let metadata = fs::metadata(home.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    let loose = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.path().join(STATE_FILE), loose).unwrap();
    let state = State::open(home.path());
    add(&state, 2);
    let files = names(home.path());
    assert_eq!(
        files,
        ["state.db", "state.db-shm", "state.db-wal", "state.lock"]
    );
    assert!(files.iter().all(|name| mode(name) == 0o600));
    drop(state);

    let elsewhere = home.path().join("elsewhere");
    fs::rename(home.path().join(STATE_FILE), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, home.path().join(STATE_FILE)).unwrap();
    let state = State::open(home.path());
    assert!(
        matches!(state.troubles()[..], [Trouble::Unwritable { .. }]),
        "a link is not followed"
    );
}
