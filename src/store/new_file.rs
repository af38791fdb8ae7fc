//! Writing files whole: a reader sees all of a file or none of it, also after a crash.
//!
//! The bytes are written to a file of their own beside the destination, made durable, and only then
//! given the name.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use super::files::folder_of;
use super::os;

/// How many names a file on its way is tried under. Each that is taken is left over from a crash.
const NAMES_MAX: u32 = 64;

/// Writes a file that must not exist yet; `AlreadyExists` if it does.
pub fn write_new_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fill_new_file(path, |file| file.write_all(bytes))
}

/// As [`write_new_file`], with what `fill` writes; if that fails, nothing is left.
pub(super) fn fill_new_file<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    // told early, so that nothing is written in vain; the rename tells for certain
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    write(path, fill, os::rename_new)
}

/// Writes a file, in place of what has its name now.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(
        path,
        |file| file.write_all(bytes),
        |from, to| fs::rename(from, to),
    )
}

fn write<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
    rename: impl Fn(&Path, &Path) -> io::Result<()>,
) -> Result<(), E> {
    let (mut file, on_its_way) = create_beside(path)?;
    let written = fill(&mut file).and_then(|()| {
        file.sync_all()?;
        Ok(rename(&on_its_way, path)?)
    });
    if let Err(error) = written {
        // best effort: the error that matters is the one being reported
        let _ = fs::remove_file(&on_its_way);
        return Err(error);
    }
    Ok(os::sync_folder(folder_of(path))?)
}

/// Creates a file that nobody else has, in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    for number in 0..NAMES_MAX {
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}-{number}.new", process::id()));
        let beside = path.with_file_name(beside);
        match File::create_new(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return Ok((created?, beside)),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{NAMES_MAX} unfinished files are left beside it"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    }

    #[test]
    fn a_new_file_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.deluge");
        write_new_file(&path, b"first").unwrap();
        let error = write_new_file(&path, b"second").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["a.deluge"]);
    }

    #[test]
    fn a_replaced_file_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.deluge");
        replace_file(&path, b"first").unwrap();
        replace_file(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["a.deluge"]);
    }

    #[test]
    fn what_cannot_take_its_name_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(replace_file(&taken, b"x").is_err());
        let fill = |file: &mut File| file.write_all(b"x");
        assert!(write(&taken, fill, os::rename_new).is_err());
        assert_eq!(names(folder.path()), ["taken"]);
        assert!(write_new_file(&folder.path().join("none/a"), b"x").is_err());
        assert!(write_new_file(Path::new("/"), b"x").is_err());
    }

    #[test]
    fn leftovers_of_a_crash_are_stepped_around() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (_, leftover) = create_beside(&path).unwrap();
        write_new_file(&path, b"x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
        assert!(leftover.exists());
    }
}
