//! What can go wrong with a master's tables.

use std::path::PathBuf;

/// Why the index was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A later version of the program has made it.
    #[error("E-INDEX-VERSION: {} is of version {found}, this program knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// A damaged file could not be set aside.
    #[error("E-INDEX: {} is damaged and cannot be renamed", path.display())]
    SetAside {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("E-INDEX: {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}
