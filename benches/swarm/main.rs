//! Real nodes over loopback against what their limits allow: one leecher and several seeders, or
//! many leechers and one.
//!
//! ```text
//! cargo bench --bench swarm                                    every case
//! cargo bench --bench swarm -- four-seeders                    one of them
//! cargo bench --bench swarm -- killed-seeder --rounds 5 --dir FOLDER
//! cargo bench --bench swarm -- --quick                         small and once, to see that it runs
//! ```
//!
//! Every node has a thread, a socket and workers of its own, as in production. What limits a transfer
//! is the upload limit of each node, chosen so low that the processor is idle for more than half of
//! the time: the CPU share of each run is printed, and where it is over a half the figures speak of the
//! machine. Each case prints what was measured, the ideal of the same run, their ratio, and the reach
//! that was asked for. A noisy machine is answered with rounds and medians; `chrt -r 5` before the
//! command helps where it is allowed.

#[path = "../common/choice.rs"]
mod choice;
#[path = "../common/cpu.rs"]
mod cpu;
#[path = "../common/figure.rs"]
mod figure;
#[path = "../common/folder.rs"]
mod folder;
mod four_seeders;
mod killed_seeder;
mod load;
#[path = "../common/median.rs"]
mod median;
#[path = "../common/node.rs"]
mod node;
#[path = "../common/noise.rs"]
mod noise;
#[path = "../common/options.rs"]
mod options;
#[path = "../common/runtime.rs"]
mod runtime;
#[path = "../common/say.rs"]
mod say;
mod sixteen;
mod slow_seeder;
mod stage;
mod watcher;

use choice::chosen;
use clap::{Parser, ValueEnum};
use figure::Figure;
use options::Common;
use runtime::runtime;
use say::say;

/// Which process this is; unset in the one that the user starts.
const ROLE: &str = "SWARMHOLD_BENCH_ROLE";

/// Real nodes over loopback against what their limits allow.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench swarm --",
    bin_name = "cargo bench --bench swarm --"
)]
pub(crate) struct Options {
    /// What to measure; all of it where none is named
    #[arg(value_enum)]
    cases: Vec<Case>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Bytes are divided by this.
    #[arg(skip = 1u64)]
    pub(crate) scale: u64,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    FourSeeders,
    SlowSeeder,
    KilledSeeder,
    #[value(name = "sixteen-leechers")]
    Sixteen,
}

impl Case {
    fn run(self, options: &Options) -> Vec<Figure> {
        runtime().block_on(async {
            match self {
                Self::FourSeeders => four_seeders::run(options).await,
                Self::SlowSeeder => slow_seeder::run(options).await,
                Self::KilledSeeder => killed_seeder::run(options).await,
                Self::Sixteen => sixteen::run(options).await,
            }
        })
    }
}

fn main() {
    if std::env::var(ROLE).is_ok_and(|role| role == killed_seeder::ROLE) {
        return runtime().block_on(killed_seeder::serve());
    }
    let mut options = Options::parse();
    if options.common.quick {
        (options.common.rounds, options.scale) = (1, 8);
    }
    let mut figures = Vec::new();
    for (name, case) in chosen(&options.cases) {
        say(format!("\n{name}"));
        figures.extend(case.run(&options));
    }
    say(figure::table(&figures));
}
