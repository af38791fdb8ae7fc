//! The sum of a fetch, as its last line tells it.

use std::fmt;
use std::time::Duration;

use crate::cli::text::count;
use crate::cli::units;
use crate::node::Left;

/// What a fetch took, in bytes where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) time: Duration,
    /// Bytes per second that came in.
    pub(super) speed: u64,
    /// Peers that gave at least one chunk.
    pub(super) peers: u64,
    /// What the fetch found.
    pub(super) left: Left,
    /// Did not have to come: they were here before, or are zeros, which a new file has by itself.
    pub(super) spared: u64,
    /// Did not have to come: they are the same as others that are here.
    pub(super) reused: u64,
    /// Did not have to travel, because of zstd.
    pub(super) saved: u64,
    /// Came for nothing.
    pub(super) duplicates: u64,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, size) = (&self.name, units::bytes(self.size));
        let here = self.spared + self.reused;
        if here >= self.size && (self.left == Left::Something || self.reused == self.size) {
            return write!(f, "{name}: all {size} were here already, and are verified");
        }
        write!(
            f,
            "{name}: {size} in {}, {} from {}",
            units::time(self.time),
            units::speed(self.speed),
            count(self.peers, "peer")
        )?;
        let spared = units::bytes(self.spared);
        match self.left {
            _ if self.spared == 0 => {}
            Left::Something => write!(f, "; {spared} were here already")?,
            Left::Nothing => write!(f, "; {spared} of zeros did not travel")?,
        }
        if self.reused > 0 {
            let reused = units::bytes(self.reused);
            write!(f, "; {reused} of repeats did not travel")?;
        }
        let (saved, twice) = (units::bytes(self.saved), units::bytes(self.duplicates));
        write!(f, "; saved by zstd: {saved}; duplicates: {twice}")
    }
}
