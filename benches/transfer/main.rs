//! One seeder, one leecher, loopback, incompressible: swarmhold beside raw quinn, in one run.
//!
//! `cargo bench --bench transfer [-- --size 1GiB --rounds 3 --dir FOLDER]`
//!
//! Each side of each transfer is a process of its own, so that its CPU time and its peak memory are
//! its own. The two programs take turns, and what is printed are medians and the ratio of each
//! round's pair: figures of a noisy machine mean little alone.
//!
//! There are two references, both quinn on a current-thread runtime with ACK frequency and no send
//! fairness, hashing and writing on another thread: one with a stream for each 32 KiB and quinn's own
//! datagrams, one with jumbo frames and streams as long as ours. Each hashes what comes once; swarmhold
//! also verifies what it sends, and hashes the whole.

#[path = "../common/cpu.rs"]
mod cpu;
#[path = "../common/folder.rs"]
mod folder;
#[path = "../common/median.rs"]
mod median;
#[path = "../common/node.rs"]
mod node;
#[path = "../common/noise.rs"]
mod noise;
#[path = "../common/options.rs"]
mod options;
#[path = "../common/ours.rs"]
mod ours;
mod raw;
mod report;
#[path = "../common/role.rs"]
mod role;
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

use std::path::Path;

use clap::Parser;
use median::median;
use noise::write_noise;
use options::Common;
use raw::Tuning;
use report::Round;
use role::{path_argument, text_argument};
use same::check_and_remove;
use say::say;
use side::{Pair, Side};
use size::parse_size;

/// Bytes of a datagram of the second reference: as many as swarmhold's have.
const LARGE: &str = "8952";

/// A transfer over loopback, beside raw quinn.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench transfer --",
    bin_name = "cargo bench --bench transfer --"
)]
struct Options {
    /// How large the container is
    #[arg(long, default_value = "1GiB", value_parser = parse_size)]
    size: u64,
    #[command(flatten)]
    common: Common,
}

fn main() {
    match role::own().as_deref() {
        Some("raw-serve") => raw::serve(&path_argument(1), Tuning::parse(&text_argument(2))),
        Some("raw-fetch") => raw::fetch(
            &text_argument(1),
            &path_argument(2),
            Tuning::parse(&text_argument(3)),
        ),
        Some(ours::SERVE) => ours::serve(&path_argument(1), &path_argument(2)),
        Some(ours::FETCH) => ours::fetch(&text_argument(1), &path_argument(2), &path_argument(3)),
        Some(role) => panic!("unknown role {role}"),
        None => {
            let mut options = Options::parse();
            if options.common.quick {
                (options.size, options.common.rounds) = (128 << 20, 1);
            }
            run(&options);
        }
    }
}

fn run(options: &Options) {
    let dir = options
        .common
        .dir
        .join(format!("swarmhold-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder for the bench");
    let content = dir.join("content");
    say(format!(
        "transfer: {} MiB of noise over loopback, in {}",
        options.size >> 20,
        options.common.dir.display()
    ));
    write_noise(&content, options.size);
    let mut rounds = Vec::new();
    for number in 1..=options.common.rounds {
        let round = Round {
            raw: raw_round(&dir, &content, "small"),
            large: raw_round(&dir, &content, LARGE),
            ours: ours_round(&dir, &content, number),
        };
        say(format!("round {number}: {}", round.line(options.size)));
        rounds.push(round);
    }
    say(report::table(&rounds, options.size));
    let small = dir.join("small");
    write_noise(&small, 32 * 1024);
    let first = (0..5).map(|n| ours_round(&dir, &small, 100 + n).fetch.seconds * 1e3);
    say(format!(
        "handshake, manifest and first chunk, to a finished 32 KiB file: {:.1} ms (median of 5)",
        median(first)
    ));
    std::fs::remove_dir_all(&dir).expect("the bench's own folder");
}

fn raw_round(dir: &Path, content: &Path, tuning: &str) -> Pair {
    let arguments = [content.as_os_str(), tuning.as_ref()];
    let (server, address) = role::start("raw-serve", &arguments);
    let copy = dir.join("raw-copy");
    let arguments = [address.as_ref(), copy.as_os_str(), tuning.as_ref()];
    let fetch = Side::parse(&role::last_line(role::start_child("raw-fetch", &arguments)));
    check_and_remove(content, &copy);
    let serve = Side::parse(&role::stop(server));
    Pair { serve, fetch }
}

fn ours_round(dir: &Path, content: &Path, number: usize) -> Pair {
    let copy = dir.join("our-copy");
    let pair = ours::transfer(dir, content, &copy, number);
    check_and_remove(content, &copy);
    pair
}
