//! One transfer of swarmhold: two ordinary nodes, each a process of its own.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use swarmhold::{FetchOptions, What, create_recalling};

use crate::cpu::cpu_s;
use crate::node;
use crate::role;
use crate::runtime::runtime;
use crate::say::say;
use crate::side::{Pair, Side};

/// The role of a process that serves; its arguments are the content and its home.
pub(crate) const SERVE: &str = "ours-serve";
/// The role of a process that fetches; its arguments are a link, its home and the copy.
pub(crate) const FETCH: &str = "ours-fetch";

/// Sends a file from one process to another, as `copy` in `dir`. `number` tells the homes apart.
pub(crate) fn transfer(dir: &Path, content: &Path, copy: &Path, number: usize) -> Pair {
    let home = dir.join(format!("serve-{number}"));
    let (server, link) = role::start(SERVE, &[content.as_os_str(), home.as_os_str()]);
    let home = dir.join(format!("fetch-{number}"));
    let arguments: [&OsStr; 3] = [link.as_ref(), home.as_os_str(), copy.as_os_str()];
    let fetch = Side::parse(&role::last_line(role::start_child(FETCH, &arguments)));
    let serve = Side::parse(&role::stop(server));
    Pair { serve, fetch }
}

/// Shares a file until the input ends, as `swarmhold share` does: it is hashed before, and neither the
/// whole nor its chunks are once more while it is served.
pub(crate) fn serve(content: &Path, home: &Path) {
    runtime().block_on(async {
        let node = node::start(home, None).await;
        let recall = node.recall();
        let manifest = create_recalling(
            content,
            node.wallet(),
            "content",
            None,
            Some(&recall),
            |_| {},
        );
        let manifest = manifest.expect("a manifest");
        let kept = node.remember_right(&manifest).await;
        kept.expect("room for what is known of it");
        let manifest = Arc::new(manifest);
        let shared = node.share(Arc::clone(&manifest), content).await;
        shared.expect("a container to share");
        let before = cpu_s();
        say(node.link(&manifest));
        let mut rest = Vec::new();
        std::io::stdin()
            .read_to_end(&mut rest)
            .expect("the parent closes it");
        say(Side::now(0.0, before).line());
        node.stop().await;
    });
}

/// Fetches a container, from the dial to the finished file.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn fetch(link: &str, home: &Path, copy: &Path) {
    runtime().block_on(async {
        let node = node::start(home, None).await;
        let link = link.parse().expect("a link from the server");
        let (began, before) = (Instant::now(), cpu_s());
        let options = FetchOptions {
            output: Some(copy.to_owned()),
            ..FetchOptions::default()
        };
        let mut fetch = node.fetch(What::Link(link), options).await;
        fetch.finished().await.expect("a finished container");
        say(Side::now(began.elapsed().as_secs_f64(), before).line());
        node.stop().await;
    });
}
