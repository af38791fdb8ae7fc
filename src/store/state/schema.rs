//! The tables, and how a file of an earlier version becomes one of this.
//!
//! The version is SQLite's `user_version`. Version n is made of version n - 1 by the n-th step, in one
//! transaction; a new file starts from nothing and takes all steps. A step that has shipped is never
//! changed: what is to be different is a further step.
//!
//! Digests are blobs of 32 bytes, times are seconds since 1970, and a count or size beyond `i64` is
//! stored as the largest `i64`.

use rusqlite::Connection;

pub(super) use crate::store::migrate::version;

/// What is done to get from each version to the next.
const STEPS: &[&str] = &[
    FIRST, LIBRARY, ROOM, SKETCHES, PEERS, JOBS, TURNS, DOUBTS, WAYS,
];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// 1: what was in `bans.json`, `credit.json` and `verdicts.json`, and the claims on `.part` files.
const FIRST: &str = "
CREATE TABLE epoch (number INTEGER NOT NULL) STRICT;
INSERT INTO epoch VALUES (random());

-- who is refused: `left_s` seconds of the ban were left at `written`; `strikes` is text for the node
CREATE TABLE bans (
    address BLOB PRIMARY KEY,
    left_s INTEGER NOT NULL,
    written INTEGER NOT NULL,
    strikes TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- bytes that a wallet gave and got, as they counted at `written`
CREATE TABLE credit (
    address BLOB PRIMARY KEY,
    received INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    written INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- manifests that are right, the oldest verdict first
CREATE TABLE verdicts_right (
    number INTEGER PRIMARY KEY,
    manifest BLOB NOT NULL UNIQUE
) STRICT;

-- manifests that are wrong: what each says that its chunks are, and what they are
CREATE TABLE verdicts_wrong (
    number INTEGER PRIMARY KEY,
    manifest BLOB NOT NULL UNIQUE,
    signer BLOB,
    claimed BLOB NOT NULL,
    found BLOB NOT NULL
) STRICT;

CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- chunks of a `.part` that the disk confirmed; the stamp is there while nobody writes to the file
CREATE TABLE parts (
    path BLOB PRIMARY KEY,
    manifest BLOB NOT NULL,
    chunks INTEGER NOT NULL,
    have BLOB NOT NULL,
    size INTEGER,
    modified_ns INTEGER,
    inode INTEGER
) STRICT, WITHOUT ROWID;
";

/// 2: the library. Without a `path` a container's bytes are in the node's own folder.
const LIBRARY: &str = "
CREATE TABLE containers (
    number INTEGER PRIMARY KEY,
    manifest BLOB NOT NULL UNIQUE,
    program BLOB NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    path BLOB,
    pinned INTEGER NOT NULL DEFAULT 0,
    added INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT;
CREATE INDEX containers_program ON containers (program);
CREATE INDEX containers_used ON containers (used);
";

/// 3: what each container takes of the node's own folder, in bytes: `kept` for itself, or for the `.part`
/// that is to become it, and `manifest_bytes` for the copy of its manifest.
const ROOM: &str = "
ALTER TABLE containers ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN manifest_bytes INTEGER NOT NULL DEFAULT 0;
";

/// 4: shortened hashes by which containers that share chunks find each other, and those of each
/// container, eight bytes each, for taking them out again.
const SKETCHES: &str = "
CREATE TABLE sketches (
    hash INTEGER NOT NULL,
    container INTEGER NOT NULL,
    PRIMARY KEY (hash, container)
) STRICT, WITHOUT ROWID;
ALTER TABLE containers ADD COLUMN sketch BLOB;
";

/// 5: peers that gave chunks of a container, where they were dialed and who they proved to be.
const PEERS: &str = "
CREATE TABLE peers (
    manifest BLOB NOT NULL,
    remote TEXT NOT NULL,
    address BLOB NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (manifest, remote)
) STRICT, WITHOUT ROWID;
CREATE INDEX peers_seen ON peers (seen);
";

/// 6: downloads that are not done: what was asked for, and why it waits or has ended.
const JOBS: &str = "
CREATE TABLE jobs (
    id BLOB PRIMARY KEY,
    link TEXT NOT NULL,
    output BLOB,
    peers TEXT NOT NULL,
    chunk_order TEXT NOT NULL,
    up INTEGER,
    down INTEGER,
    patience_s INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    why TEXT
) STRICT, WITHOUT ROWID;
";

/// 7: in which order downloads were asked for, also within a second.
const TURNS: &str = "
ALTER TABLE jobs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
";

/// 8: how far SwarmMasters were right, as it counted at `written`.
const DOUBTS: &str = "
CREATE TABLE doubts (
    address BLOB PRIMARY KEY,
    good INTEGER NOT NULL,
    bad INTEGER NOT NULL,
    lies INTEGER NOT NULL,
    written INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// 9: who gave and took chunks of a container, and how they were reached the last time: `path` is `dialed`,
/// `accepted`, `met` or `relayed`, `why` says why there was no direct way. For people to look at.
const WAYS: &str = "
CREATE TABLE ways (
    manifest BLOB NOT NULL,
    address BLOB NOT NULL,
    path TEXT NOT NULL,
    master BLOB,
    remote TEXT,
    after_ms INTEGER,
    why TEXT,
    gave INTEGER NOT NULL,
    took INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (manifest, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX ways_seen ON ways (seen);
";

/// Brings a file to [`VERSION`].
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    crate::store::migrate::migrate(connection, STEPS)
}

/// The number of the state; see [`State::epoch`](super::State::epoch).
pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT number FROM epoch", [], |row| row.get(0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file as the program of an earlier version left it.
    pub(in crate::store::state) fn of_version(connection: &Connection, version: usize) {
        for sql in &STEPS[..version] {
            connection.execute_batch(sql).unwrap();
        }
        let version = i64::try_from(version).unwrap();
        connection
            .pragma_update(None, "user_version", version)
            .unwrap();
    }

    fn tables(connection: &Connection) -> Vec<String> {
        let sql = "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema
                   ORDER BY name";
        let mut all = connection.prepare(sql).unwrap();
        let rows = all.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn every_earlier_version_becomes_this_one() {
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        for from in 0..=STEPS.len() {
            let mut old = Connection::open_in_memory().unwrap();
            of_version(&old, from);
            migrate(&mut old).unwrap();
            assert_eq!(tables(&old), tables(&fresh), "from version {from}");
            assert_eq!(version(&old), Ok(VERSION));
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut old = Connection::open_in_memory().unwrap();
        of_version(&old, 1);
        old.execute_batch("CREATE INDEX containers_program ON bans (left_s)")
            .unwrap();
        assert!(migrate(&mut old).is_err());
        assert_eq!(version(&old), Ok(1));
        assert!(
            !tables(&old)
                .iter()
                .any(|it| it.starts_with("table containers"))
        );
        old.execute_batch("DROP INDEX containers_program").unwrap();
        migrate(&mut old).unwrap();
        assert_eq!(version(&old), Ok(VERSION));
    }
}
