//! What can go wrong with a master's tables.

use std::path::PathBuf;

/// Why the index was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A later version of the program has made it.
    #[error("E-INDEX-VERSION: {place} is of version {found}, this program knows up to {known}")]
    Newer {
        /// The file, or the database.
        place: String,
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
    /// A file's folder cannot be made.
    #[error("E-INDEX: cannot make {}", path.display())]
    Folder {
        /// The folder.
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
    /// PostgreSQL refused, or was not reached.
    #[error("E-INDEX: {place}: {}", said(source))]
    Postgres {
        /// The database, without the password.
        place: String,
        /// What it said.
        source: Box<postgres::Error>,
    },
    /// There is nothing to check the server's certificate against.
    #[error("E-INDEX: {place}: cannot encrypt: {why}")]
    Certificates {
        /// The database, without the password.
        place: String,
        /// What is wrong.
        why: String,
    },
}

/// What a server said, or else why it was not heard.
fn said(error: &postgres::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
