//! The grammar of how a node meets the network.

use std::net::SocketAddr;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use crate::node::{MasterHint, Method};

/// What the commands that run a node take.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Network {
    /// The UDP address to listen on, exactly; without it share takes port 7922 if that is free, and get any
    #[arg(
        long,
        value_name = "IP:PORT",
        env = "SWARMHOLD_LISTEN",
        hide_env_values = true
    )]
    pub(in crate::cli) listen: Option<SocketAddr>,
    /// A SwarmMaster to announce to and to ask. May be repeated [default: the settings]
    #[arg(
        long,
        value_name = "[ADDRESS@]HOST[:PORT]",
        value_delimiter = ',',
        env = "SWARMHOLD_MASTER"
    )]
    #[arg(hide_env_values = true)]
    pub(in crate::cli) master: Vec<MasterHint>,
    /// Use only peers that were given by name: the link's addresses, --peer and --master
    #[arg(long, env = "SWARMHOLD_NO_DISCOVERY", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(in crate::cli) no_discovery: bool,
    /// Neither reach others nor be reached through SwarmMasters, which carry what is encrypted end to end
    #[arg(long, env = "SWARMHOLD_NO_RELAY", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(in crate::cli) no_relay: bool,
}

/// How others are let in.
#[derive(Debug, Args)]
pub(in crate::cli) struct Router {
    /// How routers are asked to let others in
    #[arg(
        long,
        value_name = "HOW",
        value_delimiter = ',',
        env = "SWARMHOLD_PORT_MAPPING"
    )]
    #[arg(hide_env_values = true, value_enum, default_values_t = PortMapping::ALL)]
    port_mapping: Vec<PortMapping>,
    /// Ask no router to let others in
    #[arg(long, env = "SWARMHOLD_NO_PORT_MAPPING", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new())]
    no_port_mapping: bool,
}

/// How a router is asked to let others in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PortMapping {
    /// Port Control Protocol
    Pcp,
    /// NAT Port Mapping Protocol
    NatPmp,
    /// UPnP Internet Gateway Device
    Upnp,
}

impl PortMapping {
    /// All of them, in the order in which they are tried.
    const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];
}

impl From<PortMapping> for Method {
    fn from(how: PortMapping) -> Self {
        match how {
            PortMapping::Pcp => Self::Pcp,
            PortMapping::NatPmp => Self::NatPmp,
            PortMapping::Upnp => Self::Upnp,
        }
    }
}

impl Router {
    /// The ways in which a router is to be asked; none if it is not.
    pub(in crate::cli) fn methods(&self) -> Vec<Method> {
        match self.no_port_mapping {
            true => Vec::new(),
            false => self.port_mapping.iter().map(|how| (*how).into()).collect(),
        }
    }
}
