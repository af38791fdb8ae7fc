//! `swarmhold get`: fetches a container and ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::landing::Landing;
use super::reference::Reference;
use super::{encrypted, paths, search};
use crate::cli::args::network::Network;
use crate::cli::args::{Get, Global};
use crate::cli::error::CliError;
use crate::cli::home::{Home, VaultWish, is_taken};
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::cli::start::{self, Port};
use crate::node::{
    Config, DISK_RETRY, Fetch, FetchError, FetchOptions, Fetched, Form, Key, Left, Link, Node,
    ProgramId, Rates, What, left, may_be_manifest, read_manifest_file,
};

/// How long peers that are being served are given to finish, at most.
const GRACE_MAX: Duration = Duration::from_secs(2);
/// Where nothing was sent for this long, nobody is being served.
const GRACE_QUIET: Duration = Duration::from_millis(300);

/// What is to be fetched, and how.
pub(super) struct Request {
    pub(super) what: What,
    pub(super) options: FetchOptions,
    pub(super) vault: VaultWish,
    /// What the node's own folder may hold, in bytes, if that is said.
    pub(super) quota: Option<u64>,
    pub(super) network: Network,
}

pub(in crate::cli) fn run(global: &Global, get: Get, out: &Output) -> anyhow::Result<()> {
    let what = match Reference::read(&get.what)? {
        Reference::Link(link) => What::Link(link),
        Reference::File(path) => match named(global, &get, &path, out)? {
            Some(link) => What::Link(link),
            None => What::Manifest(Arc::new(read_manifest_file(&path)?)),
        },
    };
    let (program_id, name) = match &what {
        What::Link(link) => (link.program_id, link.name.as_deref()),
        What::Manifest(manifest) => (manifest.program_id(), Some(manifest.name())),
    };
    let is_age = name.is_some_and(encrypted::is_name);
    let home = Home::find(global)?;
    somebody_to_ask(&get, &what, &home)?;
    let output = get
        .output
        .map(|output| destination(output, program_id, is_age))
        .transpose()?;
    let rates = Rates {
        up: get.up.and_then(|rate| rate.0),
        down: get.down.and_then(|rate| rate.0),
    };
    let request = Request {
        what,
        options: FetchOptions {
            output,
            peers: get.peer,
            patience: get.timeout,
            order: get.order.into(),
            rates,
            disk_retry: DISK_RETRY,
        },
        vault: match get.vault {
            true => VaultWish::Keep,
            false => VaultWish::Settings,
        },
        quota: get.room.bytes(),
        network: get.network,
    };
    fetch_one(&home, request, out)
}

/// Runs a node that fetches, and ends.
pub(super) fn fetch_one(home: &Home, request: Request, out: &Output) -> anyhow::Result<()> {
    let Request {
        what,
        options,
        vault,
        quota,
        network,
    } = request;
    let program_id = match &what {
        What::Link(link) => link.program_id,
        What::Manifest(manifest) => manifest.program_id(),
    };
    let left = left(home.folder(), options.output.as_deref(), program_id)?;
    let wallet = home.identity(out)?.wallet;
    let (key, chosen) = (Key::of_wallet(&wallet), options.output.is_some());
    let mut config = Config::new(home.folder(), wallet);
    config.upload_rate_max = options.rates.up;
    config.download_rate_max = options.rates.down;
    config.quota = quota;
    config.vault = home.vault(&config.wallet, vault, out)?;
    start::wait(async |mut signals| {
        let node = start::start(config, &network, home, Port::Any).await?;
        let outcome = fetch(
            &node,
            what,
            options,
            Landing::new(left, out),
            out,
            &mut signals,
        )
        .await;
        out.hide_bar();
        if outcome.is_ok() {
            grace(&node).await;
        }
        node.stop().await;
        let (fetched, landing) = outcome?;
        let path = match chosen {
            true => encrypted::unseal(&fetched.path, key, out, &mut signals).await?,
            false if fetched.form == Form::Sealed => {
                let id = fetched.manifest.program_id().short();
                out.note(&format!(
                    "it is in the vault; to read it: swarmhold export {id} -o FILE"
                ));
                None
            }
            false => encrypted::point_out(&fetched.path, &key, out)?,
        };
        report(&fetched, &landing, path.as_deref(), out)
    })
}

/// Makes sure that there is somebody to ask.
fn somebody_to_ask(get: &Get, what: &What, home: &Home) -> anyhow::Result<()> {
    let is_hinted = matches!(what, What::Link(_)) || !get.network.no_discovery;
    if is_hinted || !get.peer.is_empty() {
        return Ok(());
    }
    match start::masters(&get.network, home)?.is_empty() {
        true => Err(CliError::NobodyToAsk.into()),
        false => Ok(()),
    }
}

/// The container that a name means, where what was given is no manifest and there is somebody to ask.
fn named(global: &Global, get: &Get, path: &Path, out: &Output) -> anyhow::Result<Option<Link>> {
    let text = path.to_str().unwrap_or_default();
    let is_path = text.contains('/') || text.ends_with(".deluge") || text.trim().is_empty();
    // a container's own file may lie here under its name
    if is_path || may_be_manifest(path) {
        return Ok(None);
    }
    let home = Home::find(global)?;
    let masters = start::masters(&get.network, &home)?;
    if masters.is_empty() && get.peer.is_empty() {
        return Ok(None);
    }
    search::resolve(global, &get.network, &get.peer, text, out).map(Some)
}

/// The file that an output means for the container, which must be free, as must be the one for what it
/// holds where that is encrypted. Told before anyone is asked, though what happens meanwhile is noticed
/// too.
fn destination(output: PathBuf, program_id: ProgramId, is_age: bool) -> Result<PathBuf, CliError> {
    let means_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !output.is_dir() && means_folder {
        return Err(CliError::NoFolder(output));
    }
    let path = match output.is_dir() {
        true => output.join(program_id.to_string()),
        false => output,
    };
    let path = match is_age {
        true => encrypted::with_suffix(path),
        false => path,
    };
    let plain = encrypted::without_suffix(&path).filter(|_| is_age);
    match [Some(path.clone()), plain]
        .into_iter()
        .flatten()
        .find(|it| is_taken(it))
    {
        Some(taken) => Err(CliError::Exists(taken)),
        None => Ok(path),
    }
}

/// Fetches and shows how far it is. A signal cancels; what has come is kept.
async fn fetch(
    node: &Node,
    what: What,
    options: FetchOptions,
    mut landing: Landing,
    out: &Output,
    signals: &mut Signals,
) -> anyhow::Result<(Fetched, Landing)> {
    let mut fetch: Fetch = node.fetch(what, options).await;
    let mut status = fetch.status();
    let (mut news, mut cancelled) = (true, false);
    let outcome: Result<Fetched, FetchError> = loop {
        tokio::select! {
            outcome = fetch.finished() => break outcome,
            () = signals.stopped(), if !cancelled => {
                cancelled = true;
                fetch.cancel().await;
            }
            changed = status.changed(), if news => {
                news = changed.is_ok();
                let now = status.borrow_and_update().clone();
                landing.show(&now, out)?;
            }
        }
    };
    landing.on_over();
    Ok((outcome?, landing))
}

/// Lets requests end that other peers have under way here.
async fn grace(node: &Node) {
    let mut status = node.status();
    let sent = |status: &crate::node::Status| {
        let tallies = status.containers.iter().map(|container| &container.tally);
        tallies.map(|tally| tally.total.sent_bytes).sum::<u64>()
    };
    let mut before = sent(&status.borrow_and_update());
    if before == 0 {
        return;
    }
    let serving = async {
        loop {
            tokio::time::sleep(GRACE_QUIET).await;
            let now = sent(&status.borrow_and_update());
            if now == before {
                break;
            }
            before = now;
        }
    };
    // Whoever is not done by then asks somebody else.
    let _ = tokio::time::timeout(GRACE_MAX, serving).await;
}

/// Prints where the container is, or what was in it, and what it took.
fn report(
    fetched: &Fetched,
    landing: &Landing,
    decrypted: Option<&Path>,
    out: &Output,
) -> anyhow::Result<()> {
    let (manifest, sum) = (&fetched.manifest, landing.sum(fetched));
    out.note(&sum.to_string());
    let path = decrypted.unwrap_or(&fetched.path);
    let paths = fetched.paths.iter();
    let paths: Vec<_> = paths
        .map(|it| paths::object(it.address, it.path, it.why.as_deref()))
        .collect();
    out.result(path, || {
        json!({
            "event": "done",
            "path": path.display().to_string(),
            "container_path": fetched.path.display().to_string(),
            "decrypted": decrypted.is_some(),
            "vault": fetched.form == Form::Sealed,
            "name": manifest.name(),
            "program_id": manifest.program_id().to_string(),
            "manifest_id": manifest.id().to_string(),
            "size": manifest.layout().size(),
            "seconds": sum.time.as_secs_f64(),
            "bytes_per_second": sum.speed,
            "peers": sum.peers,
            "resumed": sum.left == Left::Something,
            "spared_bytes": sum.spared,
            "reused_bytes": sum.reused,
            "saved_bytes": sum.saved,
            "duplicate_bytes": sum.duplicates,
            "paths": paths,
        })
    })?;
    Ok(())
}
