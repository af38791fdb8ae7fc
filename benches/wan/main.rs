//! swarmhold's congestion control beside quinn's, on long, lossy and shared lines.
//!
//! `cargo bench --bench wan [-- grid | share | real] [--quick]`
//!
//! * `grid`: one flow, each controller, each line, in virtual time (`lab.rs`): goodput as a share of
//!   the link, and how long packets wait at the bottleneck. The machine's load changes nothing.
//! * `share`: two flows on one line, in virtual time.
//! * `real`: raw quinn and node to node, processes with sockets, through an emulator of the line in
//!   a process of its own (`wire.rs`). First the emulator alone, to see that it is not the limit.
//!
//! Without a name, all three. `--quick` is the smoke form: few lines, short runs.

mod control;
mod grid;
mod lab;
mod line;
mod link;
mod real;
mod share;
mod wire;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every line, long enough to settle.
    Full,
    /// Enough to see that it runs.
    Quick,
}

fn main() {
    if real::play() {
        return;
    }
    let mut extent = Extent::Full;
    let mut parts = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => extent = Extent::Quick,
            "--bench" => {}
            "grid" | "share" | "real" => parts.push(argument),
            other => panic!("unknown argument {other}; see the head of benches/wan/main.rs"),
        }
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    if wants("grid") {
        grid::run(extent);
    }
    if wants("share") {
        share::run(extent);
    }
    if wants("real") {
        real::run(extent);
    }
}

/// Prints a line for people, or for the parent process.
#[expect(
    clippy::print_stdout,
    reason = "a benchmark's result is what it prints"
)]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
