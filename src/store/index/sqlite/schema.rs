//! The tables of the index, in SQLite.
//!
//! Digests are blobs of 32 bytes and times are seconds since 1970. The version is SQLite's `user_version`;
//! as with the node's state, a step that has shipped is never changed.

use rusqlite::Connection;

pub(super) use crate::store::migrate::version;

/// What is done to get from each version to the next.
const STEPS: &[&str] = &[FIRST, LABELS, STARTS];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// 1: nodes, entries, who holds what, and the pieces of names.
const FIRST: &str = "
-- a wallet and where it speaks from; `listen` is addresses with spaces between them, and `files` counts
-- its rows in `holders`
CREATE TABLE nodes (
    number INTEGER PRIMARY KEY,
    address BLOB NOT NULL,
    remote TEXT NOT NULL,
    listen TEXT NOT NULL,
    subnet INTEGER NOT NULL,
    open INTEGER NOT NULL,
    files INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    UNIQUE (address, remote)
) STRICT;
CREATE INDEX nodes_seen ON nodes (seen);
CREATE INDEX nodes_subnet ON nodes (subnet);

-- how many holders rows the nodes of a subnet have
CREATE TABLE subnets (subnet INTEGER PRIMARY KEY, files INTEGER NOT NULL) STRICT;

-- `place` says which comes first, and is the row of its name's pieces; `crowd` goes into it
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    place INTEGER NOT NULL UNIQUE,
    crowd INTEGER NOT NULL,
    manifest BLOB NOT NULL UNIQUE,
    program BLOB NOT NULL,
    owner BLOB NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    time INTEGER NOT NULL,
    seeders INTEGER NOT NULL,
    holders INTEGER NOT NULL
) STRICT;
CREATE INDEX entries_program ON entries (program, place);
CREATE INDEX entries_owner ON entries (owner, place);

CREATE TABLE holders (
    entry INTEGER NOT NULL,
    node INTEGER NOT NULL,
    subnet INTEGER NOT NULL,
    whole INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    map INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (entry, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX holders_node ON holders (node);
CREATE INDEX holders_expires ON holders (expires);

-- every piece of three characters of a folded name between its marks; which names, and not where in them
CREATE VIRTUAL TABLE names USING fts5 (
    text, content = '', contentless_delete = 1, detail = none,
    tokenize = 'trigram case_sensitive 1'
);
";

/// 2: names by place, close together: those that a search looks at without showing them are read here.
const LABELS: &str = "
CREATE TABLE labels (place INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
INSERT INTO labels SELECT place, name FROM entries;
";

/// 3: folded names in their order, for what begins like something. What was there goes: nodes say it again
/// within a minute, and only this program can fold a name.
const STARTS: &str = "
CREATE TABLE starts (folded TEXT NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (folded, place))
STRICT, WITHOUT ROWID;
INSERT INTO names (names) VALUES ('delete-all');
DELETE FROM labels;
DELETE FROM holders;
DELETE FROM entries;
DELETE FROM subnets;
DELETE FROM nodes;
";

/// Brings a file to [`VERSION`]; a new one becomes an empty index.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    crate::store::migrate::migrate(connection, STEPS)
}
