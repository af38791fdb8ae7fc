//! What a node's folder holds already, for surfaces that tell before a node runs.

use std::path::Path;

use crate::digest::ProgramId;
use crate::store::{Folders, FoldersError, Holding, OpenError, part_path};

/// What an earlier fetch left where the next one will put its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing: chunks that need not travel are those of zeros, which a new file has by itself.
    Nothing,
    /// A `.part`, or the container.
    Something,
}

/// Why it cannot be told what was left.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// The node's folder cannot be used.
    #[error(transparent)]
    Folders(#[from] FoldersError),
    /// The output names no file.
    #[error(transparent)]
    Output(#[from] OpenError),
}

/// What an earlier fetch of this container left, at `output` or, without one, in the node's folder
/// `home`, which is created if it does not exist.
pub fn left(home: &Path, output: Option<&Path>, id: ProgramId) -> Result<Left, LeftError> {
    let is_there = match output {
        Some(path) => part_path(path)?.exists() || path.exists(),
        None => Folders::open(home)?.holding(id) != Holding::Nothing,
    };
    Ok(match is_there {
        true => Left::Something,
        false => Left::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn a_part_or_the_container_is_something() {
        let home = tempfile::tempdir().unwrap();
        let id = ProgramId::new(Digest::of(b"x"));
        let kept = home.path().join("wwwdata/containers").join(id.to_string());
        let given = home.path().join("app.tar");
        for (output, container) in [(None, &kept), (Some(given.as_path()), &given)] {
            let part = format!("{}.part", container.display());
            for path in [container.display().to_string(), part] {
                assert_eq!(left(home.path(), output, id).unwrap(), Left::Nothing);
                std::fs::write(&path, b"x").unwrap();
                assert_eq!(left(home.path(), output, id).unwrap(), Left::Something);
                std::fs::remove_file(&path).unwrap();
            }
        }
        assert!(left(home.path(), Some(Path::new("/")), id).is_err());
    }
}
