//! Starting a node for a command, and the runtime that the command waits in.

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::args::network::Network;
use super::error::CliError;
use super::home::Home;
use super::signals::Signals;
use crate::node::{
    Config, Discovery, Listen, MASTERS, MasterHint, NO_RELAY, Node, RelayUse, StartError,
};

/// Runs a command that waits. When it is done, nothing that still blocks in the background is waited
/// for: all of it may be cut short, and a signal may have asked for that.
pub(super) fn wait<F, T>(command: impl FnOnce(Signals) -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async { command(Signals::listen()?).await });
    runtime.shutdown_background();
    outcome
}

/// Where a node listens if it is not told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Port {
    /// Here if it is free.
    Usual(u16),
    /// Anywhere.
    Any,
}

impl Port {
    fn on(self, ip: std::net::IpAddr) -> Listen {
        match self {
            Self::Usual(port) => Listen::Prefer(SocketAddr::new(ip, port)),
            Self::Any => Listen::At(SocketAddr::new(ip, 0)),
        }
    }
}

/// Starts a node that listens where it is told, or on all of the machine's addresses: IPv6 and IPv4,
/// or IPv4 alone where the machine has no IPv6.
pub(super) async fn start(
    mut config: Config,
    network: &Network,
    home: &Home,
    port: Port,
) -> anyhow::Result<Node> {
    if network.no_discovery {
        config.discovery = Discovery::Off;
    }
    config.masters = masters(network, home)?;
    if network.no_relay || home.settings().is_on(NO_RELAY)? {
        config.relay = RelayUse::Off;
    }
    if let Some(address) = network.listen {
        config.listen = Listen::At(address);
        return Ok(Node::start(config).await?);
    }
    config.listen = port.on(Ipv6Addr::UNSPECIFIED.into());
    let mut with_ipv4 = config.clone();
    with_ipv4.listen = port.on(Ipv4Addr::UNSPECIFIED.into());
    match Node::start(config).await {
        Err(StartError::Bind(_)) => Ok(Node::start(with_ipv4).await?),
        started => Ok(started?),
    }
}

/// The SwarmMasters that the options and the environment name, or else the settings of this home.
pub(super) fn masters(network: &Network, home: &Home) -> anyhow::Result<Vec<MasterHint>> {
    if !network.master.is_empty() {
        return Ok(network.master.clone());
    }
    let set = home.settings().value(MASTERS)?.unwrap_or_default();
    let hints = set.split(',').filter(|text| !text.is_empty());
    let hints = hints
        .map(str::parse)
        .collect::<Result<Vec<MasterHint>, _>>();
    hints.map_err(|error| {
        let (value, why) = (set.clone(), error.to_string());
        CliError::Setting { value, why }.into()
    })
}
