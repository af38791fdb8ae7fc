//! The run itself: nodes enter, fetch, and are watched until all have the container.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use swarmhold::node::SwarmMaster;
use swarmhold::{Link, Manifest, Node};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::args::Args;
use crate::cast::{Entrance, LIAR, Names, PUBLISHER, Part, leechers};
use crate::leecher::Leecher;
use crate::liar::Liar;
use crate::progress::{Progress, View};
use crate::units;

/// How often everyone is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every fetch is over.
    Done,
    /// Some fetch took much longer than it should have.
    TimedOut,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Everyone who takes part.
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) publisher: Node,
    pub(crate) leechers: Vec<Leecher>,
    pub(crate) liar: Option<Liar>,
    pub(crate) names: Names,
    link: Link,
    master: SwarmMaster,
    waiting: VecDeque<Part>,
    patience: Duration,
    /// Bad chunks that each leecher has had from the liar, and whether it has banned it.
    seen: BTreeMap<String, (u64, bool)>,
}

impl Stage {
    /// A publisher that shares the container, and the liar if one is wanted.
    pub(crate) fn set(
        args: &Args,
        folder: &Path,
        publisher: Node,
        source: &Path,
        manifest: Arc<Manifest>,
        master: SwarmMaster,
    ) -> Result<Self> {
        let mut names = Names::default();
        names.insert(publisher.address(), PUBLISHER);
        let liar = args.liar.map(|lie| Liar::enter(lie, &manifest, source));
        let liar = liar.transpose()?;
        if let Some(liar) = &liar {
            names.insert(liar.address(), LIAR);
        }
        let parts = leechers(args);
        let worst_s = manifest.layout().size() * parts.len() as u64 / args.rate.max(1);
        Ok(Self {
            folder: folder.to_owned(),
            link: publisher.link(&manifest),
            manifest,
            publisher,
            leechers: Vec::new(),
            liar,
            names,
            master,
            waiting: parts.into(),
            patience: Duration::from_secs(30 + 2 * worst_s),
            seen: BTreeMap::new(),
        })
    }

    /// The link that everyone starts from.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Runs until every fetch is over, or too long.
    pub(crate) async fn play(&mut self, progress: &mut Progress) -> Result<Ending> {
        let give_up = Instant::now() + self.patience;
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                _ = &mut interrupted => return Ok(Ending::Interrupted),
            }
            self.let_in(progress).await?;
            self.settle(progress).await;
            self.tell_of_the_liar(progress);
            progress.show(
                &self
                    .leechers
                    .iter()
                    .map(|leecher| self.view(leecher))
                    .collect::<Vec<_>>(),
            );
            if self.waiting.is_empty()
                && self
                    .leechers
                    .iter()
                    .all(|leecher| leecher.outcome.is_some())
            {
                return Ok(Ending::Done);
            }
            if Instant::now() >= give_up {
                return Ok(Ending::TimedOut);
            }
        }
    }

    /// Stops every node.
    pub(crate) async fn clear(self) {
        for leecher in self.leechers {
            leecher.node.stop().await;
        }
        self.publisher.stop().await;
        self.master.stop().await;
    }

    /// Lets those enter whose time has come.
    async fn let_in(&mut self, progress: &Progress) -> Result<()> {
        let share = self.share();
        let mut entered = Vec::new();
        while let Some(part) = self.waiting.front() {
            match part.entrance {
                Entrance::Late(at) if share < at => break,
                Entrance::Late(_) | Entrance::AtOnce => {}
            }
            let leecher = Leecher::enter(
                part,
                &self.folder,
                &self.link,
                self.manifest.id(),
                &self.master,
                self.liar.iter().map(Liar::hint).collect(),
            )
            .await?;
            self.names.insert(leecher.node.address(), &part.name);
            entered.push(part.name.clone());
            self.leechers.push(leecher);
            self.waiting.pop_front();
        }
        match entered.as_slice() {
            [] => {}
            [one] => progress.event(&format!("{one} joins")),
            many => progress.event(&format!("{} join", units::list(many))),
        }
        Ok(())
    }

    /// The share that those have who entered at the start, in percent.
    fn share(&self) -> u64 {
        let first = self
            .leechers
            .iter()
            .filter(|leecher| leecher.entrance == Entrance::AtOnce);
        let shares: Vec<u64> = first
            .map(|leecher| {
                let view = self.view(leecher);
                100 * view.done / view.size.max(1)
            })
            .collect();
        shares.iter().sum::<u64>() / (shares.len() as u64).max(1)
    }

    /// Takes in fetches that are over.
    async fn settle(&mut self, progress: &Progress) {
        for leecher in &mut self.leechers {
            if !leecher.settle().await {
                continue;
            }
            let (name, took) = (&leecher.name, leecher.took().unwrap_or_default());
            match &leecher.outcome {
                Some((Err(error), _)) => progress.event(&format!("{name} failed: {error}")),
                Some((Ok(fetched), _)) => progress.event(&format!(
                    "{name} is complete after {}, from {}",
                    units::seconds(took),
                    units::count(fetched.tally.sources() as u64, "source")
                )),
                None => {}
            }
        }
    }

    /// Says who has caught the liar since the last look.
    fn tell_of_the_liar(&mut self, progress: &Progress) {
        let Some(liar) = &self.liar else { return };
        for leecher in &self.leechers {
            let caught = leecher
                .tally()
                .accounts
                .get(&liar.address())
                .map_or(0, |account| account.bad_chunks);
            let banned = leecher.has_banned(liar.address());
            let seen = self.seen.entry(leecher.name.clone()).or_default();
            let name = &leecher.name;
            if banned && !seen.1 {
                progress.event(&format!("{name} bans {LIAR} for a day"));
            } else if caught > seen.0 && !banned {
                progress.event(&format!(
                    "{name} caught {LIAR} with a bad chunk and hung up"
                ));
            }
            *seen = (caught, banned);
        }
    }

    fn view(&self, leecher: &Leecher) -> View {
        let size = self.manifest.layout().size();
        let container = leecher.container();
        let done = match (&container, leecher.fetched()) {
            (_, Some(_)) => size,
            (Some(container), None) => container.tally.total.bytes,
            (None, None) => 0,
        };
        View {
            name: leecher.name.clone(),
            done,
            size,
            peers: container.map_or(0, |container| container.peers.len()),
            took: leecher.fetched().and_then(|_| leecher.took()),
        }
    }
}
