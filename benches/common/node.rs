//! A node for a benchmark.

use std::path::Path;

use swarmhold::{Config, Discovery, Listen, Node, Wallet};

/// A node on a free port of loopback that knows only whom it is told of, and uploads at most so many
/// bytes per second, if that is limited.
pub(crate) async fn start(home: &Path, upload_rate_max: Option<u64>) -> Node {
    let mut config = Config::new(home, Wallet::generate().expect("randomness"));
    config.listen = Listen::At(([127, 0, 0, 1], 0).into());
    config.upload_rate_max = upload_rate_max;
    config.discovery = Discovery::Off;
    Node::start(config).await.expect("a node")
}
