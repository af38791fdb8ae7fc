//! One seeder, one leecher, loopback, incompressible: swarmhold beside raw quinn, in one run.
//!
//! `cargo bench --bench transfer [-- --size 1GiB --rounds 3 --dir FOLDER]`
//!
//! Each side of each transfer is a process of its own, so that its CPU time and its peak memory are
//! its own. The two programs take turns, and what is printed are medians and the ratio of each
//! round's pair: figures of a noisy machine mean little alone.
//!
//! The reference is quinn as fast as it is known to go with one stream for each 32 KiB chunk: a
//! current-thread runtime, ACK frequency, no send fairness, hashing and writing on another thread.
//! It checks each chunk once; swarmhold also hashes what it sends, and the whole at the end.

mod ours;
mod raw;
mod report;
mod usage;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use report::{Round, Side, say};

/// Which process this is; unset in the one that the user starts.
const ROLE: &str = "SWARMHOLD_BENCH_ROLE";

struct Options {
    size: u64,
    rounds: usize,
    dir: PathBuf,
}

fn main() {
    match std::env::var(ROLE).ok().as_deref() {
        Some("raw-serve") => raw::serve(&path_argument(1)),
        Some("raw-fetch") => raw::fetch(&text_argument(1), &path_argument(2)),
        Some("ours-serve") => ours::serve(&path_argument(1), &path_argument(2)),
        Some("ours-fetch") => ours::fetch(&text_argument(1), &path_argument(2), &path_argument(3)),
        Some(role) => panic!("unknown role {role}"),
        None => run(&options()),
    }
}

fn run(options: &Options) {
    let dir = options
        .dir
        .join(format!("swarmhold-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder for the bench");
    let content = dir.join("content");
    say(format!(
        "transfer: {} MiB of noise over loopback, in {}",
        options.size >> 20,
        options.dir.display()
    ));
    write_noise(&content, options.size);
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        let round = Round {
            raw: raw_round(&dir, &content),
            ours: ours_round(&dir, &content, number),
        };
        say(format!("round {number}: {}", round.line(options.size)));
        rounds.push(round);
    }
    say(report::table(&rounds, options.size));
    let small = dir.join("small");
    write_noise(&small, 32 * 1024);
    let mut first: Vec<f64> = (0..5)
        .map(|n| ours_round(&dir, &small, 100 + n).fetch.seconds * 1e3)
        .collect();
    first.sort_by(f64::total_cmp);
    say(format!(
        "handshake, manifest and first chunk, to a finished 32 KiB file: {:.1} ms (median of 5)",
        first[2]
    ));
    std::fs::remove_dir_all(&dir).expect("the bench's own folder");
}

fn raw_round(dir: &Path, content: &Path) -> report::Pair {
    let (mut server, address) = start("raw-serve", &[content.as_os_str()]);
    let copy = dir.join("raw-copy");
    let fetch = finish(start_child(
        "raw-fetch",
        &[address.as_ref(), copy.as_os_str()],
    ));
    check(content, &copy);
    report::Pair {
        serve: stop(&mut server),
        fetch,
    }
}

fn ours_round(dir: &Path, content: &Path, number: usize) -> report::Pair {
    let home = dir.join(format!("serve-{number}"));
    let (mut server, link) = start("ours-serve", &[content.as_os_str(), home.as_os_str()]);
    let (home, copy) = (dir.join(format!("fetch-{number}")), dir.join("our-copy"));
    let fetch = finish(start_child(
        "ours-fetch",
        &[link.as_ref(), home.as_os_str(), copy.as_os_str()],
    ));
    check(content, &copy);
    report::Pair {
        serve: stop(&mut server),
        fetch,
    }
}

fn check(content: &Path, copy: &Path) {
    let same = Command::new("cmp")
        .arg(content)
        .arg(copy)
        .status()
        .expect("cmp runs");
    assert!(same.success(), "{} is not what was sent", copy.display());
    std::fs::remove_file(copy).expect("the copy");
}

/// Starts a server and waits for the line that says where it is.
fn start(role: &str, arguments: &[&std::ffi::OsStr]) -> (Child, String) {
    let mut child = start_child(role, arguments);
    let line = next_line(&mut child);
    (child, line)
}

fn start_child(role: &str, arguments: &[&std::ffi::OsStr]) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .env(ROLE, role)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().expect("a process of this program")
}

/// Lets a server end by closing its input, and takes its figures.
fn stop(server: &mut Child) -> Side {
    drop(server.stdin.take());
    let side = Side::parse(&next_line(server));
    server.wait().expect("it ends");
    side
}

fn finish(mut child: Child) -> Side {
    let side = Side::parse(&next_line(&mut child));
    assert!(child.wait().expect("it ends").success(), "a fetch failed");
    side
}

fn next_line(child: &mut Child) -> String {
    let mut line = Vec::new();
    let mut byte = BufReader::with_capacity(1, child.stdout.as_mut().expect("piped"));
    byte.read_until(b'\n', &mut line).expect("a line");
    String::from_utf8(line).expect("text").trim().to_owned()
}

fn write_noise(path: &Path, size: u64) {
    let mut file = File::create(path).expect("a file for the content");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = size;
    while left > 0 {
        let block: Vec<u8> = (0..8192)
            .flat_map(|_| splitmix(&mut state).to_le_bytes())
            .collect();
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..part])
            .expect("room for the content");
        left -= part as u64;
    }
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn options() -> Options {
    let memory = PathBuf::from("/dev/shm");
    let dir = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let mut options = Options {
        size: 1 << 30,
        rounds: 3,
        dir,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .unwrap_or_else(|| panic!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--size" => options.size = parse_size(&value()),
            "--rounds" => options.rounds = value().parse().expect("--rounds takes a number"),
            "--dir" => options.dir = value().into(),
            "--quick" => (options.size, options.rounds) = (128 << 20, 1),
            "--bench" => {}
            other => panic!("unknown argument {other}; see the head of benches/transfer/main.rs"),
        }
    }
    options
}

fn parse_size(text: &str) -> u64 {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let unit = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => panic!("unknown unit {other:?}; use KiB, MiB or GiB"),
    };
    number.parse::<u64>().expect("a size such as 1GiB") * unit
}

fn text_argument(at: usize) -> String {
    std::env::args().nth(at).expect("given by the parent")
}

fn path_argument(at: usize) -> PathBuf {
    text_argument(at).into()
}
