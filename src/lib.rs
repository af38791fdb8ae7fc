//! swarmhold: an encrypted peer-to-peer node that distributes containers.
//!
//! A publisher turns a file into a [`Manifest`]: the SHA-256 of every chunk, the SHA-256 of the
//! whole, and the address of the [`Wallet`] that signed it. A [`Node`] shares it, others fetch it
//! from many nodes at once over QUIC, and no byte is stored or passed on before it was proven.
//!
//! ```
//! use std::sync::Arc;
//! use swarmhold::{Config, FetchOptions, Listen, Node, Wallet, What, create};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("app.tar");
//! std::fs::write(&file, vec![7; 100_000])?;
//! let loopback = Listen::At("127.0.0.1:0".parse()?);
//!
//! // the publisher
//! let mut config = Config::new(folder.path().join("alice"), Wallet::generate()?);
//! config.listen = loopback;
//! let alice = Node::start(config).await?;
//! let manifest = Arc::new(create(&file, alice.wallet(), "app.tar", None, |_bytes| {})?);
//! alice.share(Arc::clone(&manifest), &file).await?;
//! let link = alice.link(&manifest);
//!
//! // somebody else, who knows nothing but the link
//! let mut config = Config::new(folder.path().join("bob"), Wallet::generate()?);
//! config.listen = loopback;
//! let bob = Node::start(config).await?;
//! let fetched = bob.fetch(What::Link(link), FetchOptions::default()).await.finished().await?;
//! assert_eq!(std::fs::read(&fetched.path)?, std::fs::read(&file)?);
//!
//! bob.stop().await;
//! alice.stop().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # The map
//!
//! Reading order is dependency order is data order. A module uses only modules on a line above its
//! own (`tests/tidy.rs` enforces the arrows):
//!
//! ```text
//! limits  digest  chunk  host  moment     names and numbers
//! manifest  wire  identity  age           formats: bytes <-> types            pure
//! swarm  index  nat                       decisions: sans-IO state machines   pure
//! yielding                                who hashes offers its processor
//! store  net                              IO: disk, sockets
//! node                                    the only place where decisions meet IO
//! cli                                     surface; sees node and nothing below
//! main
//! ```
//!
//! Stable is what stands at the root of this crate; the modules are public so that their
//! documentation and formats can be read, and may change.

pub mod age;
pub mod chunk;
pub mod cli;
pub mod digest;
pub mod host;
pub mod identity;
pub mod index;
pub mod limits;
pub mod manifest;
pub mod moment;
pub mod nat;
pub mod net;
pub mod node;
pub mod store;
pub mod swarm;
pub mod wire;
mod yielding;

pub use digest::{Address, Digest, ManifestId, ProgramId};
pub use identity::Wallet;
pub use manifest::{Link, Manifest};
pub use node::{
    Account, Banned, Config, ContainerStatus, CreateError, Discovery, Fetch, FetchError,
    FetchOptions, FetchStatus, Fetched, Listen, Node, Order, PeerHint, PeerStatus, Proof, Rates,
    Share, ShareError, StartError, Status, Strike, Tally, What, create, create_recalling,
};
