//! What a case needs: a container of noise, nodes that have it, and nodes that want it.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use swarmhold::{
    Config, Discovery, Fetch, FetchOptions, Listen, Manifest, Node, PeerHint, Wallet, What, create,
};

use crate::Options;

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
        let folder = options.dir.join(name);
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

/// A node on a free port of loopback that knows only whom it is told of.
pub(crate) async fn start(home: &Path, rate: Option<u64>) -> Node {
    let mut config = Config::new(home, Wallet::generate().expect("randomness"));
    config.listen = Listen::At(([127, 0, 0, 1], 0).into());
    config.upload_rate_max = rate;
    config.discovery = Discovery::Off;
    Node::start(config).await.expect("a node")
}

/// How others find a node.
pub(crate) fn hint(node: &Node) -> PeerHint {
    PeerHint {
        remote: node.listen_address(),
        expected: Some(node.address()),
    }
}

/// Bytes that no compressor shrinks (SplitMix64: Steele, Lea and Flood, 2014).
fn write_noise(path: &Path, size: u64) {
    let mut file = BufWriter::new(File::create(path).expect("a file for the content"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in (0..size).step_by(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let rest = usize::try_from(size - at).map_or(8, |rest| rest.min(8));
        let word = bits.to_le_bytes();
        file.write_all(&word[..rest]).expect("room for the content");
    }
    file.flush().expect("room for the content");
}
