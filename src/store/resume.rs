//! Finding what an earlier download left in a `.part`.
//!
//! A file that is as a download left it when it came to rest, by the [ledger](super::Ledger), is taken
//! at that download's word for now; `read` and `finish` verify it all the same. Any other is hashed
//! again, so garbage, a crash halfway through a write, or the `.part` of another container cost time
//! and nothing else. What was found is synced before it is claimed: a process that was killed may have
//! left it in the page cache only.

use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::Digest;

use super::content::Content;
use super::error::ReadError;
use super::whole::Span;

impl Content {
    /// Sets the bits of the chunks that are there. To be called once, before downloading. Where the
    /// file has to be hashed, chunks that are only a hole in it are passed over without reading,
    /// except those that should be all zeros.
    ///
    /// `progress` hears how many bytes of the container have been dealt with so far.
    pub fn resume(&self, progress: impl Fn(u64)) -> Result<Bitfield, ReadError> {
        if let Some(left) = self.take_up() {
            let state = &mut *self.state();
            state.journal.on_found(&left);
            state.have = left.clone();
            return Ok(left);
        }
        let mut holes = Holes::new(self);
        for index in self.layout().chunks() {
            let span = Span::of(self.layout(), index).expect("the layout names its own chunks");
            if !self.holds(index) && !holes.only_zeros_wrongly(index, span)? {
                self.check(index)?;
            }
            progress(span.offset + span.len as u64);
        }
        self.make_safe();
        Ok(self.have())
    }

    /// Sets the bit of a chunk if its bytes are on disk.
    fn check(&self, index: ChunkIndex) -> Result<(), ReadError> {
        match self.read_anyway(index) {
            Ok(_) => {
                self.state().have.insert(index);
                Ok(())
            }
            // a file that has its size cannot have shrunk, unless somebody else writes to it
            Err(error @ ReadError::Shrunk { .. }) => Err(error),
            Err(error) if error.is_lost() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Where the file has nothing but zeros, as far as is known.
struct Holes<'a> {
    content: &'a Content,
    /// There is no data from the last place that was asked about up to here.
    data_from: u64,
    /// Hash of a chunk of zeros that has the full chunk size.
    zeros: Digest,
}

impl<'a> Holes<'a> {
    fn new(content: &'a Content) -> Self {
        Self {
            content,
            data_from: 0,
            zeros: Digest::of(&vec![0; content.layout().chunk_size() as usize]),
        }
    }

    /// Whether a chunk is a hole and should not be. Chunks are to be asked about in order. The last
    /// chunk, whose length is its own, is never said to be.
    fn only_zeros_wrongly(&mut self, index: ChunkIndex, span: Span) -> Result<bool, ReadError> {
        let manifest = &self.content.manifest;
        let full = span.len == manifest.layout().chunk_size() as usize;
        if !full || manifest.chunk_hash(index) == Some(self.zeros) {
            return Ok(false);
        }
        if self.data_from <= span.offset {
            let found = self.content.disk.data_from(span.offset);
            let data = found.map_err(|source| ReadError::Io {
                path: self.content.path(),
                chunk: index,
                source,
            })?;
            self.data_from = data.unwrap_or(u64::MAX);
        }
        Ok(self.data_from >= span.offset + span.len as u64)
    }
}
