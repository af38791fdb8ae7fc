//! What surfaces wish of a container while it is fetched, in words of their own.

use std::ops::Range;

use super::order::Order;
use crate::chunk::ChunkIndex;

/// How a container is to be fetched: what a surface may change while it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Its chunks are asked for in this order. The default is [`Order::Rarest`].
    Order(Order),
    /// Readers wait for these chunks, and for no others: they come before everything else, those
    /// nearest to the start of a range first. Without any, the order alone decides. Of more than
    /// [`READERS_MAX`](crate::limits::READERS_MAX) ranges the first ones count.
    Readers(Vec<Range<ChunkIndex>>),
    /// No more chunks are asked for. Requests are taken back, but for answers that are nearly here.
    /// What is here stays here and is served.
    Pause,
    /// Chunks are asked for again.
    Resume,
    /// Its chunks cannot be stored for now, as when one could not be written
    /// ([`Output::Stopped`](super::Output::Stopped), which is not said): requests are taken back, and no
    /// more are made.
    Stuck,
    /// Its chunks can be stored again, as far as is known. Undoes
    /// [`Output::Stopped`](super::Output::Stopped) and `Stuck`, and nothing else.
    Mended,
    /// These limits hold for this container, within those for all.
    Limit(Rates),
}

/// Rate limits in bytes per second, as the bytes travel; `None` is none, and 0 counts as 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// For what is sent. The network limits that; the core reads ahead accordingly.
    pub up: Option<u64>,
    /// For what is asked for. The core limits that.
    pub down: Option<u64>,
}
