//! What lies in a node's own folder: containers, unfinished ones, and copies of manifests.
//!
//! Nothing outside that folder is looked at or removed here: every path is made of the folder and
//! a digest.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::files::part_path;
use super::folders::{Folders, Form};
use super::os::Links;
use super::regular::open_regular;
use crate::digest::{ManifestId, ProgramId};

/// In the order in which they are looked for.
const FORMS: [Form; 2] = [Form::Open, Form::Sealed];

/// A container's file in the node's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// There is none.
    Nothing,
    /// It is whole, and of so many bytes.
    Whole(Form, u64),
    /// It is not finished; its `.part` has so many bytes, room for all of it.
    Part(Form, u64),
}

/// Why a container was not removed from the node's folder.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// A download is writing to it.
    #[error("E-LOCKED: container {0} is being downloaded")]
    InUse(ProgramId),
    /// The system refused.
    #[error("E-IO: cannot remove container {id}")]
    Io {
        /// The container.
        id: ProgramId,
        /// What the system said.
        source: io::Error,
    },
}

impl RemoveError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "E-LOCKED",
            Self::Io { .. } => "E-IO",
        }
    }
}

impl Holding {
    /// In which form it is, or would be if nobody says otherwise.
    pub const fn form(self) -> Form {
        match self {
            Self::Nothing => Form::Open,
            Self::Whole(form, _) | Self::Part(form, _) => form,
        }
    }

    /// Bytes of the node's folder that it takes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Whole(_, bytes) | Self::Part(_, bytes) => bytes,
        }
    }
}

impl Folders {
    /// What there is of a container: whole rather than not, in the open rather than in the vault.
    pub fn holding(&self, id: ProgramId) -> Holding {
        let len = |path: PathBuf| {
            let metadata = fs::symlink_metadata(path).ok();
            Some(metadata.filter(fs::Metadata::is_file)?.len())
        };
        let whole = |form| Some(Holding::Whole(form, len(self.container_in(form, id))?));
        let part = |form| Some(Holding::Part(form, len(self.part(form, id)?)?));
        let found = FORMS.into_iter().find_map(whole);
        found
            .or_else(|| FORMS.into_iter().find_map(part))
            .unwrap_or(Holding::Nothing)
    }

    /// Whether a download of any process writes to a container.
    pub fn is_being_written(&self, id: ProgramId) -> bool {
        let open =
            |part: PathBuf| open_regular(File::options().read(true), &part, Links::Refuse).ok()?;
        let is_locked = |form| {
            let lock = self.part(form, id).and_then(open);
            let lock = lock.map(|(file, _)| file.try_lock());
            matches!(lock, Some(Err(TryLockError::WouldBlock)))
        };
        FORMS.into_iter().any(is_locked)
    }

    /// Removes what there is of a container, unless a download writes to it. Returns how many bytes
    /// that frees.
    pub fn remove_container(&self, id: ProgramId) -> Result<u64, RemoveError> {
        let mut freed = 0;
        for form in FORMS {
            if let Some(part) = self.part(form, id) {
                freed += remove_part(&part, id)?;
            }
        }
        for form in FORMS {
            let whole = self.container_in(form, id);
            let metadata = fs::symlink_metadata(&whole).ok();
            if let Some(metadata) = metadata.filter(fs::Metadata::is_file) {
                fs::remove_file(&whole).map_err(|source| RemoveError::Io { id, source })?;
                freed += metadata.len();
            }
        }
        Ok(freed)
    }

    /// Where a download of a container keeps what it has.
    fn part(&self, form: Form, id: ProgramId) -> Option<PathBuf> {
        part_path(&self.container_in(form, id)).ok()
    }

    /// Removes the copy of a manifest, if there is one. Returns how many bytes that frees.
    pub fn remove_manifest(&self, id: ManifestId) -> io::Result<u64> {
        let path = self.deluge(id);
        let bytes = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            metadata => metadata?.len(),
        };
        fs::remove_file(path)?;
        Ok(bytes)
    }

    /// The manifests that there are copies of, in no order.
    pub fn manifest_ids(&self) -> io::Result<Vec<ManifestId>> {
        let id = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_suffix(".deluge")?.parse().ok()
        };
        Ok(fs::read_dir(self.deluges())?.filter_map(id).collect())
    }
}

/// Removes a `.part`, unless somebody writes to it. Returns how many bytes that frees.
fn remove_part(part: &Path, id: ProgramId) -> Result<u64, RemoveError> {
    let io = |source| RemoveError::Io { id, source };
    let mut options = File::options();
    match open_regular(options.read(true).write(true), part, Links::Refuse) {
        Ok(Some((file, metadata))) => {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(RemoveError::InUse(id)),
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
            fs::remove_file(part).map_err(io)?;
            Ok(metadata.len())
        }
        // something else has the name, or nothing
        Ok(None) => Ok(0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn names(folders: &Folders) -> Vec<String> {
        let folder = folders.container(ProgramId::new(Digest::of(b"x")));
        let entries = fs::read_dir(folder.parent().unwrap()).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn what_is_there_is_told_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::open(home.path()).unwrap();
        let id = ProgramId::new(Digest::of(b"x"));
        assert_eq!(folders.holding(id), Holding::Nothing);
        assert_eq!(folders.remove_container(id).unwrap(), 0);
        let part = part_path(&folders.container(id)).unwrap();
        fs::write(&part, b"12345").unwrap();
        assert_eq!(folders.holding(id), Holding::Part(Form::Open, 5));
        assert_eq!(folders.remove_container(id).unwrap(), 5);
        fs::write(folders.container(id), b"123").unwrap();
        fs::write(&part, b"12345").unwrap();
        assert_eq!(folders.holding(id), Holding::Whole(Form::Open, 3));
        let sealed = folders.container_in(Form::Sealed, id);
        fs::write(part_path(&sealed).unwrap(), b"1").unwrap();
        fs::write(&sealed, b"12").unwrap();
        assert_eq!(folders.holding(id), Holding::Whole(Form::Open, 3));
        fs::remove_file(folders.container(id)).unwrap();
        assert_eq!(folders.holding(id), Holding::Whole(Form::Sealed, 2));
        assert_eq!(folders.remove_container(id).unwrap(), 8);
        assert!(names(&folders).is_empty());
    }

    #[test]
    fn a_part_that_is_written_to_stays() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::open(home.path()).unwrap();
        let id = ProgramId::new(Digest::of(b"x"));
        let part = part_path(&folders.container(id)).unwrap();
        let file = File::create_new(&part).unwrap();
        file.lock().unwrap();
        let error = folders.remove_container(id).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("E-LOCKED: container {id} is being downloaded")
        );
        assert!(part.exists() && folders.is_being_written(id));
        drop(file);
        assert!(!folders.is_being_written(id));
        folders.remove_container(id).unwrap();
        assert!(!part.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_elsewhere_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::open(home.path()).unwrap();
        let id = ProgramId::new(Digest::of(b"x"));
        let precious = home.path().join("precious");
        fs::write(&precious, b"x").unwrap();
        for name in [
            folders.container(id),
            part_path(&folders.container(id)).unwrap(),
        ] {
            std::os::unix::fs::symlink(&precious, name).unwrap();
        }
        assert_eq!(folders.holding(id), Holding::Nothing);
        assert_eq!(folders.remove_container(id).unwrap(), 0);
        assert!(precious.exists());
    }
}
