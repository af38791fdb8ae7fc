//! Ten thousand containers that are known and not in use: what they cost.
//!
//! ```text
//! cargo bench --bench library                 10,000 containers, medians of five rounds
//! cargo bench --bench library -- 1000         as many as you like
//! ```
//!
//! The home lies in memory where the system offers some as a folder, so that no disk is measured. Each
//! container has 1024 chunks of its own, a copy of its manifest in the home, and its bytes at a path of the
//! user's.

#[path = "common/folder.rs"]
mod folder;
#[path = "common/median.rs"]
mod median;
#[path = "common/options.rs"]
mod options;
#[path = "common/runtime.rs"]
mod runtime;
#[path = "common/say.rs"]
mod say;

use std::path::Path;

use clap::Parser;
use swarmhold::manifest::{Draft, Layout};
use swarmhold::node::{Library, Serving, Stopwatch};
use swarmhold::store::{ContainerRow, Folders, Pin, State};
use swarmhold::{Address, Config, Digest, Node, ProgramId, Wallet};

use crate::median::median;
use crate::options::Common;
use crate::say::say;

const CHUNKS: u64 = 1024;
/// Hashes in the sketch of each container, as the node takes them.
const SKETCH: usize = 64;

/// What containers cost that are known and not in use.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench library --",
    bin_name = "cargo bench --bench library --"
)]
#[command(mut_arg("rounds", |rounds| rounds.default_value("5")))]
struct Options {
    /// How many are known
    #[arg(default_value_t = 10_000)]
    count: u64,
    #[command(flatten)]
    common: Common,
}

fn main() {
    let mut options = Options::parse();
    if options.common.quick {
        (options.common.rounds, options.count) = (1, 100);
    }
    let (count, rounds) = (options.count, options.common.rounds);
    let homes = [(); 2].map(|()| tempfile::tempdir_in(&options.common.dir).expect("a folder"));
    let [empty, full] = [homes[0].path(), homes[1].path()];
    let looked_up = fill(full, count);
    let size = std::fs::metadata(full.join("state.db"))
        .expect("the state")
        .len();
    say(format!(
        "{count} containers of {CHUNKS} chunks, medians of {rounds}"
    ));
    say(format!("state on the disk: {} B each", size / count));
    let (none, many) = (started(empty, rounds), started(full, rounds));
    say(format!(
        "start of a node that serves them all: {:.1} ms, with none {:.1} ms",
        many.0, none.0
    ));
    let grown = many.1.saturating_sub(none.1) * 1024;
    say(format!(
        "memory of the process grows by {} B each",
        grown / count
    ));
    let listed = timed(rounds, || {
        let library = Library::open(full, None);
        assert_eq!(library.list().expect("a list").len() as u64, count);
    });
    say(format!("list: {listed:.1} ms"));
    let state = State::open(full);
    let similar = timed(rounds, || {
        let found = state.similar(looked_up.clone(), 8).expect("an answer");
        assert_eq!(found.len(), 1);
    });
    say(format!("look-up of {CHUNKS} hashes: {similar:.1} ms"));
    drop(state);
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        std::fs::remove_file(full.join(name)).expect("the state");
    }
    let watch = Stopwatch::start();
    let library = Library::open(full, None);
    say(format!(
        "state made again from manifests: {:.2} s",
        watch.elapsed().as_secs_f64()
    ));
    assert!(library.taken().expect("the room") > 0);
}

/// Fills a home; answers the hashes of one of its containers.
fn fill(home: &Path, count: u64) -> Vec<u64> {
    let folders = Folders::open(home).expect("folders");
    let address = Address::new(Digest::of(b"key"));
    let (mut rows, mut sketches, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..count {
        let hash = |chunk: u64| Digest::of(&(number * CHUNKS + chunk).to_le_bytes());
        let draft = Draft {
            name: format!("container {number}"),
            layout: Layout::for_size(CHUNKS * 32_768).expect("a size"),
            program_id: ProgramId::new(hash(0)),
            chunk_hashes: (0..CHUNKS).map(hash).collect(),
            reach: None,
            time: 0,
            peers: vec![],
        };
        let manifest = draft.unsigned(address).expect("a manifest");
        folders.save_manifest(&manifest).expect("room");
        let short = |hash: &Digest| {
            let (first, _) = hash.as_bytes().split_first_chunk().expect("it has 32");
            u64::from_be_bytes(*first)
        };
        last = manifest.chunk_hashes().iter().map(short).collect();
        last.sort_unstable();
        sketches.push((manifest.id(), last[..SKETCH].to_vec()));
        rows.push(ContainerRow {
            manifest_id: manifest.id(),
            program_id: manifest.program_id(),
            name: manifest.name().to_owned(),
            size: manifest.layout().size(),
            chunks: manifest.layout().chunk_count(),
            path: Some(home.join("elsewhere")),
            pin: Pin::Loose,
            kept: 0,
            manifest_bytes: manifest.to_json().len() as u64,
            used: number,
        });
    }
    let state = State::open(home);
    state.keep_containers(rows).expect("room");
    state.keep_sketches(sketches).expect("room");
    last
}

/// Milliseconds that a node takes to start in this home, and the KiB that the process has then.
fn started(home: &Path, rounds: usize) -> (f64, u64) {
    let runtime = runtime::runtime();
    let mut resident = 0;
    let took = median((0..rounds).map(|_| {
        let mut config = Config::new(home, Wallet::generate().expect("randomness"));
        let loopback = "127.0.0.1:0".parse().expect("an address");
        config.listen = swarmhold::Listen::At(loopback);
        config.serving = Serving::Library;
        let watch = Stopwatch::start();
        let node = runtime.block_on(Node::start(config)).expect("a node");
        let took = watch.elapsed().as_secs_f64() * 1e3;
        resident = resident_kib();
        runtime.block_on(node.stop());
        took
    }));
    (took, resident)
}

/// Memory of this process, in KiB; 0 where the system does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Milliseconds that something takes.
fn timed(rounds: usize, mut work: impl FnMut()) -> f64 {
    median((0..rounds).map(|_| {
        let watch = Stopwatch::start();
        work();
        watch.elapsed().as_secs_f64() * 1e3
    }))
}
