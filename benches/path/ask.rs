//! A node that fetches containers one after the other, in a process of its own, with their manifests at
//! hand: what is timed is the path to the bytes, not that to the manifest.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarmhold::node::read_manifest_file;
use swarmhold::{FetchOptions, PeerHint, What};

use crate::hold::Held;
use crate::node;
use crate::role::{self, path_argument, text_argument};
use crate::runtime::runtime;
use crate::same::check_and_remove;
use crate::say::say;

/// The role of the process that fetches.
pub(crate) const ROLE: &str = "ask";

/// Between two fetches the connection is idle for so long.
const PAUSE: Duration = Duration::from_millis(500);

/// Fetches these from peers at these addresses, with commas between: how many seconds each took, from
/// the call to the finished file.
pub(crate) fn fetch(dir: &Path, peers: &str, wanted: &[&Held]) -> Vec<f64> {
    let home = dir.join("asker");
    let mut arguments: Vec<&OsStr> = vec![home.as_os_str(), peers.as_ref()];
    arguments.extend(wanted.iter().map(|it| it.manifest.as_os_str()));
    let line = role::last_line(role::start_child(ROLE, &arguments));
    for (number, it) in wanted.iter().enumerate() {
        check_and_remove(&it.content, &home.join(format!("copy-{number}")));
    }
    std::fs::remove_dir_all(&home).expect("the asker's folder");
    let seconds = line.split(' ').map(|it| it.parse().expect("a figure"));
    seconds.collect()
}

/// Is that node: its home, the peers and the manifests are the arguments.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn play() {
    runtime().block_on(async {
        let home = path_argument(1);
        let node = node::start(&home, None).await;
        let peers: Vec<PeerHint> = text_argument(2)
            .split(',')
            .map(|peer| peer.parse().expect("an address"))
            .collect();
        let mut took = Vec::new();
        for (number, manifest) in std::env::args().skip(3).enumerate() {
            if number > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let manifest = read_manifest_file(Path::new(&manifest)).expect("a manifest");
            let options = FetchOptions {
                output: Some(home.join(format!("copy-{number}"))),
                peers: peers.clone(),
                ..FetchOptions::default()
            };
            let began = Instant::now();
            let mut fetch = node
                .fetch(What::Manifest(Arc::new(manifest)), options)
                .await;
            fetch.finished().await.expect("a finished container");
            took.push(began.elapsed().as_secs_f64().to_string());
        }
        say(took.join(" "));
        node.stop().await;
    });
}
