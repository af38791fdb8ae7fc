//! Where a node keeps its things, and its identity there.
//!
//! ```text
//! SWARMHOLD_HOME, or $XDG_DATA_HOME/swarmhold       0700
//!   identity.key                                    0600
//!   vault.key                                       0600, if there is a vault
//!   wwwdata/...                                     the node's own containers and manifests
//! ```

use std::cell::OnceCell;
use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str;

use etcetera::BaseStrategy as _;
use zeroize::Zeroizing;

use super::args::Global;
use super::error::CliError;
use super::output::Output;
use crate::node::keyfile::{self, KeyFileError};
use crate::node::{
    Library, PASSPHRASE_BYTES_MAX, Settings, VAULT, Vault, VaultUse, Wallet, vaultfile,
};

/// The identity's file in the home folder.
const KEY_FILE: &str = "identity.key";
/// The vault's key in the home folder.
const VAULT_FILE: &str = "vault.key";
/// The variable that a passphrase may stand in.
const PASSPHRASE: &str = "SWARMHOLD_PASSPHRASE";
/// The variable that the vault's passphrase may stand in.
const VAULT_PASSPHRASE: &str = "SWARMHOLD_VAULT_PASSPHRASE";

/// A node's folder, and the passphrase for the identity in it.
pub(super) struct Home {
    folder: PathBuf,
    passphrase: Option<Zeroizing<String>>,
    vault_passphrase: Option<Zeroizing<String>>,
    /// Opened when they are first asked for, and kept open: whoever opens the state next need not look at
    /// all of it again.
    settings: OnceCell<Settings>,
}

/// What a command wants of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VaultWish {
    /// To keep what it fetches in there; the vault is made if there is none.
    Keep,
    /// What the settings say.
    Settings,
    /// To read what is in there, if it opens.
    Read,
}

/// A wallet, and whether it was there before.
pub(super) struct Identity {
    pub(super) wallet: Wallet,
    pub(super) origin: Origin,
}

/// Where an identity came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was there.
    Loaded,
    /// It was made just now.
    Created,
}

impl Home {
    /// The home that the options and the environment say. Nothing is created yet.
    pub(super) fn find(global: &Global) -> Result<Self, CliError> {
        let folder = match &global.home {
            Some(folder) => folder.clone(),
            None => etcetera::choose_base_strategy()
                .map_err(|_| CliError::NoHome)?
                .data_dir()
                .join("swarmhold"),
        };
        let passphrase = passphrase_of(global.passphrase_file.as_deref(), PASSPHRASE)?;
        let vault_passphrase =
            passphrase_of(global.vault_passphrase_file.as_deref(), VAULT_PASSPHRASE)?;
        Ok(Self {
            folder,
            passphrase,
            vault_passphrase,
            settings: OnceCell::new(),
        })
    }

    /// A home of its own in a folder of this one.
    pub(super) fn within(self, name: &str) -> Self {
        Self {
            folder: self.folder.join(name),
            settings: OnceCell::new(),
            ..self
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the user has set for good here.
    pub(super) fn settings(&self) -> &Settings {
        self.settings.get_or_init(|| Settings::open(&self.folder))
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.folder.join(KEY_FILE)
    }

    /// The identity, made if there is none; says so then.
    pub(super) fn identity(&self, out: &Output) -> anyhow::Result<Identity> {
        let (path, passphrase) = (self.key_file(), self.passphrase());
        match keyfile::load(&path, passphrase) {
            Err(KeyFileError::NotFound { .. }) => {}
            loaded => {
                return Ok(Identity {
                    wallet: loaded?,
                    origin: Origin::Loaded,
                });
            }
        }
        self.make_folder()?;
        let wallet = keyfile::load_or_create(&path, passphrase)?;
        out.note(&format!("made a new identity: {}", path.display()));
        out.note("keep its 24 words somewhere safe: swarmhold id backup");
        Ok(Identity {
            wallet,
            origin: Origin::Created,
        })
    }

    /// The identity, which must exist.
    pub(super) fn existing_identity(&self) -> Result<Wallet, KeyFileError> {
        keyfile::load(&self.key_file(), self.passphrase())
    }

    /// Keeps this wallet as the identity, if there is none.
    pub(super) fn keep(&self, wallet: &Wallet) -> anyhow::Result<()> {
        self.make_folder()?;
        keyfile::create(&self.key_file(), wallet, self.passphrase())?;
        Ok(())
    }

    /// The library, with the vault if there is one and it opens.
    pub(super) fn library(&self, out: &Output) -> anyhow::Result<Library> {
        let library = Library::open(&self.folder, None);
        if !is_taken(&self.vault_file()) {
            return Ok(library);
        }
        let vault = self.vault(&self.existing_identity()?, VaultWish::Read, out)?;
        Ok(library.with_vault(vault))
    }

    pub(super) fn vault_file(&self) -> PathBuf {
        self.folder.join(VAULT_FILE)
    }

    /// The vault, as far as it is wanted and opens. One that is wanted and does not open is an error; so
    /// is a passphrase that does not fit.
    pub(super) fn vault(
        &self,
        wallet: &Wallet,
        wish: VaultWish,
        out: &Output,
    ) -> anyhow::Result<VaultUse> {
        let keeps = match wish {
            VaultWish::Keep => true,
            VaultWish::Settings => self.settings().is_on(VAULT)?,
            VaultWish::Read => false,
        };
        let path = self.vault_file();
        if keeps {
            let is_new = !is_taken(&path);
            let key = vaultfile::load_or_create(&path, wallet, self.vault_passphrase());
            let key = key.map_err(CliError::VaultKey)?;
            if is_new {
                out.note(&format!("made a new vault: {}", path.display()));
            }
            return Ok(VaultUse::Keep(Vault::new(key)));
        }
        match vaultfile::load(&path, wallet, self.vault_passphrase()) {
            Ok(key) => Ok(VaultUse::Open(Vault::new(key))),
            Err(KeyFileError::NotFound { .. }) => Ok(VaultUse::Shut),
            Err(error) if self.vault_passphrase.is_some() => Err(CliError::VaultKey(error).into()),
            // whoever needs it is told then
            Err(error) => {
                tracing::debug!(%error, "the vault stays shut");
                Ok(VaultUse::Shut)
            }
        }
    }

    pub(super) fn vault_passphrase(&self) -> Option<&str> {
        self.vault_passphrase.as_ref().map(|text| text.as_str())
    }

    fn passphrase(&self) -> Option<&str> {
        self.passphrase.as_ref().map(|text| text.as_str())
    }

    fn make_folder(&self) -> Result<(), CliError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        owner_only(&mut builder);
        builder.create(&self.folder).map_err(|source| CliError::Io {
            doing: "create the folder",
            path: self.folder.clone(),
            source,
        })
    }
}

/// The first line of the file, or what the environment says.
pub(super) fn passphrase_of(
    file: Option<&Path>,
    variable: &str,
) -> Result<Option<Zeroizing<String>>, CliError> {
    let unfit = |origin: String| CliError::Passphrase { origin };
    if let Some(path) = file {
        let text = read_text(path)?.ok_or_else(|| unfit(path.display().to_string()))?;
        let line = text.split(['\r', '\n']).next().unwrap_or_default();
        return Ok(Some(Zeroizing::new(line.to_owned())));
    }
    match env::var_os(variable).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => {
            let text = value
                .into_string()
                .map_err(|_| unfit(variable.to_owned()))?;
            Ok(Some(Zeroizing::new(text)))
        }
    }
}

/// A short text file, which may be a pipe; none if it is longer or no text.
fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, CliError> {
    let io = |source| CliError::Io {
        doing: "read the passphrase from",
        path: path.to_owned(),
        source,
    };
    // room for all of it from the start: growing would leave copies behind
    let limit = PASSPHRASE_BYTES_MAX + 2;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 2));
    let file = File::open(path).map_err(io)?;
    let read = file.take(limit as u64 + 1).read_to_end(&mut bytes);
    if read.map_err(io)? > limit {
        return Ok(None);
    }
    Ok(str::from_utf8(&bytes)
        .ok()
        .map(|text| Zeroizing::new(text.to_owned())))
}

/// Whether there is anything at a path, were it a broken link.
pub(super) fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(unix)]
fn owner_only(builder: &mut DirBuilder) {
    use std::os::unix::fs::DirBuilderExt as _;
    builder.mode(0o700);
}

/// The user's own folders are protected by their parents.
#[cfg(not(unix))]
fn owner_only(_: &mut DirBuilder) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(contents: &[u8]) -> Result<Option<Zeroizing<String>>, CliError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), contents).unwrap();
        passphrase_of(Some(file.path()), PASSPHRASE)
    }

    #[test]
    fn a_passphrase_is_the_first_line_as_it_stands() {
        for (contents, passphrase) in [
            ("open sesame", "open sesame"),
            (" spaces \n", " spaces "),
            ("dos\r\n", "dos"),
            ("one\ntwo\n", "one"),
            ("\n", ""),
        ] {
            let text = read(contents.as_bytes()).unwrap().unwrap();
            assert_eq!(*text, passphrase);
        }
    }

    #[test]
    fn a_passphrase_is_short_text() {
        let longest = [b"x".repeat(PASSPHRASE_BYTES_MAX), b"\r\n".to_vec()].concat();
        assert_eq!(read(&longest).unwrap().unwrap().len(), PASSPHRASE_BYTES_MAX);
        for unfit in [b"x".repeat(PASSPHRASE_BYTES_MAX + 3), vec![0xff]] {
            assert!(matches!(read(&unfit), Err(CliError::Passphrase { .. })));
        }
    }
}
