//! The grammar of what finds containers by name: `search`, and `swarmmaster`, which others search.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::Network;
use crate::cli::units::{self, Rate, Size};
use crate::node::{Address, Database, PeerHint};

/// The commands around SwarmMasters.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Index {
    /// Find containers by name
    #[command(long_about = "\
Ask the SwarmMasters which containers are called like this, and print one a line: the best first, those \
that many hold. Every word counts, wherever it stands in a name, and case does not matter. Names and \
sizes are what others say; what is fetched is verified.")]
    #[command(after_help = "\
Examples:
  swarmhold search ubuntu arm64 --master master.example
  swarmhold search --prefix ubu
  swarmhold search --regex '^ubuntu-[0-9.]+.*\\.iso$' --min-size 1G
  swarmhold search app --peer 198.51.100.7:7922       ask this peer for what it has")]
    Search(Search),
    /// Run a SwarmMaster: an index of who holds what, until Ctrl-C
    #[command(long_about = "\
Run a SwarmMaster: nodes register what they hold, others find it by name and learn who holds it. Prints \
ADDRESS@HOST:PORT alone on a line of stdout, which is what nodes are given as --master. It has an \
identity and a folder of its own, swarmmaster in the home folder. It holds no containers, sees no \
content, and nobody has to believe it.")]
    #[command(after_help = "\
Examples:
  swarmhold swarmmaster
  swarmhold swarmmaster --listen 192.0.2.10:7923 --metrics /var/lib/node_exporter/swarmmaster.prom
  SWARMHOLD_INDEX=postgres://swarm:secret@db.example/swarm swarmhold swarmmaster
  swarmhold share app.tar --master ADDRESS@192.0.2.10:7923")]
    #[command(name = "swarmmaster")]
    SwarmMaster(Master),
}

/// `swarmhold search`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Search {
    /// What the name contains; several words may stand anywhere in it
    #[arg(value_name = "WORD", required_unless_present = "owner")]
    pub(in crate::cli) words: Vec<String>,
    /// The words are a regular expression
    #[arg(long, conflicts_with = "prefix")]
    pub(in crate::cli) regex: bool,
    /// The words are how the name begins
    #[arg(long)]
    pub(in crate::cli) prefix: bool,
    /// Only containers of this wallet address
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) owner: Option<Address>,
    /// Only containers of at least this many bytes, as in 500M
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(in crate::cli) min_size: Option<Size>,
    /// Only containers of at most this many bytes
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(in crate::cli) max_size: Option<Size>,
    /// Only containers signed within this time, as in 36h
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub(in crate::cli) newer: Option<Duration>,
    /// Only containers that so many seeders hold, counted by networks
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(in crate::cli) seeders: u32,
    /// How many results at most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=50))]
    pub(in crate::cli) limit: u8,
    /// Ask this peer too, for what it has itself. May be repeated
    #[arg(long, value_name = "[ADDRESS@]IP:PORT", value_delimiter = ',')]
    pub(in crate::cli) peer: Vec<PeerHint>,
    #[command(flatten)]
    pub(in crate::cli) network: Network,
}

/// `swarmhold swarmmaster`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Master {
    /// The UDP address to listen on [default: port 7923 on all addresses]
    #[arg(
        long,
        value_name = "IP:PORT",
        env = "SWARMHOLD_LISTEN",
        hide_env_values = true
    )]
    pub(in crate::cli) listen: Option<SocketAddr>,
    /// Write figures for Prometheus to this file every quarter of a minute
    #[arg(
        long,
        value_name = "FILE",
        env = "SWARMHOLD_METRICS",
        hide_env_values = true
    )]
    pub(in crate::cli) metrics: Option<PathBuf>,
    /// Keep the index in this PostgreSQL database, postgres://USER:PASSWORD@HOST/NAME, instead of a file of its
    /// own. Several SwarmMasters may share one
    #[arg(
        long,
        value_name = "URL",
        env = "SWARMHOLD_INDEX",
        hide_env_values = true
    )]
    pub(in crate::cli) index: Option<Database>,
    /// Carry this much between nodes that cannot reach each other, in bytes per second in all [default: 16M]
    #[arg(long, value_name = "RATE", value_parser = units::rate, env = "SWARMHOLD_RELAY")]
    #[arg(hide_env_values = true)]
    pub(in crate::cli) relay: Option<Rate>,
    /// Carry nothing between nodes
    #[arg(
        long,
        conflicts_with = "relay",
        env = "SWARMHOLD_NO_RELAY",
        hide_env_values = true
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub(in crate::cli) no_relay: bool,
}
