//! A SwarmMaster's tables: who holds what, and what it is called.
//!
//! [`IndexStore`] is all that the rest of a master knows of them. Behind it is one SQLite file
//! (`sqlite`) or a PostgreSQL database that several masters share (`postgres`). Every thread opens it
//! for itself: one of them writes, in batches, and the others read what was committed meanwhile.
//!
//! Nothing here is needed to serve or to fetch a container: nodes register again whatever they hold.
//! Nothing here reads a clock. `tests`, `searches` and `floods` are one suite for both engines.

mod error;
#[cfg(test)]
mod floods;
mod postgres;
#[cfg(test)]
mod searches;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

pub use error::IndexError;
pub use postgres::{Database, DatabaseError, PostgresIndex};
pub use sqlite::SqliteIndex;

use crate::digest::ManifestId;
use crate::index::{Candidate, Facts, Member, Query, Seat};
use crate::wire::{Extent, Hit, Holding, Wanted};

/// How long after its last sign of life a node is still named to others, in seconds.
pub const ALIVE_S: u64 = 30;
/// How long after that what it holds is forgotten, in seconds: one that comes back earlier need not prove
/// it again.
pub const FORGET_S: u64 = 90;
/// Holders of one container that are looked at to choose those who are named.
pub const CANDIDATES_MAX: u32 = 200;

/// The tables of a master. Each thread has one of its own.
pub trait IndexStore: Send {
    /// Makes these changes, all of them or none, at this time in seconds since 1970. Answers each.
    fn write(&mut self, now: u64, changes: &[Change]) -> Result<Vec<Outcome>, IndexError>;

    /// Who holds a container and is alive: at most [`CANDIDATES_MAX`], beginning at `from` in
    /// an order of no meaning.
    fn holders(&mut self, now: u64, wanted: Wanted, from: u64) -> Result<Vec<Listed>, IndexError>;

    /// What a search finds, the best first, until it is told to stop.
    fn search(&mut self, query: &Query, stop: Stop) -> Result<(Extent, Vec<Hit>), IndexError>;

    /// How much there is.
    fn extent(&mut self, now: u64) -> Result<IndexExtent, IndexError>;
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// A node has proven that it holds a container.
    List {
        /// The container.
        facts: Arc<Facts>,
        /// The node.
        member: Member,
        /// How much of it.
        held: Holding,
        /// Until when that is good, in seconds since 1970.
        expires: u64,
    },
    /// A node says again, or anew, how much it holds of what it is listed with.
    Refresh {
        /// The container.
        id: ManifestId,
        /// The node, as it is reached now.
        member: Member,
        /// How much of it.
        held: Holding,
        /// Until when that is good.
        expires: u64,
    },
    /// A node holds a container no more, or none at all.
    Withdraw {
        /// The node.
        seat: Seat,
        /// The container, or all.
        id: Option<ManifestId>,
    },
    /// These nodes are alive.
    Seen {
        /// Which.
        seats: Vec<Seat>,
    },
    /// A node is not connected any more.
    Left {
        /// Which.
        seat: Seat,
    },
    /// Nobody could be seen while the master was down: everybody has time to come back.
    Revive,
    /// What is dead or past its time goes, at most so much of it.
    Sweep {
        /// Holders.
        limit: u32,
    },
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The node is listed with the container.
    Listed,
    /// The node is not listed with it, and has to prove first that it holds it.
    Unknown,
    /// The wallet, or its subnet, has as many containers listed as it may.
    Quota,
    /// So many rows are gone, or changed.
    Done(u32),
}

/// A holder, and what speaks for naming it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub seat: Seat,
    /// By which manifest.
    pub manifest_id: ManifestId,
    /// How much it holds.
    pub held: Holding,
    /// Where it says that it listens.
    pub listen: Vec<SocketAddr>,
    /// What speaks for it.
    pub candidate: Candidate,
}

/// How much an index holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexExtent {
    /// Nodes that are alive.
    pub nodes: u64,
    /// Containers.
    pub entries: u64,
    /// Pairs of the two.
    pub holders: u64,
}

/// Says when a search has to end.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// When this is true, which is asked often.
    pub fn when(is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_over))
    }

    /// Whether it is time.
    pub fn is_due(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// Where an index is kept.
#[derive(Debug, Clone)]
pub enum IndexPlace {
    /// In this SQLite file.
    Sqlite(std::path::PathBuf),
    /// In this PostgreSQL database, which other masters may share.
    Postgres(Database),
}

impl IndexPlace {
    /// In a SQLite file of this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self::Sqlite(folder.join(INDEX_FILE))
    }

    /// Makes or mends the tables, and opens them to write. Blocks.
    pub fn open_to_write(&self) -> Result<Box<dyn IndexStore>, IndexError> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(SqliteIndex::open_to_write(path)?),
            Self::Postgres(database) => Box::new(PostgresIndex::open_to_write(database)?),
        })
    }

    /// Opens tables that are there to read. Blocks.
    pub fn open_to_read(&self) -> Result<Box<dyn IndexStore>, IndexError> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(SqliteIndex::open_to_read(path)?),
            Self::Postgres(database) => Box::new(PostgresIndex::open_to_read(database)?),
        })
    }
}

/// The index's file in a master's folder.
pub const INDEX_FILE: &str = "index.db";
