//! Nodes behind routers: network namespaces on this machine, with Debian's router software in them.
//!
//! Nothing leaves the machine: the namespaces are joined to each other and to nothing else, so that
//! the addresses in them, outside ones too, are this laboratory's alone.
//!
//! It takes root, `ip` (iproute2), `nft` (nftables) and `miniupnpd`. Where something is missing the tests
//! say so and pass, unless `SWARMHOLD_NO_SKIP` is set: then they fail. CI sets it.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has nothing to say"
)]

mod lab;
mod line;
mod matrix;
mod paths;
mod portmap;
mod roaming;
mod scenes;
#[path = "../support/skip.rs"]
mod skip;
mod world;
