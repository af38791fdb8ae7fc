//! A file and a ledger that write down every change, and what a loss of power leaves of them.
//!
//! The model is harsh but for one thing: a medium keeps what it confirmed. Until a sync, each write may
//! be lost, kept, or torn into sectors, without regard to order, also the one under way;
//! a new name may or may not have been kept; a ledger keeps its oldest calls.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::super::CHUNK;
use super::rng::Rng;
use crate::store::backend::Backend;
use crate::store::{Claim, FileStamp, Ledger};

/// Granularity of holes, in bytes.
const PAGE: usize = 4096;

/// What is on the medium when the power comes back.
#[derive(Clone, Default)]
pub(in crate::store::tests) struct Image {
    pub(in crate::store::tests) bytes: Vec<u8>,
    pub(in crate::store::tests) name: Name,
    pub(in crate::store::tests) claim: Option<Claim>,
    /// The file's time: how often it was changed.
    changes: i64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(in crate::store::tests) enum Name {
    #[default]
    Part,
    Final,
}

/// One change, or one wish that changes be kept.
#[derive(Clone)]
pub(in crate::store::tests) enum Op {
    Reserve(usize),
    Write { at: usize, bytes: Bytes },
    Sync,
    Publish,
    SyncName,
    Claim(Claim),
    Forget,
}

/// The file.
pub(in crate::store::tests) struct PowerDisk(Mutex<State>);

struct State {
    image: Image,
    log: Vec<Op>,
    reads: usize,
}

/// The ledger of that file.
pub(in crate::store::tests) struct PowerLedger(pub(in crate::store::tests) Arc<PowerDisk>);

impl PowerDisk {
    /// What an image becomes when it is used.
    pub(in crate::store::tests) fn new(image: Image) -> Self {
        Self(Mutex::new(State {
            image,
            log: Vec::new(),
            reads: 0,
        }))
    }

    /// Every change so far.
    pub(in crate::store::tests) fn log(&self) -> Vec<Op> {
        self.state().log.clone()
    }

    /// What it is while the power is on.
    pub(in crate::store::tests) fn live(&self) -> Image {
        self.state().image.clone()
    }

    /// Whether it is so while the power is on.
    pub(in crate::store::tests) fn is(&self, so: impl Fn(&Image) -> bool) -> bool {
        so(&self.state().image)
    }

    /// How many reads came.
    pub(in crate::store::tests) fn reads(&self) -> usize {
        self.state().reads
    }

    /// Reads are counted from here on.
    pub(in crate::store::tests) fn forget_reads(&self) {
        self.state().reads = 0;
    }

    fn change(&self, op: Op) {
        let state = &mut *self.state();
        apply(&op, &mut state.image);
        state.log.push(op);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn apply(op: &Op, image: &mut Image) {
    match op {
        Op::Reserve(size) => {
            image.bytes.resize(*size, 0);
            image.changes += 1;
        }
        Op::Write { at, bytes } => {
            let end = at + bytes.len();
            if image.bytes.len() < end {
                image.bytes.resize(end, 0);
            }
            image.bytes[*at..end].copy_from_slice(bytes);
            image.changes += 1;
        }
        Op::Publish => image.name = Name::Final,
        Op::Claim(claim) => image.claim = Some(claim.clone()),
        Op::Forget => image.claim = None,
        Op::Sync | Op::SyncName => {}
    }
}

/// What the medium has for certain when the power goes before operation `at` of `log` has ended, and
/// what besides that may or may not be there.
pub(super) struct Cut<'a> {
    pub(super) certain: Image,
    maybe: Vec<&'a Op>,
    calls: Vec<Option<&'a Claim>>,
    name: Name,
    changes: i64,
}

impl<'a> Cut<'a> {
    pub(in crate::store::tests) fn new(start: &Image, log: &'a [Op], at: usize) -> Self {
        let mut cut = Self {
            certain: start.clone(),
            maybe: Vec::new(),
            calls: Vec::new(),
            name: start.name,
            changes: start.changes,
        };
        for op in &log[..at] {
            cut.pass(op);
        }
        // The operation that is cut short may have happened, in part. One that confirms has not.
        match log.get(at) {
            None | Some(Op::Sync | Op::SyncName) => {}
            Some(op) => cut.pass(op),
        }
        cut
    }

    fn pass(&mut self, op: &'a Op) {
        match op {
            Op::Reserve(_) | Op::Write { .. } => {
                self.maybe.push(op);
                self.changes += 1;
            }
            Op::Sync => {
                for op in self.maybe.drain(..) {
                    apply(op, &mut self.certain);
                }
                self.certain.changes = self.changes;
            }
            Op::Publish => self.name = Name::Final,
            Op::SyncName => self.certain.name = self.name,
            Op::Claim(claim) => self.calls.push(Some(claim)),
            Op::Forget => self.calls.push(None),
        }
    }

    /// One of the images that this cut may leave.
    pub(super) fn image(&self, rng: &mut Rng) -> Image {
        let mut image = self.certain.clone();
        let mut maybe = self.maybe.clone();
        rng.shuffle(&mut maybe);
        let tearing = Tearing::draw(rng);
        for op in maybe {
            match op {
                Op::Write { at, bytes } => tearing.write(*at, bytes, &mut image.bytes, rng),
                Op::Reserve(size) => {
                    if rng.one_in(2) && image.bytes.len() < *size {
                        image.bytes.resize(*size, 0);
                    }
                }
                Op::Sync | Op::Publish | Op::SyncName | Op::Claim(_) | Op::Forget => {
                    unreachable!("it changes no byte")
                }
            }
        }
        if rng.one_in(2) {
            image.name = self.name;
        }
        let unsure = self.changes - self.certain.changes;
        image.changes += i64::try_from(rng.below(unsure.unsigned_abs() + 1)).unwrap();
        let calls = self.calls.len() as u64;
        let kept = match rng.below(4) {
            0 | 1 => calls,
            2 => calls.saturating_sub(rng.below(3)),
            _ => rng.below(calls + 1),
        };
        if let Some(last) = usize::try_from(kept).unwrap().checked_sub(1) {
            image.claim = self.calls[last].cloned();
        }
        image
    }
}

/// What becomes of a write that was not confirmed.
#[derive(Clone, Copy)]
enum Tearing {
    AllLost,
    AllKept,
    /// Each write is there or not.
    Whole,
    /// Of each write some first sectors of so many bytes are there.
    Prefix(usize),
    /// Each sector of so many bytes is there or not.
    Sectors(usize),
}

impl Tearing {
    fn draw(rng: &mut Rng) -> Self {
        match rng.below(8) {
            0 => Self::AllLost,
            1 => Self::AllKept,
            2 | 3 => Self::Whole,
            4 => Self::Prefix(512),
            5 => Self::Prefix(4096),
            6 => Self::Sectors(512),
            _ => Self::Sectors(4096),
        }
    }

    fn write(self, at: usize, bytes: &[u8], file: &mut Vec<u8>, rng: &mut Rng) {
        let sector = match self {
            Self::AllLost => return,
            Self::AllKept | Self::Whole => CHUNK,
            Self::Prefix(sector) | Self::Sectors(sector) => sector,
        };
        let sectors = bytes.len().div_ceil(sector) as u64;
        let first_lost = match self {
            Self::Prefix(_) => rng.below(sectors + 1),
            Self::AllLost | Self::AllKept | Self::Whole | Self::Sectors(_) => sectors,
        };
        for (number, piece) in (0..).zip(bytes.chunks(sector)) {
            let kept = match self {
                Self::AllLost => false,
                Self::AllKept => true,
                Self::Prefix(_) => number < first_lost,
                Self::Whole | Self::Sectors(_) => rng.one_in(2),
            };
            if kept {
                let from = at + usize::try_from(number).unwrap() * sector;
                let end = from + piece.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[from..end].copy_from_slice(piece);
            }
        }
    }
}

impl Backend for PowerDisk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.reads += 1;
        let bytes = &state.image.bytes;
        let from = usize::try_from(offset).unwrap().min(bytes.len());
        let len = (bytes.len() - from).min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[from..from + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let bytes = Bytes::copy_from_slice(bytes);
        self.change(Op::Write { at, bytes });
        Ok(())
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        // what is as it should be does not change
        let size = usize::try_from(size).unwrap();
        if self.state().image.bytes.len() != size {
            self.change(Op::Reserve(size));
        }
        Ok(())
    }

    fn missing_space(&self, _size: u64) -> Option<u64> {
        None
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        let state = self.state();
        let (from, bytes) = (usize::try_from(offset).unwrap(), &state.image.bytes);
        let pages = (from / PAGE * PAGE..bytes.len()).step_by(PAGE);
        let zeros = [0; PAGE];
        let mut data = pages.filter(|at| {
            let page = &bytes[*at..bytes.len().min(at + PAGE)];
            page != &zeros[..page.len()]
        });
        Ok(data.next().map(|page| page.max(from) as u64))
    }

    fn sync(&self) -> io::Result<()> {
        self.change(Op::Sync);
        Ok(())
    }

    fn reopen(&self) -> io::Result<()> {
        Ok(())
    }

    fn stamp(&self) -> io::Result<FileStamp> {
        let image = &self.state().image;
        Ok(FileStamp {
            size: image.bytes.len() as u64,
            modified_ns: image.changes,
            inode: 1,
        })
    }

    fn publish(&self) -> io::Result<()> {
        self.change(Op::Publish);
        Ok(())
    }

    fn sync_name(&self) -> io::Result<()> {
        self.change(Op::SyncName);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        match self.state().image.name {
            Name::Part => PathBuf::from("power.part"),
            Name::Final => self.destination(),
        }
    }

    fn destination(&self) -> PathBuf {
        PathBuf::from("power")
    }
}

impl std::fmt::Debug for PowerLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PowerLedger")
    }
}

impl Ledger for PowerLedger {
    fn claim(&self, _part: &Path, claim: &Claim) {
        self.0.change(Op::Claim(claim.clone()));
    }

    fn claimed(&self, _part: &Path) -> Option<Claim> {
        self.0.state().image.claim.clone()
    }

    fn forget(&self, _part: &Path) {
        self.0.change(Op::Forget);
    }
}
