//! The words of the boundary (`event`): what things are called, and why something is so.

use crate::digest::Address;

/// One connection to a peer. The caller chooses the number and never uses it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PeerKey(pub u64);

/// One chunk request that we made. The core chooses the number and never uses it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One chunk request that a peer made. The caller chooses the number and never uses it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskKey(pub u64);

/// Where a peer's IP address lies, for sharing fairly: equal for those that one owner may well have.
/// The caller computes it; the core only compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Subnet(pub u64);

/// What is known of a container's manifest before its bytes are there (DESIGN section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is the one that was asked for, by its id or by its owner's signature: whoever sends a
    /// chunk that does not fit it is at fault, however many they are.
    Pinned,
    /// A stranger says that it describes the container. Chunks that nobody can send speak against
    /// it.
    Claimed,
}

/// Why a deadline is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A peer may have stopped answering.
    Patience(PeerKey),
    /// A peer that was busy or snubbed may be asked again.
    Again(PeerKey),
    /// A peer has nothing to do while others have a backlog.
    Steal,
    /// A download limit lets the next chunk be asked for.
    Pace,
    /// Peers wait for an upload slot, or to hear what we give.
    Serve,
}

/// What one address gave us and got from us, faded with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Whose.
    pub address: Address,
    /// Bytes that it gave us, and that were right.
    pub received: u64,
    /// Bytes that we gave it.
    pub sent: u64,
}

/// Whether a node gives anything to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contribution {
    /// It serves what it has, from its first chunk on.
    #[default]
    Upload,
    /// It answers every request for a chunk with a refusal. Others remember that, and serve it what
    /// nobody else wants.
    None,
}
