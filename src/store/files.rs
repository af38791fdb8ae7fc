//! A container's bytes in a file: one that is served where it lies, or a `.part` beside the
//! destination of a download.
//!
//! Invariant: while a `.part` is open here, this process holds its lock, and the name `.part` leads to
//! the file that is open. The destination is never replaced.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use super::backend::Backend;
use super::error::OpenError;
use super::ledger::FileStamp;
use super::os::{self, Links};
use super::positioned;
use super::regular::open_regular;

/// An open file.
#[derive(Debug)]
pub(super) struct FileDisk {
    /// Replaced only by [`reopen`](Backend::reopen).
    file: RwLock<File>,
    place: Mutex<Place>,
}

#[derive(Debug, Clone)]
enum Place {
    /// The file has its final name.
    Final(PathBuf),
    /// The file is `part` and is to become `destination`.
    Part { part: PathBuf, destination: PathBuf },
}

impl FileDisk {
    /// Opens a complete file for reading; it must have `size` bytes.
    pub(super) fn complete(path: &Path, size: u64) -> Result<Self, OpenError> {
        let opened = open_regular(File::options().read(true), path, Links::Follow);
        Self::of_size(regular(opened, path)?, path, size)
    }

    fn of_size(
        (file, metadata): (File, Metadata),
        path: &Path,
        size: u64,
    ) -> Result<Self, OpenError> {
        if metadata.len() != size {
            return Err(OpenError::WrongSize {
                path: path.to_owned(),
                expected: size,
                found: metadata.len(),
            });
        }
        Ok(Self::over(file, Place::Final(path.to_owned())))
    }

    /// Opens a complete file of the node's own, for reading and for mending; it must have `size` bytes.
    pub(super) fn kept(path: &Path, size: u64) -> Result<Self, OpenError> {
        let opened = open_regular(File::options().read(true).write(true), path, Links::Refuse);
        Self::of_size(regular(opened, path)?, path, size)
    }

    /// Opens or creates the `.part` of `destination`, locks it and makes it `size` bytes long.
    pub(super) fn part(destination: &Path, size: u64) -> Result<Self, OpenError> {
        let part = part_path(destination)?;
        refuse_existing(destination)?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let opened = open_regular(&mut options, &part, Links::Refuse);
        let (file, metadata) = regular(opened, &part)?;
        lock(&file, &metadata, &part)?;
        // the lock may have been another download's until now, and that one may have finished
        refuse_existing(destination)?;
        let place = Place::Part {
            part,
            destination: destination.to_owned(),
        };
        let disk = Self::over(file, place);
        match disk.reserve(size) {
            Ok(()) => Ok(disk),
            Err(source) => Err(disk.give_up(&metadata, size, source)),
        }
    }

    fn over(file: File, place: Place) -> Self {
        Self {
            file: RwLock::new(file),
            place: Mutex::new(place),
        }
    }

    /// Says why the space was not to be had, and leaves nothing behind that was not there before.
    fn give_up(self, before: &Metadata, size: u64, source: io::Error) -> OpenError {
        let path = self.path();
        let missing = self.missing_space(size);
        // best effort: the error that matters is the one being reported
        let _ = self.file().set_len(before.len());
        if before.len() == 0 {
            let _ = fs::remove_file(&path);
        }
        if is_disk_full(&source) {
            OpenError::DiskFull {
                path,
                size,
                missing,
                source,
            }
        } else {
            OpenError::Io { path, source }
        }
    }

    fn file(&self) -> RwLockReadGuard<'_, File> {
        // it is replaced whole, as below
        self.file.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // a path is replaced whole, so a panic elsewhere cannot have left half of one
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for FileDisk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = self.file();
        positioned::read_all(buffer, offset, |rest, at| os::read_at(&file, rest, at))
    }

    /// Without filling the memory with zeros first, which takes a tenth of what hashing it does.
    fn read_new(&self, len: usize, offset: u64) -> io::Result<Vec<u8>> {
        let file = self.file();
        positioned::read_new(len, offset, |bytes, at| {
            os::read_more(&file, bytes, len, at)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let file = self.file();
        positioned::write_all(bytes, offset, |rest, at| os::write_at(&file, rest, at))
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        let file = self.file();
        file.set_len(size)?;
        os::claim_space(&file, size)
    }

    fn missing_space(&self, size: u64) -> Option<u64> {
        let file = self.file();
        let claimed = os::space_claimed(&file.metadata().ok()?)?;
        let missing = size.saturating_sub(claimed);
        missing.checked_sub(os::space_left(&file)?)
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        os::data_from(&self.file(), offset)
    }

    fn sync(&self) -> io::Result<()> {
        // not `sync_data`, which leaves out the time that the stamp is told by
        self.file().sync_all()
    }

    fn reopen(&self) -> io::Result<()> {
        let path = self.path();
        let mut options = File::options();
        let opened = open_regular(options.read(true).write(true), &path, Links::Refuse)?;
        let (anew, _) = opened.ok_or(io::ErrorKind::InvalidInput)?;
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if !os::is_at(&file.metadata()?, &path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        // A lock belongs to the handle. Whoever takes it in between keeps it, and we stop writing.
        file.unlock()?;
        anew.try_lock()?;
        *file = anew;
        Ok(())
    }

    fn stamp(&self) -> io::Result<FileStamp> {
        Ok(os::stamp(&self.file().metadata()?))
    }

    fn publish(&self) -> io::Result<()> {
        let mut place = self.place();
        if let Place::Part { part, destination } = &*place {
            os::rename_new(part, destination)?;
            *place = Place::Final(destination.clone());
            // On Windows the lock would keep the user from reading what is theirs now. Elsewhere
            // nobody looks for it under this name, so failing to let go of it harms no one.
            let _ = self.file().unlock();
        }
        Ok(())
    }

    fn sync_name(&self) -> io::Result<()> {
        os::sync_folder(folder_of(&self.destination()))
    }

    fn path(&self) -> PathBuf {
        match &*self.place() {
            Place::Final(path) | Place::Part { part: path, .. } => path.clone(),
        }
    }

    fn destination(&self) -> PathBuf {
        match &*self.place() {
            Place::Final(path)
            | Place::Part {
                destination: path, ..
            } => path.clone(),
        }
    }
}

/// Whether an error says that the disk, or this user's share of it, is full.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// The folder that a path's last component is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// `NAME.part` beside `NAME`, where a download of `NAME` keeps what it has. Its folder must exist.
pub fn part_path(destination: &Path) -> Result<PathBuf, OpenError> {
    let Some(name) = destination.file_name() else {
        return Err(OpenError::NoName {
            path: destination.to_owned(),
        });
    };
    let folder = folder_of(destination);
    if !folder.is_dir() {
        return Err(OpenError::NoFolder {
            path: folder.to_owned(),
        });
    }
    let mut part = OsString::from(name);
    part.push(".part");
    Ok(destination.with_file_name(part))
}

fn refuse_existing(destination: &Path) -> Result<(), OpenError> {
    let path = destination.to_owned();
    match fs::symlink_metadata(destination) {
        Ok(_) => Err(OpenError::AlreadyThere { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::Io { path, source }),
    }
}

fn regular(
    opened: io::Result<Option<(File, Metadata)>>,
    path: &Path,
) -> Result<(File, Metadata), OpenError> {
    let path = path.to_owned();
    match opened {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(OpenError::NotRegular { path }),
        Err(source) => Err(OpenError::Io { path, source }),
    }
}

/// Locks a `.part`, and makes sure that it still is the file of that name.
fn lock(file: &File, metadata: &Metadata, part: &Path) -> Result<(), OpenError> {
    let path = part.to_owned();
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path }),
        Err(TryLockError::Error(source)) => return Err(OpenError::Io { path, source }),
    }
    match os::is_at(metadata, part) {
        Ok(true) => Ok(()),
        // whoever held the lock before has renamed or removed the file
        Ok(false) => Err(OpenError::InUse { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::InUse { path }),
        Err(source) => Err(OpenError::Io { path, source }),
    }
}
