//! What errors of what is kept mean: the library, its quota and its state, and encrypted containers.

use super::{Verdict, exists, of_io, plain};
use crate::cli::exit::Exit;
use crate::node::{AgeFileError, HeaderError, LibraryError, RemoveError, RoomError, StateError};

pub(super) fn of_room(error: &RoomError) -> Verdict {
    match error {
        RoomError::Quota { .. } => plain(Exit::DiskFull, "E-QUOTA").hint(
            "swarmhold rm or unpin makes room; --quota SIZE allows more; -o PATH is not counted",
        ),
        RoomError::Library(error) => of_library(error),
    }
}

pub(super) fn of_library(error: &LibraryError) -> Verdict {
    match error {
        LibraryError::State(state) => of_state(state),
        LibraryError::Remove(RemoveError::InUse(_)) => plain(Exit::Other, "E-LOCKED"),
        LibraryError::Remove(RemoveError::Io { source, .. }) | LibraryError::Io { source, .. } => {
            of_io(source)
        }
        LibraryError::Unknown(_) => {
            plain(Exit::NotFound, "E-UNKNOWN").hint("swarmhold list tells what is known")
        }
        LibraryError::Ambiguous { .. } => {
            plain(Exit::Usage, "E-AMBIGUOUS").hint("name it by more digits of its manifest id")
        }
    }
}

pub(super) fn of_state(error: &StateError) -> Verdict {
    plain(Exit::Config, error.code())
}

pub(super) fn of_age_file(error: &AgeFileError) -> Verdict {
    let code = error.code();
    match error {
        AgeFileError::AlreadyThere { .. } => exists(),
        AgeFileError::NotRegular { .. } => plain(Exit::BadData, code),
        AgeFileError::Header { why, .. } => of_header(why),
        AgeFileError::Content { .. } => plain(Exit::Integrity, code),
        AgeFileError::GivenUp { .. } => {
            plain(Exit::Interrupted, code).hint("swarmhold export FILE.age -o FILE decrypts it")
        }
        AgeFileError::Randomness(_) => plain(Exit::Other, code),
        AgeFileError::Io { source, .. } => of_io(source),
    }
}

fn of_header(error: &HeaderError) -> Verdict {
    let code = error.code();
    match error {
        HeaderError::NotForUs => {
            plain(Exit::Permission, code).hint("age -d -i KEY reads it with another key")
        }
        HeaderError::Changed => plain(Exit::Integrity, code),
        HeaderError::OtherFormat
        | HeaderError::Malformed { .. }
        | HeaderError::TooLong
        | HeaderError::Recipients { .. } => plain(Exit::BadData, code),
    }
}
