//! A flow of swarmhold: a node that fetches a container from another.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use swarmhold::{Config, Discovery, FetchOptions, FetchStatus, Listen, Node, Wallet, What, create};

use crate::host::{input_ends, seconds};
use crate::meter::Meter;
use crate::role::{path_argument, text_argument};
use crate::runtime::runtime;
use crate::say;

/// The role that shares; its arguments are the address to listen at, the content and a home.
pub(crate) const SERVE: &str = "node-serve";
/// The role that fetches; its arguments are a link, a home, and two times in seconds.
pub(crate) const FETCH: &str = "node-fetch";

/// Shares a file until the input ends.
pub(crate) fn serve() {
    let (content, home) = (path_argument(2), path_argument(3));
    runtime().block_on(async {
        let node = start(&home, own_address(1)).await;
        let manifest = create(&content, node.wallet(), "content", None, |_| {});
        let manifest = Arc::new(manifest.expect("a manifest"));
        let kept = node.remember_right(&manifest).await;
        kept.expect("room for what is known of it");
        let shared = node.share(Arc::clone(&manifest), &content).await;
        shared.expect("a container to share");
        say(node.link(&manifest));
        input_ends().await;
        node.stop().await;
    });
}

/// Fetches for a while: MB/s once settled, in all and by parts. The container is larger than what can come in
/// that time.
pub(crate) fn fetch() {
    let home = path_argument(2);
    runtime().block_on(async {
        let node = start(&home, Ipv4Addr::UNSPECIFIED.into()).await;
        let link = text_argument(1).parse().expect("a link from the server");
        let options = FetchOptions {
            output: Some(home.join("copy")),
            ..FetchOptions::default()
        };
        let fetch = node.fetch(What::Link(link), options).await;
        let mut status = fetch.status();
        let mut meter = Meter::start(seconds(3), seconds(4));
        while !meter.is_over() && status.changed().await.is_ok() {
            match &*status.borrow_and_update() {
                FetchStatus::Downloading(container) => {
                    let held = u64::from(container.held);
                    meter.note(container.size * held / u64::from(container.chunks));
                }
                FetchStatus::Finishing(_) => panic!("the container was too small to measure"),
                FetchStatus::FindingManifest { .. }
                | FetchStatus::Checking { .. }
                | FetchStatus::Paused(_)
                | FetchStatus::Blocked { .. } => (),
            }
        }
        say(meter.rates());
        fetch.cancel().await;
        node.stop().await;
    });
}

async fn start(home: &Path, here: IpAddr) -> Node {
    let mut config = Config::new(home, Wallet::generate().expect("randomness"));
    config.listen = Listen::At((here, 0).into());
    config.discovery = Discovery::Off;
    Node::start(config).await.expect("a node")
}

fn own_address(at: usize) -> IpAddr {
    text_argument(at).parse().expect("an address")
}
