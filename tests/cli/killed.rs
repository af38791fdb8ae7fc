//! `kill -9` at random points of a fetch, and what the next one finds.
//!
//! All bytes to the child pass through a relay of the test's own, which counts them and has the child
//! killed when a random number has passed. What a killed process wrote is in the page cache and stays
//! (what a loss of power leaves is tested in `src/store`, with a model), so the test can hold the
//! `.part` against the container, and then the next process against that: it must find every chunk
//! that is right, and whatever else came must have been in flight. 200 kills, or as many as
//! `SWARMHOLD_KILLS` says.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use swarmhold::Link;

use crate::folder::Folder;
use crate::process::PATIENCE;
use crate::share::{folder, sharing};
use crate::test::Test;

const CHUNK: usize = 32 * 1024;
/// Bytes of the container: several times what may wait for a sync.
const SIZE: usize = 16 << 20;
/// What may have come by the time of a kill and is not in the file: what the issue of losses allows, 4
/// MiB, and what is in flight for one peer.
const IN_FLIGHT_MAX: u64 = (4 + 4) << 20;
/// How often a thread of the relay looks whether it is over.
const LOOK: Duration = Duration::from_millis(20);

/// Numbers that follow from a seed: an xorshift.
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What has passed to the child, and from when on it is to be killed.
struct Relay {
    passed: AtomicU64,
    limit: u64,
    is_over: AtomicBool,
}

/// How a child ended, and how many bytes it was sent.
struct Run {
    status: ExitStatus,
    stderr: String,
    passed: u64,
}

impl Relay {
    /// Passes datagrams from the child to the node and back, until it is over.
    fn pass(&self, front: &UdpSocket, back: &UdpSocket, reached: &Sender<()>) {
        let child = std::sync::OnceLock::<SocketAddr>::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                self.each(front, |bytes, from| {
                    child.get_or_init(|| from);
                    // a datagram that is lost is sent again
                    let _ = back.send(bytes);
                });
            });
            self.each(back, |bytes, _| {
                let before = self.passed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                if before < self.limit && before + bytes.len() as u64 >= self.limit {
                    // who waits for it may have seen the child end
                    let _ = reached.send(());
                }
                if let Some(child) = child.get() {
                    let _ = front.send_to(bytes, child);
                }
            });
        });
    }

    fn each(&self, socket: &UdpSocket, mut take: impl FnMut(&[u8], SocketAddr)) {
        socket.set_read_timeout(Some(LOOK)).unwrap();
        let mut buffer = vec![0; 65_536];
        while !self.is_over.load(Ordering::Relaxed) {
            match socket.recv_from(&mut buffer) {
                Ok((len, from)) => take(&buffer[..len], from),
                // nothing came, or the other end is gone
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                    ),
                    "{error}"
                ),
            }
        }
    }
}

/// Runs a fetch, and kills it when so many bytes have passed.
fn run(folder: &Folder, link: &Link, limit: u64) -> Run {
    let loopback = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (front, back) = (loopback(), loopback());
    back.connect(link.peers[0]).unwrap();
    let mut link = link.clone();
    link.peers = vec![front.local_addr().unwrap()];
    let relay = Relay {
        passed: AtomicU64::new(0),
        limit,
        is_over: AtomicBool::new(false),
    };
    let (reached, limit_reached) = channel();
    let link = link.to_string();
    let args = ["get", &link, "-o", "copy", "--listen", "127.0.0.1:0"];
    let mut command = Test::new(folder).home("bob").args(args).command();
    thread::scope(|scope| {
        scope.spawn(|| relay.pass(&front, &back, &reached));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut waited = Duration::ZERO;
        while child.try_wait().unwrap().is_none() {
            match limit_reached.recv_timeout(LOOK) {
                Ok(()) => child.kill().unwrap(),
                Err(RecvTimeoutError::Timeout) => waited += LOOK,
                Err(RecvTimeoutError::Disconnected) => unreachable!("it is held here"),
            }
            assert!(waited < PATIENCE, "neither killed nor done");
        }
        let passed = relay.passed.load(Ordering::Relaxed);
        relay.is_over.store(true, Ordering::Relaxed);
        let output = child.wait_with_output().unwrap();
        Run {
            status: output.status,
            stderr: String::from_utf8(output.stderr).unwrap(),
            passed,
        }
    })
}

/// How many chunks of the `.part` are right.
fn right(folder: &Folder, bytes: &[u8]) -> u64 {
    if !folder.exists("copy.part") {
        return 0;
    }
    let part = folder.read("copy.part");
    let pairs = part.chunks(CHUNK).zip(bytes.chunks(CHUNK));
    pairs.filter(|(found, right)| found == right).count() as u64
}

/// How many chunks a fetch says that it found.
fn found(run: &Run) -> Option<u64> {
    let mut lines = run.stderr.lines();
    let line = lines.find_map(|line| line.strip_prefix("resuming: "))?;
    Some(line.split(' ').next().unwrap().parse().unwrap())
}

fn check_state(folder: &Folder) {
    let path = folder.path("bob/state.db");
    let database = rusqlite::Connection::open(path).unwrap();
    let verdict: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn what_a_killed_fetch_has_written_is_found_by_the_next() {
    let kills_wanted: u32 = std::env::var("SWARMHOLD_KILLS").map_or(200, |kills| {
        kills.parse().expect("SWARMHOLD_KILLS is a number")
    });
    let folder = folder(SIZE);
    let bytes = folder.read("app.tar");
    let mut rng = Rng(0x5eed_0fd1_5c00);
    let (mut kills, mut resumed, mut most) = (0, 0, 0);
    while kills < kills_wanted {
        // Who was killed says no goodbye, and a share keeps a place for it for a while.
        let (_process, link) = sharing(&folder, &["app.tar"]);
        let link: Link = link.trim().parse().unwrap();
        loop {
            let before = right(&folder, &bytes);
            let limit = 1 + rng.below(SIZE as u64 / 3);
            let run = run(&folder, &link, limit);
            if let Some(found) = found(&run) {
                assert_eq!(found, before, "{}", run.stderr);
                resumed += 1;
            }
            check_state(&folder);
            if folder.exists("copy") {
                assert!(folder.read("copy") == bytes && !folder.exists("copy.part"));
                std::fs::remove_file(folder.path("copy")).unwrap();
                kills += u32::from(run.status.code().is_none());
                break;
            }
            assert_eq!(run.status.code(), None, "it was killed: {}", run.stderr);
            kills += 1;
            let kept = right(&folder, &bytes);
            assert!(kept >= before, "{before} chunks were there, now {kept}");
            let lost = run.passed.saturating_sub((kept - before) * CHUNK as u64);
            assert!(
                lost <= IN_FLIGHT_MAX,
                "{lost} B came for nothing, with limit {limit}"
            );
            most = most.max(lost);
        }
    }
    println!("{kills} kills, {resumed} fetches resumed, at most {most} B came for nothing");
    assert!(resumed > kills / 4);
}
