//! swarmhold's congestion control beside quinn's and the kernel's, on long, lossy and shared lines.
//!
//! `cargo bench --bench wan [-- grid | start | share | ecn | real | beside | echo] [--line TEXT]
//! [--pair TEXT] [--quick]`
//!
//! * `grid`: one flow, each controller, each line, in virtual time (`lab.rs`): goodput as a share of
//!   the link, and how long packets wait at the bottleneck. The machine's load changes nothing.
//! * `start`: the first seconds of one flow on narrow lines with short buffers, in virtual time.
//! * `share`: two flows on one line, in virtual time.
//! * `ecn`: one flow on a line that marks packets before it drops any, in virtual time.
//! * `real`: the grid between two hosts (`room.rs`): network namespaces, their kernel's sockets, and a
//!   line between them. quinn alone, and node to node.
//! * `beside`: two flows between two hosts, of nodes and of the kernel's TCP.
//! * `echo`: what an interactive flow feels beside a download.
//!
//! Without a name, all of them. The last three take root. `--quick` is the smoke form: few lines, short
//! runs.

mod beside;
#[path = "../common/choice.rs"]
mod choice;
mod control;
mod echo;
mod ecn;
mod flow;
#[path = "../common/folder.rs"]
mod folder;
mod grid;
mod host;
mod lab;
mod line;
mod link;
mod meter;
mod nodes;
#[path = "../common/noise.rs"]
mod noise;
mod pair;
mod quic;
mod real;
#[path = "../common/role.rs"]
mod role;
mod room;
#[path = "../common/runtime.rs"]
mod runtime;
#[path = "../common/say.rs"]
mod say;
#[cfg(target_os = "linux")]
mod segments;
mod share;
mod stage;
mod start;
mod tcp;
#[cfg(target_os = "linux")]
mod tun;
mod waiting;

use choice::chosen;
use clap::{Parser, ValueEnum};
use say::say;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every line, long enough to settle.
    Full,
    /// Enough to see that it runs.
    Quick,
}

impl Extent {
    /// What is for the one, or what is for the other.
    pub(crate) fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// Congestion control on long, lossy and shared lines.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench wan --",
    bin_name = "cargo bench --bench wan --"
)]
struct Options {
    /// What to measure; all of it where none is named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Few lines and short runs, to see that it runs
    #[arg(long)]
    quick: bool,
    /// Only lines in whose names this is, such as "200 ms 256 KiB", in `grid`, `share`, `real` and `beside`
    #[arg(long, value_name = "TEXT", default_value = "")]
    line: String,
    /// Only pairs in whose names this is, such as "tcp cubic", in `share` and `beside`
    #[arg(long, value_name = "TEXT", default_value = "")]
    pair: String,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Grid,
    Start,
    Share,
    Ecn,
    Real,
    Beside,
    Echo,
}

fn main() {
    if let Some(role) = role::own() {
        return play(&role);
    }
    let options = Options::parse();
    let extent = if options.quick {
        Extent::Quick
    } else {
        Extent::Full
    };
    for (_, part) in chosen(&options.parts) {
        match part {
            Part::Grid => grid::run(extent, &options.line),
            Part::Start => start::run(extent),
            Part::Share => share::run(extent, &options.line, &options.pair),
            Part::Ecn => ecn::run(extent),
            Part::Real => real::run(extent, &options.line),
            Part::Beside => beside::run(extent, &options.line, &options.pair),
            Part::Echo => echo::run(extent),
        }
    }
}

/// What a child process does.
fn play(role: &str) {
    match role {
        #[cfg(target_os = "linux")]
        tun::ROLE => tun::play(),
        quic::SERVE => quic::serve(),
        quic::FETCH => quic::fetch(),
        tcp::SERVE => tcp::serve(),
        tcp::FETCH => tcp::fetch(),
        nodes::SERVE => nodes::serve(),
        nodes::FETCH => nodes::fetch(),
        echo::SERVE => echo::serve(),
        echo::ASK => echo::ask(),
        other => panic!("unknown role {other}"),
    }
}
