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
#[path = "../wan/wire.rs"]
mod wire;

use std::path::PathBuf;

use figure::Figure;
use folder::memory_or_temporary;
use role::{path_argument, text_argument};
use say::say;
use size::parse_size;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    cases: Vec<Case>,
    /// How often each case runs; its median counts.
    pub(crate) rounds: usize,
    /// Bytes of the large container, and of the one that is hashed.
    pub(crate) size: u64,
    /// Bytes of other contents are divided by this: 1, or more where only a look is wanted.
    pub(crate) scale: u64,
    /// A compressible container, where it is not to be made of this machine's own files.
    pub(crate) file: Option<PathBuf>,
    /// Where the files lie while it runs.
    pub(crate) dir: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    const ALL: [(&str, Self); 7] = [
        ("large", Self::Large),
        ("rootfs", Self::Rootfs),
        ("noise", Self::Noise),
        ("mebibyte", Self::Mebibyte),
        ("first-chunk", Self::FirstChunk),
        ("create", Self::Create),
        ("fifty", Self::Fifty),
    ];

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
    let mut options = options();
    options.dir = options
        .dir
        .join(format!("swarmhold-path-{}", std::process::id()));
    std::fs::create_dir_all(&options.dir).expect("a folder for the bench");
    let mut figures = Vec::new();
    for (name, case) in Case::ALL {
        if options.cases.contains(&case) {
            say(format!("\n{name}"));
            figures.extend(case.run(&options));
        }
    }
    std::fs::remove_dir_all(&options.dir).expect("the bench's own folder");
    say(figure::table(&figures));
}

fn options() -> Options {
    let mut options = Options {
        cases: Vec::new(),
        rounds: 3,
        size: 4 << 30,
        scale: 1,
        file: None,
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
            "--size" => options.size = parse_size(&value()),
            "--file" => options.file = Some(value().into()),
            "--dir" => options.dir = value().into(),
            "--quick" => (options.rounds, options.scale, options.size) = (1, 8, 256 << 20),
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
