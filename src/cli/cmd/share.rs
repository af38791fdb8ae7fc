//! `swarmhold share`: offers a container where it lies, until a signal.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::create::described;
use super::own_manifest::{self, EXTENSION, There};
use super::watch::Watch;
use crate::cli::args::{Global, Share};
use crate::cli::error::CliError;
use crate::cli::home::{Home, VaultWish};
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::cli::start::{self, Port};
use crate::node::{
    Config, DEFAULT_PORT, Manifest, MapState, Mapping, Node, PeerHint, Proof, Serving,
    Share as ServedFile, ShareError, Wallet, read_manifest_file,
};

/// How long routers are waited for before the link is printed.
const ROUTER_WAIT: Duration = Duration::from_secs(3);

pub(in crate::cli) fn run(global: &Global, share: &Share, out: &Output) -> anyhow::Result<()> {
    let home = Home::find(global)?;
    let wallet = home.identity(out)?.wallet;
    let mut config = Config::new(home.folder(), wallet);
    let plan = share.path.as_ref();
    let plan = plan
        .map(|path| Plan::of(path, &config.wallet))
        .transpose()?;
    if share.all {
        config.serving = Serving::Library;
        config.vault = home.vault(&config.wallet, VaultWish::Read, out)?;
    }
    config.upload_rate_max = share.up.and_then(|rate| rate.0);
    if !share.network.no_discovery {
        config.port_mapping = share.router.methods();
    }
    start::wait(async |mut signals| {
        let node = start::start(config, &share.network, &home, Port::Usual(DEFAULT_PORT)).await?;
        let outcome = match plan {
            Some(plan) => offer(&node, plan, share, out, &mut signals).await,
            None => offer_library(&node, share, out, &mut signals).await,
        };
        node.stop().await;
        outcome
    })
}

/// What is shared, and by which manifest.
struct Plan {
    container: PathBuf,
    manifest: Source,
}

/// Where the manifest comes from.
enum Source {
    /// It was named, or it is our own and fresh.
    Ready(Box<Manifest>),
    /// It is to be made and written here.
    Make(Making),
}

/// What it takes to make one.
struct Making {
    container: PathBuf,
    path: PathBuf,
    there: There,
    wallet: Arc<Wallet>,
}

impl Plan {
    fn of(path: &Path, wallet: &Arc<Wallet>) -> anyhow::Result<Self> {
        if path.extension().is_some_and(|end| end == EXTENSION) {
            let manifest = Box::new(read_manifest_file(path)?);
            let container = path.with_extension("");
            if !fs::exists(&container).unwrap_or(true) {
                return Err(CliError::NoContainer(container).into());
            }
            let manifest = Source::Ready(manifest);
            return Ok(Self {
                container,
                manifest,
            });
        }
        let container = path.to_owned();
        let path = own_manifest::beside(&container)?;
        let manifest = match own_manifest::look(&path, &container, wallet.address())? {
            There::Fresh(manifest) => Source::Ready(manifest),
            there @ (There::Nothing | There::Stale | There::Damaged(_)) => Source::Make(Making {
                container: container.clone(),
                path,
                there,
                wallet: Arc::clone(wallet),
            }),
        };
        Ok(Self {
            container,
            manifest,
        })
    }
}

/// Offers the container and serves it until a signal.
async fn offer(
    node: &Node,
    plan: Plan,
    share: &Share,
    out: &Output,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let Plan {
        container,
        manifest,
    } = plan;
    let manifest = match manifest {
        Source::Ready(manifest) => *manifest,
        Source::Make(making) => tokio::select! {
            made = make(node, making, out) => made?,
            () = signals.stopped() => return Err(CliError::Interrupted(container).into()),
        },
    };
    let manifest = Arc::new(manifest);
    let mut shared = node.share(Arc::clone(&manifest), &container).await?;
    let listen = node.listen_address();
    let router = mapped(node, signals).await;
    tell_port(node, share, out);
    let what = described(&manifest);
    out.note(&format!("sharing {}: {what}", container.display()));
    out.note(&format!("listening on {listen} as {}", node.address()));
    if let Some(router) = router {
        out.note(&router);
    }
    out.note("others get it with: swarmhold get 'LINK'; Ctrl-C stops");
    let link = node.link(&manifest).to_string();
    out.result(&link, || {
        json!({
            "event": "sharing",
            "link": link,
            "path": container.display().to_string(),
            "name": manifest.name(),
            "program_id": manifest.program_id().to_string(),
            "manifest_id": manifest.id().to_string(),
            "address": node.address().to_string(),
            "listen": listen.to_string(),
            "reachable_at": texts(&node.reachable_at()),
            "size": manifest.layout().size(),
            "chunks": manifest.layout().chunk_count(),
        })
    })?;
    let watch = Watch::new(Some(manifest.id()), out);
    tokio::select! {
        ended = watch.until(node, signals) => ended,
        () = announced(node, out) => Ok(()),
        error = disproven(&mut shared, out) => Err(error.into()),
    }
}

/// Tells which SwarmMasters have listed what is shared. Has no end.
async fn announced(node: &Node, out: &Output) {
    let mut status = node.status();
    let mut told = BTreeSet::new();
    loop {
        let masters = status.borrow_and_update().masters.clone();
        for master in masters.into_iter().filter(|it| it.listed > 0) {
            if told.insert(master.hint.clone()) {
                let seen = master.observed.map(|at| format!(", which sees us at {at}"));
                out.note(&format!(
                    "listed by {}{}",
                    master.hint,
                    seen.unwrap_or_default()
                ));
            }
        }
        if status.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Serves what the library has until a signal.
async fn offer_library(
    node: &Node,
    share: &Share,
    out: &Output,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let listen = node.listen_address();
    let router = mapped(node, signals).await;
    tell_port(node, share, out);
    out.note("serving everything complete in the library, to who has its link or manifest");
    out.note(&format!("listening on {listen} as {}", node.address()));
    if let Some(router) = router {
        out.note(&router);
    }
    out.note("others get it with: swarmhold get 'LINK' --peer PEER; Ctrl-C stops");
    let remote = node.reachable_at().first().copied().unwrap_or(listen);
    let expected = Some(node.address());
    let peer = PeerHint { remote, expected }.to_string();
    out.result(&peer, || {
        json!({
            "event": "sharing",
            "peer": peer,
            "address": node.address().to_string(),
            "listen": listen.to_string(),
            "reachable_at": texts(&node.reachable_at()),
        })
    })?;
    Watch::new(None, out).until(node, signals).await
}

fn tell_port(node: &Node, share: &Share, out: &Output) {
    let port = node.listen_address().port();
    if share.network.listen.is_none() && port != DEFAULT_PORT {
        out.note(&format!(
            "UDP port {DEFAULT_PORT} is taken; listening on another"
        ));
    }
}

/// What routers have said to letting others in, if they are asked: they are given a moment before the
/// link is printed, because their answer is part of it.
async fn mapped(node: &Node, signals: &mut Signals) -> Option<String> {
    let mut state = node.port_map()?;
    let told = async {
        let told = state.wait_for(|state| *state != MapState::Asking).await;
        told.ok().map(|state| state.clone())
    };
    let answer = tokio::select! {
        answer = tokio::time::timeout(ROUTER_WAIT, told) => answer.ok().flatten(),
        () = signals.stopped() => None,
    };
    let port = node.listen_address().port();
    match answer {
        Some(MapState::Mapped(Mapping {
            outside, method, ..
        })) => Some(format!("the router lets others in at {outside} ({method})")),
        Some(MapState::Needless(_)) => None,
        Some(MapState::Unmapped(why)) => {
            tracing::info!(%why, "no router lets others in");
            Some(format!(
                "no router lets others in: behind one, forward UDP port {port} (-v says what it answered)"
            ))
        }
        Some(MapState::Asking) | None => Some("no router has answered yet".to_owned()),
    }
}

/// Waits for bad news of the manifest: that it is wrong. What else there is to know of it is told.
async fn disproven(shared: &mut ServedFile, out: &Output) -> ShareError {
    let mut proof = shared.proof();
    let mut is_known = *proof.borrow() == Proof::Right;
    let mut told = 0;
    loop {
        proof.mark_unchanged();
        match shared.proven().await {
            Ok(()) if is_known => {}
            Ok(()) => {
                out.note(
                    "the whole is what the manifest says: found by its program id from now on",
                );
            }
            Err(error @ (ShareError::Poisoned { .. } | ShareError::Unreadable(_))) => return error,
            Err(ShareError::Stopped) => std::future::pending().await,
            // it was told already
            Err(ShareError::Damaged { lost, .. }) if lost == told => {}
            Err(error @ ShareError::Damaged { lost, total, .. }) => {
                told = lost;
                let rest = match lost == total {
                    true => "it is not served any more",
                    false => "the others are served",
                };
                out.note(&format!("{error}; {rest}"));
            }
            Err(error) => out.note(&error.to_string()),
        }
        is_known = true;
        // it may be written to, or rot, at any time
        if proof.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Hashes the container off this thread, signs, and writes the manifest. It names an address of this
/// node that others can reach, if there is one.
async fn make(node: &Node, making: Making, out: &Output) -> anyhow::Result<Manifest> {
    let Making {
        container,
        path,
        there,
        wallet,
    } = making;
    if let There::Damaged(error) = &there {
        out.note(&format!("made again: {error}"));
    }
    let mut reachable = node.reachable_at().into_iter();
    let reach = reachable.find(|at| !at.ip().is_loopback());
    let shown = out.clone();
    let recall = node.recall();
    let hash = move || own_manifest::hash(&container, &wallet, None, reach, Some(&recall), &shown);
    let manifest = tokio::task::spawn_blocking(hash).await??;
    if let Err(error) = node.remember_right(&manifest).await {
        // it is hashed once more, in the background
        tracing::warn!(%error, "what was hashed could not be written down");
    }
    match own_manifest::write(&path, &there, &manifest) {
        Ok(()) => out.note(&format!("wrote {}", path.display())),
        // the container can be shared all the same, and is hashed again the next time
        Err(error) if is_refused(&error) => out.note(&format!("not kept: {error:#}")),
        Err(error) => return Err(error),
    }
    Ok(manifest)
}

/// Whether a folder cannot be written to by this user.
fn is_refused(error: &anyhow::Error) -> bool {
    let Some(CliError::Io { source, .. }) = error.downcast_ref() else {
        return false;
    };
    matches!(
        source.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
