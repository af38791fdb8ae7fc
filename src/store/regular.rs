//! Opening a file that must be a regular one.
//!
//! A FIFO would block, `/dev/zero` would never end, and a device may act on being opened: so a path
//! is looked at before it is opened, opened without blocking, and what was opened is looked at again.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use super::os::{self, Links};

/// Opens a regular file as `options` say; `None` if something else is there.
pub(super) fn open_regular(
    options: &mut OpenOptions,
    path: &Path,
    links: Links,
) -> io::Result<Option<(File, Metadata)>> {
    let there = match links {
        Links::Follow => fs::metadata(path),
        Links::Refuse => fs::symlink_metadata(path),
    };
    match there {
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        // nothing there: whether that is an error depends on `options`
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = match os::open_warily(options, path, links) {
        Err(error) if os::is_link_refused(&error) => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, links: Links) -> Option<()> {
        open_regular(File::options().read(true), path, links)
            .unwrap()
            .map(|_| ())
    }

    #[test]
    fn folders_and_devices_are_not_regular() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"x").unwrap();
        assert_eq!(open(&file, Links::Refuse), Some(()));
        assert_eq!(open(folder.path(), Links::Follow), None);
        #[cfg(unix)]
        assert_eq!(open(Path::new("/dev/zero"), Links::Follow), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_only_where_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(open(&link, Links::Follow), Some(()));
        assert_eq!(open(&link, Links::Refuse), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_fifo_neither_opens_nor_blocks() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(open(&fifo, Links::Follow), None);
        assert_eq!(open(&fifo, Links::Refuse), None);
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let error = open_regular(File::options().read(true), &missing, Links::Follow).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
