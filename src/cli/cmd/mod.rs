//! The commands, one a file. Each takes its arguments and an [`Output`](super::output::Output).

pub(super) mod bans;
pub(super) mod create;
pub(super) mod get;
pub(super) mod id;
pub(super) mod info;
pub(super) mod library;
pub(super) mod scrub;
pub(super) mod search;
pub(super) mod share;
pub(super) mod swarmmaster;
pub(super) mod verify;

mod config;
mod encrypted;
mod landing;
mod own_manifest;
mod paths;
mod peers;
mod reference;
mod resume;
mod sum;
mod vault;
mod watch;
