//! Hashing a file that is to become a container, against what one core hashes of the same bytes.
//!
//! The hash of the whole is sequential, so one core's speed is the limit; the chunks are hashed beside
//! it. The reference reads the same file and counts only the time that hashing takes, with the faster
//! of two libraries. The file lies in memory, or was just written and is in the page cache.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use swarmhold::Wallet;

use crate::Options;
use crate::figure::{Figure, Reach, mb_per_s, seconds};
use crate::median::median;
use crate::noise::write_noise;
use crate::say::say;

/// What the reference hashes at once, in bytes: it fits the processor's cache.
const BLOCK: usize = 512 << 10;

pub(crate) fn run(options: &Options) -> Vec<Figure> {
    let content = options.common.dir.join("to-create");
    write_noise(&content, options.size);
    let wallet = Wallet::generate().expect("randomness");
    let size = options.size as f64;
    let mut rounds = Vec::new();
    for round in 1..=options.common.rounds {
        let one_core = [sha2(&content), aws_lc(&content)].map(|it| size / it.as_secs_f64());
        let (manifest, took) = timed(|| {
            swarmhold::create(&content, &wallet, "content", None, |_| {}).expect("a manifest")
        });
        assert_eq!(manifest.layout().size(), options.size);
        let rate = size / took.as_secs_f64();
        say(format!(
            "  round {round}: {} MiB in {}, {}; one core: sha2 {}, aws-lc {}",
            options.size >> 20,
            seconds(took.as_secs_f64()),
            mb_per_s(rate),
            mb_per_s(one_core[0]),
            mb_per_s(one_core[1]),
        ));
        rounds.push((rate, one_core[0].max(one_core[1])));
    }
    std::fs::remove_file(content).expect("the content");
    vec![Figure {
        what: "create: speed against one core's hashing",
        measured: mb_per_s(median(rounds.iter().map(|it| it.0))),
        ideal: mb_per_s(median(rounds.iter().map(|it| it.1))),
        ratio: median(rounds.iter().map(|(rate, core)| rate / core)),
        reach: Reach::AtLeast(0.9),
    }]
}

fn sha2(content: &Path) -> Duration {
    let mut hasher = Sha256::new();
    let took = hashing(content, |block| hasher.update(block));
    std::hint::black_box(hasher.finalize());
    took
}

fn aws_lc(content: &Path) -> Duration {
    let mut hasher = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let took = hashing(content, |block| hasher.update(block));
    std::hint::black_box(hasher.finish());
    took
}

/// The time that hashing takes, and not reading.
fn hashing(content: &Path, mut update: impl FnMut(&[u8])) -> Duration {
    let mut file = File::open(content).expect("the content");
    let (mut block, mut took) = (vec![0; BLOCK], Duration::ZERO);
    loop {
        let read = file.read(&mut block).expect("the content");
        if read == 0 {
            return took;
        }
        took += timed(|| update(&block[..read])).1;
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed())
}
