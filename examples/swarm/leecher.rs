//! One leecher: a node of its own that fetches the container and serves what it has.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use swarmhold::node::{ContainerStatus, FetchError, SwarmMaster};
use swarmhold::swarm::Tally;
use swarmhold::{
    Address, Config, Discovery, FetchOptions, FetchStatus, Fetched, Link, Listen, ManifestId, Node,
    PeerHint, Status, Wallet, What,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cast::{Entrance, Part};

/// A leecher that has entered.
pub(crate) struct Leecher {
    /// What the tables call it.
    pub(crate) name: String,
    /// When it was to enter.
    pub(crate) entrance: Entrance,
    /// Its node; it goes on serving when the fetch is over.
    pub(crate) node: Node,
    /// When it began to fetch.
    pub(crate) began: Instant,
    /// How the fetch ended, and when.
    pub(crate) outcome: Option<(Result<Fetched, String>, Instant)>,
    id: ManifestId,
    /// Held for as long as the node runs: it refreshes only what somebody looks at.
    seen: watch::Receiver<Arc<Status>>,
    fetching: watch::Receiver<FetchStatus>,
    task: JoinHandle<(Result<Fetched, FetchError>, Instant)>,
}

impl Leecher {
    /// Starts a node in a folder of its own below `stage`, which finds others through the master, and
    /// begins to fetch. `peers` are others that it is told of by name.
    pub(crate) async fn enter(
        part: &Part,
        stage: &Path,
        link: &Link,
        id: ManifestId,
        master: &SwarmMaster,
        peers: Vec<PeerHint>,
    ) -> Result<Self> {
        let node = start_node(&part.name, stage, part.rate, master).await?;
        let began = Instant::now();
        let options = FetchOptions {
            peers,
            ..FetchOptions::default()
        };
        let mut fetch = node.fetch(What::Link(link.clone()), options).await;
        let (seen, fetching) = (node.status(), fetch.status());
        let task = tokio::spawn(async move { (fetch.finished().await, Instant::now()) });
        Ok(Self {
            name: part.name.clone(),
            entrance: part.entrance,
            node,
            began,
            outcome: None,
            id,
            seen,
            fetching,
            task,
        })
    }

    /// Takes in the fetch's end, if it has come. True if it has come just now.
    pub(crate) async fn settle(&mut self) -> bool {
        if self.outcome.is_some() || !self.task.is_finished() {
            return false;
        }
        let ended = (&mut self.task).await;
        self.outcome = Some(match ended {
            Ok((outcome, at)) => (outcome.map_err(|error| error.to_string()), at),
            Err(error) => (Err(error.to_string()), Instant::now()),
        });
        true
    }

    /// The container, if its fetch got that far.
    pub(crate) fn fetched(&self) -> Option<&Fetched> {
        self.outcome.as_ref()?.0.as_ref().ok()
    }

    /// How long the fetch took, if it is over.
    pub(crate) fn took(&self) -> Option<Duration> {
        self.outcome
            .as_ref()
            .map(|(_, at)| at.duration_since(self.began))
    }

    /// Who gave how much so far.
    pub(crate) fn tally(&self) -> Tally {
        match self.fetched() {
            Some(fetched) => fetched.tally.clone(),
            None => self
                .container()
                .map_or_else(Tally::default, |container| container.tally),
        }
    }

    /// Whether the node refuses this address.
    pub(crate) fn has_banned(&self, address: Address) -> bool {
        let seen = self.seen.borrow();
        seen.banned.iter().any(|banned| *banned == address)
    }

    /// The addresses that the node refuses.
    pub(crate) fn banned(&self) -> Vec<Address> {
        let seen = self.seen.borrow();
        seen.banned.iter().map(|banned| banned.address).collect()
    }

    /// The container as the node sees it now; none before there is a manifest.
    pub(crate) fn container(&self) -> Option<ContainerStatus> {
        if let FetchStatus::Downloading(container) | FetchStatus::Finishing(container) =
            &*self.fetching.borrow()
        {
            return Some(container.clone());
        }
        let seen = self.seen.borrow();
        let ours = |container: &&ContainerStatus| container.manifest_id == self.id;
        seen.containers.iter().find(ours).cloned()
    }
}

/// A node on a free port of loopback that knows the master, and whom it was told of.
pub(crate) async fn start_node(
    name: &str,
    stage: &Path,
    rate: u64,
    master: &SwarmMaster,
) -> Result<Node> {
    let mut config = Config::new(stage.join(name), Wallet::generate()?);
    config.listen = Listen::At(([127, 0, 0, 1], 0).into());
    config.upload_rate_max = Some(rate);
    config.discovery = Discovery::Off;
    config.masters = vec![master.hint().parse()?];
    Node::start(config)
        .await
        .with_context(|| format!("{name} does not start"))
}
