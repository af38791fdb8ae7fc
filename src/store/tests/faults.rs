//! What a disk does wrong, done by a disk in RAM.

use std::path::Path;

use super::*;
use crate::store::memory::Fault;

#[test]
fn chunks_may_come_in_any_order_and_more_than_once() {
    let sample = Sample::of_size(20 * CHUNK + 5);
    let (disk, content) = sample.in_memory();
    for chunk in sample.chunks().rev() {
        content.put(&chunk).unwrap();
        content.put(&chunk).unwrap();
    }
    assert_eq!(disk.writes(), 21);
    assert_eq!(content.finish().unwrap(), Path::new("memory"));
    assert_eq!(disk.bytes(), sample.bytes);
}

#[test]
fn a_write_that_fails_sets_no_bit_and_may_be_tried_again() {
    let sample = Sample::of_size(3 * CHUNK);
    let (disk, content) = sample.in_memory();
    content.put(&sample.chunk(0)).unwrap();
    disk.break_with(Fault::Full);
    let error = content.put(&sample.chunk(1)).unwrap_err();
    assert!(matches!(&error, WriteError::DiskFull { chunk, .. } if chunk.get() == 1));
    assert_eq!(
        error.to_string(),
        "E-DISK-FULL: no space for chunk 1, 32768 B, in memory.part"
    );
    assert_eq!(held(&content), [0]);
    assert_eq!(read(&content, 1).unwrap(), None);
    disk.repair();
    put_all(&content, &sample);
    content.finish().unwrap();
    assert_eq!(disk.bytes(), sample.bytes);
}

#[test]
fn a_rotten_chunk_is_not_handed_out_and_can_be_fetched_again() {
    let sample = Sample::of_size(3 * CHUNK);
    let (disk, content) = sample.in_memory();
    put_all(&content, &sample);
    disk.flip(CHUNK + 17);
    let error = read(&content, 1).unwrap_err();
    assert!(matches!(error, ReadError::Rotten { chunk, .. } if chunk.get() == 1));
    assert_eq!(held(&content), [0, 2]);
    assert_eq!(read(&content, 1).unwrap(), None);
    assert!(matches!(
        content.finish(),
        Err(FinishError::Incomplete {
            held: 2,
            total: 3,
            ..
        })
    ));
    content.put(&sample.chunk(1)).unwrap();
    content.finish().unwrap();
    assert_eq!(disk.bytes(), sample.bytes);
}

#[test]
fn a_read_that_fails_keeps_the_bit() {
    let sample = Sample::of_size(CHUNK);
    let (disk, content) = sample.in_memory();
    put_all(&content, &sample);
    disk.break_with(Fault::Unreadable);
    assert!(matches!(read(&content, 0), Err(ReadError::Io { .. })));
    disk.repair();
    assert!(read(&content, 0).unwrap().is_some());
}

#[test]
fn a_disk_that_changed_is_not_blamed_on_the_manifest() {
    let sample = Sample::of_size(9 * CHUNK);
    let (disk, content) = sample.in_memory();
    // the first comes last: the others are read back for the hash of the whole, one of them changed
    sample
        .chunks()
        .skip(1)
        .for_each(|chunk| put(&content, &chunk));
    disk.flip(7 * CHUNK);
    content.put(&sample.chunk(0)).unwrap();
    let error = content.finish().unwrap_err();
    assert!(matches!(
        error,
        FinishError::Rotten {
            lost: 1,
            total: 9,
            ..
        }
    ));
    assert_eq!(held(&content), [0, 1, 2, 3, 4, 5, 6, 8]);
    content.put(&sample.chunk(7)).unwrap();
    content.finish().unwrap();
    assert_eq!(disk.bytes(), sample.bytes);
}

#[test]
fn a_disk_that_was_cut_short_is_noticed_at_the_end() {
    let sample = Sample::of_size(9 * CHUNK);
    let (disk, content) = sample.in_memory();
    let mut backwards: Vec<_> = sample.chunks().collect();
    let first = backwards.remove(0);
    backwards
        .iter()
        .rev()
        .for_each(|chunk| put(&content, chunk));
    disk.truncate(8 * CHUNK - 1);
    // with it the hash of the whole can begin
    put(&content, &first);
    let error = content.finish().unwrap_err();
    assert!(matches!(
        error,
        FinishError::Rotten {
            lost: 2,
            total: 9,
            ..
        }
    ));
}

#[test]
fn a_sync_that_fails_takes_back_every_bit() {
    let sample = Sample::of_size(2 * CHUNK);
    let (disk, content) = sample.in_memory();
    put_all(&content, &sample);
    disk.break_with(Fault::Unsynced);
    assert!(matches!(content.finish(), Err(FinishError::Sync { .. })));
    assert!(content.have().is_empty());
    disk.repair();
    put_all(&content, &sample);
    assert_eq!(disk.writes(), 4);
    content.finish().unwrap();
}

#[test]
fn a_name_that_is_taken_or_not_kept_can_be_tried_again() {
    let sample = Sample::of_size(2 * CHUNK);
    let (disk, content) = sample.in_memory();
    put_all(&content, &sample);
    disk.break_with(Fault::NameTaken);
    let error = content.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "E-EXISTS: memory is already there and is not replaced"
    );
    disk.repair();
    disk.break_with(Fault::NameUnsynced);
    assert!(matches!(content.finish(), Err(FinishError::Publish { .. })));
    disk.repair();
    assert_eq!(content.finish().unwrap(), Path::new("memory"));
}

#[test]
#[should_panic(expected = "chunk 0 belongs to another container")]
fn a_chunk_of_another_container_is_a_bug_of_ours() {
    let (_, content) = Sample::of_size(CHUNK).in_memory();
    let _ = content.put(&Sample::of_size(CHUNK - 1).chunk(0));
}
