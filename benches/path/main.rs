//! The path of a chunk: what the disk, the processor, the compressor and the first round trips cost,
//! each beside what the same machine could do at best in the same run.
//!
//! ```text
//! cargo bench --bench path                               every case
//! cargo bench --bench path -- large --size 10GiB --rounds 1
//! cargo bench --bench path -- rootfs --file IMAGE        a container of your own instead of a tar
//! cargo bench --bench path -- --quick                    small and once, to see that it runs
//! ```
//!
//! | case | what it asks |
//! |---|---|
//! | `large` | is a large container as fast as one of 1 GiB, and how much memory does it take? |
//! | `rootfs` | what does compression give on a line of 100 Mbit/s, and does it cost anything on loopback? |
//! | `noise` | what does it cost to find out that content does not shrink? |
//! | `mebibyte` | how long does 1 MiB take from a peer that is connected already? |
//! | `first-chunk` | how long is it from the dial to the first chunk? |
//! | `create` | how fast is a container hashed, against what one core can do? |
//! | `fifty` | are fifty peers together as fast as one? |
//!
//! Each side of a transfer is a process of its own. Lines are emulated between sockets
//! (`benches/wan/wire.rs`).

mod ask;
#[path = "../common/choice.rs"]
mod choice;
#[path = "../common/cpu.rs"]
mod cpu;
mod create;
mod fifty;
#[path = "../common/figure.rs"]
mod figure;
mod first_chunk;
#[path = "../common/folder.rs"]
mod folder;
mod hold;
mod large;
mod line;
#[path = "../wan/link.rs"]
mod link;
mod mebibyte;
#[path = "../common/median.rs"]
mod median;
mod no_gain;
#[path = "../common/node.rs"]
mod node;
#[path = "../common/noise.rs"]
mod noise;
#[path = "../common/options.rs"]
mod options;
#[path = "../common/ours.rs"]
mod ours;
#[path = "../common/role.rs"]
mod role;
mod rootfs;
#[path = "../common/runtime.rs"]
mod runtime;
#[path = "../common/same.rs"]
mod same;
#[path = "../common/say.rs"]
mod say;
#[path = "../common/side.rs"]
mod side;
#[path = "../common/size.rs"]
mod size;
#[path = "../wan/waiting.rs"]
mod waiting;
#[path = "../wan/wire.rs"]
mod wire;

use std::path::PathBuf;

use choice::chosen;
use clap::{Parser, ValueEnum};
use figure::Figure;
use options::Common;
use role::{path_argument, text_argument};
use say::say;
use size::parse_size;

/// The path of a chunk, each part beside the best that this machine can do.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench path --",
    bin_name = "cargo bench --bench path --"
)]
pub(crate) struct Options {
    /// What to measure; all of it where none is named
    #[arg(value_enum)]
    cases: Vec<Case>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// How large the large container is, and the one that is hashed
    #[arg(long, default_value = "4GiB", value_parser = parse_size)]
    pub(crate) size: u64,
    /// How many peers serve at once, in `fifty`
    #[arg(long, default_value = "50")]
    pub(crate) peers: usize,
    /// A compressible container, instead of one made of this machine's own files
    #[arg(long)]
    pub(crate) file: Option<PathBuf>,
    /// Bytes of contents without an option are divided by this.
    #[arg(skip = 1u64)]
    pub(crate) scale: u64,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    Large,
    Rootfs,
    Noise,
    Mebibyte,
    FirstChunk,
    Create,
    Fifty,
}

impl Case {
    fn run(self, options: &Options) -> Vec<Figure> {
        match self {
            Self::Large => large::run(options),
            Self::Rootfs => rootfs::run(options),
            Self::Noise => no_gain::run(options),
            Self::Mebibyte => mebibyte::run(options),
            Self::FirstChunk => first_chunk::run(options),
            Self::Create => create::run(options),
            Self::Fifty => fifty::run(options),
        }
    }
}

fn main() {
    match role::own().as_deref() {
        Some(ours::SERVE) => return ours::serve(&path_argument(1), &path_argument(2)),
        Some(ours::FETCH) => {
            return ours::fetch(&text_argument(1), &path_argument(2), &path_argument(3));
        }
        Some(hold::ROLE) => return hold::play(),
        Some(ask::ROLE) => return ask::play(),
        Some(line::ROLE) => return line::play(),
        Some(role) => panic!("unknown role {role}"),
        None => {}
    }
    let mut options = Options::parse();
    if options.common.quick {
        (options.common.rounds, options.scale, options.size) = (1, 8, 256 << 20);
    }
    options.common.dir = options
        .common
        .dir
        .join(format!("swarmhold-path-{}", std::process::id()));
    std::fs::create_dir_all(&options.common.dir).expect("a folder for the bench");
    let mut figures = Vec::new();
    for (name, case) in chosen(&options.cases) {
        say(format!("\n{name}"));
        figures.extend(case.run(&options));
    }
    std::fs::remove_dir_all(&options.common.dir).expect("the bench's own folder");
    say(figure::table(&figures));
}
