//! Nodes over real sockets: loopback only, discovery off, every node in a folder of its own.
//!
//! ```text
//! world      nodes, files and fetches, so that a test reads like a sentence
//! raw        somebody who dials a node and sends whatever bytes they like
//! rogue      somebody whom a node dials, and who answers by a script
//! registrant somebody who registers with a SwarmMaster, and has what it likes
//! ```
//!
//! The other files are the tests. None relies on how fast this machine is: they wait for what a
//! node's status says, and a limit of [`world::LONG`] only ends what would hang.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has nothing to say"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a script answers a few requests and leaves the rest to another"
)]

mod archives;
mod crossing;
mod fetches;
mod finding;
mod floods;
mod forged;
#[cfg(target_os = "linux")]
mod full_disk;
mod identities;
mod invited;
mod lies;
mod masters;
mod masters_fail;
#[cfg(target_os = "linux")]
mod moving;
mod narrow;
mod one_to_one;
mod poison;
mod raw;
mod registrant;
mod registrations;
mod relayed;
mod relays;
mod replies;
mod requests;
mod reuse;
mod rogue;
mod rot;
#[path = "../support/skip.rs"]
mod skip;
mod stealing;
mod steering;
mod swarms;
mod uploads;
mod world;
