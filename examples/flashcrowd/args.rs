//! What the model is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::value_parser as within;

use crate::units;

/// A flash crowd: one seed has a container, and many peers want it at the same moment. Each is the
/// engine of a real node (`swarmhold::swarm::Swarm`) under a virtual clock and a virtual network.
///
/// Reports when the peers were done, next to the least time that any way of distributing could need
/// (Kumar and Ross, 2006), what the seed sent, what arrived twice, who gave how much, and what the
/// engine cost. Equal options give an equal run, whatever the number of threads: the trace hash
/// shows it.
#[derive(Debug, Clone, Parser)]
#[command(name = "flashcrowd", max_term_width = 100)]
pub(crate) struct Args {
    /// Peers that want the container.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = within!(u32).range(2..=100_000))]
    pub(crate) peers: u32,
    /// Size of the container. Its chunks are as small as 4096 of them allow: 32 KiB up to 128 MiB.
    #[arg(long, value_name = "BYTES", default_value = "128MiB", value_parser = units::parse)]
    pub(crate) size: u64,
    /// Uplink of each peer, per second.
    #[arg(long, value_name = "BYTES", default_value = "10MB", value_parser = units::parse)]
    pub(crate) up: u64,
    /// Downlink of each peer, per second.
    #[arg(long, value_name = "BYTES", default_value = "40MB", value_parser = units::parse)]
    pub(crate) down: u64,
    /// Uplink of the seed, per second.
    #[arg(long, value_name = "BYTES", default_value = "20MB", value_parser = units::parse)]
    pub(crate) seed_up: u64,
    /// Other peers that a peer is connected to, on average; at random.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = within!(u32).range(2..=500))]
    pub(crate) known: u32,
    /// Peers that are connected to the seed; at random.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = within!(u32).range(1..=500))]
    pub(crate) seed_known: u32,
    /// Shortest time that a message needs between two peers. Also how far the model looks ahead.
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = units::parse_time)]
    pub(crate) latency_min: Duration,
    /// Longest time that a message needs between two peers; drawn for each pair.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = units::parse_time)]
    pub(crate) latency_max: Duration,
    /// Time that a node gathers news for its subscribers. Without it, as long as a real node does:
    /// 1 ms for each of them, at least 10 ms (`feed_pause` in src/net/feed.rs).
    #[arg(long, value_name = "TIME", value_parser = units::parse_time)]
    pub(crate) feed_pause: Option<Duration>,
    /// Time in which the peers arrive, one after the other, evenly.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = units::parse_time)]
    pub(crate) arrive_within: Duration,
    /// Decides who knows whom, how far away, and every tie.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Threads that the peers are spread over. They change how long the run takes and nothing else.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = within!(u8).range(1..=64))]
    pub(crate) threads: u8,
    /// Where to write the plot of completion over time.
    #[arg(long, value_name = "PATH", default_value = "target/flashcrowd.svg")]
    pub(crate) plot: PathBuf,
    /// Show how busy the peers' uplinks were, second by second.
    #[arg(long)]
    pub(crate) uplinks: bool,
}
