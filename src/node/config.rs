//! What a node is told at its start.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::masters::MasterHint;
use super::relay::RelayUse;
use super::vault::VaultUse;
use crate::digest::{Address, DigestError};
use crate::identity::Wallet;
use crate::net::portmap::Method;
use crate::swarm::Contribution;

/// The UDP port that nodes listen on unless told otherwise.
pub const DEFAULT_PORT: u16 = 7922;

/// A node's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder for everything the node keeps: containers, manifests, bans.
    pub home: PathBuf,
    /// Who the node is.
    pub wallet: Arc<Wallet>,
    /// Where it listens. Default: any free port, on every address.
    pub listen: Listen,
    /// Upload limit in bytes per second for all peers together. Default: none.
    pub upload_rate_max: Option<u64>,
    /// Download limit in bytes per second for all containers together. Default: none. Below
    /// 16 KiB/s, peers may take us for one that does not read.
    pub download_rate_max: Option<u64>,
    /// What it serves beside what it is given to share and what it fetches. Default: nothing.
    pub serving: Serving,
    /// Whether it serves others. Default: it does. One that does not is served what nobody else wants.
    pub contribution: Contribution,
    /// Which sources of peers it uses. Default: all.
    pub discovery: Discovery,
    /// The SwarmMasters that it announces to and asks, with discovery or without. Default: none.
    pub masters: Vec<MasterHint>,
    /// Whether peers are reached, and reach it, through SwarmMasters where there is no other way. Default:
    /// they are.
    pub relay: RelayUse,
    /// What its own folder may hold, in bytes; [`u64::MAX`] is no limit. Default: what the settings in
    /// its home say, or no limit.
    pub quota: Option<u64>,
    /// How routers are asked to let others in. Default: not at all. A node that listens on loopback, or
    /// on IPv6 alone, asks nobody.
    pub port_mapping: Vec<Method>,
    /// What it does with the vault in its home. Default: nothing, it is shut.
    pub vault: VaultUse,
}

/// Where a node listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Here, or the start fails.
    At(SocketAddr),
    /// Here, or on any free port where this one is taken.
    Prefer(SocketAddr),
}

/// What a node serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    /// What it is given to share, and what it fetches.
    Given,
    /// Everything complete in the library of its home too. A container is opened when a peer asks for it, and
    /// costs nothing until then.
    Library,
}

/// Which sources of peers a node uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// Everything it knows of.
    On,
    /// Only peers that it was given by name.
    Off,
}

impl Config {
    /// A node with this identity that keeps its things in this folder.
    pub fn new(home: impl Into<PathBuf>, wallet: Wallet) -> Self {
        let anywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        Self {
            home: home.into(),
            wallet: Arc::new(wallet),
            listen: Listen::At(anywhere),
            upload_rate_max: None,
            download_rate_max: None,
            serving: Serving::Given,
            contribution: Contribution::default(),
            discovery: Discovery::On,
            masters: Vec::new(),
            relay: RelayUse::On,
            quota: None,
            port_mapping: Vec::new(),
            vault: VaultUse::Shut,
        }
    }
}

/// Where a peer may be reached, and who it must be if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerHint {
    /// Its IP address and UDP port.
    pub remote: SocketAddr,
    /// Its wallet address; any other identity is refused.
    pub expected: Option<Address>,
}

impl From<SocketAddr> for PeerHint {
    fn from(remote: SocketAddr) -> Self {
        Self {
            remote,
            expected: None,
        }
    }
}

impl fmt::Display for PeerHint {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            Some(address) => write!(f, "{address}@{}", self.remote),
            None => write!(f, "{}", self.remote),
        }
    }
}

/// Why a text is not a peer hint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerHintError {
    /// The part after `@`, or all of it, is not `IP:PORT`.
    #[error("{0:?} is not IP:PORT, as in 198.51.100.7:7922 or [2001:db8::7]:7922")]
    Remote(String),
    /// The part before `@` is not a wallet address.
    #[error("the wallet address before @ {0}")]
    Expected(#[from] DigestError),
}

impl FromStr for PeerHint {
    type Err = PeerHintError;

    /// Reads `IP:PORT` or `WALLET_ADDRESS@IP:PORT`.
    fn from_str(text: &str) -> Result<Self, PeerHintError> {
        let (expected, remote) = match text.split_once('@') {
            Some((address, remote)) => (Some(address.parse()?), remote),
            None => (None, text),
        };
        let remote = remote
            .parse()
            .map_err(|_| PeerHintError::Remote(remote.to_owned()))?;
        Ok(Self { remote, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn a_hint_may_name_whom_it_expects() {
        let address = Address::new(Digest::of(b"alice"));
        let text = format!("{address}@[::1]:7922");
        let hint: PeerHint = text.parse().unwrap();
        assert_eq!(hint.to_string(), text);
        assert_eq!(
            hint,
            PeerHint {
                remote: "[::1]:7922".parse().unwrap(),
                expected: Some(address)
            }
        );
        assert_eq!(
            "localhost:1".parse::<PeerHint>(),
            Err(PeerHintError::Remote("localhost:1".into()))
        );
        assert!(matches!(
            "x@127.0.0.1:1".parse::<PeerHint>(),
            Err(PeerHintError::Expected(_))
        ));
    }
}
