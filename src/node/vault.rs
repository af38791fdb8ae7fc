//! The vault of a home, as a node uses it: which containers are kept there, and reading them again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::library::{Known, Library};
use crate::age::Key;
use crate::digest::{ManifestId, ProgramId};
use crate::manifest::Manifest;
use crate::store::{
    AgeFileError, ContainerRow, Content, Exported, Form, Holding, ManifestFileError, OpenError,
    Vault, part_path, sealed_len,
};

/// The setting that says whether a node keeps everything of its own in the vault.
pub const VAULT: &str = "vault";

/// What a node does with the vault of its home.
#[derive(Debug, Clone, Default)]
pub enum VaultUse {
    /// It has no key: what is in there stays there.
    #[default]
    Shut,
    /// It reads what is in there, and goes on with what was begun in there.
    Open(Vault),
    /// It keeps everything of its own in there.
    Keep(Vault),
}

impl VaultUse {
    fn vault(&self) -> Option<&Vault> {
        match self {
            Self::Shut => None,
            Self::Open(vault) | Self::Keep(vault) => Some(vault),
        }
    }

    /// In which form a new container of the node's own is kept.
    pub(super) fn form(&self) -> Form {
        match self {
            Self::Shut | Self::Open(_) => Form::Open,
            Self::Keep(_) => Form::Sealed,
        }
    }
}

/// Why a container's place in the node's own folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// It is in the vault, which is shut.
    #[error("E-VAULT: container {0} is in the vault, which is shut")]
    Shut(ProgramId),
    /// It was to be kept in the vault, and is here in the open.
    #[error("E-VAULT: {path} is there already, and is not encrypted")]
    InTheOpen {
        /// The container, or its `.part`.
        path: PathBuf,
    },
}

/// Why a container was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The copy of its manifest is gone.
    #[error("E-NO-MANIFEST: the copy of manifest {0} is gone")]
    NoManifest(ManifestId),
    /// The copy of its manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestFileError),
    /// The vault is shut.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The container cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The container cannot be read, or the file cannot be written.
    #[error(transparent)]
    File(#[from] AgeFileError),
}

impl Library {
    /// The library with the vault of its home.
    pub fn with_vault(self, vault: VaultUse) -> Self {
        Self { vault, ..self }
    }

    /// Writes what a container in the vault holds into a new file: what was encrypted in it, where this
    /// key decrypts that. `goes_on` hears how many bytes are done, and says whether to go on. Blocks.
    pub fn export(
        &self,
        known: &Known,
        to: &Path,
        key: &Key,
        goes_on: impl FnMut(u64) -> bool,
    ) -> Result<Exported, ExportError> {
        let id = known.manifest_id;
        let manifest = self.folders.load_manifest(id)?;
        let manifest = Arc::new(manifest.ok_or(ExportError::NoManifest(id))?);
        let vault = self.vault_for(known.program_id)?;
        let path = self.folders.container_in(Form::Sealed, known.program_id);
        let content = Content::keep_sealed(manifest, &path, vault)?;
        Ok(content.export(to, key, goes_on)?)
    }

    /// In which form a container of the node's own is to be fetched: as it was begun, or as the node
    /// keeps its own.
    pub(super) fn form_for(&self, id: ProgramId) -> Result<Form, VaultError> {
        let form = match self.folders.holding(id) {
            Holding::Nothing => self.vault.form(),
            found @ (Holding::Whole(..) | Holding::Part(..)) => found.form(),
        };
        if form == Form::Sealed {
            self.vault_for(id)?;
        } else if self.vault.form() == Form::Sealed {
            let path = self.folders.container(id);
            return Err(VaultError::InTheOpen { path });
        }
        Ok(form)
    }

    /// The vault that a container lies in.
    pub(super) fn vault_for(&self, id: ProgramId) -> Result<&Vault, VaultError> {
        self.vault.vault().ok_or(VaultError::Shut(id))
    }

    /// Where the unfinished bytes of a container are, by the name under which a download claims them.
    pub(super) fn part(&self, row: &ContainerRow) -> Option<PathBuf> {
        let whole = row.path.clone().unwrap_or_else(|| self.own(row.program_id));
        std::path::absolute(part_path(&whole).ok()?).ok()
    }

    /// Where a container is in the node's own folder, or would be.
    pub(super) fn own(&self, id: ProgramId) -> PathBuf {
        self.folders
            .container_in(self.folders.holding(id).form(), id)
    }

    /// Whether a container lies at this absolute path because the node put it there.
    pub(super) fn is_own(&self, path: &Path, id: ProgramId) -> bool {
        [Form::Open, Form::Sealed].into_iter().any(|form| {
            let own = std::path::absolute(self.folders.container_in(form, id));
            own.is_ok_and(|own| own == path)
        })
    }

    /// In which form a container lies at this path.
    pub(super) fn form_at(&self, path: &Path, id: ProgramId) -> Form {
        match self.folders.container_in(Form::Sealed, id) == path {
            true => Form::Sealed,
            false => Form::Open,
        }
    }

    /// The bytes that a container of the node's own takes.
    pub(super) fn len_of(&self, manifest: &Manifest) -> u64 {
        let size = manifest.layout().size();
        match self.form_for(manifest.program_id()) {
            Ok(Form::Sealed) => sealed_len(size),
            Ok(Form::Open) | Err(_) => size,
        }
    }
}
