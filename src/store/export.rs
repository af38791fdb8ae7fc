//! Writing what a container holds into a file of the user's, wherever and in whatever form it lies.
//!
//! Every chunk is verified on its way. A container that is encrypted to the user is decrypted, and nothing
//! of what it was encrypted in is written anywhere.

use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::Path;

use bytes::Bytes;

use super::age_file::{AgeFileError, Failure, Job};
use super::content::Content;
use crate::age::Key;
use crate::chunk::ChunkIndex;

/// What an export has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// The container.
    Container,
    /// What was encrypted in the container.
    Decrypted,
}

impl Content {
    /// Writes what it holds into a new file. `goes_on` hears how many bytes of the container are done,
    /// and says whether to go on.
    pub fn export(
        &self,
        to: &Path,
        key: &Key,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Result<Exported, AgeFileError> {
        let from = &self.path();
        let (job, size) = (Job { from, to }, self.layout().size());
        let mut reader = Reader::new(self);
        if job.opens(&mut reader, key)? {
            reader.seek(SeekFrom::Start(0)).expect("it can always be");
            job.decrypt(&mut reader, size, key, goes_on)?;
            return Ok(Exported::Decrypted);
        }
        job.write(|out| {
            for chunk in self.layout().chunks() {
                let bytes = reader.chunk(chunk)?;
                out.write_all(&bytes)?;
                let done = self.layout().offset(chunk).unwrap_or(size) + bytes.len() as u64;
                if !goes_on(done) {
                    let path = to.to_owned();
                    return Err(Failure::Known(AgeFileError::GivenUp { path }));
                }
            }
            Ok(())
        })?;
        Ok(Exported::Container)
    }
}

/// A container's bytes as a file's.
struct Reader<'c> {
    content: &'c Content,
    at: u64,
    /// The chunk that was read last.
    last: Option<(ChunkIndex, Bytes)>,
}

impl<'c> Reader<'c> {
    fn new(content: &'c Content) -> Self {
        Self {
            content,
            at: 0,
            last: None,
        }
    }

    fn chunk(&mut self, index: ChunkIndex) -> io::Result<Bytes> {
        if let Some((last, bytes)) = &self.last
            && *last == index
        {
            return Ok(bytes.clone());
        }
        let chunk = self.content.read(index).map_err(io::Error::other)?;
        let chunk = chunk.ok_or_else(|| io::Error::other(format!("chunk {index} is not here")))?;
        let bytes = chunk.into_bytes();
        self.last = Some((index, bytes.clone()));
        Ok(bytes)
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let layout = self.content.layout();
        if self.at >= layout.size() {
            return Ok(0);
        }
        let chunk_size = u64::from(layout.chunk_size());
        let (chunk, within) = (self.at / chunk_size, self.at % chunk_size);
        let chunk = u32::try_from(chunk).map_err(io::Error::other)?;
        let bytes = self.chunk(ChunkIndex::new(chunk))?;
        let rest = &bytes[usize::try_from(within).map_err(io::Error::other)?..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.content.layout().size().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
