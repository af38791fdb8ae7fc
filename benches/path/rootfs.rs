//! A container that shrinks, as images do: over a line of 100 Mbit/s, and over loopback beside noise of
//! the same size, which travels as it is.
//!
//! The best that the line allows is its rate times the ratio that zstd reaches at its own usual level,
//! chunk by chunk as the protocol sends them. What one stream over the whole would reach is printed too.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use swarmhold::manifest::Layout;

use crate::figure::{Figure, Reach, mb_per_s};
use crate::median::median;
use crate::noise::write_noise;
use crate::same::check_and_remove;
use crate::say::say;
use crate::side::Side;
use crate::{Options, line, ours, role};

/// What the tar is made of, in this order, and where it is cut off.
const FOLDERS: [&str; 3] = ["/usr/lib/python3", "/usr/share/doc", "/usr/bin"];
const BYTES: u64 = 256 << 20;
const RTT_MS: u64 = 50;

pub(crate) fn run(options: &Options) -> Vec<Figure> {
    let content = options.common.dir.join("rootfs.tar");
    let size = match &options.file {
        Some(file) => std::fs::copy(file, &content).expect("the file"),
        None => make_tar(&content, BYTES / options.scale),
    };
    let noise = options.common.dir.join("beside");
    write_noise(&noise, size);
    let by_chunk = ratio_by_chunk(&content, size);
    say(format!(
        "  {} MiB; zstd makes it 1/{by_chunk:.3} chunk by chunk, 1/{:.3} as one stream",
        size >> 20,
        ratio_whole(&content, size)
    ));
    let best = line::RATE as f64 * by_chunk;
    let mut rounds = Vec::new();
    for number in 0..options.common.rounds {
        let rate = |seconds: f64| size as f64 / seconds;
        let over_line = rate(over_line(&options.common.dir, &content, number));
        let [tar, plain] =
            [&content, &noise].map(|it| rate(loopback(&options.common.dir, it, number)));
        say(format!(
            "  round {}: over the line {}; loopback {}, noise {}",
            number + 1,
            mb_per_s(over_line),
            mb_per_s(tar),
            mb_per_s(plain)
        ));
        rounds.push((over_line, tar, plain));
    }
    for file in [content, noise] {
        std::fs::remove_file(file).expect("the content");
    }
    vec![
        Figure {
            what: "root file system, 100 Mbit/s, 50 ms: speed",
            measured: mb_per_s(median(rounds.iter().map(|it| it.0))),
            ideal: mb_per_s(best),
            ratio: median(rounds.iter().map(|it| it.0 / best)),
            reach: Reach::AtLeast(0.9),
        },
        Figure {
            what: "root file system, loopback: speed against noise",
            measured: mb_per_s(median(rounds.iter().map(|it| it.1))),
            ideal: mb_per_s(median(rounds.iter().map(|it| it.2))),
            ratio: median(rounds.iter().map(|it| it.1 / it.2)),
            reach: Reach::AtLeast(1.0),
        },
    ]
}

/// Seconds over the line, from the dial with a link to the finished file.
fn over_line(dir: &Path, content: &Path, number: usize) -> f64 {
    let home = dir.join(format!("line-serve-{number}"));
    let (server, link) = role::start(ours::SERVE, &[content.as_os_str(), home.as_os_str()]);
    let (_, hint) = link.split_once("&p=").expect("the link has an address");
    let address = hint.split('&').next().expect("an address").to_owned();
    let (line, front) = line::start(&address, RTT_MS);
    let link = link.replace(&address, &front);
    let (home, copy) = (dir.join(format!("line-fetch-{number}")), dir.join("copy"));
    let arguments: [&OsStr; 3] = [link.as_ref(), home.as_os_str(), copy.as_os_str()];
    let fetch = Side::parse(&role::last_line(role::start_child(ours::FETCH, &arguments)));
    role::stop(line);
    role::stop(server);
    check_and_remove(content, &copy);
    fetch.seconds
}

fn loopback(dir: &Path, content: &Path, number: usize) -> f64 {
    let copy = dir.join("copy");
    let pair = ours::transfer(dir, content, &copy, number);
    check_and_remove(content, &copy);
    for side in ["serve", "fetch"] {
        std::fs::remove_dir_all(dir.join(format!("{side}-{number}"))).expect("its home");
    }
    pair.fetch.seconds
}

/// A tar of this machine's own files, cut off after so many bytes. Returns how many it has.
fn make_tar(path: &Path, bytes: u64) -> u64 {
    let folders = FOLDERS.map(PathBuf::from).into_iter();
    let mut tar = Command::new("tar")
        .arg("-c")
        .args(folders.filter(|it| it.is_dir()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tar runs");
    let mut written = tar.stdout.take().expect("piped").take(bytes);
    let mut file = File::create(path).expect("a file for the content");
    let size = std::io::copy(&mut written, &mut file).expect("room for the content");
    file.flush().expect("room for the content");
    drop(written);
    // It fails where it was cut off.
    let _ = tar.wait();
    size
}

/// How many times smaller chunks become; those that do not shrink count as they are.
fn ratio_by_chunk(content: &Path, size: u64) -> f64 {
    let layout = Layout::for_size(size).expect("a container's size");
    let level = zstd::DEFAULT_COMPRESSION_LEVEL;
    let mut zstd = zstd::bulk::Compressor::new(level).expect("memory for zstd");
    let mut file = File::open(content).expect("the content");
    let mut packed = 0;
    for index in layout.chunks() {
        let mut chunk = vec![0; layout.chunk_len(index).expect("it exists") as usize];
        file.read_exact(&mut chunk).expect("the content");
        let found = zstd.compress(&chunk).expect("room enough").len();
        packed += found.min(chunk.len());
    }
    size as f64 / packed as f64
}

fn ratio_whole(content: &Path, size: u64) -> f64 {
    let file = File::open(content).expect("the content");
    let level = zstd::DEFAULT_COMPRESSION_LEVEL;
    let packed = zstd::encode_all(file, level).expect("room for it");
    size as f64 / packed.len() as f64
}
