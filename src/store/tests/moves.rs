//! What one manifest's download brought, taken over by another manifest's.

use super::*;
use crate::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN as FULL, REARRANGE_BYTES_MAX};

/// A container whose chunks are these letters, each chunk as long as the cut says.
fn letters(text: &str, chunk_size: u32) -> Sample {
    let chunk = |letter: u8| vec![letter; chunk_size as usize];
    let bytes: Vec<u8> = text.bytes().flat_map(chunk).collect();
    let layout = Layout::new(bytes.len() as u64, chunk_size).unwrap();
    let draft = Draft {
        name: "letters".into(),
        layout,
        program_id: ProgramId::new(Digest::of(&bytes)),
        chunk_hashes: bytes.chunks(chunk_size as usize).map(Digest::of).collect(),
        reach: None,
        time: 0,
        peers: vec![],
    };
    let manifest = draft.unsigned(Address::new(Digest::of(b"key"))).unwrap();
    Sample {
        manifest: Arc::new(manifest),
        bytes,
    }
}

/// What a download of `to` holds that finds the chunks `held` of `from` in its `.part`.
fn taken_over(from: &Sample, held: &[u32], to: &Sample) -> Content {
    let (disk, before) = from.in_memory();
    let chunk_size = from.manifest.layout().chunk_size() as usize;
    for index in held {
        let at = *index as usize * chunk_size;
        let end = from.bytes.len().min(at + chunk_size);
        let bytes = Bytes::copy_from_slice(&from.bytes[at..end]);
        let chunk = VerifiedChunk::verify(&from.manifest, ChunkIndex::new(*index), bytes);
        before.put(&chunk.unwrap()).unwrap();
    }
    let after = Content::empty(Arc::clone(&to.manifest), disk);
    after.resume(|_| {}).unwrap();
    after.take_over(&from.manifest, &before.have()).unwrap();
    for chunk in after.have().iter() {
        after.read_anyway(chunk).expect("what is held is right");
    }
    after
}

#[test]
fn chunks_move_to_where_the_next_manifest_wants_them() {
    let all: Vec<u32> = (0..6).collect();
    for (from, held, to, kept) in [
        ("abcdef", &all[..], "abcdef", "abcdef"),
        ("abcdef", &all, "xabcde", "abcde"),
        ("abcdef", &all, "bcdefx", "bcdef"),
        ("abcdef", &all, "fedcba", "fedcba"),
        ("abcdef", &all, "bcdefa", "bcdefa"),
        ("abcdef", &all, "badcfe", "badcfe"),
        ("abcdef", &all, "aaaaaa", "aaaaaa"),
        ("abcdef", &all, "bbaaxx", "bbaa"),
        ("abcdef", &all, "uvwxyz", ""),
        ("abcdef", &[1, 4], "fedcba", "eb"),
        ("abcdef", &[], "fedcba", ""),
        ("ab", &[0, 1], "xxbxxa", "ba"),
    ] {
        let (before, after) = (letters(from, FULL), letters(to, FULL));
        let content = taken_over(&before, held, &after);
        let letter = |at: u32| char::from(to.as_bytes()[at as usize]);
        let found: String = super::held(&content).into_iter().map(letter).collect();
        assert_eq!(found, kept, "{from} with {held:?} as {to}");
    }
}

#[test]
fn what_lies_beyond_the_next_size_is_gone() {
    let (before, after) = (letters("abcdef", FULL), letters("fa", FULL));
    let content = taken_over(&before, &[0, 1, 2, 3, 4, 5], &after);
    assert_eq!(held(&content), [1]);
}

#[test]
fn another_cut_finds_its_bytes_where_they_lie_and_nothing_wrong() {
    let before = letters("aabbcc", FULL);
    let after = letters("abc", 2 * FULL);
    let content = taken_over(&before, &[0, 1, 2, 3], &after);
    assert_eq!(held(&content), [0, 1], "the same bytes in the same place");
}

#[test]
fn memory_has_room_for_the_chunk_that_opens_a_ring() {
    const { assert!(REARRANGE_BYTES_MAX >= CHUNK_BYTES_MAX as usize) };
}

#[test]
fn a_disk_that_forgot_costs_a_chunk() {
    let (before, after) = (letters("abcd", FULL), letters("dcba", FULL));
    let (disk, first) = before.in_memory();
    put_all(&first, &before);
    disk.flip(CHUNK + 5);
    let second = Content::empty(Arc::clone(&after.manifest), disk);
    second.resume(|_| {}).unwrap();
    second.take_over(&before.manifest, &first.have()).unwrap();
    assert_eq!(held(&second), [0, 1, 3]);
}
