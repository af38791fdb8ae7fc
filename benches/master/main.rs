//! What a SwarmMaster bears: a master in a process of its own, and clients over loopback that ask at a
//! fixed rate, whether they are answered or not.
//!
//! ```text
//! cargo bench --bench master -- --rows 100000
//! cargo bench --bench master -- --rows 1000000 --names NAMES.txt --folder TARGET --only search
//! cargo bench --bench master -- --rows 100000 --index postgres://USER@HOST/DATABASE
//! ```
//!
//! The index is filled first, by the store's own changes, with names from a file, one a line (all but the
//! first word of a line is left out), or with made-up ones. With `--folder` it is kept there and filled once.
//! Latency counts from the moment at which a request was due, so one that had to wait has waited. `cpu` is how many
//! cores the master took, and its clients.
//!
//! `fill` makes the index, `load` asks at a rate, `clients` are the connections, `questions` what they
//! ask, `idle` counts what a connection costs that says nothing.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a client waits for a few events and lets the others pass"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use swarmhold::node::{IndexPlace, MasterConfig, SwarmMaster};
use swarmhold::{Digest, Listen, Wallet};

mod clients;
#[path = "../common/cpu.rs"]
mod cpu;
mod fill;
mod idle;
mod load;
mod questions;
#[path = "../common/say.rs"]
mod say;

use say::say;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Only fill the index
    Fill,
    /// Who holds a container, by its manifest id
    Lookup,
    /// Names by words
    Search,
    /// Names by how they begin
    Prefix,
    /// Names by regular expressions with three letters in them
    Regex,
    /// Names by one or two letters
    Short,
    /// Registrations of new containers, each with its manifest and its sample
    Register,
    /// Names by words, while others register new containers
    Mixed,
    /// Twice as many searches as can be answered
    Overload,
    /// Memory of connections that say nothing
    Idle,
}

/// How much a SwarmMaster bears.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Containers in the index
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rows: u32,
    /// Names to fill it with, one a line
    #[arg(long)]
    pub(crate) names: Option<PathBuf>,
    /// Keep the index here
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Keep the index in this PostgreSQL database
    #[arg(long)]
    index: Option<String>,
    /// Measure only these
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Requests a second, instead of the usual rates
    #[arg(long)]
    pub(crate) rate: Vec<u32>,
    /// Registrations a second beside the searches of the mixed part
    #[arg(long, default_value_t = 500)]
    pub(crate) beside: u32,
    /// Seconds at each rate
    #[arg(long, default_value_t = 4)]
    pub(crate) seconds: u64,
    /// Connections for the idle part
    #[arg(long, default_value_t = 5000)]
    pub(crate) idle: u32,
    /// Runs the master
    #[arg(long, hide = true)]
    serve: bool,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The master's process.
pub(crate) struct Server {
    child: Child,
    pub(crate) hint: String,
}

impl Server {
    fn start(folder: &Path, index: Option<&str>) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .arg("--serve")
            .arg("--folder")
            .arg(folder)
            .args(index.iter().flat_map(|url| ["--index", url]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts once more");
        let stdout = child.stdout.take().expect("it is piped");
        let mut hint = String::new();
        let read = BufReader::new(stdout).read_line(&mut hint);
        read.expect("a master says where it is");
        let hint = hint.trim().to_owned();
        Self { child, hint }
    }

    /// CPU time of the master and of its clients so far, in seconds.
    pub(crate) fn cpu_s(&self) -> [f64; 2] {
        [cpu::cpu_s_of(&self.child.id().to_string()), cpu::cpu_s()]
    }

    /// Resident memory in KiB (proc(5), `VmRSS` of `status`).
    pub(crate) fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("this bench runs on Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("it has memory")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // it ends with its input
        let _ = self.child.wait();
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = options.folder.clone();
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    let place = match &options.index {
        Some(url) => IndexPlace::Postgres(url.parse().expect("a database")),
        None => IndexPlace::in_folder(&folder),
    };
    if options.serve {
        serve(&folder, place);
        return ExitCode::SUCCESS;
    }
    let names = fill::names(&options);
    fill::fill(&place, &names);
    let all = Part::value_variants().to_vec();
    let parts = if options.only.is_empty() {
        all
    } else {
        options.only.clone()
    };
    let mut is_good = true;
    for part in parts.into_iter().filter(|part| *part != Part::Fill) {
        let server = Server::start(&folder, options.index.as_deref());
        is_good &= match part {
            Part::Idle => idle::measure(&server, options.idle),
            _ => load::measure(&server, &options, part, &names),
        };
    }
    match is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Runs a master until the input ends.
fn serve(folder: &Path, index: IndexPlace) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let wallet = Wallet::from_seed(*Digest::of(b"master").as_bytes());
        let listen = Listen::At(([127, 0, 0, 1], 0).into());
        let mut config = MasterConfig::new(folder, wallet, listen);
        config.index = index;
        let master = SwarmMaster::start(config).await.expect("a master starts");
        say(master.hint());
        let ended = tokio::task::spawn_blocking(|| {
            let mut rest = Vec::new();
            std::io::stdin().read_to_end(&mut rest)
        });
        // either way it is over
        let _ = ended.await;
        master.stop().await;
    });
}
