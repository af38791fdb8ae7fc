//! What a SwarmMaster decides: whom it lists, what it finds, and whom it names to whom.
//!
//! ```text
//! ferry    which packets are carried, between whom, and how many?
//! quay     which packets wait for their share, and for how long?
//! days     how much was carried for one in a day?
//! claim    is this registration good, and for how long?
//! meter    how much may one wallet, and one subnet, ask for?
//! entry    what is known of a container and of who holds it
//! place    which entry comes before which
//! fold     names as they are compared
//! grams    what an index of three-letter pieces is asked for
//! pattern  what a regular expression requires
//! query    a search: which entries are looked at, and which of them are right
//! choose   which peers are named to one who asks
//! ```
//!
//! Pure: time and randomness are arguments, and the tables lie in `store`. Nothing here trusts what a
//! node says of itself; what can be checked is checked before it is listed, and what cannot (that a
//! name means what it says) only decides about the order in which people see it.

mod choose;
mod claim;
mod days;
mod entry;
mod ferry;
mod fold;
mod grams;
mod meter;
mod pattern;
mod place;
mod quay;
mod query;
mod random;

pub use choose::{Candidate, choose};
pub use claim::{Challenge, TTL_MAX_S, granted_ttl, is_signed};
pub use entry::{Facts, Member, Seat};
pub use ferry::{End, Ferry, Freight, NotCarried};
pub use grams::Grams;
pub use meter::{Meter, Pace};
pub use place::{Crowd, Place, crowd};
pub use quay::{Direction, Quay};
pub use query::{Bounds, Query, QueryError, Route};
pub use random::Random;

/// A name as it is compared, in lower case.
pub fn folded(name: &str) -> String {
    fold::fold(name)
}

/// A name as an index of pieces knows it: folded, between its marks.
pub fn marked(name: &str) -> String {
    query::marked(name)
}

/// Containers that one wallet may have listed at a time.
pub const FILES_PER_KEY: u32 = 1000;
/// Containers that all wallets of one subnet may have listed at a time.
pub const FILES_PER_SUBNET: u32 = 20_000;
/// Holders of one container that are listed. More would help nobody to find one.
pub const HOLDERS_MAX: u32 = 1000;
