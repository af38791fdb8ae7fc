//! A wallet on disk: one small file that only its owner may read.
//!
//! Invariants:
//!
//! * A key file appears whole or not at all, and is never written over: it is made under another
//!   name, synced, linked to its name (which fails where one exists), and the folder is synced. Two
//!   processes that both find none end up with the same wallet.
//! * On Unix the file is created with mode 0600, and one that others may touch is not read: a key that
//!   others had is no identity. On other systems the folder's permissions are what protects it.
//! * Only a regular file is read, and never through a symbolic link, so that a key does not come from
//!   elsewhere than it seems to.
//!
//! This is the one file of the layer that touches the disk. The folder must exist.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keytext::{self, KeyTextError};
use super::wallet::{RandomnessError, Wallet};
use crate::limits::KEY_FILE_BYTES_MAX;

/// Why a key file cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is none.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// The key file.
        path: PathBuf,
    },
    /// There is one already, which is not written over.
    #[error("{} exists and is not written over", path.display())]
    Exists {
        /// The key file.
        path: PathBuf,
    },
    /// Others than the owner may read or change it.
    #[error("E-KEY-PERMS: {} has mode {mode:04o}, looser than 0600; run: chmod 600 '{}'",
        path.display(), path.display())]
    Permissions {
        /// The key file.
        path: PathBuf,
        /// Its mode, the permission bits alone.
        mode: u32,
    },
    /// It is not a regular file.
    #[error("{} is {kind}, expected a regular file", path.display())]
    NotRegular {
        /// The key file.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
    },
    /// It is longer than a key file can be.
    #[error("{} is longer than {KEY_FILE_BYTES_MAX} B: not a key file", path.display())]
    TooLarge {
        /// The key file.
        path: PathBuf,
    },
    /// What it contains gives no wallet, or the passphrase does not fit.
    #[error("key file {} gives no key", path.display())]
    Text {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyTextError,
    },
    /// The system refuses.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, as an infinitive.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The system has no randomness for a new key.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// Reads the wallet from its file. A passphrase must be given if, and only if, the key has one.
pub fn load(path: &Path, passphrase: Option<&str>) -> Result<Wallet, KeyFileError> {
    let bytes = read_private(path)?;
    keytext::read(&bytes, passphrase).map_err(|source| text_error(path, source))
}

/// Writes a wallet to a file that does not exist yet, sealed if a passphrase is given.
pub fn create(path: &Path, wallet: &Wallet, passphrase: Option<&str>) -> Result<(), KeyFileError> {
    let text = match passphrase {
        None => keytext::write_open(wallet),
        Some(passphrase) => keytext::write_sealed(wallet, passphrase, random()?, random()?)
            .map_err(|source| text_error(path, source))?,
    };
    let draft = draft_path(path)?;
    let written = write_private(&draft, text.as_bytes()).and_then(|()| publish(&draft, path));
    let removed = fs::remove_file(&draft).map_err(|e| io_error(&draft, "remove", e));
    written?;
    removed?;
    sync_folder(path)
}

/// Reads the wallet from its file, or makes a new one if there is none.
pub fn load_or_create(path: &Path, passphrase: Option<&str>) -> Result<Wallet, KeyFileError> {
    match load(path, passphrase) {
        Err(KeyFileError::NotFound { .. }) => {}
        other => return other,
    }
    let wallet = Wallet::generate()?;
    match create(path, &wallet, passphrase) {
        Ok(()) => Ok(wallet),
        // Another process was faster: its wallet is the one.
        Err(KeyFileError::Exists { .. }) => load(path, passphrase),
        Err(error) => Err(error),
    }
}

/// The contents of a file that nobody else may touch.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let named = fs::symlink_metadata(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return KeyFileError::NotFound {
                path: path.to_owned(),
            };
        }
        io_error(path, "look at", error)
    })?;
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

/// Reads a whole file, which must be short.
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

/// Creates a file for the owner's eyes and writes it to the disk itself.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    let mut file = options
        .open(path)
        .map_err(|error| io_error(path, "create", error))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| io_error(path, "write", error))
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

/// A name beside the key file that no other process uses.
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

fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomnessError::from)?;
    Ok(bytes)
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

/// What was opened is what was looked at, and nobody has put a link there in between.
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

fn io_error(path: &Path, doing: &'static str, source: io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}

fn text_error(path: &Path, source: KeyTextError) -> KeyFileError {
    KeyFileError::Text {
        path: path.to_owned(),
        source,
    }
}
