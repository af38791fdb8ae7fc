//! swarmhold: an encrypted peer-to-peer node that distributes containers.
//!
//! # The map
//!
//! Reading order is dependency order is data order. A module uses only modules on a line above its
//! own (`tests/tidy.rs` enforces the arrows):
//!
//! ```text
//! limits  digest  chunk  moment           names and numbers
//! manifest  wire  identity                formats: bytes <-> types            pure
//! swarm                                   decisions: a sans-IO state machine  pure
//! store  net                              IO: disk, sockets
//! node                                    the only place where decisions meet IO
//! cli                                     surface; sees node and nothing below
//! main
//! ```

pub mod chunk;
pub mod digest;
pub mod identity;
pub mod limits;
pub mod manifest;
pub mod moment;
pub mod store;
pub mod wire;
