//! Where a node keeps what is its own, with the original program's names.
//!
//! ```text
//! root/wwwdata/deluges/<manifest id>.deluge    manifests
//! root/wwwdata/containers/<program id>         containers
//! root/wwwdata/containers/<program id>.vault   containers in the vault
//! root/wwwdata/tempoutdata/                    results that are being made
//! root/wwwdata/finaloutdata/                   results that are done
//! root/in-use/<manifest id>                    who uses it now (`uses`)
//! ```
//!
//! A file is named by digests that were computed or checked here, and by nothing else that a manifest
//! says.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{ManifestId, ProgramId};
use crate::manifest::Manifest;

use super::manifest_file::{ManifestFileError, read_manifest_file};
use super::new_file::replace_file;
use super::os;

/// A node's own folders. They exist.
#[derive(Debug, Clone)]
pub struct Folders {
    wwwdata: PathBuf,
    in_use: PathBuf,
}

/// How a container of the node's own lies on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Open,
    /// Encrypted, in the vault.
    Sealed,
}

/// Why a node cannot have its folders.
#[derive(Debug, thiserror::Error)]
pub enum FoldersError {
    /// The system refused to create one.
    #[error("E-IO: cannot create the folder {path}")]
    Create {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else has its name.
    #[error("E-FILE: not a folder: {path}")]
    NotFolder {
        /// What is not a folder.
        path: PathBuf,
    },
}

impl FoldersError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Create { .. } => "E-IO",
            Self::NotFolder { .. } => "E-FILE",
        }
    }
}

impl Folders {
    /// Makes sure that all folders exist below `root`, which is created too. What is created can be
    /// used by this user only; what exists keeps its permissions.
    pub fn open(root: &Path) -> Result<Self, FoldersError> {
        let wwwdata = root.join("wwwdata");
        for name in ["deluges", "containers", "tempoutdata", "finaloutdata"] {
            create(wwwdata.join(name))?;
        }
        let in_use = root.join("in-use");
        create(in_use.clone())?;
        Ok(Self { wwwdata, in_use })
    }

    /// The folders below `root`, whether they exist or not.
    pub fn within(root: &Path) -> Self {
        let (wwwdata, in_use) = (root.join("wwwdata"), root.join("in-use"));
        Self { wwwdata, in_use }
    }

    /// Where it stands who uses what.
    pub(super) fn in_use(&self) -> PathBuf {
        self.in_use.clone()
    }

    /// Where manifests are kept.
    pub(super) fn deluges(&self) -> PathBuf {
        self.wwwdata.join("deluges")
    }

    /// Where a manifest is kept.
    pub fn deluge(&self, id: ManifestId) -> PathBuf {
        self.deluges().join(format!("{id}.deluge"))
    }

    /// Where a container is kept that was not given a place of its own.
    pub fn container(&self, id: ProgramId) -> PathBuf {
        self.container_in(Form::Open, id)
    }

    /// Where a container is kept in this form.
    pub fn container_in(&self, form: Form, id: ProgramId) -> PathBuf {
        let name = match form {
            Form::Open => id.to_string(),
            Form::Sealed => format!("{id}.vault"),
        };
        self.wwwdata.join("containers").join(name)
    }

    /// Keeps a manifest, in place of an earlier one with the same id. Returns its file.
    pub fn save_manifest(&self, manifest: &Manifest) -> io::Result<PathBuf> {
        let path = self.deluge(manifest.id());
        replace_file(&path, manifest.to_json().as_ref())?;
        Ok(path)
    }

    /// A manifest that is kept; `None` if it is not.
    pub fn load_manifest(&self, id: ManifestId) -> Result<Option<Manifest>, ManifestFileError> {
        let path = self.deluge(id);
        match read_manifest_file(&path) {
            Ok(manifest) if manifest.id() == id => Ok(Some(manifest)),
            Ok(another) => Err(ManifestFileError::Another {
                path,
                expected: id,
                found: another.id(),
            }),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn create(path: PathBuf) -> Result<(), FoldersError> {
    match os::create_private_folder(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(FoldersError::NotFolder { path })
        }
        Err(source) => Err(FoldersError::Create { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::digest::{Address, Digest};
    use crate::manifest::{Draft, Layout};

    fn manifest(byte: u8) -> Manifest {
        let draft = Draft {
            name: "../../etc/passwd".into(),
            layout: Layout::for_size(1).unwrap(),
            program_id: ProgramId::new(Digest::of(&[byte])),
            chunk_hashes: vec![Digest::of(&[byte])],
            reach: None,
            time: 0,
            peers: vec![],
        };
        draft.unsigned(Address::new(Digest::of(b"key"))).unwrap()
    }

    #[test]
    fn manifests_are_kept_by_their_id() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::open(root.path()).unwrap();
        let (kept, other) = (manifest(1), manifest(2));
        assert_eq!(folders.load_manifest(kept.id()).unwrap(), None);
        let path = folders.save_manifest(&kept).unwrap();
        assert_eq!(
            path,
            root.path()
                .join(format!("wwwdata/deluges/{}.deluge", kept.id()))
        );
        let more = kept.clone().with_peer("198.51.100.7:7922".parse().unwrap());
        assert_eq!(folders.save_manifest(&more).unwrap(), path);
        let again = Folders::open(root.path()).unwrap();
        assert_eq!(again.load_manifest(kept.id()).unwrap(), Some(more));
        assert_eq!(again.load_manifest(other.id()).unwrap(), None);
    }

    #[test]
    fn a_manifest_under_a_wrong_name_is_not_taken_for_another() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::open(root.path()).unwrap();
        let (one, two) = (manifest(1), manifest(2));
        fs::copy(
            folders.save_manifest(&one).unwrap(),
            folders.deluge(two.id()),
        )
        .unwrap();
        let error = folders.load_manifest(two.id()).unwrap_err();
        assert!(matches!(
            error,
            ManifestFileError::Another { expected, found, .. } if (expected, found) == (two.id(), one.id())
        ));
    }

    #[test]
    fn containers_are_named_by_their_digest() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::open(root.path()).unwrap();
        let id = manifest(1).program_id();
        let path = folders.container(id);
        assert_eq!(path, root.path().join(format!("wwwdata/containers/{id}")));
        assert!(path.parent().unwrap().is_dir());
    }

    #[cfg(unix)]
    #[test]
    fn folders_are_private() {
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        Folders::open(&home).unwrap();
        for name in [
            "",
            "in-use",
            "wwwdata",
            "wwwdata/deluges",
            "wwwdata/containers",
        ] {
            let mode = fs::metadata(home.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{name}");
        }
    }

    #[test]
    fn a_file_where_a_folder_belongs_is_reported() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("wwwdata")).unwrap();
        let taken = root.path().join("wwwdata/containers");
        fs::write(&taken, b"").unwrap();
        assert_eq!(
            Folders::open(root.path()).unwrap_err().to_string(),
            format!("E-FILE: not a folder: {}", taken.display())
        );
    }
}
