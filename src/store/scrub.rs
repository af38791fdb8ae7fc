//! Looking after a complete file: whether somebody changed it, and whether its bytes rot.
//!
//! A medium that rots leaves a file's time alone; whoever writes to it does not. So a file that this
//! node made is mended in place as long as it is as the node left it: chunks whose bits a read has
//! cleared may be put again. A file that somebody has written to since, or that was its user's from
//! the start, is never written to.

use std::fs;

use crate::chunk::{Bitfield, ChunkIndex};

use super::content::Content;
use super::error::ReadError;
use super::ledger::FileStamp;
use super::os;

/// Whose a complete file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Somebody else's.
    User,
    /// This node's, for as long as it is as the node left it.
    Node(FileStamp),
}

/// What has become of a complete file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is as it was.
    Same,
    /// Its size or time is another: somebody has written to it.
    Changed,
    /// Its name leads to another file, or nowhere.
    Replaced,
}

/// What a piece of a scrub has found.
#[derive(Debug)]
pub struct Scrubbed {
    /// The chunk to go on from; `None` after the last.
    pub next: Option<ChunkIndex>,
    /// Chunks that were read.
    pub read: u32,
    /// What could not be read, or is not as it should be any more. The bits of the latter are cleared.
    pub errors: Vec<(ChunkIndex, ReadError)>,
}

impl Content {
    /// Whether the file under its name is still the one that is open, as it was at the last look. A
    /// download has nothing to look at.
    pub fn look(&self) -> Look {
        let (seen, sealed) = {
            let state = self.state();
            (state.seen, state.sealed)
        };
        let Some(seen) = seen.filter(|_| sealed) else {
            return Look::Same;
        };
        let there = fs::metadata(self.path());
        let there = there.map(|metadata| os::stamp(&metadata));
        match there {
            Ok(there) if there == seen => Look::Same,
            Ok(there) if there.inode == seen.inode => {
                self.state().seen = Some(there);
                Look::Changed
            }
            Ok(_) | Err(_) => {
                self.state().seen = None;
                Look::Replaced
            }
        }
    }

    /// Clears every bit: the file is another.
    pub fn forsake(&self) {
        self.state().have = Bitfield::empty(self.layout().chunk_count());
    }

    /// Reads and verifies the chunks that are held, from one on, until this many bytes were read.
    pub fn scrub(&self, from: ChunkIndex, bytes: u64) -> Scrubbed {
        let mut scrubbed = Scrubbed {
            next: None,
            read: 0,
            errors: Vec::new(),
        };
        let mut left = bytes;
        for chunk in (from.get()..self.layout().chunk_count()).map(ChunkIndex::new) {
            if left == 0 {
                scrubbed.next = Some(chunk);
                break;
            }
            let len = self.layout().chunk_len(chunk).unwrap_or_default();
            match self.read(chunk) {
                Ok(None) => continue,
                Ok(Some(_)) => {}
                Err(error) => scrubbed.errors.push((chunk, error)),
            }
            scrubbed.read += 1;
            left = left.saturating_sub(u64::from(len));
        }
        scrubbed
    }

    /// Whether a sealed file may be written to.
    pub(super) fn may_mend(&self) -> bool {
        let owner = self.state().owner;
        match owner {
            Owner::User => false,
            Owner::Node(left) => self.disk.stamp().is_ok_and(|now| now == left),
        }
    }

    /// The file is this node's, as it is now.
    pub(super) fn own(&self) {
        let stamp = self.disk.stamp().ok();
        let state = &mut *self.state();
        state.seen = stamp;
        state.owner = stamp.map_or(Owner::User, Owner::Node);
    }
}
