//! A vault's key on disk, kept as [`keyfile`](super::keyfile) keeps a wallet: for its owner only, whole or
//! not at all.

use std::path::Path;

use super::keyfile::{KeyFileError, private, random, text_error};
use super::vault_key::{self, Guard, Sealed, VaultKey};
use super::wallet::Wallet;

/// Reads a vault's key. A passphrase must be given if, and only if, the key is sealed with one;
/// otherwise the wallet opens it.
pub fn load(
    path: &Path,
    wallet: &Wallet,
    passphrase: Option<&str>,
) -> Result<VaultKey, KeyFileError> {
    let bytes = private::read(path)?;
    vault_key::read(&bytes, wallet, passphrase).map_err(|source| text_error(path, source))
}

/// Reads a vault's key, or makes a new one if there is none: sealed with the passphrase if one is given,
/// otherwise for the wallet.
pub fn load_or_create(
    path: &Path,
    wallet: &Wallet,
    passphrase: Option<&str>,
) -> Result<VaultKey, KeyFileError> {
    match load(path, wallet, passphrase) {
        Err(KeyFileError::NotFound { .. }) => {}
        other => return other,
    }
    let key = VaultKey::new(random()?, random()?);
    let guard = passphrase.map_or(Guard::Wallet(wallet), Guard::Passphrase);
    match private::create(path, sealed(path, &key, guard)?.as_bytes()) {
        Ok(()) => Ok(key),
        // Another process was faster: its key is the one.
        Err(KeyFileError::Exists { .. }) => load(path, wallet, passphrase),
        Err(error) => Err(error),
    }
}

/// What opens a vault's file.
pub fn sealed_with(path: &Path) -> Result<Sealed, KeyFileError> {
    let bytes = private::read(path)?;
    vault_key::sealed_with(&bytes).map_err(|source| text_error(path, source))
}

/// Seals a vault's key anew, in place of the file that there is. Whoever has a copy of that one, and what
/// opened it, still has the key.
pub fn reseal(path: &Path, key: &VaultKey, guard: Guard<'_>) -> Result<(), KeyFileError> {
    private::replace(path, sealed(path, key, guard)?.as_bytes())
}

fn sealed(path: &Path, key: &VaultKey, guard: Guard<'_>) -> Result<String, KeyFileError> {
    let written = vault_key::write(key, guard, random()?, random()?);
    written.map_err(|source| text_error(path, source.into()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::identity::KeyTextError;

    fn wallet() -> Wallet {
        Wallet::from_seed([3; 32])
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        for passphrase in [None, Some("open sesame")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("vault.key");
            let made = load_or_create(&path, &wallet(), passphrase).unwrap();
            let found = load_or_create(&path, &wallet(), passphrase).unwrap();
            assert_eq!(made.id(), found.id());
            let sealed = sealed_with(&path).unwrap();
            assert_eq!(sealed == Sealed::Passphrase, passphrase.is_some());
            assert_eq!(made.derive(b"", b"x"), found.derive(b"", b"x"));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_new_guard_keeps_the_key_and_shuts_out_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        let key = load_or_create(&path, &wallet(), Some("old")).unwrap();
        reseal(&path, &key, Guard::Passphrase("new")).unwrap();
        let found = load(&path, &wallet(), Some("new")).unwrap();
        assert_eq!(found.derive(b"", b"x"), key.derive(b"", b"x"));
        assert!(load(&path, &wallet(), Some("old")).is_err());
        reseal(&path, &key, Guard::Wallet(&wallet())).unwrap();
        assert_eq!(load(&path, &wallet(), None).unwrap().id(), key.id());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        load_or_create(&path, &wallet(), None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load(&path, &wallet(), None).unwrap_err();
        assert!(matches!(
            error,
            KeyFileError::Permissions { mode: 0o640, .. }
        ));
    }

    #[test]
    fn a_wrong_passphrase_makes_no_second_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        load_or_create(&path, &wallet(), Some("right")).unwrap();
        for (passphrase, is_missing) in [(Some("wrong"), false), (None, true)] {
            let error = load_or_create(&path, &wallet(), passphrase).unwrap_err();
            let KeyFileError::Text { source, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(source == KeyTextError::PassphraseMissing, is_missing);
        }
    }
}
