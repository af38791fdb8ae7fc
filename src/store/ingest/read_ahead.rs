//! Reading a file once, from one end to the other, ahead of whoever uses what was read.
//!
//! The file is read into a fixed number of blocks that go round, so memory is bounded whatever the size
//! of the file: `BLOCKS` of `BLOCK_BYTES`. A block is free again when its last reader gives it back.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use super::IngestError;
use crate::limits::MIB;
use crate::store::os::Links;
use crate::store::regular::open_regular;

/// What one read asks for, in bytes. Small enough to be still in the processor's cache when it is
/// hashed, large enough that passing it on costs nothing.
pub(super) const BLOCK_BYTES: usize = MIB / 2;
/// Blocks that there are: how far the reader, or one of the hashes, can be ahead.
pub(super) const BLOCKS: usize = 16;

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

    /// Reads the file from one end to the other. The readers are told of its end by `readers` being
    /// dropped.
    pub(super) fn read(
        &self,
        free: &Receiver<Vec<u8>>,
        readers: [Sender<Arc<Vec<u8>>>; 2],
    ) -> Result<(), IngestError> {
        let (mut read, mut made) = (0, 0);
        while read < self.size() {
            let Some(mut block) = next_block(free, &mut made) else {
                // a reader has panicked; that shows when it is joined
                return Ok(());
            };
            let wanted = (self.size() - read).min(BLOCK_BYTES as u64);
            block.clear();
            self.io((&self.file).take(wanted).read_to_end(&mut block))?;
            read += block.len() as u64;
            if block.len() as u64 != wanted {
                return Err(self.changed(read));
            }
            let block = Arc::new(block);
            for reader in &readers {
                // as above
                let _ = reader.send(Arc::clone(&block));
            }
        }
        let after = self.io(self.file.metadata())?;
        let same =
            after.len() == self.size() && after.modified().ok() == self.before.modified().ok();
        if same {
            Ok(())
        } else {
            Err(self.changed(read))
        }
    }

    fn changed(&self, read: u64) -> IngestError {
        IngestError::Changed {
            path: self.path.to_owned(),
            read,
            size: self.size(),
        }
    }

    /// Says which file an error is about.
    pub(super) fn io<T>(&self, result: io::Result<T>) -> Result<T, IngestError> {
        result.map_err(|source| IngestError::Io {
            path: self.path.to_owned(),
            source,
        })
    }
}

/// A block that is free, or a new one while fewer than `BLOCKS` are `made`; otherwise waits for one.
/// `None` when nobody is left to give one back.
fn next_block(free: &Receiver<Vec<u8>>, made: &mut usize) -> Option<Vec<u8>> {
    if let Ok(block) = free.try_recv() {
        return Some(block);
    }
    if *made == BLOCKS {
        return free.recv().ok();
    }
    *made += 1;
    Some(Vec::with_capacity(BLOCK_BYTES))
}

/// Returns a block to the reader, if the other hash is done with it too.
pub(super) fn give_back(block: Arc<Vec<u8>>, free: &Sender<Vec<u8>>) {
    if let Some(block) = Arc::into_inner(block) {
        // the reader has gone when it has read everything
        let _ = free.send(block);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn no_more_blocks_are_made_than_there_should_be() {
        let (free, blocks) = channel();
        let mut made = 0;
        for _ in 0..BLOCKS {
            assert_eq!(
                next_block(&blocks, &mut made).unwrap().capacity(),
                BLOCK_BYTES
            );
        }
        free.send(vec![7]).unwrap();
        assert_eq!(next_block(&blocks, &mut made), Some(vec![7]));
        drop(free);
        assert_eq!(next_block(&blocks, &mut made), None);
        assert_eq!(made, BLOCKS);
    }
}
