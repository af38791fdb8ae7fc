//! Nodes that hold containers: several in one process, each with a thread and a socket of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

use swarmhold::node::read_manifest_file;
use swarmhold::{Manifest, Wallet, create};

use crate::node;
use crate::noise::write_noise;
use crate::role::{self, path_argument, text_argument};
use crate::runtime::runtime;
use crate::say::say;

/// The role of the process with the nodes.
pub(crate) const ROLE: &str = "hold";

/// A container as two files.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) content: PathBuf,
    pub(crate) manifest: PathBuf,
}

impl Held {
    /// A container of noise.
    pub(crate) fn noise(dir: &Path, name: &str, size: u64) -> Self {
        let (content, manifest) = (dir.join(name), dir.join(format!("{name}.deluge")));
        write_noise(&content, size);
        let wallet = Wallet::generate().expect("randomness");
        let made = create(&content, &wallet, name, None, |_| {}).expect("a manifest");
        std::fs::write(&manifest, made.to_json()).expect("room for the manifest");
        Self { content, manifest }
    }

    /// Removes both files.
    pub(crate) fn remove(self) {
        std::fs::remove_file(self.content).expect("the content");
        std::fs::remove_file(self.manifest).expect("the manifest");
    }
}

/// Starts so many nodes that each hold all of these. Says where they listen, with commas between.
pub(crate) fn start(dir: &Path, nodes: usize, held: &[&Held]) -> (Child, String) {
    let (home, count) = (dir.join("holders"), nodes.to_string());
    let mut arguments: Vec<&OsStr> = vec![home.as_os_str(), count.as_ref()];
    for it in held {
        arguments.extend([it.content.as_os_str(), it.manifest.as_os_str()]);
    }
    role::start(ROLE, &arguments)
}

/// Is those nodes until the input ends: where their homes are, how many, and pairs of a content and
/// its manifest are the arguments.
pub(crate) fn play() {
    runtime().block_on(async {
        let files: Vec<String> = std::env::args().skip(3).collect();
        let contents: Vec<(Arc<Manifest>, &str)> = files
            .chunks(2)
            .map(|pair| {
                let manifest = read_manifest_file(Path::new(&pair[1])).expect("a manifest");
                (Arc::new(manifest), pair[0].as_str())
            })
            .collect();
        let (mut nodes, mut listen) = (Vec::new(), Vec::new());
        for number in 0..text_argument(2).parse().expect("a number") {
            let home = path_argument(1).join(format!("{number}"));
            let node = node::start(&home, None).await;
            for (manifest, content) in &contents {
                let kept = node.remember_right(manifest).await;
                kept.expect("room for what is known of it");
                let shared = node.share(Arc::clone(manifest), Path::new(content)).await;
                shared.expect("a container to share");
            }
            listen.push(node.listen_address().to_string());
            nodes.push(node);
        }
        say(listen.join(","));
        let wait = || std::io::read_to_string(std::io::stdin());
        let ended = tokio::task::spawn_blocking(wait).await;
        ended.expect("no panic").expect("the parent closes it");
        for node in nodes {
            node.stop().await;
        }
        say("done");
    });
}
