//! One SQLite file as an index: opening it, and one connection of it. A file that is damaged is set aside
//! and a new one begun.
//!
//! Reading order: `schema` (the tables), this file (opening them), `names` (the pieces that names are made
//! of), `entries`, `writing` and `reading`.

mod entries;
mod names;
mod reading;
mod schema;
mod writing;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use self::names::Pieces;
use self::writing::write_one;
use super::{Change, IndexError, IndexExtent, IndexStore, Listed, Outcome, Stop};
use crate::index::Query;
use crate::wire::{Extent, Hit, Wanted};

/// How long another's transaction is waited for.
const BUSY: Duration = Duration::from_secs(10);
/// Statements that are kept compiled.
const STATEMENTS_MAX: usize = 64;
/// The least time between two looks for pieces to bring together, in seconds: each change has readers forget what
/// they have cached.
const TIDY_EVERY_S: u64 = 10;

/// A connection to an index in a SQLite file.
#[derive(Debug)]
pub struct SqliteIndex {
    connection: Connection,
    path: PathBuf,
    /// When pieces were brought together, in seconds since 1970.
    tidied_at: u64,
}

impl SqliteIndex {
    /// Opens an index to write, and makes it and its folder if there is none. A damaged file is set aside.
    pub fn open_to_write(path: &Path) -> Result<Self, IndexError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| IndexError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        match Self::made(path) {
            Err(IndexError::Sqlite { source, .. }) if is_damage(&source) => {
                set_aside(path)?;
                Self::made(path)
            }
            made => made,
        }
    }

    /// Opens an index that is there, to read.
    pub fn open_to_read(path: &Path) -> Result<Self, IndexError> {
        let index = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // A cache of ours is emptied at each change of the file, the system's is not. To map the file instead
        // spares copies, and costs tens of milliseconds at each change, in which all threads wait.
        let pragmas = "PRAGMA query_only = 1; PRAGMA cache_size = -16384;";
        let set = index.connection.execute_batch(pragmas);
        set.map_err(|source| index.failed(source))?;
        Ok(index)
    }

    fn made(path: &Path) -> Result<Self, IndexError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut index = Self::connect(path, flags)?;
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                       PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;
                       PRAGMA journal_size_limit = 67108864;";
        let found = index
            .connection
            .execute_batch(pragmas)
            .and_then(|()| schema::version(&index.connection))
            .map_err(|source| index.failed(source))?;
        if found > schema::VERSION {
            return Err(IndexError::Newer {
                place: index.path.display().to_string(),
                found,
                known: schema::VERSION,
            });
        }
        let migrated = schema::migrate(&mut index.connection);
        migrated.map_err(|source| index.failed(source))?;
        Ok(index)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, IndexError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = path.to_owned();
        let opened = Connection::open_with_flags(&path, flags);
        let connection = opened.map_err(|source| failed(&path, source))?;
        let index = Self {
            connection,
            path,
            tidied_at: 0,
        };
        let waits = index.connection.busy_timeout(BUSY);
        waits.map_err(|source| index.failed(source))?;
        // otherwise a statement whose LIMIT is a value is compiled anew for each value
        let is_stable = DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
        let set = index.connection.set_db_config(is_stable, true);
        set.map_err(|source| index.failed(source))?;
        index
            .connection
            .set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(index)
    }

    fn failed(&self, source: rusqlite::Error) -> IndexError {
        failed(&self.path, source)
    }

    fn write_all(&mut self, now: u64, changes: &[Change]) -> rusqlite::Result<Vec<Outcome>> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut pieces = Pieces::default();
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(write_one(&transaction, &mut pieces, now, change)?);
        }
        pieces.write(&transaction)?;
        let sweeps = changes.iter().any(|it| matches!(it, Change::Sweep { .. }));
        if sweeps && now.abs_diff(self.tidied_at) >= TIDY_EVERY_S {
            names::tidy_up(&transaction)?;
            self.tidied_at = now;
        }
        transaction.commit()?;
        Ok(outcomes)
    }
}

impl IndexStore for SqliteIndex {
    fn write(&mut self, now: u64, changes: &[Change]) -> Result<Vec<Outcome>, IndexError> {
        let written = self.write_all(now, changes);
        written.map_err(|source| self.failed(source))
    }

    fn holders(&mut self, now: u64, wanted: Wanted, from: u64) -> Result<Vec<Listed>, IndexError> {
        let found = self.read_holders(now, wanted, from);
        found.map_err(|source| self.failed(source))
    }

    fn search(&mut self, query: &Query, stop: Stop) -> Result<(Extent, Vec<Hit>), IndexError> {
        let found = self.read_hits(query, stop);
        found.map_err(|source| self.failed(source))
    }

    fn extent(&mut self, now: u64) -> Result<IndexExtent, IndexError> {
        let counted = self.count(now);
        counted.map_err(|source| self.failed(source))
    }
}

fn failed(path: &Path, source: rusqlite::Error) -> IndexError {
    let path = path.to_owned();
    IndexError::Sqlite { path, source }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Gives a damaged file another name, and those that belong to it.
fn set_aside(path: &Path) -> Result<(), IndexError> {
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (with(path, end), with(path, &format!(".damaged{end}")));
        match std::fs::rename(from, to) {
            Err(source) if end.is_empty() => {
                let path = path.to_owned();
                return Err(IndexError::SetAside { path, source });
            }
            // there may be none
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
