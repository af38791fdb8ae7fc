//! Opening the file: alone it is checked, made and migrated, or set aside if it is damaged; in company
//! it is taken as the others have it.
//!
//! The lock says who may do what. Whoever gets it alone looks at every page; from then on everybody
//! holds it together. A damaged file is given another name only by who has the lock alone: renaming one
//! that others have open would leave them a journal that belongs to another file. For the
//! same reason no connection removes the journal when it closes (`NO_CKPT_ON_CLOSE`).

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::Trouble;
use super::{STATE_FILE, schema};
use crate::store::os::{self, Links};
use crate::store::regular::open_regular;

/// How long another process's transaction is waited for.
const BUSY: Duration = Duration::from_secs(5);
/// Names for damaged files before the oldest is replaced.
const ASIDE_MAX: u32 = 8;
/// The journal is cut back to this size after it was written into the file, in bytes.
const JOURNAL_BYTES: i64 = 1024 * 1024;

/// An open state, and what holds its place in the home.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    /// The file; what stands in messages.
    pub(super) path: PathBuf,
    lock: Option<File>,
}

/// Why a file is not used as it is.
enum Unusable {
    Damaged(String),
    Newer(i64),
    /// Neither its fault nor to be mended here.
    Unwritable(String),
}

/// Opens the state of a home, by any means.
pub(super) fn open(home: &Path) -> (Database, Option<Trouble>) {
    let path = home.join(STATE_FILE);
    let lock = match lock_file(home) {
        Ok(lock) => lock,
        Err(error) => return without(path, Unusable::Unwritable(error.to_string())),
    };
    match lock.try_lock() {
        Ok(()) => alone(path, lock),
        // somebody has it open, or is just making it
        Err(_) => match lock.lock_shared().map_err(|error| error.to_string()) {
            Ok(()) => match in_company(&path) {
                Ok(connection) => (Database::kept(connection, path, lock), None),
                Err(unusable) => without(path, unusable),
            },
            Err(why) => without(path, Unusable::Unwritable(why)),
        },
    }
}

/// A state that is nobody's file.
pub(super) fn in_memory() -> Database {
    let mut connection =
        Connection::open_in_memory().expect("memory is there, or the process ends");
    schema::migrate(&mut connection).expect("the steps are SQL, as a test makes sure");
    Database {
        connection,
        path: PathBuf::from("memory"),
        lock: None,
    }
}

impl Database {
    fn kept(connection: Connection, path: PathBuf, lock: File) -> Self {
        let lock = Some(lock);
        Self {
            connection,
            path,
            lock,
        }
    }

    /// Opens it anew after SQLite has found it damaged.
    pub(super) fn reopened(self, why: String) -> (Self, Option<Trouble>) {
        let Self {
            connection,
            path,
            lock,
        } = self;
        drop(connection);
        let Some(lock) = lock else {
            return (in_memory(), None);
        };
        // a shared lock cannot be made an exclusive one everywhere
        let alone = lock.unlock().is_ok() && lock.try_lock().is_ok();
        match alone {
            true => set_aside(path, lock, why),
            false => without(path, Unusable::Damaged(why)),
        }
    }

    /// Closes it in order: what the journal holds goes into the file.
    pub(super) fn close(self) {
        if self.lock.is_some() {
            // best effort: the journal is as good
            let _ = checkpoint(&self.connection);
        }
    }
}

/// Opens it for the first of those who have it open.
fn alone(path: PathBuf, lock: File) -> (Database, Option<Trouble>) {
    match made(&path).and_then(checked).and_then(migrated) {
        Ok(connection) => (shared(connection, path, lock), None),
        Err(Unusable::Damaged(why)) => set_aside(path, lock, why),
        Err(unusable) => without(path, unusable),
    }
}

/// Opens it for one more. A version that is behind is brought up to date, which others do not mind.
fn in_company(path: &Path) -> Result<Connection, Unusable> {
    connect(path).and_then(migrated)
}

/// Lets others open it too.
fn shared(connection: Connection, path: PathBuf, lock: File) -> Database {
    // on failure nobody else can open it, which is safe
    if lock.unlock().is_ok() {
        let _ = lock.lock_shared();
    }
    Database::kept(connection, path, lock)
}

/// Gives a damaged file another name and begins a new one. The lock is held alone.
fn set_aside(path: PathBuf, lock: File, why: String) -> (Database, Option<Trouble>) {
    let aside = free_name(&path);
    if let Err(error) = std::fs::rename(&path, &aside) {
        return without(path, Unusable::Unwritable(error.to_string()));
    }
    for end in ["-wal", "-shm"] {
        // there may be none; one that stays is recognised as another file's
        let _ = std::fs::rename(with(&path, end), with(&aside, end));
    }
    let fresh = made(&path).and_then(migrated);
    match fresh {
        Ok(connection) => {
            let trouble = Trouble::SetAside {
                path: path.clone(),
                aside,
                why,
            };
            (shared(connection, path, lock), Some(trouble))
        }
        Err(unusable) => without(path, unusable),
    }
}

/// Goes on in memory, with what the file says where it can be read at all.
fn without(path: PathBuf, unusable: Unusable) -> (Database, Option<Trouble>) {
    let mut database = in_memory();
    let trouble = match unusable {
        Unusable::Damaged(why) => Trouble::Damaged {
            path: path.clone(),
            why,
        },
        Unusable::Newer(found) => Trouble::Newer {
            path: path.clone(),
            found,
            known: schema::VERSION,
        },
        Unusable::Unwritable(why) => {
            if let Ok(connection) = copied(&path) {
                database.connection = connection;
            }
            Trouble::Unwritable {
                path: path.clone(),
                why,
            }
        }
    };
    database.path = path;
    (database, Some(trouble))
}

/// What a file says that cannot be written to, in memory.
fn copied(path: &Path) -> Result<Connection, Unusable> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    // `immutable`: no lock and no journal, which would have to be made
    let name: String = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(escaped)
        .collect();
    let file = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?;
    let mut memory = Connection::open_in_memory()?;
    Backup::new(&file, &mut memory)?.run_to_completion(i32::MAX, Duration::ZERO, None)?;
    migrated(checked(memory)?)
}

/// A byte as it stands in a URI (RFC 3986 section 2.1).
fn escaped(byte: &u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
            char::from(*byte).to_string()
        }
        other => format!("%{other:02X}"),
    }
}

fn lock_file(home: &Path) -> io::Result<File> {
    private(&home.join("state.lock"))
}

/// Opens or creates a file for this user only, which must not be a link.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    os::make_private(&mut options);
    let (file, _) = open_regular(&mut options, path, Links::Refuse)?
        .ok_or_else(|| io::Error::other("not a regular file"))?;
    os::keep_private(&file)?;
    Ok(file)
}

/// Connects, after making sure that the file is there, is a file, and is this user's alone; SQLite gives
/// its journal the same permissions. Not to be done while anybody has it open: closing any handle
/// to a file ends the locks that this process has on it.
fn made(path: &Path) -> Result<Connection, Unusable> {
    private(path).map_err(|error| Unusable::Unwritable(error.to_string()))?;
    connect(path)
}

fn connect(path: &Path) -> Result<Connection, Unusable> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    let found = schema::version(&connection)?;
    if found > schema::VERSION {
        return Err(Unusable::Newer(found));
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Unusable::Unwritable(format!(
            "its journal is {mode}, not wal"
        )));
    }
    connection.execute_batch(&format!(
        "PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = {JOURNAL_BYTES}"
    ))?;
    Ok(connection)
}

/// Looks at every page.
fn checked(connection: Connection) -> Result<Connection, Unusable> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match answer.as_str() {
        "ok" => Ok(connection),
        _ => Err(Unusable::Damaged(answer.replace('\n', " "))),
    }
}

/// Of this version, if it was of an earlier one.
fn migrated(mut connection: Connection) -> Result<Connection, Unusable> {
    schema::migrate(&mut connection)?;
    // a file of another program may have our version
    schema::epoch(&connection).map_err(|error| Unusable::Damaged(error.to_string()))?;
    Ok(connection)
}

fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Whether an error says that the file is not what it should be.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        // tables that exist already, or do not: a file that is not ours
        let is_foreign = matches!(error, rusqlite::Error::SqlInputError { .. })
            || error.sqlite_error_code() == Some(ErrorCode::Unknown);
        match is_damage(&error) || is_foreign {
            true => Self::Damaged(error.to_string()),
            false => Self::Unwritable(error.to_string()),
        }
    }
}

/// A name for a damaged file; the last one is taken over and over.
fn free_name(path: &Path) -> PathBuf {
    let names = (1..=ASIDE_MAX).map(|number| with(path, &format!(".damaged-{number}")));
    let mut names = names.collect::<Vec<_>>();
    let free = names.iter().position(|name| !name.exists());
    names.swap_remove(free.unwrap_or(names.len() - 1))
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
