//! What is synced, written down, and believed again.

use std::thread;
use std::time::Duration;

use super::*;
use crate::limits::UNSYNCED_BYTES_MAX;
use crate::store::memory::Fault;
use crate::store::memory_ledger::MemoryLedger;
use crate::store::{Claim, Ledger as _, SyncError};

struct Download {
    disk: Arc<MemoryDisk>,
    ledger: Arc<MemoryLedger>,
    content: Content,
}

impl Download {
    fn of(sample: &Sample) -> Self {
        Self::again(sample, Arc::default(), Arc::default())
    }

    fn again(sample: &Sample, disk: Arc<MemoryDisk>, ledger: Arc<MemoryLedger>) -> Self {
        let content = Content::empty(Arc::clone(&sample.manifest), disk.clone());
        let content = content.recorded_in(ledger.clone());
        content.resume(|_| {}).unwrap();
        Self {
            disk,
            ledger,
            content,
        }
    }

    fn claim(&self) -> Option<Claim> {
        let part = std::path::absolute(self.content.path()).unwrap();
        self.ledger.claimed(&part)
    }

    fn claimed(&self) -> Vec<u32> {
        let have = self.claim().map(|claim| claim.have);
        let chunks = have.iter().flat_map(Bitfield::iter);
        chunks.map(ChunkIndex::get).collect()
    }
}

#[test]
fn a_chunk_is_claimed_after_its_sync_and_not_before() {
    let sample = Sample::of_size(4 * CHUNK);
    let download = Download::of(&sample);
    let content = &download.content;
    for index in [2, 0] {
        assert_eq!(
            content.put(&sample.chunk(index)).unwrap(),
            content.unsynced_bytes()
        );
    }
    assert_eq!(content.unsynced_bytes(), 2 * CHUNK as u64);
    assert_eq!(download.claim(), None);
    content.sync().unwrap();
    assert_eq!((content.unsynced_bytes(), download.disk.syncs()), (0, 1));
    assert_eq!(download.claimed(), [0, 2]);
    assert_eq!(download.claim().unwrap().rest, None);
    content.sync().unwrap();
    assert_eq!(download.disk.syncs(), 1, "there was nothing to sync");
    put_all(content, &sample);
    content.finish().unwrap();
    assert_eq!(download.claim(), None, "it is a container now");
}

#[test]
fn no_more_than_four_megabytes_wait_for_a_sync() {
    let sample = Sample::of_size(300 * CHUNK);
    let download = Download::of(&sample);
    for chunk in sample.chunks() {
        let unsynced = download.content.put(&chunk).unwrap();
        assert!(unsynced <= UNSYNCED_BYTES_MAX);
    }
    assert_eq!(download.disk.syncs(), 2);
    assert_eq!(download.claimed(), (0..256).collect::<Vec<_>>());
}

#[test]
fn what_was_left_at_rest_is_not_hashed_again() {
    let sample = Sample::of_size(4 * CHUNK);
    let first = Download::of(&sample);
    put(&first.content, &sample.chunk(1));
    put(&first.content, &sample.chunk(3));
    first.content.rest().unwrap();
    assert!(first.claim().unwrap().rest.is_some());
    let reads = first.disk.reads();

    let second = Download::again(&sample, first.disk, first.ledger);
    assert_eq!(held(&second.content), [1, 3]);
    assert_eq!(second.disk.reads(), reads);
    assert_eq!(second.claimed(), [1, 3]);
    assert_eq!(second.claim().unwrap().rest, None, "it may be written to");
    // one that rots while nobody looks is noticed when it is read
    second.disk.flip(CHUNK + 9);
    assert!(matches!(
        read(&second.content, 1),
        Err(ReadError::Rotten { .. })
    ));
    assert_eq!(held(&second.content), [3]);
    second.content.rest().unwrap();
    assert_eq!(second.claimed(), [3]);
}

#[test]
fn what_was_not_left_at_rest_or_has_changed_since_is_hashed() {
    let sample = Sample::of_size(4 * CHUNK);
    let other = Sample::of(vec![7; 4 * CHUNK]);
    let first = Download::of(&sample);
    put(&first.content, &sample.chunk(1));
    first.content.rest().unwrap();
    let reads = |download: &Download| download.disk.reads();

    // written to by somebody else: not a byte of it is believed
    first.disk.flip(CHUNK);
    let before = reads(&first);
    let Download { disk, ledger, .. } = first;
    disk.touch();
    let second = Download::again(&sample, disk, ledger);
    assert!(held(&second.content).is_empty());
    assert!(reads(&second) > before);

    // cut short
    put(&second.content, &sample.chunk(2));
    second.content.sync().unwrap();
    let before = reads(&second);
    let third = Download::again(&sample, second.disk, second.ledger);
    assert_eq!(held(&third.content), [2]);
    assert!(reads(&third) > before);

    // another manifest's
    third.content.rest().unwrap();
    let fourth = Download::again(&other, third.disk, third.ledger);
    assert!(held(&fourth.content).is_empty());
}

#[test]
fn a_failed_sync_costs_what_came_since_the_last_good_one() {
    let sample = Sample::of_size(6 * CHUNK);
    let download = Download::of(&sample);
    let (disk, content) = (&download.disk, &download.content);
    put(content, &sample.chunk(0));
    put(content, &sample.chunk(1));
    content.sync().unwrap();
    put(content, &sample.chunk(2));
    put(content, &sample.chunk(3));
    disk.break_with(Fault::Unsynced);
    let error = content.sync().unwrap_err();
    assert!(matches!(error, SyncError::NotKept { .. }));
    disk.repair();
    assert_eq!(
        (held(content), download.claimed()),
        (vec![0, 1], vec![0, 1])
    );
    assert_eq!((disk.reopened(), content.unsynced_bytes()), (1, 0));
    // not asked again: what the page cache has may not be on the disk
    assert_eq!(disk.syncs(), 2);
    let writes = disk.writes();
    put_all(content, &sample);
    assert_eq!(disk.writes(), writes + 4, "those two are written again");
    content.finish().unwrap();
}

#[test]
fn after_a_second_failure_nothing_more_is_written() {
    let sample = Sample::of_size(6 * CHUNK);
    let download = Download::of(&sample);
    let (disk, content) = (&download.disk, &download.content);
    for _ in 0..2 {
        put(content, &sample.chunk(0));
        disk.break_with(Fault::Unsynced);
        assert!(content.sync().is_err());
        disk.repair();
    }
    let writes = disk.writes();
    let error = content.put(&sample.chunk(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "E-IO: chunk 0 not written: the disk failed twice to keep memory.part"
    );
    assert_eq!(disk.writes(), writes);
}

#[test]
fn a_failure_that_only_a_put_has_seen_is_told_by_the_next_sync() {
    let sample = Sample::of_size(129 * CHUNK);
    let download = Download::of(&sample);
    let (disk, content) = (&download.disk, &download.content);
    disk.break_with(Fault::Unsynced);
    put_all(content, &sample);
    disk.repair();
    assert_eq!(
        held(content),
        [128],
        "the others wait no more: they are lost"
    );
    assert!(content.sync().is_err());
    assert_eq!((held(content), download.claimed()), (vec![128], vec![128]));
    assert!(content.sync().is_ok());
}

#[test]
fn a_disk_that_is_full_at_a_sync_may_be_so_often() {
    let sample = Sample::of_size(6 * CHUNK);
    let download = Download::of(&sample);
    let (disk, content) = (&download.disk, &download.content);
    put(content, &sample.chunk(0));
    content.sync().unwrap();
    for round in 1..=5 {
        put(content, &sample.chunk(1));
        put(content, &sample.chunk(2));
        disk.break_with(Fault::FullAtSync);
        let error = content.sync().unwrap_err();
        assert_eq!(
            (error.code(), error.to_string()),
            (
                "E-DISK-FULL",
                "E-DISK-FULL: no space to keep memory.part".to_owned()
            )
        );
        disk.repair();
        let written = disk.writes();
        assert_eq!(
            (held(content), download.claimed()),
            (vec![0], vec![0]),
            "what it had taken is needed again"
        );
        let syncs = disk.syncs();
        content.sync().unwrap();
        assert_eq!(
            (disk.syncs(), disk.reopened(), disk.writes()),
            (syncs, round, written)
        );
    }
    put_all(content, &sample);
    content.finish().unwrap();
}

#[test]
fn a_put_that_finds_the_disk_full_at_a_sync_says_so_and_writes_nothing() {
    let sample = Sample::of_size(129 * CHUNK);
    let download = Download::of(&sample);
    let (disk, content) = (&download.disk, &download.content);
    disk.break_with(Fault::FullAtSync);
    let chunks: Vec<_> = sample.chunks().collect();
    let (last, first) = chunks.split_last().unwrap();
    first.iter().for_each(|chunk| put(content, chunk));
    let error = content.put(last).unwrap_err();
    assert_eq!(
        error.to_string(),
        "E-DISK-FULL: no space for chunk 128, 32768 B, in memory.part"
    );
    assert!(error.may_pass());
    assert_eq!((held(content), disk.writes()), (vec![], 128));
    disk.repair();
    let told = content.sync().unwrap_err();
    assert_eq!(told.code(), "E-DISK-FULL", "for whoever counts the chunks");
    put_all(content, &sample);
    content.finish().unwrap();
}

#[test]
fn a_sync_that_fails_while_the_container_is_finished_is_not_overlooked() {
    let sample = Sample::of_size(6 * CHUNK);
    for fault in [Fault::Unsynced, Fault::FullAtSync] {
        let download = Download::of(&sample);
        let (disk, content) = (&download.disk, &download.content);
        put(content, &sample.chunk(0));
        disk.hold_up(true);
        thread::scope(|scope| {
            let synced = scope.spawn(|| content.sync());
            while disk.syncs() == 0 {
                thread::yield_now();
            }
            put_all(content, &sample);
            let finished = scope.spawn(|| content.finish());
            // time to see that all is there, and to wait for its turn to sync; without it the outcome is
            // the same, and shows less
            thread::sleep(Duration::from_millis(50));
            disk.break_with(fault);
            disk.hold_up(false);
            assert!(synced.join().unwrap().is_err());
            let outcome = finished.join().unwrap();
            assert!(
                matches!(
                    outcome,
                    Err(FinishError::Incomplete {
                        held: 0,
                        total: 6,
                        ..
                    })
                ),
                "{outcome:?}"
            );
        });
        disk.repair();
        assert_eq!(content.path(), Path::new("memory.part"));
        put_all(content, &sample);
        assert_eq!(content.finish().unwrap(), Path::new("memory"));
    }
}
