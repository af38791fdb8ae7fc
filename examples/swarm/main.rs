//! The whole system on one machine, in half a minute: a swarm that distributes a container.
//!
//! ```text
//! cargo run --release --example swarm -- --liar
//! ```
//!
//! Every node here is the same [`Node`](swarmhold::Node) that the binary runs, with an identity, a
//! folder and a UDP socket of its own. What is seen while it runs goes to stderr, the tables at the
//! end to stdout. The exit code is 0 only if every byte is right and the swarm behaved as one
//! (`verdict`).
//!
//! Reading order: `args`, `content` (what is distributed), `cast` (who takes part), `leecher`, `liar`, `stage` (the run), `progress`, `report`, `tree`, `verdict`.

mod args;
mod cast;
mod content;
mod leecher;
mod liar;
mod progress;
mod report;
#[path = "../../tests/support/rogue.rs"]
mod rogue;
mod stage;
mod tree;
mod units;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Parser;
use swarmhold::node::{MasterConfig, SwarmMaster};
use swarmhold::{Listen, Manifest, Node, Wallet, create};
use tempfile::TempDir;
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::cast::PUBLISHER;
use crate::liar::Lie;
use crate::progress::{Progress, say};
use crate::stage::{Ending, Stage};
use crate::verdict::Verdict;

/// Seconds that the liar may need to be caught three times: it is left alone for a while in between.
const CATCH_S: u64 = 5;
/// What the shell is told after Ctrl-C.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let log = EnvFilter::try_from_env("SWARMHOLD_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(log)
        .with_writer(std::io::stderr)
        .init();
    match run(&args).await {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("swarm-").tempdir()?;
    let listen = Listen::At(([127, 0, 0, 1], 0).into());
    let wallet = Wallet::generate()?;
    let config = MasterConfig::new(folder.path().join("swarmmaster"), wallet, listen);
    let master = SwarmMaster::start(config).await?;
    let publisher = leecher::start_node(PUBLISHER, folder.path(), args.rate, &master).await?;
    let (source, manifest) = publish(args, folder.path(), &publisher).await?;
    let mut stage = Stage::set(args, folder.path(), publisher, &source, manifest, master)?;
    introduce(args, &stage);
    let mut progress = Progress::new();
    let ending = stage.play(&mut progress).await?;
    progress.finish();
    let code = conclude(&stage, &source, ending)?;
    stage.clear().await;
    leave(args, folder);
    Ok(code)
}

/// Makes or takes the container, signs its manifest, and shares it.
async fn publish(args: &Args, folder: &Path, publisher: &Node) -> Result<(PathBuf, Arc<Manifest>)> {
    let source = match &args.file {
        Some(file) => file.clone(),
        None => folder.join(PUBLISHER).join("demo.img"),
    };
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name
        .chars()
        .take(swarmhold::limits::NAME_CHARS_MAX)
        .collect();
    if args.file.is_none() {
        content::generate(&source, args.size, args.seed).context("the container cannot be made")?;
    }
    let manifest = create(&source, publisher.wallet(), &name, None, |_bytes| {})?;
    let liar_from = args.rate.saturating_mul(CATCH_S);
    if args.liar.is_some_and(Lie::is_bannable) && manifest.layout().size() < liar_from {
        let from = units::bytes(liar_from);
        bail!(
            "--liar needs {from} or more at this rate: catching takes three lies, and some seconds"
        );
    }
    let manifest = Arc::new(manifest);
    publisher.share(Arc::clone(&manifest), &source).await?;
    Ok((source, manifest))
}

fn introduce(args: &Args, stage: &Stage) {
    let layout = stage.manifest.layout();
    let (size, rate) = (units::bytes(layout.size()), units::bytes(args.rate));
    let (count, chunk) = (
        layout.chunk_count(),
        units::bytes(layout.chunk_size().into()),
    );
    let name = stage.manifest.name();
    say(&format!(
        "{name}: {size} in {count} chunks of {chunk}, published by one node\n{}\n",
        stage.link()
    ));
    let liar = args.liar.map_or("", |_| ", and mallory, who lies");
    say(&format!(
        "{} peers fetch it, {} more join on the way{liar}; each node uploads {rate}/s at most\n",
        args.nodes, args.late
    ));
}

/// Says how it went: the tables, the tree, the verdict.
#[expect(clippy::print_stdout, reason = "this is the demo's result")]
fn conclude(stage: &Stage, source: &Path, ending: Ending) -> Result<ExitCode> {
    if ending == Ending::Interrupted {
        say("interrupted");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let verdict = Verdict::of(stage, source, ending)?;
    println!("\nWho got how much from whom, {}\n", report::unit(stage));
    println!(
        "{}\n\n{}\n{}\n",
        report::sources(stage),
        report::summary(stage),
        report::moved(stage)
    );
    println!("How it went\n\n{}\n", report::leechers(stage));
    println!("What each node now holds\n\n{}", tree::draw(&stage.folder)?);
    println!("{}", verdict.text());
    Ok(if verdict.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn leave(args: &Args, folder: TempDir) {
    if args.keep {
        say(&format!("\nkept: {}", folder.keep().display()));
    }
}
