//! What syncing costs: the real program fetches over loopback onto a real disk, as it is and with every
//! sync made to do nothing, in turn.
//!
//! Syncs are switched off from outside, by libeatmydata (Debian: libeatmydata1), which answers `fsync`
//! and `fdatasync` at once, SQLite's too. So what differs between the two is the syncs and the waiting for
//! them; writing down what is safe happens in both.
//!
//! ```text
//! cargo bench --bench store -- --dir TARGET --size 512MiB --rounds 7
//! ```
//!
//! The folder must be on a disk, not in memory. Each round begins with nothing left to be written.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;

#[path = "../common/folder.rs"]
mod folder;
#[path = "../common/median.rs"]
mod median;
#[path = "../common/noise.rs"]
mod noise;
#[path = "../common/options.rs"]
mod options;
#[path = "../common/say.rs"]
mod say;
#[path = "../common/sharing.rs"]
mod sharing;
#[path = "../common/size.rs"]
mod size;

use median::median;
use options::Common;
use say::say;
use sharing::{Sharing, swarmhold};

/// What fetching may lose by syncing.
const COST_MAX: f64 = 0.05;
/// Where Debian puts the library, by architecture.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/libeatmydata.so",
    "/usr/lib/aarch64-linux-gnu/libeatmydata.so",
    "/usr/lib/libeatmydata.so",
];

/// Speed of a fetch with syncs and without.
///
/// The folder must be on a disk, not in memory.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench store --",
    bin_name = "cargo bench --bench store --"
)]
#[command(mut_arg("rounds", |rounds| rounds.default_value("7")))]
#[command(mut_arg("dir", |dir| dir.default_value(".")))]
struct Options {
    /// Size of the container
    #[arg(long, default_value = "512MiB", value_parser = size::parse_size)]
    size: u64,
    #[command(flatten)]
    common: Common,
}

/// Fetches once. Returns bytes per second, from start to end of the process.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn fetch(folder: &Path, link: &str, preload: Option<&Path>, size: u64) -> f64 {
    let output = folder.join("copy");
    let mut command = swarmhold(folder, "bob");
    command
        .args(["get", link.trim(), "-q", "--listen", "127.0.0.1:0", "-o"])
        .arg(&output)
        .stdout(Stdio::null());
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library);
    }
    // what others have to write is theirs
    let synced = Command::new("sync").status();
    assert!(synced.is_ok_and(|status| status.success()), "sync runs");
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    let status = command.status().expect("the program starts");
    let time = start.elapsed();
    assert!(status.success(), "the fetch failed: {status}");
    std::fs::remove_file(output).expect("it is there");
    size as f64 / time.as_secs_f64()
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.common.quick {
        (options.common.rounds, options.size) = (1, 64 << 20);
    }
    let library = LIBRARIES.iter().map(Path::new).find(|path| path.exists());
    let Some(library) = library else {
        say("skipped: there is no libeatmydata (Debian: libeatmydata1)");
        return ExitCode::SUCCESS;
    };
    let folder = tempfile::tempdir_in(&options.common.dir).expect("a folder on the disk");
    let container = folder.path().join("noise");
    noise::write_noise(&container, options.size);
    let sharing = Sharing::start(folder.path(), &container);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let measure = |preload| fetch(folder.path(), &sharing.link, preload, options.size) / 1e6;
    measure(None);
    for round in 1..=options.common.rounds {
        // who begins takes turns too
        let (synced, unsynced) = if round % 2 == 0 {
            let unsynced = measure(Some(library));
            (measure(None), unsynced)
        } else {
            let synced = measure(None);
            (synced, measure(Some(library)))
        };
        say(format!(
            "round {round}: {synced:.0} MB/s, without syncs {unsynced:.0} MB/s"
        ));
        with.push(synced);
        without.push(unsynced);
    }
    let ratios = with
        .iter()
        .zip(&without)
        .map(|(with, without)| with / without);
    let cost = 1.0 - median(ratios.collect::<Vec<_>>());
    say(format!(
        "median {:.0} MB/s, without syncs {:.0} MB/s; syncing costs {:.1} % (median of the rounds), asked: at most {:.0} %",
        median(with),
        median(without),
        100.0 * cost,
        100.0 * COST_MAX,
    ));
    match cost <= COST_MAX {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
