//! Making an index of so many containers, by the changes that a master makes.

use std::sync::Arc;

use swarmhold::index::{Facts, Member, Seat};
use swarmhold::node::{Stopwatch, unix_time};
use swarmhold::store::index::{Change, IndexPlace};
use swarmhold::wire::Holding;
use swarmhold::{Address, Digest, ManifestId, ProgramId};

use crate::Options;
use crate::say::say;

/// Rows of one transaction.
const BATCH: usize = 5000;
/// Files of one wallet.
const PER_WALLET: usize = 900;
/// How much later than now the fill's nodes were seen, in seconds: they are never swept.
const LATER_S: u64 = 30 * 24 * 3600;

/// The names to fill with: from the file, or made up.
pub(crate) fn names(options: &Options) -> Vec<String> {
    let rows = options.rows as usize;
    let Some(path) = &options.names else {
        return (0..rows).map(made_up).collect();
    };
    let text = std::fs::read_to_string(path).expect("the file with the names is readable");
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let fits = |name: &String| name.chars().count() <= 64;
    let names: Vec<String> = text.lines().filter_map(first).filter(fits).collect();
    assert!(!names.is_empty(), "the file with the names has none");
    // from all over the file, in no order
    let step = (names.len() / rows.max(1)).max(1);
    let mut picked: Vec<String> = names.iter().step_by(step).take(rows).cloned().collect();
    let mut round = 0;
    while picked.len() < rows {
        round += 1;
        let more = names.iter().take(rows - picked.len());
        picked.extend(more.map(|name| format!("{name}-{round}")));
    }
    let count = picked.len();
    for at in (1..count).rev() {
        let digest = Digest::of(&at.to_le_bytes());
        let random = digest
            .as_bytes()
            .first_chunk()
            .map_or(0, |it| u64::from_le_bytes(*it));
        let other = usize::try_from(random % (at as u64 + 1)).unwrap_or(0);
        picked.swap(at, other);
    }
    picked
}

/// A name like those of packages.
fn made_up(at: usize) -> String {
    const WORDS: [&str; 24] = [
        "lib", "data", "net", "core", "tool", "image", "server", "client", "python", "rust", "web",
        "graph", "stream", "crypto", "linux", "kernel", "game", "font", "math", "audio", "video",
        "index", "swarm", "debug",
    ];
    let digest = Digest::of(&at.to_le_bytes());
    let pick = |byte: usize| WORDS[usize::from(digest.as_bytes()[byte]) % WORDS.len()];
    format!("{}-{}-{}.{at}", pick(0), pick(1), pick(2))
}

/// The manifest id of the container of this number.
pub(crate) fn manifest_id(at: usize) -> ManifestId {
    ManifestId::new(Digest::of(format!("manifest {at}").as_bytes()))
}

/// Fills an index that has fewer rows.
pub(crate) fn fill(place: &IndexPlace, names: &[String]) {
    let mut index = place.open_to_write().expect("an index");
    let there = index
        .extent(unix_time())
        .expect("it can be counted")
        .entries;
    let there = usize::try_from(there).unwrap_or(0);
    if there >= names.len() {
        say(format!("{there} containers in the index already"));
        return;
    }
    let began = Stopwatch::start();
    let now = unix_time() + LATER_S;
    for start in (0..names.len()).step_by(BATCH) {
        let end = names.len().min(start + BATCH);
        let changes: Vec<Change> = (start..end)
            .flat_map(|at| rows(at, &names[at], now))
            .collect();
        index.write(now, &changes).expect("it can be written");
    }
    let extent = index.extent(now).expect("it can be counted");
    let seconds = began.elapsed().as_secs_f64();
    let (entries, holders) = (extent.entries, extent.holders);
    say(format!(
        "{entries} containers, {holders} holders in {seconds:.1} s"
    ));
    if let IndexPlace::Sqlite(file) = place {
        let size = std::fs::metadata(file).map_or(0, |it| it.len());
        say(format!("{} MiB on the disk", size >> 20));
    }
}

/// A container and who holds it: one in eight has more than one holder.
fn rows(at: usize, name: &str, now: u64) -> Vec<Change> {
    let holders = match at % 64 {
        0 => 6,
        1..8 => 2,
        _ => 1,
    };
    let facts = Arc::new(Facts {
        manifest_id: manifest_id(at),
        program_id: ProgramId::new(Digest::of(name.as_bytes())),
        owner: wallet(at / PER_WALLET),
        name: name.to_owned(),
        size: 1000 + at as u64 * 7919,
        chunks: 4,
        time: 1_700_000_000 + at as u64,
    });
    let change = |holder: usize| {
        // another's, far away, for each holder but the first
        let number = at / PER_WALLET + holder * 1_000_000;
        Change::List {
            facts: Arc::clone(&facts),
            member: Member {
                seat: Seat {
                    address: wallet(number),
                    remote: ([127, 0, 0, 1], 2000).into(),
                },
                listen: vec![([127, 0, 0, 1], 2000).into()],
                subnet: number as u64,
                is_open: holder.is_multiple_of(2),
            },
            held: Holding {
                chunks: 4,
                map: u64::MAX,
            },
            expires: now,
        }
    };
    (0..holders).map(change).collect()
}

fn wallet(number: usize) -> Address {
    Address::new(Digest::of(format!("wallet {number}").as_bytes()))
}
