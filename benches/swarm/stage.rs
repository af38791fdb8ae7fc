//! What a case needs: a container of noise, nodes that have it, and nodes that want it.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use swarmhold::{Fetch, FetchOptions, Manifest, Node, PeerHint, Wallet, What, create};

use crate::Options;
use crate::node::start;
use crate::noise::write_noise;

/// A container, and a folder for everybody's files.
pub(crate) struct Stage {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) content: PathBuf,
    pub(crate) folder: PathBuf,
    nodes: Cell<u32>,
}

impl Stage {
    /// A container of this many bytes, divided by the options' scale.
    pub(crate) fn set(options: &Options, bytes: u64) -> Self {
        let name = format!("swarmhold-swarm-{}", std::process::id());
        let folder = options.common.dir.join(name);
        std::fs::create_dir_all(&folder).expect("a folder for the bench");
        let content = folder.join("content");
        write_noise(&content, bytes / options.scale);
        let wallet = Wallet::generate().expect("randomness");
        let manifest = create(&content, &wallet, "content", None, |_| {}).expect("a manifest");
        Self {
            manifest: Arc::new(manifest),
            content,
            folder,
            nodes: Cell::new(0),
        }
    }

    /// The container's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.manifest.layout().size()
    }

    /// A node that uploads at most so many bytes per second, if that is limited.
    pub(crate) async fn node(&self, rate: Option<u64>) -> Node {
        self.nodes.set(self.nodes.get() + 1);
        let home = self.folder.join(format!("node {}", self.nodes.get()));
        start(&home, rate).await
    }

    /// A node that has the container.
    pub(crate) async fn seeder(&self, rate: u64) -> Node {
        let node = self.node(Some(rate)).await;
        let manifest = Arc::clone(&self.manifest);
        let shared = node.share(manifest, &self.content).await;
        shared.expect("a container to share");
        node
    }

    /// Begins to fetch the container, from these peers to start with.
    pub(crate) async fn fetch(&self, node: &Node, peers: Vec<PeerHint>) -> Fetch {
        let options = FetchOptions {
            output: Some(self.folder.join(format!("copy of {}", node.address()))),
            peers,
            ..FetchOptions::default()
        };
        let what = What::Manifest(Arc::clone(&self.manifest));
        node.fetch(what, options).await
    }

    /// Removes a fetched copy, for the room it takes.
    pub(crate) fn forget_copy(&self, node: &Node) {
        let copy = self.folder.join(format!("copy of {}", node.address()));
        std::fs::remove_file(copy).expect("what was fetched");
    }

    /// Removes everything.
    pub(crate) fn clear(self) {
        std::fs::remove_dir_all(&self.folder).expect("the bench's own folder");
    }
}

/// How others find a node.
pub(crate) fn hint(node: &Node) -> PeerHint {
    PeerHint {
        remote: node.listen_address(),
        expected: Some(node.address()),
    }
}
