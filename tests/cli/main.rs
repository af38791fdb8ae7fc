//! The binary as a user meets it: whole outputs, exit codes, signals, and files left behind.
//!
//! Every test has a temporary folder of its own. A stream that a test does not mention must be
//! empty. What differs from run to run stands as a token (see `normal`): `<dir>`, `<hex>`, `<addr>`,
//! `<date>`, `<time>`, `<speed>`; lines that tell progress are left out.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod bans;
mod create;
mod encrypted;
mod fetch;
mod folder;
#[cfg(target_os = "linux")]
mod forged_sources;
mod forger;
mod full_at_sync;
#[cfg(target_os = "linux")]
mod hostile_frames;
mod id;
mod info;
mod interrupted;
mod killed;
mod library;
mod masters;
mod normal;
mod peers;
#[path = "../support/postgres.rs"]
mod postgres;
mod process;
mod resume;
mod scrub;
mod share;
#[path = "../support/skip.rs"]
mod skip;
mod test;
mod usage;
mod vault;
mod verify;
