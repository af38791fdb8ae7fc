//! Windows.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::Links;
use crate::store::ledger::FileStamp;

/// `FILE_FLAG_OPEN_REPARSE_POINT`: open a link itself, which then is not a regular file.
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Opens and, if so asked, does not follow a link.
pub(in crate::store) fn open_warily(
    options: &mut OpenOptions,
    path: &Path,
    links: Links,
) -> io::Result<File> {
    if links == Links::Refuse {
        options.custom_flags(OPEN_REPARSE_POINT);
    }
    options.open(path)
}

/// One read at a position; 0 where the file ends.
pub(in crate::store) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// One read at a position into what `bytes` lack of `len`, after what they have; 0 where the file ends.
pub(in crate::store) fn read_more(
    file: &File,
    bytes: &mut Vec<u8>,
    len: usize,
    offset: u64,
) -> io::Result<usize> {
    let before = bytes.len();
    bytes.resize(len, 0);
    let read = file.seek_read(&mut bytes[before..], offset);
    bytes.truncate(before + *read.as_ref().unwrap_or(&0));
    read
}

/// One write at a position, maybe of less than all.
pub(in crate::store) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

/// Claims nothing beyond what setting the length does: NTFS allocates then.
pub(in crate::store) fn claim_space(_file: &File, _size: u64) -> io::Result<()> {
    Ok(())
}

/// Not asked.
pub(in crate::store) fn space_left(_file: &File) -> Option<u64> {
    None
}

/// Not asked.
pub(in crate::store) fn space_claimed(_metadata: &Metadata) -> Option<u64> {
    None
}

/// Sees no holes.
pub(in crate::store) fn data_from(_file: &File, offset: u64) -> io::Result<Option<u64>> {
    Ok(Some(offset))
}

/// Renames a file to a name that must be free (`AlreadyExists` if it is not): a second name never
/// replaces anything, and a crash in between leaves both names, each whole.
pub(in crate::store) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

/// Does nothing: NTFS journals names, and a folder cannot be flushed.
pub(in crate::store) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// True: an open file keeps its name here, for its lock is mandatory.
pub(in crate::store) fn is_at(_metadata: &Metadata, path: &Path) -> io::Result<bool> {
    std::fs::symlink_metadata(path).map(|_| true)
}

/// What tells a file from what it was. Its number is not asked for.
pub(in crate::store) fn stamp(metadata: &Metadata) -> FileStamp {
    // in steps of 100 ns since 1601
    const TO_1970: i64 = 116_444_736_000_000_000;
    let steps = metadata.last_write_time().cast_signed();
    FileStamp {
        size: metadata.len(),
        modified_ns: steps.saturating_sub(TO_1970).saturating_mul(100),
        inode: 0,
    }
}

/// Links open as themselves and are found by their metadata.
pub(in crate::store) fn is_link_refused(_error: &io::Error) -> bool {
    false
}

/// Creates a folder and its parents, with the access rights that their parent hands down.
pub(in crate::store) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// Without effect: the user's own folders are protected by their parents.
pub(in crate::store) fn make_private(_options: &mut OpenOptions) {}

/// Without effect, as above.
pub(in crate::store) fn keep_private(_file: &File) -> io::Result<()> {
    Ok(())
}
