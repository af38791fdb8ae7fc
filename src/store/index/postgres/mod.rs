//! A PostgreSQL database as an index, which any number of masters share: each of them writes a batch as
//! one statement, one after the other, and all read what is committed.
//!
//! ```text
//! connect      which database, whether encrypted, and one session of it
//! tables.sql   the tables; changes.sql: the functions that change them
//! writing      changes as JSON, which is how they get there
//! reading      questions; condition: what they are about; rows: what comes back
//! ```
//!
//! The rules of who is listed stand in `changes.sql` once more, because a change that asked from here
//! for each row would wait for the network a dozen times. What keeps the two engines alike is that one
//! suite tests both.
//!
//! A session that ends, because the server restarts or the network does, is opened anew by the next
//! question. All calls block, and none may be made within a tokio runtime.

mod condition;
mod connect;
mod reading;
mod rows;
#[cfg(test)]
#[path = "../../../../tests/support/postgres.rs"]
pub(super) mod server;
#[cfg(test)]
#[path = "../../../../tests/support/skip.rs"]
mod skip;
#[cfg(test)]
mod tests;
mod writing;

pub use connect::{Database, DatabaseError};

use std::fmt;

use ::postgres::Client;
use ::postgres::error::SqlState;
use ::postgres::types::{ToSql, Type};

use self::connect::Role;
use self::reading::Lookups;
use super::{Change, IndexError, IndexExtent, IndexStore, Listed, Outcome, Stop};
use crate::index::Query;
use crate::wire::{Extent, Hit, Wanted};

/// The version of the tables that this program reads and writes.
const VERSION: i32 = 1;
/// What the tables are made by.
const TABLES: &str = include_str!("tables.sql");
/// What changes them.
const CHANGES: &str = include_str!("changes.sql");
/// The lock under which tables are made.
const MAKING: i64 = 8_315_163_451_922;

/// A value in a question, and its type.
type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// An index in PostgreSQL.
pub struct PostgresIndex {
    database: Database,
    role: Role,
    session: Option<Session>,
}

/// A session, and what the server knows in it.
struct Session {
    client: Client,
    lookups: Option<Lookups>,
}

impl fmt::Debug for PostgresIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresIndex({}, {:?})", self.database, self.role)
    }
}

impl PostgresIndex {
    /// Opens an index to write, and makes its tables if there are none.
    pub fn open_to_write(database: &Database) -> Result<Self, IndexError> {
        let mut index = Self::open(database, Role::Writer)?;
        index
            .with(|session| make(&mut session.client))?
            .map_err(|found| IndexError::Newer {
                place: database.to_string(),
                found: found.into(),
                known: VERSION.into(),
            })?;
        Ok(index)
    }

    /// Opens an index that is there, to read.
    pub fn open_to_read(database: &Database) -> Result<Self, IndexError> {
        Self::open(database, Role::Reader)
    }

    fn open(database: &Database, role: Role) -> Result<Self, IndexError> {
        let session = Session::new(database.connect(role)?);
        Ok(Self {
            database: database.clone(),
            role,
            session: Some(session),
        })
    }

    /// Does something in the session, in a new one where it has ended.
    fn with<T>(
        &mut self,
        work: impl Fn(&mut Session) -> Result<T, ::postgres::Error>,
    ) -> Result<T, IndexError> {
        if let Some(session) = &mut self.session {
            match work(session) {
                Err(error) if has_ended(&session.client, &error) => self.session = None,
                outcome => return outcome.map_err(|error| self.failed(error)),
            }
        }
        let client = self.database.connect(self.role)?;
        let outcome = work(self.session.insert(Session::new(client)));
        outcome.map_err(|error| self.failed(error))
    }

    fn failed(&self, source: ::postgres::Error) -> IndexError {
        let place = self.database.to_string();
        let source = Box::new(source);
        IndexError::Postgres { place, source }
    }
}

impl Session {
    fn new(client: Client) -> Self {
        Self {
            client,
            lookups: None,
        }
    }

    /// Its client, and the lookups, which the server is told once.
    fn with_lookups(&mut self) -> Result<(&mut Client, &Lookups), ::postgres::Error> {
        let lookups = match self.lookups.take() {
            Some(lookups) => lookups,
            None => Lookups::new(&mut self.client)?,
        };
        Ok((&mut self.client, self.lookups.insert(lookups)))
    }
}

impl IndexStore for PostgresIndex {
    fn write(&mut self, now: u64, changes: &[Change]) -> Result<Vec<Outcome>, IndexError> {
        let batch = writing::batch(changes);
        self.with(|session| writing::write(&mut session.client, now, &batch))
    }

    fn holders(&mut self, now: u64, wanted: Wanted, from: u64) -> Result<Vec<Listed>, IndexError> {
        self.with(|session| {
            let (client, lookups) = session.with_lookups()?;
            lookups.holders(client, now, wanted, from)
        })
    }

    fn search(&mut self, query: &Query, stop: Stop) -> Result<(Extent, Vec<Hit>), IndexError> {
        self.with(|session| reading::search(&mut session.client, query, &stop))
    }

    fn extent(&mut self, now: u64) -> Result<IndexExtent, IndexError> {
        self.with(|session| reading::extent(&mut session.client, now))
    }
}

/// Makes the tables if there are none, and the functions. The inner error is a version that is too new.
fn make(client: &mut Client) -> Result<Result<(), i32>, ::postgres::Error> {
    let mut step = client.transaction()?;
    step.query_typed("SELECT pg_advisory_xact_lock($1)", &[(&MAKING, Type::INT8)])?;
    let sql = "SELECT to_regclass('swarmhold.version') IS NOT NULL";
    let is_there: bool = step.query_typed_one(sql, &[])?.get(0);
    if !is_there {
        step.batch_execute(TABLES)?;
    }
    let sql = "SELECT version FROM swarmhold.version";
    let found: i32 = step.query_typed_one(sql, &[])?.get(0);
    if found > VERSION {
        return Ok(Err(found));
    }
    step.batch_execute(CHANGES)?;
    step.execute_typed(
        "UPDATE swarmhold.version SET version = $1",
        &[(&VERSION, Type::INT4)],
    )?;
    step.commit()?;
    Ok(Ok(()))
}

/// Whether a session is over, rather than a question wrong.
fn has_ended(client: &Client, error: &::postgres::Error) -> bool {
    client.is_closed()
        || error.is_closed()
        || matches!(
            error.code(),
            Some(&SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN)
        )
}
