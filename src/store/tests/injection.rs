//! Everything that a download asks of its disk fails once, in turn, in each of five ways.
//!
//! Whoever downloads goes on as a node does: it puts what is missing, finishes, and begins again where
//! the file did not open. One failure never costs more than that.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Mutex;

use super::power::disk::{Image, Name, PowerDisk, PowerLedger};
use super::*;
use crate::store::FileStamp;
use crate::store::backend::Backend;

/// Rounds of putting and finishing, or of opening, after which one failure must be forgotten.
const ROUNDS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// EIO.
    Refused,
    /// ENOSPC.
    Full,
    /// EINTR.
    Interrupted,
    ShortWrite,
    ShortRead,
}

/// A disk of which one call fails.
struct Flaky {
    disk: Arc<PowerDisk>,
    failure: Failure,
    /// Calls until then; `None` when it was.
    left: Mutex<Option<usize>>,
}

impl Flaky {
    /// Whether this call is the one, given the failures that it cannot have.
    fn fails(&self, not: &[Failure]) -> Option<Failure> {
        let mut left = self.left.lock().unwrap();
        if not.contains(&self.failure) {
            return None;
        }
        match left.as_mut()? {
            0 => {
                *left = None;
                Some(self.failure)
            }
            calls => {
                *calls -= 1;
                None
            }
        }
    }

    fn call(&self) -> io::Result<()> {
        match self.fails(&[Failure::ShortWrite, Failure::ShortRead]) {
            None => Ok(()),
            Some(failure) => Err(error(failure)),
        }
    }

    fn has_failed(&self) -> bool {
        self.left.lock().unwrap().is_none()
    }
}

fn error(failure: Failure) -> io::Error {
    match failure {
        Failure::Refused => ErrorKind::Other,
        Failure::Full => ErrorKind::StorageFull,
        Failure::Interrupted => ErrorKind::Interrupted,
        Failure::ShortWrite => ErrorKind::WriteZero,
        Failure::ShortRead => unreachable!("it is no error"),
    }
    .into()
}

impl Backend for Flaky {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.fails(&[Failure::ShortWrite]) {
            None => self.disk.read_at(buffer, offset),
            Some(Failure::ShortRead) => {
                let half = buffer.len() / 2;
                self.disk.read_at(&mut buffer[..half], offset)
            }
            Some(failure) => Err(error(failure)),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.fails(&[Failure::ShortRead]) {
            None => self.disk.write_at(bytes, offset),
            Some(failure) => {
                // whatever it says, some of it may be there
                self.disk.write_at(&bytes[..bytes.len() / 2], offset)?;
                Err(error(failure))
            }
        }
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        self.call()?;
        self.disk.reserve(size)
    }

    fn missing_space(&self, size: u64) -> Option<u64> {
        self.disk.missing_space(size)
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        self.call()?;
        self.disk.data_from(offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.call()?;
        self.disk.sync()
    }

    fn reopen(&self) -> io::Result<()> {
        self.call()?;
        self.disk.reopen()
    }

    fn stamp(&self) -> io::Result<FileStamp> {
        self.call()?;
        self.disk.stamp()
    }

    fn publish(&self) -> io::Result<()> {
        self.call()?;
        self.disk.publish()
    }

    fn sync_name(&self) -> io::Result<()> {
        self.call()?;
        self.disk.sync_name()
    }

    fn path(&self) -> PathBuf {
        self.disk.path()
    }

    fn destination(&self) -> PathBuf {
        self.disk.destination()
    }
}

/// Opens, or says that it did not.
fn open(sample: &Sample, disk: &Arc<Flaky>) -> Option<Content> {
    let size = sample.manifest.layout().size();
    disk.reserve(size).ok()?;
    let content = Content::empty(Arc::clone(&sample.manifest), disk.clone());
    let ledger = Arc::new(PowerLedger(disk.disk.clone()));
    let content = content.recorded_in(ledger);
    content.resume(|_| {}).ok()?;
    Some(content)
}

/// Puts what is missing, reads it back, and finishes. Says whether that is done.
fn round(sample: &Sample, content: &Content) -> bool {
    for chunk in sample.chunks() {
        // what was not put, or not kept, is missing in the next round
        let _ = content.put(&chunk);
        if let Ok(Some(found)) = content.read(chunk.index()) {
            assert!(found.bytes() == chunk.bytes());
        }
    }
    let _ = content.rest();
    content.finish().is_ok()
}

/// A download over a disk that fails once. Says whether it came to that.
fn life(sample: &Sample, before: &Image, failure: Failure, calls: usize) -> bool {
    let flaky = Arc::new(Flaky {
        disk: Arc::new(PowerDisk::new(before.clone())),
        failure,
        left: Mutex::new(Some(calls)),
    });
    let content = (0..ROUNDS).find_map(|_| open(sample, &flaky));
    let content = content.expect("it opens the second time");
    let ended = (0..ROUNDS).any(|_| round(sample, &content));
    assert!(ended, "{failure:?} at call {calls}");
    let end = flaky.disk.live();
    assert!(end.bytes == sample.bytes && end.name == Name::Final);
    flaky.has_failed()
}

/// What a download of some chunks left, at rest or not.
fn left(sample: &Sample, rests: impl Fn(&Content)) -> Image {
    let disk = Arc::new(PowerDisk::new(Image::default()));
    let whole = Arc::new(Flaky {
        disk: disk.clone(),
        failure: Failure::Refused,
        left: Mutex::new(None),
    });
    let content = open(sample, &whole).unwrap();
    for index in [1, 4] {
        put(&content, &sample.chunk(index));
    }
    rests(&content);
    disk.live()
}

#[test]
fn every_call_fails_once() {
    let sample = Sample::of_size(6 * CHUNK + 5);
    let lefts = [
        Image::default(),
        left(&sample, |content| content.rest().unwrap()),
        left(&sample, |content| content.sync().unwrap()),
    ];
    let failures = [
        Failure::Refused,
        Failure::Full,
        Failure::Interrupted,
        Failure::ShortWrite,
        Failure::ShortRead,
    ];
    for (before, failure) in lefts.iter().flat_map(|left| failures.map(|it| (left, it))) {
        let calls = (0..).take_while(|calls| life(&sample, before, failure, *calls));
        let calls = calls.count();
        assert!(calls >= 5, "{failure:?} came at {calls} calls only");
    }
}
