//! A flash crowd: up to 100,000 peers and one seed, each with the production engine, in one process.
//!
//! ```text
//! cargo run --release --example flashcrowd -- --peers 10000 --size 128MiB
//! ```
//!
//! `graph` says who knows whom, `node` is one peer with its links, `world` runs them all side by side,
//! `report` and `plot` say what came of it. Nothing here decides anything about chunks: that is the
//! engine's part. docs/flashcrowd.md has results, and what the model leaves out.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program: its results go to the terminal"
)]

mod args;
mod bound;
mod graph;
mod ledger;
mod net;
mod node;
mod plot;
mod report;
mod rng;
#[path = "../../tests/support/splitmix.rs"]
mod splitmix;
mod units;
mod usage;
mod world;

use anyhow::{Context, bail};
use clap::Parser;
use swarmhold::manifest::Layout;

use args::Args;
use bound::Crowd;
use report::Report;
use usage::Usage;
use world::World;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.latency_min.is_zero() || args.latency_min > args.latency_max {
        bail!("--latency-min has to be over 0 and at most --latency-max");
    }
    let layout = Layout::for_size(args.size)?;
    let crowd = Crowd {
        size: args.size,
        peers: args.peers,
        up: args.up,
        down: args.down,
        seed_up: args.seed_up,
    };
    println!(
        "{} peers, {} in {} chunks of {}; up {}, down {}, the seed's up {}",
        args.peers,
        units::bytes(args.size),
        layout.chunk_count(),
        units::bytes(layout.chunk_size().into()),
        units::rate(args.up),
        units::rate(args.down),
        units::rate(args.seed_up),
    );
    let mut world = World::new(&args, layout);
    let run = world.run(crowd.bound(), |at, done| {
        eprintln!("at {:.1} s {} peers are done", at.as_secs_f64(), done - 1);
    });
    if let Err(why) = run {
        bail!("it took too long: {why}");
    }
    let report = Report::new(&world, &crowd, layout.chunk_count(), Usage::now());
    print!("{report}");
    if args.uplinks {
        for (second, percent) in report.uplinks().enumerate() {
            println!("second {second:>3}: uplinks {percent:.1} % busy");
        }
    }
    let size = units::bytes(args.size);
    let title = format!(
        "{} peers fetch {size} from one seed: how many are done",
        args.peers
    );
    let svg = plot::svg(&report, &title);
    if let Some(folder) = args.plot.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    std::fs::write(&args.plot, svg).with_context(|| format!("{}", args.plot.display()))?;
    println!("plot           {}", args.plot.display());
    Ok(())
}
