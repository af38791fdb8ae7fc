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
//! With `vaultfile`, which keeps a vault's key in the same way, this is the one place of the layer that
//! touches the disk. The folder must exist.

pub(super) mod private;

use std::io;
use std::path::{Path, PathBuf};

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
    let bytes = private::read(path)?;
    keytext::read(&bytes, passphrase).map_err(|source| text_error(path, source))
}

/// Writes a wallet to a file that does not exist yet, sealed if a passphrase is given.
pub fn create(path: &Path, wallet: &Wallet, passphrase: Option<&str>) -> Result<(), KeyFileError> {
    let text = match passphrase {
        None => keytext::write_open(wallet),
        Some(passphrase) => keytext::write_sealed(wallet, passphrase, random()?, random()?)
            .map_err(|source| text_error(path, source.into()))?,
    };
    private::create(path, text.as_bytes())
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

pub(super) fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomnessError::from)?;
    Ok(bytes)
}

pub(super) fn text_error(path: &Path, source: KeyTextError) -> KeyFileError {
    KeyFileError::Text {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::error::Error as _;
    use std::fs;

    use super::*;
    use crate::identity::SealError;

    fn wallet() -> Wallet {
        Wallet::from_seed([3; 32])
    }

    /// A key file with these contents and this mode, as somebody else might leave it.
    fn planted(folder: &Path, contents: &[u8], mode: u32) -> PathBuf {
        let path = folder.join("identity.key");
        fs::write(&path, contents).unwrap();
        set_mode(&path, mode);
        path
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(not(unix))]
    fn set_mode(_: &Path, _: u32) {}

    #[test]
    fn a_created_key_is_loaded_and_leaves_nothing_else_behind() {
        for passphrase in [None, Some("open sesame")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("identity.key");
            create(&path, &wallet(), passphrase).unwrap();
            let loaded = load(&path, passphrase).unwrap();
            assert_eq!(loaded.address(), wallet().address());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_created_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        create(&path, &wallet(), None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = planted(folder.path(), b"something else", 0o600);
        let error = create(&path, &wallet(), None).unwrap_err();
        assert!(matches!(error, KeyFileError::Exists { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"something else");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_touch_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let text = keytext::write_open(&wallet());
        for mode in [0o644, 0o640, 0o604, 0o602, 0o610, 0o700, 0o4600, 0o666] {
            let path = planted(folder.path(), text.as_bytes(), mode);
            let shown = path.display();
            assert_eq!(
                load(&path, None).unwrap_err().to_string(),
                format!(
                    "E-KEY-PERMS: {shown} has mode {mode:04o}, looser than 0600; \
                     run: chmod 600 '{shown}'"
                )
            );
        }
        for mode in [0o600, 0o400] {
            let path = planted(folder.path(), text.as_bytes(), mode);
            assert!(load(&path, None).is_ok(), "{mode:o}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let target = planted(
            folder.path(),
            keytext::write_open(&wallet()).as_bytes(),
            0o600,
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let cases = [
            (link, "a symbolic link"),
            (folder.path().to_owned(), "a folder"),
            (socket, "a device, a pipe or a socket"),
            (PathBuf::from("/dev/zero"), "a device, a pipe or a socket"),
        ];
        for (path, kind) in cases {
            assert_eq!(
                load(&path, None).unwrap_err().to_string(),
                format!("{} is {kind}, expected a regular file", path.display())
            );
        }
    }

    #[test]
    fn length_and_text_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = planted(folder.path(), &[b'x'; KEY_FILE_BYTES_MAX + 1], 0o600);
        assert_eq!(
            load(&path, None).unwrap_err().to_string(),
            format!("{} is longer than 1024 B: not a key file", path.display())
        );
        let path = planted(folder.path(), &[b'x'; KEY_FILE_BYTES_MAX], 0o600);
        let error = load(&path, None).unwrap_err();
        assert_eq!(
            error.source().unwrap().to_string(),
            "line 1: expected `swarmhold-key-v1`"
        );
        let nowhere = folder.path().join("nowhere").join("identity.key");
        let error = create(&nowhere, &wallet(), None).unwrap_err();
        assert!(matches!(error, KeyFileError::Io { .. }), "{error}");
    }

    #[test]
    fn an_existing_key_is_never_replaced_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        create(&path, &wallet(), Some("open sesame")).unwrap();
        let sealed = fs::read(&path).unwrap();
        for passphrase in [None, Some("wrong")] {
            load_or_create(&path, passphrase).unwrap_err();
        }
        assert_eq!(fs::read(&path).unwrap(), sealed);
        let empty = create(&folder.path().join("other"), &wallet(), Some("")).unwrap_err();
        let KeyFileError::Text { source, .. } = empty else {
            panic!("{empty}");
        };
        assert_eq!(
            source,
            KeyTextError::Seal(SealError::PassphraseLength { found: 0 })
        );
    }

    #[test]
    fn everyone_who_races_to_create_the_key_gets_the_same_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        let start = std::sync::Barrier::new(8);
        let addresses: BTreeSet<_> = std::thread::scope(|scope| {
            let race = || {
                start.wait();
                load_or_create(&path, None).unwrap().address()
            };
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(race)).collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        assert_eq!(addresses.len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
