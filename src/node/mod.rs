//! A running node: the only place where decisions meet IO.
//!
//! ```text
//! surfaces --Command--> driver <--Event-- net          the network thread
//!    ^                  |    ^
//!    |                  v    |
//!  Status             swarm  Done <-- pool <-- store   the workers
//! ```
//!
//! A [`Node`] is a handle: it tells the driver what to do and shows what the driver publishes. The
//! network thread hashes, compresses and reads nothing; workers and short-lived background jobs do.

mod adopt;
mod answering;
mod apply;
mod ballot;
mod ban_rows;
mod bans;
mod block;
mod catalog;
mod clock;
mod collect;
mod command;
mod config;
mod credit;
mod driver;
mod ends;
mod engage;
mod error;
mod fetch;
mod fetches;
mod finding;
mod home;
mod idle;
mod in_use;
mod inspect;
mod jobs;
mod kept;
mod library;
mod load;
mod masters;
mod meet;
mod memory;
mod offer;
mod old_files;
mod outflow;
mod places;
mod pool;
mod publish;
mod quest;
mod reach;
mod relay;
mod reuse;
mod roam;
mod roster;
mod rounds;
mod seen;
mod sessions;
mod settings;
mod share;
mod show;
mod similar;
mod squeeze;
mod start;
mod status;
mod steer;
mod subnet;
mod swarmmaster;
mod syncs;
mod thread;
mod twins;
mod upgrade;
mod vault;
mod verdicts;
mod ways;
mod work;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

pub use crate::store::index::{Database, IndexPlace};
pub use crate::swarm::Contribution;
pub use ban_rows::KeptBan;
pub use bans::{Lift, kept_bans, lift_bans};
pub use block::DISK_RETRY;
pub use clock::{Stopwatch, unix_time};
pub use collect::{Collected, Collecting, RoomError};
pub use config::{Config, DEFAULT_PORT, Discovery, Listen, PeerHint, PeerHintError, Serving};
pub use error::{CreateError, FetchError, ShareError, StartError};
pub use fetch::Fetch;
pub use fetches::PATIENCE;
pub use home::{Left, LeftError, left};
pub use inspect::{Comparison, DamagedChunk, ScrubError, compare};
pub use jobs::{Job, JobState};
pub use library::{Condition, Known, Library, LibraryError, QUOTA, Removed};
pub use masters::{
    Found, MasterAnswer, MasterHint, MasterHintError, MasterView, SearchOutcome, Whom, check_search,
};
pub use publish::{create, create_recalling};
pub use quest::Fetched;
pub use relay::RelayUse;
pub use rounds::Scrub;
pub use settings::{MASTERS, NO_RELAY, ON, Settings};
pub use share::{Proof, Share};
pub use status::{Banned, ContainerStatus, FetchStatus, PeerPath, PeerStatus, Reached, Status};
pub use swarmmaster::{MASTER_PORT, MasterConfig, MasterStatus, RelayTotals, SwarmMaster};
pub use vault::{ExportError, VAULT, VaultError, VaultUse};
pub use verdicts::remember_right;
pub use ways::KnownPeer;

// What surfaces need of the layers below, so that they name nothing but the node.
pub use crate::age::{HeaderError, Key, Recipient};
pub use crate::digest::{Address, Digest, DigestError, ManifestId, ProgramId};
pub use crate::identity::{
    Guard, KeyTextError, SealError, Sealed, Wallet, WordsError, keyfile, vaultfile,
};
pub use crate::index::QueryError;
pub use crate::limits::{BACKUP_BYTES_MAX, PASSPHRASE_BYTES_MAX};
pub use crate::manifest::{Link, LinkError, Manifest, ManifestError, Recall, SignatureState};
pub use crate::net::BindError;
pub use crate::net::portmap::{MapState, Mapping, Method};
pub use crate::store::{
    AgeFileError, Exported, FinishError, FoldersError, Form, IngestError, ManifestFileError,
    OpenError, Pin, ReadError, RemoveError, StateError, SyncError, Vault, decrypt_file,
    encrypt_file, may_be_manifest, opens, read_manifest_file, replace_file, write_new_file,
};
pub use crate::swarm::{Account, Order, Rates, Strike, Tally};
pub use crate::wire::{Extent, Hit, Mode, Search};

use self::command::Command;
use self::quest::{FetchId, Source};
use self::steer::Course;
use self::verdicts::Verdicts;
use crate::net::Announced;
use crate::net::portmap::PortMap;
use crate::store::Content;

/// A running node. Dropped, it stops as soon as it can; [`Node::stop`] waits for that.
#[derive(Debug)]
pub struct Node {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Arc<Status>>,
    wallet: Arc<Wallet>,
    listen: SocketAddr,
    announced: Announced,
    port_map: Option<PortMap>,
    masters: Vec<MasterHint>,
    verdicts: Verdicts,
    recall: Arc<Recall>,
    fetches: AtomicU64,
}

/// What to fetch.
#[derive(Debug, Clone)]
pub enum What {
    /// A container whose manifest is at hand.
    Manifest(Arc<Manifest>),
    /// A container that a link names.
    Link(Link),
}

/// How to fetch it.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Where to put it: a path that is free. Without one it goes where the node keeps its own.
    pub output: Option<PathBuf>,
    /// More peers to ask.
    pub peers: Vec<PeerHint>,
    /// How long to go on while no peer is of any use. Default: [`PATIENCE`].
    pub patience: Duration,
    /// In which order to ask for its chunks. Default: [`Order::Rarest`].
    pub order: Order,
    /// Its own limits in bytes per second, within those of the node. Default: none.
    pub rates: Rates,
    /// How long to wait before the first new try where the disk does not take its bytes; each further
    /// wait is twice as long, up to ten minutes. Default: [`DISK_RETRY`], half a minute. Much shorter
    /// ones make a full disk busy with little.
    pub disk_retry: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            output: None,
            peers: Vec::new(),
            patience: PATIENCE,
            order: Order::default(),
            rates: Rates::default(),
            disk_retry: DISK_RETRY,
        }
    }
}

impl Node {
    /// Starts a node: opens its folder and its socket, and begins to accept peers.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        start::start(config).await
    }

    /// Who the node is.
    pub fn address(&self) -> Address {
        self.wallet.address()
    }

    /// The node's identity.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Where the socket listens.
    pub fn listen_address(&self) -> SocketAddr {
        self.listen
    }

    /// Where others can reach the socket, as far as is known now: for links.
    pub fn reachable_at(&self) -> Vec<SocketAddr> {
        self.announced.all()
    }

    /// Whether a router lets others in, as it changes; none where no router is asked.
    pub fn port_map(&self) -> Option<watch::Receiver<MapState>> {
        self.port_map.as_ref().map(PortMap::state)
    }

    /// The link that lets others fetch a container from this node.
    pub fn link(&self, manifest: &Manifest) -> Link {
        let mut link = Link::of(manifest, self.announced.all());
        link.masters = self.masters.iter().map(ToString::to_string).collect();
        link
    }

    /// Remembers that a manifest is right, because it was just made from the bytes of its container:
    /// a share of it need not be hashed again as a whole. [`remember_right`] does the same where no
    /// node runs.
    pub async fn remember_right(&self, manifest: &Manifest) -> Result<(), StateError> {
        let verdicts = self.verdicts.clone();
        verdicts.on_right(manifest.id());
        let settled = tokio::task::spawn_blocking(move || verdicts.settle()).await;
        settled.unwrap_or(Err(StateError::Closed))
    }

    /// What this node has hashed, for [`create_recalling`].
    pub fn recall(&self) -> Arc<Recall> {
        Arc::clone(&self.recall)
    }

    /// Serves a complete file where it lies. Nothing is copied; each chunk is verified before it is
    /// sent, so a file that has changed is noticed and not served.
    ///
    /// Whoever knows the manifest can fetch it at once. The node names the manifest to those who ask
    /// for its program id once the whole has been held against it, in the background unless that was
    /// done before: [`Share::proven`] waits for it.
    pub async fn share(&self, manifest: Arc<Manifest>, path: &Path) -> Result<Share, ShareError> {
        let path = path.to_owned();
        let open = tokio::task::spawn_blocking(move || Content::seed(manifest, &path));
        let content = open.await.map_err(|_| ShareError::Stopped)??;
        let content = Arc::new(content.recalling(self.recall()));
        let (reply, answer) = oneshot::channel();
        let (proof, seen) = watch::channel(Proof::default());
        let share = Share::new(&content, seen);
        let command = Command::Seed {
            content,
            proof,
            reply,
        };
        self.commands
            .send(command)
            .await
            .map_err(|_| ShareError::Stopped)?;
        answer.await.map_err(|_| ShareError::Stopped)??;
        Ok(share)
    }

    /// Lifts the ban of an address, if there is one: it may connect again, and starts anew.
    pub async fn lift_ban(&self, address: Address) {
        // A node that has stopped refuses nobody.
        let _ = self.commands.send(Command::Lift { address }).await;
    }

    /// Begins to fetch a container from as many peers as have it. It is served to others from its
    /// first chunk on, and goes on being served when it is complete.
    pub async fn fetch(&self, what: What, options: FetchOptions) -> Fetch {
        let id = FetchId(self.fetches.fetch_add(1, Ordering::Relaxed));
        let source = match what {
            What::Manifest(manifest) => Source::Manifest(manifest),
            What::Link(link) => Source::Link(link),
        };
        let (status, seen) = watch::channel(FetchStatus::FindingManifest { peers: 0 });
        let (done, outcome) = oneshot::channel();
        let FetchOptions {
            output,
            peers,
            patience,
            order,
            rates,
            disk_retry,
        } = options;
        let course = Course::new(order, rates, disk_retry);
        let command = Command::Fetch {
            id,
            source,
            output,
            peers,
            patience,
            course,
            status,
            done,
        };
        // A node that has stopped drops the command, and with it `done`.
        let _ = self.commands.send(command).await;
        Fetch {
            id,
            commands: self.commands.clone(),
            status: seen,
            outcome,
        }
    }

    /// Limits all transfers together from now on, those under way too. The limits of containers
    /// hold within these.
    pub async fn limit(&self, rates: Rates) {
        // A node that has stopped transfers nothing.
        let _ = self.commands.send(Command::Limit { id: None, rates }).await;
    }

    /// Limits one container that takes part from now on, whether it is fetched or only served.
    pub async fn limit_container(&self, id: ManifestId, rates: Rates) {
        let id = Some(id);
        // As above.
        let _ = self.commands.send(Command::Limit { id, rates }).await;
    }

    /// Asks the SwarmMasters, and with [`Whom::Everybody`] the peers that are connected, which containers
    /// are called like this; `peers` are connected first. Takes five seconds at most.
    pub async fn search(&self, search: Search, whom: Whom, peers: Vec<PeerHint>) -> SearchOutcome {
        let (reply, answer) = oneshot::channel();
        let command = Command::Search {
            search,
            whom,
            peers,
            reply,
        };
        // A node that has stopped drops the command, and with it `reply`.
        let _ = self.commands.send(command).await;
        answer.await.unwrap_or_default()
    }

    /// What the node is doing: refreshed ten times a second while anyone holds a receiver, and once a
    /// second otherwise.
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// Reads every chunk that the node holds, now and without pauses, and says what it found. A node
    /// does so by itself once a week, slowly.
    ///
    /// What is not as it was is not served. In files that the node downloaded, or keeps in its own
    /// folder, and that nobody else has written to, it is fetched again.
    pub async fn scrub(&self) -> Result<Scrub, ShareError> {
        let (reply, found) = oneshot::channel();
        // A node that has stopped drops the command, and with it `reply`.
        let _ = self.commands.send(Command::Scrub { reply }).await;
        found.await.map_err(|_| ShareError::Stopped)
    }

    /// Stops the node: fetches end and keep what they have, peers are told, files are closed.
    pub async fn stop(self) {
        let (reply, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop { reply }).await.is_ok() {
            // An error means that it has stopped already.
            let _ = stopped.await;
        }
        if let Some(port_map) = self.port_map {
            port_map.close().await;
        }
    }
}
