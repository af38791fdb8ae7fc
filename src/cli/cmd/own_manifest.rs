//! The manifest beside a container: when it is used, when it is made, and when it is left alone.
//!
//! | what has its name | `share` | `create` |
//! |---|---|---|
//! | nothing | makes it | makes it |
//! | our own, signed, of this size and not older than the container | uses it | makes it again |
//! | our own otherwise | makes it again | makes it again |
//! | a file that is no manifest (damaged, or of the original program) | makes it again | the same, but not where `-o` names it |
//! | another publisher's manifest | refuses | refuses |
//! | a link, folder, pipe, or a file too large | refuses | refuses |
//!
//! So nothing that somebody else made is ever lost.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::progress::{self, Work};
use crate::node::{
    self, Address, IngestError, Manifest, ManifestFileError, Recall, SignatureState, Wallet,
    read_manifest_file, replace_file, write_new_file,
};

/// The file name extension of manifests.
pub(in crate::cli) const EXTENSION: &str = "deluge";

/// What has the manifest's name.
#[derive(Debug)]
pub(in crate::cli) enum There {
    /// Nothing.
    Nothing,
    /// A manifest of ours that fits the container as it is now, as far as can be told without hashing.
    Fresh(Box<Manifest>),
    /// Another manifest of ours.
    Stale,
    /// No manifest.
    Damaged(ManifestFileError),
}

/// `PATH.deluge`.
pub(in crate::cli) fn beside(container: &Path) -> Result<PathBuf, CliError> {
    let name = container.file_name();
    let name = name.ok_or_else(|| CliError::NoName(container.to_owned()))?;
    let mut full = OsString::from(name);
    full.push(".");
    full.push(EXTENSION);
    Ok(container.with_file_name(full))
}

/// Looks at what has the manifest's name. Another publisher's manifest is an error.
pub(in crate::cli) fn look(path: &Path, container: &Path, own: Address) -> anyhow::Result<There> {
    let manifest = match read_manifest_file(path) {
        Ok(manifest) => manifest,
        Err(ManifestFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(There::Nothing);
        }
        Err(error @ ManifestFileError::Invalid { .. }) => return Ok(There::Damaged(error)),
        Err(error) => return Err(error.into()),
    };
    if manifest.address() != own {
        return Err(CliError::Foreign(path.to_owned()).into());
    }
    let signed = matches!(manifest.signature(), SignatureState::Signed { .. });
    match signed && fits(&manifest, path, container) {
        true => Ok(There::Fresh(Box::new(manifest))),
        false => Ok(There::Stale),
    }
}

/// Whether the container has the manifest's size and has not been written since.
fn fits(manifest: &Manifest, path: &Path, container: &Path) -> bool {
    let (Ok(ours), Ok(theirs)) = (fs::metadata(path), fs::metadata(container)) else {
        return false;
    };
    let (Ok(signed), Ok(changed)) = (ours.modified(), theirs.modified()) else {
        return false;
    };
    theirs.len() == manifest.layout().size() && changed <= signed
}

/// Hashes a container and signs its manifest, with a bar on a terminal. Blocks. With `recall` it is that
/// of the node that will serve the container.
pub(in crate::cli) fn hash(
    container: &Path,
    wallet: &Wallet,
    name: Option<&str>,
    reach: Option<SocketAddr>,
    recall: Option<&Recall>,
    out: &Output,
) -> anyhow::Result<Manifest> {
    let metadata = fs::metadata(container).map_err(|source| IngestError::Io {
        path: container.to_owned(),
        source,
    })?;
    let file_name = container.file_name().unwrap_or_default().to_string_lossy();
    let name = name.unwrap_or(&file_name);
    let hash = |show: &(dyn Fn(u64) + Sync)| {
        node::create_recalling(container, wallet, name, reach, recall, show)
    };
    tracing::info!(size = metadata.len(), "hashing {}", container.display());
    Ok(progress::working(out, Work::Hashing, metadata.len(), hash)?)
}

/// Writes a manifest where nothing, or nothing that matters, has its name.
pub(in crate::cli) fn write(path: &Path, there: &There, manifest: &Manifest) -> anyhow::Result<()> {
    let bytes = manifest.to_json();
    let written = match there {
        There::Nothing => write_new_file(path, &bytes),
        There::Fresh(_) | There::Stale | There::Damaged(_) => replace_file(path, &bytes),
    };
    written.map_err(|source| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::AlreadyExists {
            return CliError::Exists(path).into();
        }
        let doing = "write";
        let error = CliError::Io {
            doing,
            path,
            source,
        };
        error.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::shown;

    #[test]
    fn the_manifest_stands_beside_the_container() {
        for (container, manifest) in [
            ("app.tar", "app.tar.deluge"),
            ("/a/b", "/a/b.deluge"),
            ("a/.hidden", "a/.hidden.deluge"),
        ] {
            assert_eq!(beside(Path::new(container)).unwrap(), Path::new(manifest));
        }
        let error = beside(Path::new("..")).unwrap_err();
        assert_eq!(
            shown(&error.to_string()),
            "E-FILE: \"..\" does not name a file"
        );
    }
}
