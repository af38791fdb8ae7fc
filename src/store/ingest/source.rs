//! The file that is read, which must stay what it was when it was opened.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use super::IngestError;
use crate::limits::MIB;
use crate::store::os::{self, Links};
use crate::store::regular::open_regular;

/// What one read asks for, in bytes. Small enough to be still in the processor's cache when it is
/// hashed, large enough that passing it on costs nothing.
pub(super) const BLOCK_BYTES: usize = MIB;

/// The file that is read.
pub(super) struct Source<'a> {
    path: &'a Path,
    file: File,
    /// What the file was like when it was opened.
    before: Metadata,
}

impl<'a> Source<'a> {
    /// Opens a regular file.
    pub(super) fn open(path: &'a Path) -> Result<Self, IngestError> {
        match open_regular(File::options().read(true), path, Links::Follow) {
            Ok(Some((file, before))) => Ok(Self { path, file, before }),
            Ok(None) => Err(IngestError::NotRegular {
                path: path.to_owned(),
            }),
            Err(source) => Err(IngestError::Io {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Its size when it was opened, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.before.len()
    }

    /// Says which file an error is about.
    pub(super) fn io<T>(&self, result: io::Result<T>) -> Result<T, IngestError> {
        result.map_err(|source| IngestError::Io {
            path: self.path.to_owned(),
            source,
        })
    }

    /// Reads a block, which is shorter only at the end of the file.
    pub(super) fn read(&self, index: u64, block: &mut Vec<u8>) -> Result<(), IngestError> {
        let offset = index * BLOCK_BYTES as u64;
        let wanted = (self.size() - offset).min(BLOCK_BYTES as u64);
        block.resize(usize::try_from(wanted).expect("a block fits memory"), 0);
        let mut done = 0;
        while done < block.len() {
            match os::read_at(&self.file, &mut block[done..], offset + done as u64) {
                Ok(0) => return Err(self.changed(offset + done as u64)),
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.io(Err(error)),
            }
        }
        Ok(())
    }

    /// Whether the file is what it was when it was opened, now that all of it was read.
    pub(super) fn check(&self) -> Result<(), IngestError> {
        let after = self.io(self.file.metadata())?;
        let same =
            after.len() == self.size() && after.modified().ok() == self.before.modified().ok();
        if same {
            Ok(())
        } else {
            Err(self.changed(self.size()))
        }
    }

    fn changed(&self, read: u64) -> IngestError {
        IngestError::Changed {
            path: self.path.to_owned(),
            read,
            size: self.size(),
        }
    }
}
