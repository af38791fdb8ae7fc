//! Reading a manifest from a file that may be anything.
//!
//! Only a regular file is read, its size is looked at first, and no more than a manifest's bytes are
//! ever taken from it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::digest::ManifestId;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::manifest::{Manifest, ManifestError};

use super::os::Links;
use super::regular::open_regular;

/// Why a file did not give a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestFileError {
    /// It is a symbolic link, folder, FIFO, device or the like.
    #[error("E-FILE: not a regular file: {path}")]
    NotRegular {
        /// What is not a file.
        path: PathBuf,
    },
    /// It is larger than a manifest can be, and was not read.
    #[error("E-SIZE: manifest {found} B > limit {MANIFEST_BYTES_MAX} B: {path}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size, in bytes.
        found: u64,
    },
    /// What it holds is not a valid manifest.
    #[error("{why}: {path}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: ManifestError,
    },
    /// It holds another manifest than its name says.
    #[error("E-HASH: {path} holds manifest {found}, expected {expected}")]
    Another {
        /// The file.
        path: PathBuf,
        /// The manifest that was asked for.
        expected: ManifestId,
        /// The manifest that is there.
        found: ManifestId,
    },
    /// The system refused to open or to read it.
    #[error("E-IO: cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ManifestFileError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRegular { .. } => "E-FILE",
            Self::TooLarge { .. } => "E-SIZE",
            Self::Invalid { why, .. } => why.code(),
            Self::Another { .. } => "E-HASH",
            Self::Io { .. } => "E-IO",
        }
    }

    /// Whether there is no such file.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Whether there is a file that may be a manifest: it has the size of one and begins like one, or cannot be
/// read.
pub fn may_be_manifest(path: &Path) -> bool {
    match open_regular(File::options().read(true), path, Links::Follow) {
        Ok(Some((mut file, metadata))) => {
            let mut first = [0];
            let begins = file.read_exact(&mut first).is_ok() && first == *b"{";
            begins && metadata.len() <= MANIFEST_BYTES_MAX as u64
        }
        Ok(None) => false,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Reads a manifest from a regular file; symbolic links are not followed.
pub fn read_manifest_file(path: &Path) -> Result<Manifest, ManifestFileError> {
    let io = |source| ManifestFileError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = File::options();
    let opened = open_regular(options.read(true), path, Links::Refuse).map_err(io)?;
    let Some((file, metadata)) = opened else {
        return Err(ManifestFileError::NotRegular {
            path: path.to_owned(),
        });
    };
    if metadata.len() > MANIFEST_BYTES_MAX as u64 {
        return Err(ManifestFileError::TooLarge {
            path: path.to_owned(),
            found: metadata.len(),
        });
    }
    let mut bytes = Vec::new();
    // one byte more than allowed, so that the parser sees a file that has grown meanwhile
    let mut bounded = file.take(MANIFEST_BYTES_MAX as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(io)?;
    Manifest::parse(&bytes).map_err(|why| ManifestFileError::Invalid {
        path: path.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn text(path: &Path) -> String {
        let error = read_manifest_file(path).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(error.code()), "{text}");
        text.replace(&path.display().to_string(), "PATH")
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"{}").unwrap();
        let mut others = vec![folder.path().to_owned()];
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&file, &link).unwrap();
            others.extend([link, PathBuf::from("/dev/zero")]);
        }
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, FileType, Mode, mknodat};

            let fifo = folder.path().join("fifo");
            mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
            others.push(fifo);
        }
        for other in others {
            assert_eq!(
                text(&other),
                "E-FILE: not a regular file: PATH",
                "{other:?}"
            );
        }
    }

    #[test]
    fn only_what_begins_like_a_manifest_and_has_its_size_may_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        assert!(!may_be_manifest(&path) && !may_be_manifest(folder.path()));
        for (bytes, may_be) in [(&b"{"[..], true), (b"", false), (b"PK\x03\x04", false)] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(may_be_manifest(&path), may_be, "{bytes:?}");
        }
        fs::write(&path, vec![b'{'; MANIFEST_BYTES_MAX + 1]).unwrap();
        assert!(!may_be_manifest(&path));
    }

    #[test]
    fn what_is_too_large_is_not_even_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.deluge");
        File::create(&path).unwrap().set_len(525_312).unwrap();
        assert_eq!(
            text(&path),
            "E-SIZE: manifest 525312 B > limit 524288 B: PATH"
        );
        File::create(&path)
            .unwrap()
            .set_len(u64::MAX >> 30)
            .unwrap();
        assert!(text(&path).starts_with("E-SIZE: manifest 17179869183 B > limit"));
    }

    #[test]
    fn what_is_no_manifest_or_not_there_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.deluge");
        assert_eq!(text(&path), "E-IO: cannot read PATH");
        assert!(read_manifest_file(&path).unwrap_err().is_missing());
        fs::write(&path, b"{").unwrap();
        assert!(matches!(
            read_manifest_file(&path),
            Err(ManifestFileError::Invalid {
                why: ManifestError::Json(_),
                ..
            })
        ));
        assert!(text(&path).ends_with(": PATH"));
    }
}
