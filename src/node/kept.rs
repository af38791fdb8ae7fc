//! What was kept by an earlier run: small JSON files, and how long ago that was.
//!
//! A file that cannot be read is set aside under another name and reported: what it held is lost, the
//! node goes on. Nothing is read past a bound.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

/// The longest that a node is believed to have been off.
const AWAY_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What became of reading a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept<T> {
    /// There is none.
    Missing,
    /// It says this.
    Found(T),
    /// It made no sense and was set aside, if that was possible.
    Damaged,
}

/// Reads a file of at most `bytes_max` bytes. Blocks on the disk.
pub(super) fn read<T: DeserializeOwned>(path: &Path, bytes_max: u64) -> Kept<T> {
    match try_read(path, bytes_max) {
        Ok(Some(value)) => Kept::Found(value),
        Ok(None) => Kept::Missing,
        Err(error) => {
            set_aside(path, &error);
            Kept::Damaged
        }
    }
}

/// How long a node was off that wrote a file at one time of the wall clock and reads it at another,
/// both in seconds since 1970. A clock that went back, or that jumped by years, says nothing.
pub(super) fn away(written: u64, wall: u64) -> Duration {
    let away = wall.checked_sub(written).map(Duration::from_secs);
    let away = away.filter(|away| *away <= AWAY_MAX);
    away.unwrap_or(Duration::ZERO)
}

/// Gives a file another name, in place of one that was set aside before.
pub(super) fn set_aside(path: &Path, why: &str) {
    let aside = beside(path, ".damaged");
    let moved = std::fs::rename(path, &aside);
    let (path, aside) = (path.display(), aside.display());
    match moved {
        Ok(()) => tracing::warn!(%path, error = why, "damaged; set aside as {aside}"),
        Err(error) => tracing::warn!(%path, error = why, "damaged, and not set aside: {error}"),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn try_read<T: DeserializeOwned>(path: &Path, bytes_max: u64) -> Result<Option<T>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    let found = read.map_err(|error| error.to_string())? as u64;
    if found > bytes_max {
        return Err(format!("longer than {bytes_max} B"));
    }
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_set_aside_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert_eq!(read::<u32>(&path, 9), Kept::Missing);
        std::fs::write(&path, "7").unwrap();
        assert_eq!(read::<u32>(&path, 9), Kept::Found(7));
        for damage in ["", "{", "\"seven\"", "7777777777"] {
            std::fs::write(&path, damage).unwrap();
            assert_eq!(read::<u32>(&path, 9), Kept::Damaged, "{damage}");
            assert!(!path.exists());
            let aside = std::fs::read_to_string(folder.path().join("x.json.damaged"));
            assert_eq!(aside.unwrap(), damage);
        }
    }
}
