//! What people name a container by: a link, or a manifest's file.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::node::{Link, LinkError};

/// How every link starts. A file of such a name is reached by `./swarmhold:...`.
const SCHEME: &str = "swarmhold:";

/// A link or a file.
#[derive(Debug)]
pub(in crate::cli) enum Reference {
    /// A link.
    Link(Link),
    /// A manifest's path.
    File(PathBuf),
}

impl Reference {
    /// Tells a link, which must be a good one, from a path.
    pub(in crate::cli) fn read(text: &OsStr) -> Result<Self, LinkError> {
        match text.to_str().filter(|text| text.starts_with(SCHEME)) {
            Some(link) => Ok(Self::Link(link.parse()?)),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_its_scheme() {
        let link = format!("swarmhold:{}", "ab".repeat(32));
        let read = |text: &str| Reference::read(OsStr::new(text));
        assert!(matches!(read(&link), Ok(Reference::Link(found)) if found.to_string() == link));
        assert!(read("swarmhold:x").is_err());
        for path in ["./swarmhold:x", "a.deluge", "Swarmhold:", ""] {
            assert!(matches!(read(path), Ok(Reference::File(file)) if file == OsStr::new(path)));
        }
    }
}
