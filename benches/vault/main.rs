//! What the vault costs: the real program fetches over loopback into its own folder, in the open and
//! encrypted, in turn.
//!
//! ```text
//! cargo bench --bench vault -- --dir TARGET --size 1GiB --rounds 7
//! ```
//!
//! In memory (`--dir /dev/shm`) nothing but the encryption is between the two; on a disk there is the disk
//! as well.

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

/// What fetching may lose by being encrypted.
const COST_MAX: f64 = 0.15;

/// Speed of a fetch into the vault and beside it.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench vault --",
    bin_name = "cargo bench --bench vault --"
)]
#[command(mut_arg("rounds", |rounds| rounds.default_value("7")))]
#[command(mut_arg("dir", |dir| dir.default_value(".")))]
struct Options {
    /// Size of the container
    #[arg(long, default_value = "1GiB", value_parser = size::parse_size)]
    size: u64,
    #[command(flatten)]
    common: Common,
}

/// Fetches once. Returns bytes per second, from start to end of the process.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn fetch(folder: &Path, link: &str, more: &[&str], size: u64) -> f64 {
    let get = ["get", link.trim(), "-q", "--listen", "127.0.0.1:0"];
    let mut command = swarmhold(folder, "bob");
    command.args(get).args(more).stdout(Stdio::null());
    // what others have to write is theirs
    let synced = Command::new("sync").status();
    assert!(synced.is_ok_and(|status| status.success()), "sync runs");
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    let status = command.status().expect("the program starts");
    let time = start.elapsed();
    assert!(status.success(), "the fetch failed: {status}");
    let removed = swarmhold(folder, "bob")
        .args(["rm", "--yes", "-q", "noise"])
        .stdout(Stdio::null())
        .status();
    assert!(removed.is_ok_and(|status| status.success()), "it is known");
    size as f64 / time.as_secs_f64()
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.common.quick {
        (options.common.rounds, options.size) = (1, 64 << 20);
    }
    let folder = tempfile::tempdir_in(&options.common.dir).expect("a folder");
    let container = folder.path().join("noise");
    noise::write_noise(&container, options.size);
    let sharing = Sharing::start(folder.path(), &container);
    let measure = |more: &[&str]| fetch(folder.path(), &sharing.link, more, options.size) / 1e6;
    measure(&["--vault"]);
    let (mut sealed, mut open) = (Vec::new(), Vec::new());
    for round in 1..=options.common.rounds {
        // who begins takes turns too
        let (into_vault, beside) = if round % 2 == 0 {
            let beside = measure(&[]);
            (measure(&["--vault"]), beside)
        } else {
            let into_vault = measure(&["--vault"]);
            (into_vault, measure(&[]))
        };
        say(format!(
            "round {round}: {into_vault:.0} MB/s into the vault, {beside:.0} MB/s in the open"
        ));
        sealed.push(into_vault);
        open.push(beside);
    }
    let ratios = sealed.iter().zip(&open).map(|(sealed, open)| sealed / open);
    let cost = 1.0 - median(ratios.collect::<Vec<_>>());
    say(format!(
        "median {:.0} MB/s into the vault, {:.0} MB/s in the open; encrypting costs {:.1} % (median of the rounds), asked: at most {:.0} %",
        median(sealed),
        median(open),
        100.0 * cost,
        100.0 * COST_MAX,
    ));
    match cost <= COST_MAX {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
