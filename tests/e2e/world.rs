//! Nodes on loopback, each with a name, an identity and a folder of its own.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use swarmhold::chunk::ChunkIndex;
use swarmhold::manifest::Draft;
use swarmhold::node::{ContainerStatus, FetchError, MasterConfig, SwarmMaster};
use swarmhold::{
    Address, Config, Digest, Discovery, Fetch, FetchOptions, FetchStatus, Fetched, Listen,
    Manifest, Node, PeerHint, Share, Status, Wallet, What, create,
};
use tempfile::TempDir;

/// Ends what hangs. No test takes a tenth of this on an idle machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The patience of a fetch that has to run out of it, and yet meets everybody that it tries.
pub(crate) const SHORT: Duration = Duration::from_secs(3);

/// The smallest chunk, in bytes, and so the chunk of every container up to 128 MiB.
pub(crate) const CHUNK: usize = 32 * 1024;

/// Everything that one test's nodes keep.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder"),
        }
    }

    /// A node by this name. The name decides its identity and its folder, so a second one by the
    /// same name is the first, restarted.
    pub(crate) async fn node(&self, name: &str) -> Peer {
        self.node_with(name, |_| {}).await
    }

    /// A node that sends at most this many bytes per second.
    pub(crate) async fn slow_node(&self, name: &str, rate: u64) -> Peer {
        self.node_with(name, |config| config.upload_rate_max = Some(rate))
            .await
    }

    /// A SwarmMaster by this name.
    pub(crate) async fn master(&self, name: &str) -> SwarmMaster {
        self.master_at(name, "127.0.0.1:0".parse().unwrap()).await
    }

    /// A SwarmMaster by this name that listens here.
    pub(crate) async fn master_at(&self, name: &str, at: SocketAddr) -> SwarmMaster {
        self.master_with(name, at, |_| {}).await
    }

    /// The same, configured otherwise.
    pub(crate) async fn master_with(
        &self,
        name: &str,
        at: SocketAddr,
        change: impl FnOnce(&mut MasterConfig),
    ) -> SwarmMaster {
        let folder = self.folder.path().join(name);
        let mut config = MasterConfig::new(folder, wallet(name), Listen::At(at));
        change(&mut config);
        SwarmMaster::start(config).await.expect("a master starts")
    }

    /// A node by this name that announces to these masters and asks them.
    pub(crate) async fn member(&self, name: &str, masters: &[&SwarmMaster]) -> Peer {
        let hints = masters.iter().map(|master| master.hint().parse().unwrap());
        let hints = hints.collect();
        self.node_with(name, |config| config.masters = hints).await
    }

    pub(crate) async fn node_with(&self, name: &str, change: impl FnOnce(&mut Config)) -> Peer {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut config = Config::new(folder.join("home"), wallet(name));
        config.listen = Listen::At("127.0.0.1:0".parse().unwrap());
        config.discovery = Discovery::Off;
        change(&mut config);
        let node = Node::start(config).await.expect("a node starts");
        Peer { node, folder }
    }
}

/// The identity that goes with a name.
pub(crate) fn wallet(name: &str) -> Wallet {
    Wallet::from_seed(*Digest::of(name.as_bytes()).as_bytes())
}

/// A running node.
pub(crate) struct Peer {
    pub(crate) node: Node,
    pub(crate) folder: PathBuf,
}

impl Peer {
    pub(crate) fn address(&self) -> Address {
        self.node.address()
    }

    /// How others find it, and whom they must find there.
    pub(crate) fn hint(&self) -> PeerHint {
        PeerHint {
            remote: self.node.listen_address(),
            expected: Some(self.address()),
        }
    }

    /// Publishes a container of these bytes.
    pub(crate) async fn seed(&self, bytes: &[u8]) -> Arc<Manifest> {
        let path = self.folder.join("container");
        fs::write(&path, bytes).unwrap();
        self.seed_file(&path).await
    }

    /// Publishes a file where it lies, and waits until it has been hashed whole.
    pub(crate) async fn seed_file(&self, path: &Path) -> Arc<Manifest> {
        self.seed_as("container", path).await
    }

    /// The same under a name.
    pub(crate) async fn seed_as(&self, name: &str, path: &Path) -> Arc<Manifest> {
        let manifest = create(path, self.node.wallet(), name, None, |_| {}).unwrap();
        let manifest = Arc::new(manifest);
        let share = self.node.share(Arc::clone(&manifest), path).await;
        share.unwrap().proven().await.unwrap();
        manifest
    }

    /// Seeds somebody's container from a copy of its own; answers where the copy lies.
    pub(crate) async fn share(&self, manifest: &Arc<Manifest>, bytes: &[u8]) -> PathBuf {
        self.begin_share(manifest, bytes).await.0
    }

    /// The same, and waits until the copy has been hashed whole and found right.
    pub(crate) async fn share_proven(&self, manifest: &Arc<Manifest>, bytes: &[u8]) -> PathBuf {
        let (path, mut share) = self.begin_share(manifest, bytes).await;
        within(share.proven()).await.unwrap();
        path
    }

    async fn begin_share(&self, manifest: &Arc<Manifest>, bytes: &[u8]) -> (PathBuf, Share) {
        let path = self
            .folder
            .join(format!("share of {}", manifest.id().short()));
        fs::write(&path, bytes).unwrap();
        let share = self.node.share(Arc::clone(manifest), &path).await;
        (path, share.unwrap())
    }

    /// Holds only some chunks of a container: a fetch that found them in its `.part` and goes on.
    pub(crate) async fn hold(
        &self,
        manifest: &Arc<Manifest>,
        bytes: &[u8],
        chunks: impl IntoIterator<Item = u32>,
    ) -> Fetching {
        let part = part_of(&self.destination());
        let mut file = fs::File::create(part).unwrap();
        let mut held = 0;
        for chunk in chunks {
            let at = chunk as usize * CHUNK;
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            let end = bytes.len().min(at + CHUNK);
            file.write_all(&bytes[at..end]).unwrap();
            held += 1;
        }
        drop(file);
        let fetching = self.fetch(manifest, &[]).await;
        fetching.holds(held).await;
        fetching
    }

    /// Begins to fetch a container whose manifest is known.
    pub(crate) async fn fetch(&self, manifest: &Arc<Manifest>, peers: &[PeerHint]) -> Fetching {
        self.fetch_patiently(What::Manifest(Arc::clone(manifest)), peers, LONG)
            .await
    }

    /// Begins to fetch, and gives up after this long without a useful peer.
    pub(crate) async fn fetch_patiently(
        &self,
        what: What,
        peers: &[PeerHint],
        patience: Duration,
    ) -> Fetching {
        let path = self.destination();
        let options = FetchOptions {
            output: Some(path.clone()),
            peers: peers.to_vec(),
            patience,
            ..FetchOptions::default()
        };
        let fetch = self.node.fetch(what, options).await;
        Fetching { fetch, path }
    }

    /// Where its fetches put what they get.
    pub(crate) fn destination(&self) -> PathBuf {
        self.folder.join("fetched")
    }

    /// The node's status, as it is after this call or later.
    pub(crate) async fn status(&self) -> Arc<Status> {
        let mut status = self.node.status();
        status.mark_unchanged();
        within(status.changed()).await.expect("the node runs");
        Arc::clone(&status.borrow())
    }

    /// Waits until the container that it takes part in, its only one, is like this.
    pub(crate) async fn until_container(&self, is: impl Fn(&ContainerStatus) -> bool) {
        self.until(|status| status.containers.first().is_some_and(&is))
            .await;
    }

    /// Waits until the node's status is like this, and shows it.
    pub(crate) async fn until(&self, is: impl Fn(&Status) -> bool) -> Arc<Status> {
        let mut status = self.node.status();
        let status = within(status.wait_for(|status| is(status))).await;
        Arc::clone(&status.expect("the node runs"))
    }
}

/// A fetch under way.
pub(crate) struct Fetching {
    pub(crate) fetch: Fetch,
    pub(crate) path: PathBuf,
}

impl Fetching {
    /// Waits until it holds at least this many chunks; answers how many it holds then.
    pub(crate) async fn holds(&self, chunks: u32) -> u32 {
        let held = |status: &FetchStatus| match status {
            FetchStatus::Downloading(container)
            | FetchStatus::Paused(container)
            | FetchStatus::Blocked { container, .. }
            | FetchStatus::Finishing(container) => Some(container.held),
            FetchStatus::FindingManifest { .. } | FetchStatus::Checking { .. } => None,
        };
        let mut status = self.fetch.status();
        let enough = |status: &FetchStatus| held(status).is_some_and(|held| held >= chunks);
        let status = within(status.wait_for(enough)).await;
        let status = status.unwrap_or_else(|_| panic!("the fetch ended before it held {chunks}"));
        held(&status).unwrap()
    }

    /// Waits for the end, whatever it is.
    pub(crate) async fn end(&mut self) -> Result<Fetched, FetchError> {
        within(self.fetch.finished()).await
    }

    /// Waits until it is done, and checks that these bytes are what is there, under that name only.
    pub(crate) async fn gets(&mut self, bytes: &[u8]) -> Fetched {
        let fetched = self.end().await.expect("the fetch succeeds");
        assert_eq!(fetched.path, self.path);
        let found = fs::read(&fetched.path).unwrap();
        assert!(found == bytes, "{} other bytes", found.len());
        assert!(!part_of(&self.path).exists(), "the .part is still there");
        fetched
    }

    /// Waits until it gives up for want of peers, and says what became of those it tried.
    pub(crate) async fn finds_nobody(&mut self) -> Vec<String> {
        match self.end().await {
            Err(FetchError::NoPeers { tried, .. }) => tried,
            other => panic!("the fetch must find nobody: {other:?}"),
        }
    }

    /// Waits until it fails, and says how, in words.
    pub(crate) async fn fails(&mut self) -> String {
        self.end()
            .await
            .expect_err("the fetch must fail")
            .to_string()
    }
}

/// Where the bytes of a download are until it is done.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

/// A manifest of these bytes as somebody would sign it who may lie about them.
pub(crate) fn forge(owner: &Wallet, bytes: &[u8], lie: impl FnOnce(&mut Draft)) -> Arc<Manifest> {
    let layout = swarmhold::manifest::Layout::for_size(bytes.len() as u64).unwrap();
    let chunks = bytes.chunks(layout.chunk_size() as usize);
    let mut draft = Draft {
        name: "container".to_owned(),
        layout,
        program_id: swarmhold::ProgramId::new(Digest::of(bytes)),
        chunk_hashes: chunks.map(Digest::of).collect(),
        reach: None,
        time: 1_790_000_000,
        peers: Vec::new(),
    };
    lie(&mut draft);
    let signed = draft.sign(owner.public_key(), |message| owner.sign(message));
    Arc::new(signed.unwrap())
}

/// How many chunks of a file on disk are what a container's bytes say.
pub(crate) fn right_chunks(path: &Path, bytes: &[u8]) -> usize {
    let found = fs::read(path).unwrap();
    let pairs = found.chunks(CHUNK).zip(bytes.chunks(CHUNK));
    pairs.filter(|(found, right)| found == right).count()
}

/// Bytes that do not shrink, different for each seed (xorshift64*, Vigna 2016).
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A chunk by its number.
pub(crate) fn chunk(number: u32) -> ChunkIndex {
    ChunkIndex::new(number)
}

/// What this comes to, unless it hangs.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LONG, future)
        .await
        .unwrap_or_else(|_| panic!("nothing for {LONG:?}"))
}
