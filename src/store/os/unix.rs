//! Unix: Linux, macOS and the BSDs.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Links;
use crate::store::ledger::FileStamp;

/// Opens without waiting for the other end of a FIFO and, if so asked, without following a link.
pub(in crate::store) fn open_warily(
    options: &mut OpenOptions,
    path: &Path,
    links: Links,
) -> io::Result<File> {
    let flags = match links {
        Links::Follow => OFlags::NONBLOCK,
        Links::Refuse => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

/// One read at a position; 0 where the file ends.
pub(in crate::store) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// One read at a position into what `bytes` lack of `len`, after what they have; 0 where the file ends.
pub(in crate::store) fn read_more(
    file: &File,
    bytes: &mut Vec<u8>,
    len: usize,
    offset: u64,
) -> io::Result<usize> {
    let before = bytes.len();
    rustix::io::pread(file, rustix::buffer::spare_capacity(bytes), offset)?;
    // there may be more room than was asked for
    bytes.truncate(len);
    Ok(bytes.len() - before)
}

/// One write at a position, maybe of less than all.
pub(in crate::store) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(bytes, offset)
}

/// Claims the space of the file's first `size` bytes; without effect where that is not possible.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(in crate::store) fn claim_space(file: &File, size: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};

    let claim = || fallocate(file, FallocateFlags::empty(), 0, size);
    match rustix::io::retry_on_intr(claim) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        claimed => Ok(claimed?),
    }
}

/// Claims nothing: this system has no call for it.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(in crate::store) fn claim_space(_file: &File, _size: u64) -> io::Result<()> {
    Ok(())
}

/// Bytes that this user may still write to the file's disk, if the system says.
pub(in crate::store) fn space_left(file: &File) -> Option<u64> {
    let disk = rustix::fs::fstatvfs(file).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes of the disk that a file has, holes left out.
pub(in crate::store) fn space_claimed(metadata: &Metadata) -> Option<u64> {
    // in these units whatever the file system's are (POSIX, `st_blocks`)
    Some(metadata.blocks().saturating_mul(512))
}

/// The first position at or after `offset` that is not in a hole; `None` past the last data.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(in crate::store) fn data_from(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(data) => Ok(Some(data)),
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(offset)),
        Err(other) => Err(other.into()),
    }
}

/// Sees no holes: this system has no portable call for it.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(in crate::store) fn data_from(_file: &File, offset: u64) -> io::Result<Option<u64>> {
    Ok(Some(offset))
}

/// Renames a file to a name that must be free (`AlreadyExists` if it is not).
pub(in crate::store) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_no_replace(from, to) {
        Err(Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) => link_and_unlink(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_no_replace(from: &Path, to: &Path) -> rustix::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_no_replace(_from: &Path, _to: &Path) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

/// A second name never replaces anything. A crash in between leaves both names, each whole.
fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

/// Makes the names in a folder durable. File systems that cannot be asked keep their own order.
pub(in crate::store) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(refused) if Errno::from_io_error(&refused) == Some(Errno::INVAL) => Ok(()),
        synced => synced,
    }
}

/// Whether `metadata`, of an open file, and `path` are the same file.
pub(in crate::store) fn is_at(metadata: &Metadata, path: &Path) -> io::Result<bool> {
    let there = std::fs::symlink_metadata(path)?;
    Ok((there.dev(), there.ino()) == (metadata.dev(), metadata.ino()))
}

/// What tells a file from what it was, and from others.
pub(in crate::store) fn stamp(metadata: &Metadata) -> FileStamp {
    let seconds = metadata.mtime().saturating_mul(1_000_000_000);
    FileStamp {
        size: metadata.len(),
        modified_ns: seconds.saturating_add(metadata.mtime_nsec()),
        inode: metadata.ino(),
    }
}

/// Whether opening refused to follow a link.
pub(in crate::store) fn is_link_refused(error: &io::Error) -> bool {
    // FreeBSD says EMLINK where others say ELOOP
    matches!(
        Errno::from_io_error(error),
        Some(Errno::LOOP | Errno::MLINK)
    )
}

/// Creates a folder and its parents, open to this user only. Folders that exist stay as they are.
pub(in crate::store) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Has a file that is created be open to this user only.
pub(in crate::store) fn make_private(options: &mut OpenOptions) {
    options.mode(0o600);
}

/// Closes a file to everybody but this user.
pub(in crate::store) fn keep_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions)?;
    }
    Ok(())
}
