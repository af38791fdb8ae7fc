//! What errors of what is kept mean: the library, its quota and its state, and encrypted containers.

use super::{Verdict, exists, of_io, plain};
use crate::cli::exit::Exit;
use crate::node::keyfile::KeyFileError;
use crate::node::{
    AgeFileError, ExportError, HeaderError, KeyTextError, LibraryError, RemoveError, RoomError,
    ScrubError, StateError, VaultError,
};

/// What opens a vault.
const OPENS: &str = "set SWARMHOLD_VAULT_PASSPHRASE, or --vault-passphrase-file FILE";

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
        LibraryError::Remove(RemoveError::InUse(_)) | LibraryError::InUse { .. } => {
            plain(Exit::Other, "E-LOCKED").hint("stop that share or get first")
        }
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

pub(super) fn of_vault(error: &VaultError) -> Verdict {
    let verdict = |exit, hint| plain(exit, "E-VAULT").hint(hint);
    match error {
        VaultError::Shut(_) => verdict(Exit::Permission, OPENS),
        VaultError::InTheOpen { .. } => {
            verdict(Exit::Exists, "swarmhold rm removes it; then get it again")
        }
    }
}

pub(super) fn of_export(error: &ExportError) -> Verdict {
    match error {
        ExportError::NoManifest(_) => plain(Exit::NotFound, "E-NO-MANIFEST").hint("get it again"),
        ExportError::Manifest(manifest) => super::of_manifest_file(manifest),
        ExportError::Vault(vault) => of_vault(vault),
        ExportError::Open(open) => super::of_open(open),
        ExportError::File(file) => of_age_file(file),
    }
}

pub(super) fn of_scrub(error: &ScrubError) -> Verdict {
    match error {
        ScrubError::NoManifest(_) => plain(Exit::NotFound, "E-NO-MANIFEST").hint("get it again"),
        ScrubError::Manifest(manifest) => super::of_manifest_file(manifest),
        ScrubError::Container(ingest) => super::of_ingest(ingest),
        ScrubError::Vault(vault) => of_vault(vault),
        ScrubError::Open(open) => super::of_open(open),
        ScrubError::Read(read) => super::of_read(read),
    }
}

/// What a vault's key is refused for has other remedies than what an identity's is.
pub(super) fn of_vault_key(error: &KeyFileError) -> Verdict {
    let verdict = super::of_key_file(error);
    let KeyFileError::Text { source, .. } = error else {
        return Verdict {
            hint: None,
            ..verdict
        };
    };
    let hint = match source {
        KeyTextError::PassphraseMissing => Some(OPENS),
        KeyTextError::PassphraseUnused => {
            Some("leave SWARMHOLD_VAULT_PASSPHRASE and --vault-passphrase-file out")
        }
        KeyTextError::OtherIdentity { .. } => Some("restore that identity, or --home FOLDER"),
        KeyTextError::Utf8 { .. }
        | KeyTextError::Line { .. }
        | KeyTextError::Value { .. }
        | KeyTextError::Address
        | KeyTextError::Damaged
        | KeyTextError::Seal(_) => None,
    };
    Verdict { hint, ..verdict }
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
        AgeFileError::Read(read) => super::of_read(read),
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
