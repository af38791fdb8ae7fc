//! A disk that is full at the start of a fetch or in the middle of one: that fetch waits, and goes on by
//! itself.
//!
//! The disk is a small tmpfs, so this needs root on Linux. Elsewhere it says so and passes, unless
//! `SWARMHOLD_NO_SKIP` forbids that. The space of a `.part` is claimed before the first chunk is asked
//! for, so a test that wants it to be missing later takes it away again: it punches a hole where nothing has come yet, and
//! fills the disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate};
use swarmhold::{FetchOptions, FetchStatus, Order, What};

use crate::skip::skip;
use crate::world::{CHUNK, Fetching, World, noise, part_of, within};

const MIB: usize = 1024 * 1024;

/// A file system of 8 MiB, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` after saying why there is none.
    fn or_skip(folder: &Path) -> Option<Self> {
        let at = folder.join("small disk");
        fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(&at);
        let reason = match mount.output() {
            Ok(output) if output.status.success() => return Some(Self(at)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => format!("mount does not start: {error}"),
        };
        skip(&reason);
        None
    }

    /// Fills what is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = File::create(&path).unwrap();
        let error = loop {
            if let Err(error) = file.write_all(&[1; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // at worst it stays until the next boot
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Takes back the space of the second half of a `.part`.
fn punch(part: &Path) {
    let file = File::options().write(true).open(part).unwrap();
    let half = file.metadata().unwrap().len() / 2;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, flags, half, half).unwrap();
}

#[tokio::test]
async fn a_fetch_waits_for_room_and_goes_on_by_itself() {
    let world = World::new();
    let bob = world.node("bob").await;
    let Some(disk) = SmallDisk::or_skip(&bob.folder) else {
        return;
    };
    let alice = world.slow_node("alice", 2 * MIB as u64).await;
    let bytes = noise(1, 6 * MIB);
    let manifest = alice.seed(&bytes).await;
    let path = disk.0.join("fetched");
    let options = FetchOptions {
        output: Some(path.clone()),
        peers: vec![alice.hint()],
        order: Order::Sequential,
        disk_retry: Duration::from_millis(100),
        ..FetchOptions::default()
    };
    let what = What::Manifest(manifest.clone());
    let fetch = bob.node.fetch(what, options).await;
    let mut fetching = Fetching { fetch, path };
    fetching.holds(16).await;
    punch(&part_of(&fetching.path));
    let ballast = disk.fill();

    let mut status = fetching.fetch.status();
    let is_blocked = |status: &FetchStatus| matches!(status, FetchStatus::Blocked { .. });
    let blocked = within(status.wait_for(is_blocked)).await.unwrap().clone();
    let FetchStatus::Blocked { container, why } = blocked else {
        unreachable!("it was waited for");
    };
    assert!(why.starts_with("E-DISK-FULL: no space for "), "{why}");
    assert!(why.contains(" B more are needed"), "{why}");
    assert!(container.held >= 16 && container.held < container.chunks);

    // nothing else is held up
    let other = noise(2, 10 * CHUNK);
    let carol = world.node("carol").await;
    let others = carol.seed(&other).await;
    bob.fetch(&others, &[carol.hint()]).await.gets(&other).await;
    assert!(is_blocked(&status.borrow_and_update()));

    fs::remove_file(ballast).unwrap();
    let fetched = within(fetching.fetch.finished()).await.unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    let chunks = fetched.tally.total.chunks;
    assert_eq!(chunks, 192, "no chunk was stored twice");
}

#[tokio::test]
async fn a_fetch_that_finds_no_room_waits_for_it() {
    let world = World::new();
    let bob = world.node("bob").await;
    let Some(disk) = SmallDisk::or_skip(&bob.folder) else {
        return;
    };
    let alice = world.node("alice").await;
    let bytes = noise(3, 6 * MIB);
    let manifest = alice.seed(&bytes).await;
    let ballast = disk.fill();
    let fetch = async |name: &str| {
        let path = disk.0.join(name);
        let options = FetchOptions {
            output: Some(path.clone()),
            peers: vec![alice.hint()],
            disk_retry: Duration::from_millis(100),
            ..FetchOptions::default()
        };
        let what = What::Manifest(manifest.clone());
        let fetch = bob.node.fetch(what, options).await;
        Fetching { fetch, path }
    };
    let blocked = async |fetching: &Fetching| {
        let mut status = fetching.fetch.status();
        let is_blocked = |status: &FetchStatus| matches!(status, FetchStatus::Blocked { .. });
        match within(status.wait_for(is_blocked)).await.unwrap().clone() {
            FetchStatus::Blocked { container, why } => (container.held, why),
            other => unreachable!("{other:?} is not blocked"),
        }
    };
    let mut given_up = fetch("given up").await;
    let full = |fetching: &Fetching| {
        let part = part_of(&fetching.path);
        format!(
            "E-DISK-FULL: no space for {}, 6291456 B; 6291456 B more are needed: \
             No space left on device (os error 28)",
            part.display()
        )
    };
    assert_eq!(blocked(&given_up).await, (0, full(&given_up)));
    assert!(!part_of(&given_up.path).exists(), "nothing is left behind");
    given_up.fetch.cancel().await;
    assert!(given_up.fails().await.starts_with("E-CANCELLED: "));

    let mut fetching = fetch("fetched").await;
    assert_eq!(blocked(&fetching).await, (0, full(&fetching)));
    fs::remove_file(ballast).unwrap();
    let fetched = fetching.gets(&bytes).await;
    assert_eq!(fetched.tally.total.chunks, 192);
}
