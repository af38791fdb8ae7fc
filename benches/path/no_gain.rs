//! Content that does not shrink: which part of the serving process's CPU time goes to finding that
//! out, by samples of `perf` (Linux).

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Options;
use crate::figure::{Figure, Reach};
use crate::median::median;
use crate::noise::write_noise;
use crate::ours;
use crate::role;
use crate::same::check_and_remove;
use crate::say::say;

/// Large enough for chunks of 256 KiB, and small enough for those of 32 KiB.
const SIZES: [u64; 2] = [1 << 30, 128 << 20];
/// Samples per second of each thread's CPU time.
const FREQUENCY: &str = "4999";
/// How the functions of the compressor begin, and what samples for it is called.
const COMPRESSOR: [&str; 6] = ["ZSTD_", "HUF_", "FSE_", "HIST_", "ZSTDMT_", "Compressor"];

pub(crate) fn run(options: &Options) -> Vec<Figure> {
    if Command::new("perf").arg("--version").output().is_err() {
        say("  left out: there is no perf here");
        return Vec::new();
    }
    let content = options.common.dir.join("noise");
    let mut figures = Vec::new();
    let names = [
        "noise, chunks of 256 KiB: CPU of the compressor",
        "noise, chunks of 32 KiB: CPU of the compressor",
    ];
    for (size, what) in SIZES.into_iter().zip(names) {
        write_noise(&content, size / options.scale);
        let mut shares = Vec::new();
        for number in 0..options.common.rounds {
            let (of_it, all) = samples(&options.common.dir, &content, number);
            say(format!("  {what}: {of_it} of {all} samples"));
            shares.push(of_it as f64 / all as f64);
        }
        let share = median(shares);
        figures.push(Figure {
            what,
            measured: format!("{:.2} %", 100.0 * share),
            ideal: "0 %".to_owned(),
            ratio: share,
            reach: Reach::AtMost(0.01),
        });
    }
    std::fs::remove_file(content).expect("the content");
    figures
}

/// How many samples of a server's CPU time were taken in the compressor, and how many in all.
fn samples(dir: &Path, content: &Path, number: usize) -> (usize, usize) {
    let home = dir.join(format!("noise-serve-{number}"));
    let (server, link) = role::start(ours::SERVE, &[content.as_os_str(), home.as_os_str()]);
    let record = dir.join("perf.data");
    let mut perf = Command::new("perf")
        .args(["record", "-q", "-F", FREQUENCY, "-o"])
        .arg(&record)
        .args(["-p", &server.id().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .expect("perf runs");
    let (home, copy) = (dir.join(format!("noise-fetch-{number}")), dir.join("copy"));
    let arguments: [&OsStr; 3] = [link.as_ref(), home.as_os_str(), copy.as_os_str()];
    role::last_line(role::start_child(ours::FETCH, &arguments));
    check_and_remove(content, &copy);
    role::stop(server);
    perf.wait().expect("it ends with what it watches");
    let script = Command::new("perf")
        .args(["script", "-F", "ip,sym", "-i"])
        .arg(&record)
        .stderr(Stdio::null())
        .output()
        .expect("perf reads what it wrote");
    std::fs::remove_file(record).expect("what perf wrote");
    let script = String::from_utf8_lossy(&script.stdout);
    let of_it = |line: &&str| COMPRESSOR.iter().any(|name| line.contains(name));
    let all = script.lines().filter(|line| !line.trim().is_empty());
    (all.clone().filter(of_it).count(), all.count())
}
