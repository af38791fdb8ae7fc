//! A container in a vault: what lies on the disk, what a thief can do to it, and that everything else is as
//! it is in the open.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::identity::VaultKey;
use crate::store::backend::Backend;
use crate::store::files::FileDisk;
use crate::store::vault::{SealedDisk, Vault, sealed_len};
use crate::store::{Look, part_path};

const SLOT: usize = CHUNK + 28;
const BEGIN: usize = 4096;
/// What no plaintext of a sample goes without.
const MARKER: &[u8] = b"a secret that nobody finds on the disk";

/// A folder with a vault of its own.
struct Place {
    _folder: TempDir,
    path: PathBuf,
    vault: Vault,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("container.vault"),
            vault: vault(1),
            _folder: folder,
        }
    }

    fn part(&self) -> PathBuf {
        part_path(&self.path).unwrap()
    }

    fn begin(&self, sample: &Sample) -> Content {
        let manifest = Arc::clone(&sample.manifest);
        Content::download_sealed(manifest, &self.path, &self.vault).unwrap()
    }

    fn keep(&self, sample: &Sample) -> Result<Content, OpenError> {
        Content::keep_sealed(Arc::clone(&sample.manifest), &self.path, &self.vault)
    }

    /// A whole container, on disk.
    fn filled(&self, sample: &Sample) -> Content {
        let content = self.begin(sample);
        put_all(&content, sample);
        assert_eq!(content.finish().unwrap(), self.path);
        content
    }
}

fn vault(of: u8) -> Vault {
    Vault::new(VaultKey::new([of; 16], [of; 32]))
}

/// A container each of whose chunks has the marker at several places.
fn marked() -> Sample {
    let mut bytes = Sample::of_size(5 * CHUNK + 99).bytes;
    for at in (0..bytes.len() - MARKER.len()).step_by(5000) {
        bytes[at..at + MARKER.len()].copy_from_slice(MARKER);
    }
    Sample::of(bytes)
}

fn has_marker(bytes: &[u8]) -> bool {
    // half of it would be as bad
    let half = &MARKER[..MARKER.len() / 2];
    bytes.windows(half.len()).any(|window| window == half)
}

fn slot(number: usize) -> std::ops::Range<usize> {
    BEGIN + number * SLOT..BEGIN + (number + 1) * SLOT
}

fn lost(content: &Content, index: u32) {
    let error = read(content, index).unwrap_err();
    assert!(matches!(error, ReadError::Forged { .. }), "{error}");
    assert_eq!(error.code(), "E-HASH");
    assert!(!held(content).contains(&index));
}

#[test]
fn nothing_of_the_container_is_on_the_disk_but_encrypted() {
    let (place, sample) = (Place::new(), marked());
    assert!(has_marker(&sample.bytes));
    let content = place.begin(&sample);
    for chunk in sample.chunks() {
        put(&content, &chunk);
        content.sync().unwrap();
        assert!(!has_marker(&fs::read(place.part()).unwrap()));
    }
    content.finish().unwrap();
    let sealed = fs::read(&place.path).unwrap();
    assert_eq!(sealed.len() as u64, sealed_len(sample.bytes.len() as u64));
    assert!(!has_marker(&sealed));
    drop(content);
    let kept = place.keep(&sample).unwrap();
    kept.prove(|_| true).unwrap();
    let found: Vec<u8> = (0..6)
        .flat_map(|index| read(&kept, index).unwrap().unwrap())
        .collect();
    assert_eq!(found, sample.bytes);
}

#[test]
fn chunks_of_many_slots_are_read_and_proven() {
    let place = Place::new();
    let bytes = Sample::of_size(300 * CHUNK + 7).bytes;
    let layout = Layout::new(bytes.len() as u64, 8 * 32_768).unwrap();
    let draft = Draft {
        name: "large".into(),
        layout,
        program_id: ProgramId::new(Digest::of(&bytes)),
        chunk_hashes: bytes.chunks(8 * CHUNK).map(Digest::of).collect(),
        reach: None,
        time: 0,
        peers: vec![],
    };
    let manifest = Arc::new(draft.unsigned(Address::new(Digest::of(b"key"))).unwrap());
    let content =
        Content::download_sealed(Arc::clone(&manifest), &place.path, &place.vault).unwrap();
    // from the end, so that the hash of the whole reads back from the disk
    for (index, bytes) in (0..)
        .zip(bytes.chunks(8 * CHUNK))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let bytes = Bytes::copy_from_slice(bytes);
        let chunk = VerifiedChunk::verify(&manifest, ChunkIndex::new(index), bytes).unwrap();
        put(&content, &chunk);
    }
    content.finish().unwrap();
    let last = read(&content, 37).unwrap().unwrap();
    assert_eq!(last[..], bytes[37 * 8 * CHUNK..]);
}

#[test]
fn a_download_is_resumed_with_what_was_written() {
    let (place, sample) = (Place::new(), marked());
    let content = place.begin(&sample);
    for index in [1, 3, 5] {
        put(&content, &sample.chunk(index));
    }
    content.sync().unwrap();
    drop(content);
    let content = place.begin(&sample);
    let found: Vec<u32> = content
        .resume(|_| {})
        .unwrap()
        .iter()
        .map(ChunkIndex::get)
        .collect();
    assert_eq!(found, [1, 3, 5]);
    put_all(&content, &sample);
    content.finish().unwrap();
}

#[test]
fn slots_that_were_swapped_do_not_open() {
    let (place, sample) = (Place::new(), marked());
    drop(place.filled(&sample));
    let mut bytes = fs::read(&place.path).unwrap();
    let (one, three) = (bytes[slot(1)].to_vec(), bytes[slot(3)].to_vec());
    bytes[slot(1)].copy_from_slice(&three);
    bytes[slot(3)].copy_from_slice(&one);
    fs::write(&place.path, bytes).unwrap();
    let content = place.keep(&sample).unwrap();
    lost(&content, 1);
    lost(&content, 3);
    for index in [0, 2, 4, 5] {
        assert!(read(&content, index).unwrap().is_some());
    }
    // and they are mended like any other rot
    put_all(&content, &sample);
    content.prove(|_| true).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let (place, sample) = (Place::new(), marked());
    drop(place.filled(&sample));
    let sealed = fs::read(&place.path).unwrap();
    // in the ciphertext, the tag, the nonce
    for at in [0, 777, CHUNK - 1, CHUNK, CHUNK + 15, CHUNK + 16, SLOT - 1] {
        let mut bytes = sealed.clone();
        bytes[slot(2).start + at] ^= 1;
        fs::write(&place.path, bytes).unwrap();
        let content = place.keep(&sample).unwrap();
        let scrubbed = content.scrub(ChunkIndex::new(0), u64::MAX);
        let found: Vec<u32> = scrubbed
            .errors
            .iter()
            .map(|(chunk, _)| chunk.get())
            .collect();
        assert_eq!(found, [2], "{at}");
    }
}

#[test]
fn an_earlier_state_of_a_slot_is_never_handed_out_as_the_present_one() {
    let (place, old) = (Place::new(), marked());
    let content = place.begin(&old);
    put_all(&content, &old);
    content.sync().unwrap();
    drop(content);
    let before = fs::read(place.part()).unwrap();
    // the same file gets other content: another manifest of a container with the same id
    let mut bytes = old.bytes.clone();
    bytes[2 * CHUNK] ^= 1;
    let new = Sample::claiming(bytes, old.manifest.program_id());
    let content = place.begin(&new);
    content.resume(|_| {}).unwrap();
    assert_eq!(held(&content), [0, 1, 3, 4, 5]);
    put(&content, &new.chunk(2));
    content.sync().unwrap();
    let mut now = fs::read(place.part()).unwrap();
    now[slot(2)].copy_from_slice(&before[slot(2)]);
    fs::write(place.part(), now).unwrap();
    let error = read(&content, 2).unwrap_err();
    assert!(matches!(error, ReadError::Rotten { .. }), "{error}");
    assert!(!content.is_complete());
}

#[test]
fn an_earlier_state_of_the_file_loses_what_came_since_and_nothing_else() {
    let (place, sample) = (Place::new(), marked());
    let content = place.begin(&sample);
    put(&content, &sample.chunk(0));
    content.sync().unwrap();
    let before = fs::read(place.part()).unwrap();
    put_all(&content, &sample);
    content.sync().unwrap();
    fs::write(place.part(), before).unwrap();
    assert!(read(&content, 0).unwrap().is_some());
    lost(&content, 4);
    assert!(content.finish().is_err());
    put_all(&content, &sample);
    assert_eq!(held(&content), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn slots_of_another_file_do_not_open() {
    let (place, other, sample) = (Place::new(), Place::new(), marked());
    drop(place.filled(&sample));
    let theirs = Place {
        vault: place.vault.clone(),
        ..other
    };
    drop(theirs.filled(&sample));
    let (mut bytes, others) = (
        fs::read(&place.path).unwrap(),
        fs::read(&theirs.path).unwrap(),
    );
    assert_ne!(
        bytes[slot(0)],
        others[slot(0)],
        "one content is never encrypted alike"
    );
    bytes[slot(0)].copy_from_slice(&others[slot(0)]);
    fs::write(&place.path, bytes).unwrap();
    lost(&place.keep(&sample).unwrap(), 0);
}

#[test]
fn the_same_chunk_is_encrypted_in_another_way_each_time() {
    let (place, sample) = (Place::new(), marked());
    drop(place.filled(&sample));
    let mut sealed = fs::read(&place.path).unwrap();
    let before = sealed[slot(1)].to_vec();
    sealed[slot(1)].fill(0);
    fs::write(&place.path, sealed).unwrap();
    let content = place.keep(&sample).unwrap();
    lost(&content, 1);
    put(&content, &sample.chunk(1));
    let sealed = fs::read(&place.path).unwrap();
    assert_ne!(sealed[slot(1)], before);
    assert_eq!(content.look(), Look::Same);
}

#[test]
fn a_file_of_another_vault_or_container_is_refused() {
    let (place, sample) = (Place::new(), marked());
    drop(place.filled(&sample));
    let thief = Place {
        vault: vault(2),
        ..place
    };
    let refused = |place: &Place, sample: &Sample| {
        let error = place.keep(sample).unwrap_err();
        assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
        assert_eq!(error.code(), "E-VAULT");
    };
    refused(&thief, &sample);
    let mut bytes = sample.bytes.clone();
    bytes[0] ^= 1;
    let renamed = Sample::of(bytes);
    let place = thief;
    refused(&place, &renamed);
}

#[test]
fn an_unfinished_file_of_another_vault_is_begun_anew() {
    let (place, sample) = (Place::new(), marked());
    let content = place.begin(&sample);
    put(&content, &sample.chunk(0));
    content.sync().unwrap();
    drop(content);
    let other = Place {
        vault: vault(2),
        ..place
    };
    let content = other.begin(&sample);
    assert!(content.resume(|_| {}).unwrap().is_empty());
    put_all(&content, &sample);
    content.finish().unwrap();
}

#[test]
fn a_header_that_a_failed_sync_may_have_lost_is_written_again() {
    let (place, sample) = (Place::new(), marked());
    let size = sample.bytes.len() as u64;
    let file: Arc<dyn Backend> = Arc::new(FileDisk::part(&place.path, sealed_len(size)).unwrap());
    let id = sample.manifest.program_id();
    let disk = SealedDisk::begin(Arc::clone(&file), &place.vault, id, size).unwrap();
    disk.write_at(&sample.bytes[..CHUNK], 0).unwrap();
    file.write_at(&[0; 4096], 0).unwrap();
    disk.reopen().unwrap();
    let found = SealedDisk::open(&file, &place.vault, id, size).unwrap();
    let bytes = found.unwrap().read_new(CHUNK, 0).unwrap();
    assert_eq!(bytes, sample.bytes[..CHUNK]);
}

#[test]
fn any_range_of_bytes_is_read() {
    let (place, sample) = (Place::new(), marked());
    let content = place.filled(&sample);
    let end = sample.bytes.len();
    for (offset, len) in [
        (0, 1),
        (1, CHUNK),
        (CHUNK - 1, 2),
        (CHUNK, 3 * CHUNK),
        (5 * CHUNK + 98, 5),
        (end, 4),
    ] {
        let expected = &sample.bytes[offset..end.min(offset + len)];
        let found = content.disk.read_new(len, offset as u64).unwrap();
        assert_eq!(found, expected, "{offset} {len}");
        let mut buffer = vec![0; len];
        let count = content.disk.read_at(&mut buffer, offset as u64).unwrap();
        assert_eq!(&buffer[..count], expected);
    }
}
