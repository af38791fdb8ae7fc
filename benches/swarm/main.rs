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
#[path = "../common/runtime.rs"]
mod runtime;
#[path = "../common/say.rs"]
mod say;
mod sixteen;
mod slow_seeder;
mod stage;
mod watcher;

use std::path::PathBuf;

use figure::Figure;
use folder::memory_or_temporary;
use runtime::runtime;
use say::say;

/// Which process this is; unset in the one that the user starts.
const ROLE: &str = "SWARMHOLD_BENCH_ROLE";

/// What the command line asks for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    cases: Vec<Case>,
    /// How often each case runs; its median counts.
    pub(crate) rounds: usize,
    /// Bytes are divided by this: 1, or more where only a look is wanted.
    pub(crate) scale: u64,
    /// Where the files lie while it runs.
    pub(crate) dir: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    FourSeeders,
    SlowSeeder,
    KilledSeeder,
    Sixteen,
}

impl Case {
    const ALL: [(&str, Self); 4] = [
        ("four-seeders", Self::FourSeeders),
        ("slow-seeder", Self::SlowSeeder),
        ("killed-seeder", Self::KilledSeeder),
        ("sixteen-leechers", Self::Sixteen),
    ];

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
    let options = options();
    let mut figures = Vec::new();
    for (name, case) in Case::ALL {
        if options.cases.contains(&case) {
            say(format!("\n{name}"));
            figures.extend(case.run(&options));
        }
    }
    say(figure::table(&figures));
}

fn options() -> Options {
    let mut options = Options {
        cases: Vec::new(),
        rounds: 3,
        scale: 1,
        dir: memory_or_temporary(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .unwrap_or_else(|| panic!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--rounds" => options.rounds = value().parse().expect("--rounds takes a number"),
            "--dir" => options.dir = value().into(),
            "--quick" => (options.rounds, options.scale) = (1, 8),
            "--bench" => {}
            name => options.cases.push(case_of(name)),
        }
    }
    assert!(options.rounds > 0, "--rounds takes 1 or more");
    if options.cases.is_empty() {
        options.cases = Case::ALL.map(|(_, case)| case).to_vec();
    }
    options
}

fn case_of(name: &str) -> Case {
    let known = Case::ALL.iter().find(|(case, _)| *case == name);
    known
        .unwrap_or_else(|| {
            let names = Case::ALL.map(|(name, _)| name).join(", ");
            panic!("no case or option is called {name}; the cases are {names}")
        })
        .1
}
