//! What the benchmarks have in common on their command lines.

use std::path::PathBuf;

use clap::Args;

use crate::folder::memory_or_temporary;
use crate::median::parse_rounds;

/// What every benchmark takes that runs in rounds and writes files.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// How often everything runs; medians count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = parse_rounds)]
    pub(crate) rounds: usize,
    /// Where the files lie while it runs
    #[arg(long, default_value_os_t = memory_or_temporary())]
    pub(crate) dir: PathBuf,
    /// Small and once, to see that it runs
    #[arg(long)]
    pub(crate) quick: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}
