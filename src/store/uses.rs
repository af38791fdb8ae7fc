//! Which containers processes use now, and which downloads they are at: a lock file for each, in the home.
//!
//! ```text
//! home/in-use/<manifest id>   held together by all who serve or fetch it, alone by who removes it
//! home/in-use/<job id>        held alone by who is at a download
//! ```
//!
//! A lock dies with its process, however that ends, so what is left of one that was killed holds nothing
//! up. A file is removed only by who holds it alone, and whoever gets a lock looks whether the file still
//! has its name: so two never hold locks on two files of one name.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;

use super::Folders;
use super::os::{self, Links};
use super::regular::open_regular;
use crate::digest::{Digest, ManifestId};

/// A container is used. Dropped, it is not any more.
#[derive(Debug)]
pub struct Using(Lock);

/// Nobody else holds this: a container is about to be removed, which whoever wants to use it waits for, or
/// a download is under way.
#[derive(Debug)]
pub struct Alone(Lock);

#[derive(Debug)]
struct Lock {
    file: File,
    path: PathBuf,
}

impl Folders {
    /// Uses a container from now on, waiting for who is just removing it.
    pub fn begin_use(&self, id: ManifestId) -> io::Result<Using> {
        loop {
            let lock = self.lock_file(*id.digest())?;
            lock.file.lock_shared()?;
            if lock.has_its_name()? {
                return Ok(Using(lock));
            }
        }
    }

    /// Keeps everybody from using a container; `None` if somebody does already, in this process or
    /// another.
    pub fn begin_removal(&self, id: ManifestId) -> io::Result<Option<Alone>> {
        self.alone(*id.digest())
    }

    /// Holds this alone; `None` if somebody else holds it, in this process or another.
    pub fn alone(&self, id: Digest) -> io::Result<Option<Alone>> {
        loop {
            let lock = self.lock_file(id)?;
            match lock.file.try_lock() {
                Ok(()) if lock.has_its_name()? => return Ok(Some(Alone(lock))),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Whether somebody holds this alone.
    pub fn is_alone(&self, id: Digest) -> bool {
        let path = self.in_use().join(id.to_string());
        let opened = open_regular(File::options().read(true), &path, Links::Refuse);
        let lock = opened
            .ok()
            .flatten()
            .map(|(file, _)| file.try_lock_shared());
        matches!(lock, Some(Err(TryLockError::WouldBlock)))
    }

    fn lock_file(&self, id: Digest) -> io::Result<Lock> {
        let folder = self.in_use();
        os::create_private_folder(&folder)?;
        let path = folder.join(id.to_string());
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        os::make_private(&mut options);
        let opened = open_regular(&mut options, &path, Links::Refuse)?;
        let (file, _) = opened.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Lock { file, path })
    }
}

impl Lock {
    fn has_its_name(&self) -> io::Result<bool> {
        match os::is_at(&self.file.metadata()?, &self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            is_at => is_at,
        }
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        let Self(lock) = self;
        // best effort: a file that stays is in nobody's way
        let is_last = lock.file.unlock().is_ok() && lock.file.try_lock().is_ok();
        if is_last && lock.has_its_name().unwrap_or(false) {
            let _ = fs::remove_file(&lock.path);
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // as above
        let _ = fs::remove_file(&self.0.path);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    fn folders() -> (tempfile::TempDir, Folders) {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::open(home.path()).unwrap();
        (home, folders)
    }

    fn id(of: u8) -> ManifestId {
        ManifestId::new(Digest::of(&[of]))
    }

    #[test]
    fn what_is_used_is_not_removed_until_the_last_one_ends() {
        let (_home, folders) = folders();
        let one = folders.begin_use(id(1)).unwrap();
        let two = folders.begin_use(id(1)).unwrap();
        for using in [one, two] {
            assert!(folders.begin_removal(id(1)).unwrap().is_none());
            assert!(folders.begin_removal(id(2)).unwrap().is_some());
            drop(using);
        }
        let removing = folders.begin_removal(id(1)).unwrap();
        assert!(removing.is_some() && folders.begin_removal(id(1)).unwrap().is_none());
        drop(removing);
        let left = fs::read_dir(folders.in_use()).unwrap().count();
        assert_eq!(left, 0, "no file is left");
    }

    #[test]
    fn a_file_that_a_killed_process_left_is_nobodys() {
        let (_home, folders) = folders();
        fs::write(folders.in_use().join(id(1).to_string()), b"").unwrap();
        assert!(folders.begin_removal(id(1)).unwrap().is_some());
        fs::write(folders.in_use().join(id(2).to_string()), b"").unwrap();
        drop(folders.begin_use(id(2)).unwrap());
        assert_eq!(fs::read_dir(folders.in_use()).unwrap().count(), 0);
    }

    #[test]
    fn whether_somebody_holds_it_alone_is_told_without_holding_it() {
        let (_home, folders) = folders();
        let job = Digest::of(b"job");
        assert!(!folders.is_alone(job));
        let alone = folders.alone(job).unwrap();
        assert!(alone.is_some() && folders.is_alone(job));
        drop(alone);
        assert!(!folders.is_alone(job));
        assert_eq!(fs::read_dir(folders.in_use()).unwrap().count(), 0);
    }

    #[test]
    fn who_comes_while_it_is_removed_waits_and_gets_a_lock_that_counts() {
        let (_home, folders) = folders();
        for _ in 0..100 {
            let removing = folders.begin_removal(id(1)).unwrap();
            let (begun, begins) = channel();
            thread::scope(|scope| {
                let user = scope.spawn(|| {
                    begun.send(()).unwrap();
                    folders.begin_use(id(1)).unwrap()
                });
                begins.recv().unwrap();
                drop(removing);
                let using = user.join().unwrap();
                assert!(folders.begin_removal(id(1)).unwrap().is_none());
                drop(using);
            });
        }
    }
}
