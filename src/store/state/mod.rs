//! What a node remembers beside containers and manifests: one SQLite file in its home.
//!
//! ```text
//! home/state.db       the file, with state.db-wal and state.db-shm beside it while it is open
//! home/state.lock     held by everybody who has it open; alone by who makes, mends or sets it aside
//! ```
//!
//! A [`State`] is a handle. Everything that is read or written is a job for one thread of its own, which
//! owns the only connection (`writer`); jobs that wait together become one transaction. So a caller waits
//! for the disk or not at all, as it likes, and several processes in one home take turns for as long
//! as one transaction takes.
//!
//! Nothing here is needed to serve or to fetch a container. A file that is damaged is set aside and a new
//! one begun; one that a later version has written, or that cannot be written to, is left alone and the
//! state is kept in memory for this run (`open`). [`State::troubles`] says which.
//!
//! Reading order: `schema` (the tables), `open`, `writer`, then one file for each table or two. Nothing
//! here logs, reads a clock, or knows of peers.

mod bans;
mod containers;
mod credit;
mod doubts;
mod error;
mod jobs;
mod open;
mod parts;
mod peers;
mod schema;
mod settings;
mod sketches;
#[cfg(test)]
mod tests;
pub(in crate::store) mod values;
mod verdicts;
mod ways;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

pub use bans::BanRow;
pub use containers::{ContainerRow, Pin};
pub use credit::CreditRow;
pub use doubts::DoubtRow;
pub use error::{StateError, Trouble};
pub use jobs::JobRow;
pub use peers::PeerRow;
pub use verdicts::{VerdictRows, WrongRow};
pub use ways::{Way, WayRow};

use self::writer::{Durability, Writer};

/// The state's file in a node's home.
pub const STATE_FILE: &str = "state.db";

/// A node's state. Clones share it; the last one dropped closes the file.
#[derive(Debug, Clone)]
pub struct State {
    writer: Arc<Writer>,
}

impl State {
    /// Opens the state in a node's home, which must exist; makes it if there is none. Blocks on the
    /// disk, and on other processes that are just doing the same.
    ///
    /// Never fails: where the file cannot be used, [`troubles`](Self::troubles) says why and nothing
    /// outlives this handle.
    pub fn open(home: &Path) -> Self {
        let (database, trouble) = open::open(home);
        let writer = Arc::new(Writer::start(database, trouble));
        Self { writer }
    }

    /// A state that nobody keeps.
    pub fn in_memory() -> Self {
        let writer = Arc::new(Writer::start(open::in_memory(), None));
        Self { writer }
    }

    /// What went wrong with the file since this was last asked.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.writer.troubles()
    }

    /// An error where what is written now does not outlive this handle, and why.
    pub fn kept(&self) -> Result<(), StateError> {
        self.writer.kept()
    }

    /// A number that was drawn when this state was begun: another one means that what was written
    /// before is not there any more.
    pub fn epoch(&self) -> Result<i64, StateError> {
        self.read(schema::epoch)
    }

    /// Reads, after all that was written before. Blocks.
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        self.writer.call(Durability::Nothing, work)
    }

    /// Reads and writes, all or nothing, and waits until a loss of power cannot undo it. Blocks.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        self.writer.call(Durability::Full, work)
    }

    /// Reads and writes, all or nothing and in order; a loss of power may undo the newest. Blocks.
    fn write_soon<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        self.writer.call(Durability::Ordered, work)
    }

    /// Reads and writes as [`write_soon`](Self::write_soon), and does not wait.
    fn post(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        self.writer.post(Durability::Ordered, work);
    }
}
