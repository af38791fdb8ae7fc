//! What it costs to have a SwarmMaster carry: the same transfer through it and directly, in turn, over
//! loopback; and what many pairs at once do to each other and to those who search.
//!
//! ```text
//! cargo bench --bench relay -- --size 256MiB --rounds 3
//! cargo bench --bench relay -- --pairs 20 --rate 8388608
//! ```
//!
//! The seeder speaks IPv6 alone. A leecher that does too reaches it directly; one that speaks IPv4 alone
//! needs the master, which speaks both. Each is a process of its own, so that its CPU time is.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use swarmhold::node::{MasterConfig, MasterHint, SwarmMaster};
use swarmhold::{Config, Listen, Node, Wallet};

#[path = "../common/cpu.rs"]
mod cpu;
#[path = "../common/folder.rs"]
mod folder;
#[path = "../common/median.rs"]
mod median;
#[path = "../common/noise.rs"]
mod noise;
#[path = "../common/options.rs"]
mod options;
mod pairs;
#[path = "../common/role.rs"]
mod role;
#[path = "../common/runtime.rs"]
mod runtime;
#[path = "../common/say.rs"]
mod say;
#[path = "../common/size.rs"]
mod size;
mod transfer;

use options::Common;

const V4: &str = "127.0.0.1";
const V6: &str = "::1";

/// Speed of transfers through a SwarmMaster and directly.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench relay --",
    bin_name = "cargo bench --bench relay --"
)]
struct Options {
    /// Size of the container
    #[arg(long, default_value = "256MiB", value_parser = size::parse_size)]
    size: u64,
    /// Bytes a second that the master carries [default: as many as it can; with --pairs 8 MiB]
    #[arg(long)]
    rate: Option<u64>,
    /// So many pairs at once, and searches beside them, instead of a transfer in each way
    #[arg(long)]
    pairs: Option<usize>,
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    match role::own().as_deref() {
        Some(transfer::MASTER) => return transfer::master(),
        Some(transfer::SERVE) => return transfer::serve(),
        Some(transfer::FETCH) => return transfer::fetch(),
        Some(other) => panic!("no role {other}"),
        None => {}
    }
    let mut options = Options::parse();
    if options.common.quick {
        (options.common.rounds, options.size) = (1, 32 << 20);
    }
    let folder = tempfile::tempdir_in(&options.common.dir).expect("a folder");
    match options.pairs {
        Some(count) => pairs::run(folder.path(), count, options.rate.unwrap_or(8 << 20)),
        None => transfer::run(folder.path(), &options),
    }
}

/// A master that speaks both protocols.
async fn start_master(folder: &std::path::Path, rate: u64) -> SwarmMaster {
    let everywhere = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0));
    let wallet = Wallet::generate().expect("randomness");
    let mut config = MasterConfig::new(folder.join("master"), wallet, Listen::At(everywhere));
    config.relay_rate = Some(rate);
    SwarmMaster::start(config).await.expect("a master")
}

/// What a node that speaks one protocol is told of a master.
fn hint_for(ip: &str, master: &SwarmMaster) -> String {
    let ip: IpAddr = ip.parse().expect("an address");
    let at = SocketAddr::new(ip, master.listen_address().port());
    format!("{}@{at}", master.address())
}

/// A node that speaks one protocol and knows this master.
async fn start_node(home: &std::path::Path, ip: &str, master: &str) -> Node {
    let mut config = Config::new(home, Wallet::generate().expect("randomness"));
    let ip: IpAddr = ip.parse().expect("an address");
    config.listen = Listen::At(SocketAddr::new(ip, 0));
    let hint: MasterHint = master.parse().expect("a hint");
    config.masters = vec![hint];
    Node::start(config).await.expect("a node")
}

/// Waits until a node's containers are listed with its master.
async fn is_listed(node: &Node, count: usize) {
    let mut status = node.status();
    let listed =
        status.wait_for(|now| now.masters.iter().map(|it| it.listed).sum::<usize>() >= count);
    listed.await.expect("the node runs");
}
