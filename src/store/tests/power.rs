//! The power goes at every operation of a download of 64 chunks, 10,000 times in all.
//!
//! The model is scaled down: chunks of 32 KiB, and 8 of them may wait for a sync where a node lets
//! 4 MiB wait, so that the container is eight times what may be lost, not half of it. After each cut:
//!
//! * the file opens, and no chunk that is not as the manifest says is accepted or handed out;
//! * every chunk that a sync confirmed is still held, and every claim that the ledger kept is true,
//!   so that no more is fetched again than what was waiting for a sync and the chunk being written;
//! * a final name leads to the whole container, and what is finished has its final name;
//! * the rest can be put; of one in four the download then ends as any other.
//!
//! The same holds in a vault, where the disk has nothing but what is encrypted: 2,500 images of that.
//!
//! In one of nine the power goes again while the first cut is recovered from. A
//! failure names its operation and its seed. One in sixteen hashes all that it reads; the others
//! recognise chunks that were hashed before, as a node does.

pub(super) mod disk;
mod planted;
mod rng;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use self::disk::{Cut, Image, Name, Op, PowerDisk, PowerLedger};
use self::rng::Rng;
use super::*;
use crate::identity::VaultKey;
use crate::manifest::Recall;
use crate::store::backend::Backend;
use crate::store::vault::{SealedDisk, Vault};

const CHUNKS: u32 = 64;
/// What may wait for a sync, in bytes.
const UNSYNCED: usize = 8 * CHUNK;
/// Images in all.
const IMAGES: u64 = 10_000;
/// Images of a vault.
const SEALED_IMAGES: u64 = 2500;
/// Of so many images one is cut again.
const AGAIN: u64 = 9;
/// Of so many images one is finished.
const FINISHED: u64 = 4;
/// Of so many images one recognises nothing.
const HASHED: u64 = 16;

/// How often something happened that a test of all images must have seen.
#[derive(Default, Debug)]
struct Seen {
    images: AtomicU32,
    again: AtomicU32,
    /// The ledger was believed.
    at_rest: AtomicU32,
    /// The file had its final name.
    finished: AtomicU32,
    /// The ledger was believed, and a read found other bytes.
    lost: AtomicU32,
}

/// Says which image it was when a check panics.
struct Which(String);

impl Drop for Which {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("in the image of {}", self.0);
        }
    }
}

/// In which form the container lies on the disk.
enum Form {
    Open,
    Sealed(Vault),
}

impl Form {
    /// What the container's bytes are written through.
    fn over(&self, sample: &Sample, disk: Arc<PowerDisk>) -> Arc<dyn Backend> {
        let (id, size) = (
            sample.manifest.program_id(),
            sample.manifest.layout().size(),
        );
        match self {
            Self::Open => disk,
            Self::Sealed(vault) => Arc::new(SealedDisk::begin(disk, vault, id, size).unwrap()),
        }
    }

    /// Which chunks of an image are as the manifest says.
    fn right_chunks(&self, sample: &Sample, image: &Image) -> Bitfield {
        let mut right = Bitfield::empty(CHUNKS);
        let mut compare = |found: &dyn Fn(usize) -> Option<Vec<u8>>| {
            for (chunk, bytes) in sample.bytes.chunks(CHUNK).enumerate() {
                if found(chunk).as_deref() == Some(bytes) {
                    right.insert(ChunkIndex::new(u32::try_from(chunk).unwrap()));
                }
            }
        };
        let place = |chunk: usize| chunk * CHUNK..sample.bytes.len().min((chunk + 1) * CHUNK);
        match self {
            Self::Open => compare(&|chunk| Some(image.bytes.get(place(chunk))?.to_vec())),
            Self::Sealed(vault) => {
                let file: Arc<dyn Backend> = Arc::new(PowerDisk::new(image.clone()));
                let (id, size) = (sample.manifest.program_id(), sample.bytes.len() as u64);
                if let Some(disk) = SealedDisk::open(&file, vault, id, size).unwrap() {
                    compare(&|chunk| disk.read_new(CHUNK, (chunk * CHUNK) as u64).ok());
                }
            }
        }
        right
    }

    /// Which chunk a write to this place of the file is of.
    fn chunk_at(&self, at: usize) -> Option<ChunkIndex> {
        let chunk = match self {
            Self::Open => at / CHUNK,
            Self::Sealed(_) => at.checked_sub(4096)? / (CHUNK + 28),
        };
        Some(ChunkIndex::new(u32::try_from(chunk).unwrap()))
    }
}

fn open(form: &Form, sample: &Sample, image: Image) -> (Arc<PowerDisk>, Content) {
    let disk = Arc::new(PowerDisk::new(image));
    let backend = form.over(sample, disk.clone());
    backend.reserve(sample.manifest.layout().size()).unwrap();
    disk.forget_reads();
    let content = Content::empty(Arc::clone(&sample.manifest), backend);
    content.state().journal.unsynced_bytes_max = UNSYNCED as u64;
    let content = content.recorded_in(Arc::new(PowerLedger(disk.clone())));
    (disk, content)
}

/// Puts what is missing, in an order that follows from the seed, syncing as the node does.
fn put_some(content: &Content, all: &[VerifiedChunk], rng: &mut Rng, chunks: usize) {
    let have = content.have();
    let missing = all.iter().filter(|chunk| !have.contains(chunk.index()));
    let mut missing: Vec<_> = missing.collect();
    rng.shuffle(&mut missing);
    for chunk in missing.into_iter().take(chunks) {
        if content.put(chunk).unwrap() >= UNSYNCED as u64 / 2 && rng.one_in(2) {
            content.sync().unwrap();
        }
    }
}

/// A download that stops on the way, once cleanly, once killed, and goes on.
fn whole_life(form: &Form, sample: &Sample, chunks: &[VerifiedChunk]) -> Vec<Op> {
    let mut rng = Rng::new(1);
    let (disk, content) = open(form, sample, Image::default());
    content.resume(|_| {}).unwrap();
    put_some(&content, chunks, &mut rng, 30);
    content.rest().unwrap();
    drop(content);
    let mut log = disk.log();
    let (disk, content) = open(form, sample, disk.live());
    content.resume(|_| {}).unwrap();
    assert_eq!(disk.reads(), 0, "it was left at rest");
    put_some(&content, chunks, &mut rng, 11);
    drop(content);
    log.extend(disk.log());
    let (disk, content) = open(form, sample, disk.live());
    content.resume(|_| {}).unwrap();
    assert_eq!(content.have().count(), 41, "the page cache has them all");
    put_some(&content, chunks, &mut rng, usize::MAX);
    content.finish().unwrap();
    log.extend(disk.log());
    log
}

/// Chunks whose `put` had returned, or that were there before.
fn stored(form: &Form, sample: &Sample, start: &Image, log: &[Op]) -> Bitfield {
    let mut stored = form.right_chunks(sample, start);
    for op in log {
        if let Op::Write { at, .. } = op {
            form.chunk_at(*at).map(|chunk| stored.insert(chunk));
        }
    }
    stored
}

/// One operation of one log, and what must have survived if the power goes there.
struct Point<'a> {
    cut: Cut<'a>,
    /// Chunks that a sync confirmed.
    certain: Bitfield,
    /// Chunks that were written.
    stored: Bitfield,
    /// Whether the whole life went by.
    is_over: bool,
}

impl<'a> Point<'a> {
    fn new(form: &Form, sample: &Sample, start: &Image, log: &'a [Op], at: usize) -> Self {
        let cut = Cut::new(start, log, at);
        Self {
            certain: form.right_chunks(sample, &cut.certain),
            stored: stored(form, sample, start, &log[..at]),
            is_over: false,
            cut,
        }
    }
}

/// What is the same for all images.
struct Trial {
    form: Form,
    sample: Sample,
    chunks: Vec<VerifiedChunk>,
    recall: Arc<Recall>,
    log: Vec<Op>,
    seen: Seen,
}

impl Trial {
    fn new(form: Form) -> Self {
        let sample = Sample::of_size(CHUNKS as usize * CHUNK - 77);
        let chunks: Vec<_> = sample.chunks().collect();
        Self {
            log: whole_life(&form, &sample, &chunks),
            form,
            chunks,
            recall: Arc::new(Recall::new(&[7; 16])),
            seen: Seen::default(),
            sample,
        }
    }

    /// Cuts the power at one operation, once for each of these seeds.
    fn check(&self, at: usize, seeds: impl IntoIterator<Item = u64>) {
        let start = Image::default();
        let mut point = Point::new(&self.form, &self.sample, &start, &self.log, at);
        point.is_over = at == self.log.len();
        for seed in seeds {
            let _which = Which(format!("operation {at} with seed {seed}"));
            self.seen.images.fetch_add(1, Ordering::Relaxed);
            let mut rng = Rng::new(seed);
            let image = point.cut.image(&mut rng);
            if seed.is_multiple_of(AGAIN) {
                self.check_again(&point, &image, &mut rng, seed);
            } else {
                self.recover(&point, image, seed);
            }
        }
    }

    /// Cuts the power once more, during recovery, if there is something to recover.
    fn check_again(&self, point: &Point<'_>, image: &Image, rng: &mut Rng, seed: u64) {
        let Some(log) = self.recover(point, image.clone(), seed) else {
            return;
        };
        self.seen.again.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(rng.below(log.len() as u64 + 1)).unwrap();
        let point = Point::new(&self.form, &self.sample, image, &log, at);
        self.recover(&point, point.cut.image(rng), seed);
    }

    /// Opens an image and holds it against what must have survived. Answers what the recovery did, if
    /// there was something to recover.
    fn recover(&self, point: &Point<'_>, image: Image, seed: u64) -> Option<Vec<Op>> {
        let sample = &self.sample;
        assert!(
            image.name == Name::Final || !point.is_over,
            "what is finished has its name"
        );
        if image.name == Name::Final {
            let whole = self.form.right_chunks(sample, &image);
            assert!(whole.is_full(), "a final name is the whole");
            self.seen.finished.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let claim = image.claim.clone();
        let (disk, mut content) = open(&self.form, sample, image);
        if !seed.is_multiple_of(HASHED) {
            content = content.recalling(Arc::clone(&self.recall));
        }
        let believed = content.resume(|_| {}).unwrap();
        if disk.reads() == 0 && !believed.is_empty() {
            self.seen.at_rest.fetch_add(1, Ordering::Relaxed);
        }
        self.read_all(&content, &believed);
        let have = content.have();
        let lost = |kept: &Bitfield| kept.difference(&have).next();
        assert_eq!(lost(&point.certain), None, "what was synced is lost");
        let claimed = claim.as_ref().and_then(|claim| lost(&claim.have));
        assert_eq!(claimed, None, "a claim was false");
        let lost = point.stored.difference(&have).count();
        assert!(lost * CHUNK <= UNSYNCED + CHUNK, "{lost} chunks lost");

        put_some(&content, &self.chunks, &mut Rng::new(seed), usize::MAX);
        content.rest().unwrap();
        let is_whole = |end: &Image| self.form.right_chunks(sample, end).is_full();
        assert!(content.is_complete() && disk.is(is_whole));
        if seed.is_multiple_of(FINISHED) {
            content.finish().unwrap();
            assert!(disk.is(|end| end.name == Name::Final && end.claim.is_none()));
        }
        Some(disk.log())
    }

    /// Hands out every chunk that is held, or finds out that it is not.
    fn read_all(&self, content: &Content, believed: &Bitfield) {
        for chunk in &self.chunks {
            match content.read(chunk.index()) {
                Ok(Some(found)) => {
                    assert!(found.bytes() == chunk.bytes(), "a wrong chunk was served");
                }
                Ok(None) => assert!(!believed.contains(chunk.index())),
                Err(error) => {
                    assert!(error.is_lost(), "{error}");
                    self.seen.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

#[test]
fn the_power_may_go_at_any_time() {
    let seen = cut_everywhere(Form::Open, IMAGES);
    let count = |seen: AtomicU32| seen.into_inner();
    let (images, again, at_rest) = (count(seen.images), count(seen.again), count(seen.at_rest));
    assert!(images == 10_000 && again >= 1000 && at_rest >= 20 && count(seen.finished) >= 50);
}

#[test]
fn the_power_may_go_at_any_time_in_a_vault() {
    let vault = Vault::new(VaultKey::new([1; 16], [2; 32]));
    let seen = cut_everywhere(Form::Sealed(vault), SEALED_IMAGES);
    let count = |seen: AtomicU32| seen.into_inner();
    let (images, again, at_rest) = (count(seen.images), count(seen.again), count(seen.at_rest));
    assert!(images == 2500 && again >= 250 && at_rest >= 5 && count(seen.finished) >= 12);
}

/// Cuts the power at every operation of one life, so many times in all.
fn cut_everywhere(form: Form, images: u64) -> Seen {
    let trial = Trial::new(form);
    let cuts = trial.log.len() + 1;
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let points = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let points = points.take_while(|at| *at < cuts);
        points.for_each(|at| trial.check(at, (at as u64..images).step_by(cuts)));
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    println!("{cuts} cuts: {:?}", trial.seen);
    trial.seen
}
