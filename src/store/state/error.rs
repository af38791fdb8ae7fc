//! What can go wrong with a node's state. None of it concerns content.

use std::path::PathBuf;

/// Why something was not read from the state, or not written to it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Other processes have it, one after the other, for too long.
    #[error("E-STATE: {} is in use by other processes", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// What is written would be lost at the end of this process.
    #[error("{0}")]
    NotKept(Trouble),
    /// SQLite refused.
    #[error("E-STATE: {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The thread that keeps it has ended.
    #[error("E-STATE: the state is closed")]
    Closed,
}

/// Why a state is not what its file held, or not in its file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The file was damaged. It has another name now and a new one was begun.
    #[error(
        "E-STATE: {} was damaged ({why}) and is set aside as {}; a new one was begun",
        path.display(), aside.display()
    )]
    SetAside {
        /// The file.
        path: PathBuf,
        /// What it is called now.
        aside: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file is damaged, and another process has it open: it stays until that one ends.
    #[error("E-STATE: {} is damaged ({why}) and in use; going on without it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later version of the program has written it. It is left as it is.
    #[error(
        "E-STATE-VERSION: {} is of version {found}, this program knows up to {known}; \
         going on without it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version that is known.
        known: i64,
    },
    /// The file cannot be opened or written to. What it held was read if that was possible.
    #[error("E-STATE: {} cannot be written to ({why}); going on without it", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Something was not written down.
    #[error("E-STATE: not written to {}: {why}", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl StateError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotKept(trouble) => trouble.code(),
            Self::Busy { .. } | Self::Sqlite { .. } | Self::Closed => "E-STATE",
        }
    }
}

impl Trouble {
    /// The stable code of this trouble, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "E-STATE-VERSION",
            Self::SetAside { .. }
            | Self::Damaged { .. }
            | Self::Unwritable { .. }
            | Self::Lost { .. } => "E-STATE",
        }
    }

    /// Whether the state is kept in its file in spite of it.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::SetAside { .. } | Self::Lost { .. })
    }
}
