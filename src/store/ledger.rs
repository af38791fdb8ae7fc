//! What is written down of downloads that are not finished: which chunks of a `.part` are safely on
//! the disk.
//!
//! The store says what a ledger does; who keeps the node's state provides one. Nothing that a ledger
//! says is ever acted upon without the bytes: a chunk is verified whenever it is read, and the whole
//! before the file gets its name. So a ledger that lost its memory, or whose memory is of another
//! file, costs time and no byte is wrong for it.
//!
//! What the calls mean:
//!
//! * **Atomic.** What [`claimed`](Ledger::claimed) answers is one whole claim that was made, never a
//!   mixture of two.
//! * **Ordered.** After a crash or a loss of power it answers as if it had heard the first *n* calls,
//!   for some *n*, of all `.part`s together: the newest calls may be lost, and none that came
//!   before a call that was kept.
//! * **Not waited for.** `claim` and `forget` may return before the disk has confirmed them.
//! * **At most one claim for each `.part`**: the next one takes its place.
//! * **Never in the way.** A ledger that cannot write says so in its own log, and answers `None`.
//!
//! In return, [`Content`](super::Content) claims a chunk only after the disk has confirmed its bytes,
//! and says that a file is at rest only after its last write; before the first write to a file
//! that was at rest it takes that back.

use std::fmt;
use std::path::Path;

use crate::chunk::Bitfield;
use crate::digest::ManifestId;

/// Where claims are kept. All calls may block on the disk.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Keeps a claim on a `.part`, whose path is absolute, in place of the one there was.
    fn claim(&self, part: &Path, claim: &Claim);

    /// The claim on a `.part`, if there is one.
    fn claimed(&self, part: &Path) -> Option<Claim>;

    /// Drops the claim on a `.part`: it has become the container.
    fn forget(&self, part: &Path);
}

/// What was confirmed of one `.part`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose chunks they are.
    pub manifest: ManifestId,
    /// The chunks that the disk confirmed.
    pub have: Bitfield,
    /// The file as it was left, if it was: nobody has written to it since. `None` while a download
    /// writes, and for ever after one that was cut short.
    pub rest: Option<FileStamp>,
}

/// By what a file that was changed, or is another, is told from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Its size in bytes.
    pub size: u64,
    /// When its bytes last changed, in nanoseconds since 1970; negative before.
    pub modified_ns: i64,
    /// Its number in the file system; 0 where there is none.
    pub inode: u64,
}
