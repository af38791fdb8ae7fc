//! A thousand bits flip in a hundred files: all are found, none is served, and just those chunks are
//! put again.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use super::*;
use crate::store::{Look, Scrubbed};

const FILES: u64 = 100;
const FLIPS: u64 = 1000;
const CHUNKS: u64 = 10;

/// Flips a bit, as a medium does: the file's time stays.
fn rot(path: &Path, bit: u64) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(bit / 8)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(bit / 8)).unwrap();
    file.write_all(&[byte[0] ^ (1 << (bit % 8))]).unwrap();
    file.set_modified(modified).unwrap();
}

/// Reads all of it, a piece at a time; answers what was found.
fn scrub(content: &Content) -> BTreeSet<u32> {
    let (mut from, mut found, mut read) = (Some(ChunkIndex::new(0)), BTreeSet::new(), 0);
    while let Some(chunk) = from {
        let Scrubbed {
            next,
            errors,
            read: some,
        } = content.scrub(chunk, 3 * CHUNK as u64);
        for (chunk, error) in errors {
            assert!(matches!(error, ReadError::Rotten { .. }), "{error}");
            found.insert(chunk.get());
        }
        (from, read) = (next, read + some);
    }
    assert_eq!(u64::from(read), CHUNKS);
    found
}

#[test]
fn a_thousand_flips_in_a_hundred_files() {
    let folder = tempfile::tempdir().unwrap();
    let stored = |number: u64| {
        let fill = |at| {
            let bits = u64::wrapping_mul(at, 2 * number + 0x9e37_79b9);
            bits.rotate_left(9).to_le_bytes()[0]
        };
        let sample = Sample::of((0..CHUNKS * CHUNK as u64).map(fill).collect());
        let path = folder.path().join(number.to_string());
        let content = sample.download(&path).unwrap();
        put_all(&content, &sample);
        content.finish().unwrap();
        (sample, path, content)
    };
    let files: Vec<_> = (0..FILES).map(stored).collect();
    let mut expected = vec![BTreeSet::new(); files.len()];
    let mut bits = BTreeSet::new();
    let mut state = 7_u64;
    while (bits.len() as u64) < FLIPS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let (file, bit) = (
            (state >> 33) % FILES,
            (state >> 20) % (CHUNKS * CHUNK as u64 * 8),
        );
        // a bit that flips twice is as it was
        if bits.insert((file, bit)) {
            let file = usize::try_from(file).unwrap();
            rot(&files[file].1, bit);
            expected[file].insert(u32::try_from(bit / 8 / CHUNK as u64).unwrap());
        }
    }
    let flipped: usize = expected.iter().map(BTreeSet::len).sum();
    assert!(flipped > 500, "{flipped} chunks");
    for ((sample, path, content), expected) in files.iter().zip(&expected) {
        assert_eq!(content.look(), Look::Same, "a medium tells nobody");
        assert_eq!(&scrub(content), expected);
        for chunk in expected {
            assert_eq!(read(content, *chunk).unwrap(), None);
        }
        put_all(content, sample);
        content.sync().unwrap();
        assert!(fs::read(path).unwrap() == sample.bytes);
        assert!(content.is_complete() && content.look() == Look::Same);
    }
}

#[test]
fn only_what_is_as_the_node_left_it_is_mended() {
    let sample = Sample::of_size(3 * CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    let content = sample.download(&path).unwrap();
    put_all(&content, &sample);
    content.finish().unwrap();
    // its owner edits it, which is theirs to do
    let mut file = File::options().write(true).open(&path).unwrap();
    file.write_all(b"mine").unwrap();
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    file.set_modified(later).unwrap();
    assert_eq!(content.look(), Look::Changed);
    assert_eq!(content.look(), Look::Same, "it is told once");
    assert!(read(&content, 0).is_err());
    assert!(matches!(
        content.put(&sample.chunk(0)),
        Err(WriteError::Sealed { .. })
    ));
    assert_eq!(&fs::read(&path).unwrap()[..4], b"mine");

    // what is the user's from the start is never written to
    let theirs = sample.seed(&path).unwrap();
    assert!(read(&theirs, 0).is_err());
    assert!(matches!(
        theirs.put(&sample.chunk(0)),
        Err(WriteError::Sealed { .. })
    ));

    // what lies in the node's own folder is
    let kept = Content::keep(Arc::clone(&sample.manifest), &path).unwrap();
    assert!(read(&kept, 0).is_err());
    kept.put(&sample.chunk(0)).unwrap();
    kept.finish().unwrap();
    assert!(fs::read(&path).unwrap() == sample.bytes);
}

#[test]
fn a_name_that_leads_elsewhere_is_noticed() {
    let sample = Sample::of_size(CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    for replace in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| {
            let other = path.with_extension("other");
            fs::copy(path, &other).unwrap();
            fs::rename(other, path).unwrap();
        },
    ] {
        fs::write(&path, &sample.bytes).unwrap();
        let content = sample.seed(&path).unwrap();
        assert_eq!(content.look(), Look::Same);
        replace(&path);
        assert_eq!(content.look(), Look::Replaced);
        content.forsake();
        assert_eq!(read(&content, 0).unwrap(), None);
    }
}
