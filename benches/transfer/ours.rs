//! swarmhold: two ordinary nodes.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use swarmhold::{Config, Discovery, FetchOptions, Listen, Node, Wallet, What, create};

use crate::report::say;
use crate::usage;

/// Shares a file until the input ends.
pub(crate) fn serve(content: &Path, home: &Path) {
    runtime().block_on(async {
        let node = start(home).await;
        let manifest = create(content, node.wallet(), "content", None, |_| {}).expect("a manifest");
        let manifest = Arc::new(manifest);
        node.share(Arc::clone(&manifest), content)
            .await
            .expect("a container to share");
        let before = usage::cpu_s();
        say(node.link(&manifest));
        let mut rest = Vec::new();
        std::io::stdin()
            .read_to_end(&mut rest)
            .expect("the parent closes it");
        say(usage::side(0.0, before).line());
        node.stop().await;
    });
}

/// Fetches a container, from the dial to the finished file.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn fetch(link: &str, home: &Path, copy: &Path) {
    runtime().block_on(async {
        let node = start(home).await;
        let link = link.parse().expect("a link from the server");
        let (began, before) = (Instant::now(), usage::cpu_s());
        let options = FetchOptions {
            output: Some(copy.to_owned()),
            ..FetchOptions::default()
        };
        let mut fetch = node.fetch(What::Link(link), options).await;
        fetch.finished().await.expect("a finished container");
        say(usage::side(began.elapsed().as_secs_f64(), before).line());
        node.stop().await;
    });
}

async fn start(home: &Path) -> Node {
    let mut config = Config::new(home, Wallet::generate().expect("randomness"));
    config.listen = Listen::At(([127, 0, 0, 1], 0).into());
    config.discovery = Discovery::Off;
    Node::start(config).await.expect("a node")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
