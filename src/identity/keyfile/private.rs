//! A file that only its owner may touch: read with care, created whole or not at all.
//!
//! The corners that differ between systems stand at the end. Where there are no Unix modes, the
//! folder's permissions are what protects the file.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{KeyFileError, random};
use crate::limits::KEY_FILE_BYTES_MAX;

/// Reads a short regular file that nobody else may touch.
pub(in crate::identity) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let named = fs::symlink_metadata(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return KeyFileError::NotFound {
                path: path.to_owned(),
            };
        }
        io_error(path, "look at", error)
    })?;
    // Before opening: opening a pipe would wait for its writer.
    check_kind(path, &named)?;
    let file = File::open(path).map_err(|error| io_error(path, "open", error))?;
    let opened = file
        .metadata()
        .map_err(|error| io_error(path, "look at", error))?;
    check_kind(path, &opened)?;
    check_same(path, &named, &opened)?;
    check_mode(path, &opened)?;
    read_bounded(path, file)
}

/// Creates a file that does not exist yet, and does not return before it is on the disk.
pub(in crate::identity) fn create(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let draft = draft_path(path)?;
    let written = write_draft(&draft, bytes).and_then(|()| publish(&draft, path));
    let removed = fs::remove_file(&draft).map_err(|error| io_error(&draft, "remove", error));
    written?;
    removed?;
    sync_folder(path)
}

/// Writes a file in place of the one that has its name, and does not return before it is on the disk.
pub(in crate::identity) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let draft = draft_path(path)?;
    let written = write_draft(&draft, bytes)
        .and_then(|()| fs::rename(&draft, path).map_err(|error| io_error(path, "replace", error)));
    if let Err(error) = written {
        // best effort: the error that matters is the one being reported
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    sync_folder(path)
}

/// Reads to the end, which must come soon.
fn read_bounded(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    // Room for all of it from the start: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_FILE_BYTES_MAX));
    let length = file
        .take(KEY_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| io_error(path, "read", error))?;
    if length > KEY_FILE_BYTES_MAX {
        return Err(KeyFileError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

/// A name beside the file that no other process uses.
fn draft_path(path: &Path) -> Result<PathBuf, KeyFileError> {
    let Some(name) = path.file_name() else {
        let error = io::Error::from(io::ErrorKind::InvalidInput);
        return Err(io_error(path, "create", error));
    };
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{:016x}.draft", u64::from_le_bytes(random()?)));
    Ok(path.with_file_name(draft))
}

/// Writes a new file through to the disk.
fn write_draft(draft: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    let mut file = options
        .open(draft)
        .map_err(|error| io_error(draft, "create", error))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| io_error(draft, "write", error))
}

/// Gives a finished draft its name, unless there is something of that name.
fn publish(draft: &Path, path: &Path) -> Result<(), KeyFileError> {
    // Renaming would replace what is there; a second link does not, on any system.
    fs::hard_link(draft, path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return KeyFileError::Exists {
                path: path.to_owned(),
            };
        }
        io_error(path, "create", error)
    })
}

fn check_kind(path: &Path, found: &Metadata) -> Result<(), KeyFileError> {
    let kind = found.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(KeyFileError::NotRegular {
        path: path.to_owned(),
        kind: match (kind.is_symlink(), kind.is_dir()) {
            (true, _) => "a symbolic link",
            (_, true) => "a folder",
            _ => "a device, a pipe or a socket",
        },
    })
}

fn io_error(path: &Path, doing: &'static str, source: io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}

/// What was opened is what was looked at: nobody has put a link there in between.
#[cfg(unix)]
fn check_same(path: &Path, named: &Metadata, opened: &Metadata) -> Result<(), KeyFileError> {
    use std::os::unix::fs::MetadataExt as _;
    if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) {
        return Ok(());
    }
    let error = io::Error::other("it was replaced while it was being opened");
    Err(io_error(path, "open", error))
}

#[cfg(unix)]
fn check_mode(path: &Path, found: &Metadata) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = found.permissions().mode() & 0o7777;
    if mode & !0o600 == 0 {
        return Ok(());
    }
    Err(KeyFileError::Permissions {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

/// A new name is on the disk only once its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), KeyFileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| io_error(folder, "sync", error))
}

#[cfg(not(unix))]
fn check_same(_: &Path, _: &Metadata, _: &Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), KeyFileError> {
    Ok(())
}
