//! The container that is distributed when no file is given: reproducible, half of it compressible.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Text and noise take turns in sections of this many bytes.
const SECTION: usize = 1024 * 1024;
const WORDS: [&str; 16] = [
    "layer",
    "started",
    "worker",
    "request",
    "sha256",
    "mounted",
    "volume",
    "healthy",
    "retry",
    "container",
    "network",
    "listening",
    "image",
    "config",
    "pulled",
    "ready",
];

/// Writes a container of this size: sections that look like a log, and sections of noise.
pub(crate) fn generate(path: &Path, size: u64, seed: u64) -> io::Result<()> {
    let mut random = Random(seed);
    let mut file = BufWriter::with_capacity(1 << 20, File::create_new(path)?);
    let mut left = size;
    let mut section = Vec::with_capacity(SECTION + 256);
    for turn in 0_u64.. {
        let wanted = usize::try_from(left).map_or(SECTION, |left| left.min(SECTION));
        if wanted == 0 {
            break;
        }
        section.clear();
        if turn.is_multiple_of(2) {
            write_text(&mut section, wanted, &mut random);
        } else {
            write_noise(&mut section, wanted, &mut random);
        }
        file.write_all(&section[..wanted])?;
        left -= wanted as u64;
    }
    file.into_inner()?.sync_all()
}

fn write_text(section: &mut Vec<u8>, wanted: usize, random: &mut Random) {
    while section.len() < wanted {
        let bits = random.next();
        section.extend_from_slice(format!("{:08x} ", bits >> 32).as_bytes());
        for word in 0..8 {
            let at = usize::try_from((bits >> (4 * word)) & 0xF).expect("four bits");
            section.extend_from_slice(WORDS[at].as_bytes());
            section.push(b' ');
        }
        section.push(b'\n');
    }
}

fn write_noise(section: &mut Vec<u8>, wanted: usize, random: &mut Random) {
    while section.len() < wanted {
        section.extend_from_slice(&random.next().to_le_bytes());
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough for bytes that nobody guesses.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}
