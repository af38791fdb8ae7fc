//! How the types of this program stand in a row.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rusqlite::Row;
use rusqlite::types::Type;

use crate::digest::Digest;

/// A count or size as SQLite's integer; what is beyond that is as good as the largest.
pub(in crate::store) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count or size from a column. Negative ones were not written here and count as none.
pub(in crate::store) fn uint(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    Ok(u64::try_from(value).unwrap_or(0))
}

/// A digest from a column of 32 bytes.
pub(in crate::store) fn digest(row: &Row<'_>, column: &str) -> rusqlite::Result<Digest> {
    let bytes: [u8; 32] = row.get(column)?;
    Ok(Digest::from_bytes(bytes))
}

/// A digest from a column of 32 bytes or nothing.
pub(super) fn maybe_digest(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Digest>> {
    let bytes: Option<[u8; 32]> = row.get(column)?;
    Ok(bytes.map(Digest::from_bytes))
}

/// A path as bytes. They are not for other machines.
pub(super) fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// A path from the bytes that [`path_bytes`] gave.
#[cfg(unix)]
pub(super) fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes).into()
}

/// A path from the bytes that [`path_bytes`] gave. A name that is no Unicode does not come back.
#[cfg(not(unix))]
pub(super) fn path_of(bytes: Vec<u8>) -> PathBuf {
    OsString::from(String::from_utf8_lossy(&bytes).into_owned()).into()
}

/// The error for a value that is there and makes no sense.
pub(in crate::store) fn senseless(
    why: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(why))
}
