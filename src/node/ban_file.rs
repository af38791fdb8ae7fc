//! `bans.json`: who is refused, for how much longer, and what for.
//!
//! A ban is written down as the time that is left of it and the wall clock's time of writing, because
//! wall clocks lie. The time that a node was off counts as far as the clock can be believed
//! ([`kept::away`]): one that went back, or that jumped by years, says nothing, and what was left of a
//! ban is left. While a node runs, only its monotonic clock counts. So a jump neither wipes
//! a ban nor makes it longer than [`BAN`] of the time that nodes run.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kept::{self, Kept, Turn};
use crate::digest::Address;
use crate::limits::{BAD_CHUNKS_MAX, BAN, BLAMED_MAX};
use crate::swarm::Strike;

/// The largest file that is read: 4096 entries of under 400 bytes.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// How a strike is written that is no manifest's.
const PROTOCOL: &str = "protocol";

/// One ban as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBan {
    /// How much is left of it.
    pub left: Duration,
    /// What for, the oldest first.
    pub strikes: Vec<Strike>,
}

/// Where the bans of a folder are kept.
#[derive(Debug, Clone)]
pub(super) struct BanFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    /// When it was written, in seconds since 1970.
    written: u64,
    bans: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    left_s: u64,
    strikes: Vec<String>,
}

impl BanFile {
    /// The file of this folder.
    pub(super) fn of(home: &Path) -> Self {
        Self {
            path: home.join("bans.json"),
        }
    }

    /// Waits for the turn to change it.
    pub(super) fn turn(&self) -> io::Result<Turn> {
        kept::turn(&self.path)
    }

    /// The bans that still hold at this time of the wall clock, in seconds since 1970.
    pub(super) fn read(&self, wall: u64) -> Kept<BTreeMap<Address, KeptBan>> {
        match kept::read::<Text>(&self.path, FILE_BYTES_MAX) {
            Kept::Missing => Kept::Missing,
            Kept::Damaged => Kept::Damaged,
            Kept::Found(text) => match parse(text, wall) {
                Ok(bans) => Kept::Found(bans),
                Err(why) => {
                    kept::set_aside(&self.path, &why);
                    Kept::Damaged
                }
            },
        }
    }

    /// Replaces what the file says.
    pub(super) fn write(&self, turn: &Turn, wall: u64, bans: &BTreeMap<Address, KeptBan>) {
        let entry = |(address, ban): (&Address, &KeptBan)| {
            let strikes = ban.strikes.iter().map(written).collect();
            // A ban that was just made has a day, not a day less a moment.
            let left_s = ban.left.as_millis().div_ceil(1000);
            let left_s = u64::try_from(left_s).unwrap_or(u64::MAX);
            (address.to_string(), Entry { left_s, strikes })
        };
        let text = Text {
            written: wall,
            bans: bans.iter().map(entry).collect(),
        };
        kept::write(turn, &self.path, &text);
    }
}

fn parse(text: Text, wall: u64) -> Result<BTreeMap<Address, KeptBan>, String> {
    let away = kept::away(text.written, wall);
    let mut bans = BTreeMap::new();
    for (address, entry) in text.bans.into_iter().take(BLAMED_MAX) {
        let address = address
            .parse()
            .map_err(|error| format!("{address:?} {error}"))?;
        let left = Duration::from_secs(entry.left_s).min(BAN);
        let left = left.saturating_sub(away);
        let strikes = entry.strikes.iter().take(BAD_CHUNKS_MAX as usize);
        let strikes = strikes.map(|text| strike(text)).collect::<Result<_, _>>()?;
        if !left.is_zero() {
            bans.insert(address, KeptBan { left, strikes });
        }
    }
    Ok(bans)
}

fn written(strike: &Strike) -> String {
    match strike {
        Strike::BadChunk { id } => id.to_string(),
        Strike::Protocol => PROTOCOL.to_owned(),
    }
}

fn strike(text: &str) -> Result<Strike, String> {
    if text == PROTOCOL {
        return Ok(Strike::Protocol);
    }
    let id = text.parse().map_err(|error| format!("{text:?} {error}"))?;
    Ok(Strike::BadChunk { id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Digest, ManifestId};

    const NOW: u64 = 1_790_000_000;
    const YEAR: u64 = 365 * 24 * 60 * 60;

    /// What is left, in seconds, of a ban of an hour when it is read at this time.
    fn left(at: u64) -> Option<u64> {
        let home = tempfile::tempdir().unwrap();
        let file = BanFile::of(home.path());
        let (liar, id) = (Address::new(Digest::of(b"x")), Digest::of(b"m"));
        let id = ManifestId::new(id);
        let ban = KeptBan {
            left: Duration::from_secs(3600),
            strikes: vec![Strike::BadChunk { id }, Strike::Protocol],
        };
        let bans = BTreeMap::from([(liar, ban.clone())]);
        file.write(&file.turn().unwrap(), NOW, &bans);
        let Kept::Found(found) = file.read(at) else {
            panic!("it is there");
        };
        let found = found.get(&liar)?;
        assert_eq!(found.strikes, ban.strikes);
        Some(found.left.as_secs())
    }

    /// A38.
    #[test]
    fn time_off_counts_and_jumps_of_the_clock_do_not() {
        for (at, expected) in [
            (NOW, Some(3600)),
            (NOW + 600, Some(3000)),
            (NOW + 3600, None),
            (NOW + YEAR, None),
            (NOW + 10 * YEAR, Some(3600)),
            (NOW - 1, Some(3600)),
            (NOW - 10 * YEAR, Some(3600)),
            (0, Some(3600)),
            (u64::MAX, Some(3600)),
        ] {
            assert_eq!(left(at), expected, "{} s later", at.wrapping_sub(NOW));
        }
    }

    #[test]
    fn nothing_that_the_file_says_bans_for_longer_than_a_ban() {
        let home = tempfile::tempdir().unwrap();
        let address = Address::new(Digest::of(b"x"));
        let text = format!(
            r#"{{"written": 0, "bans": {{"{address}": {{"left_s": 99999999999, "strikes": []}}}}}}"#
        );
        std::fs::write(home.path().join("bans.json"), text).unwrap();
        let Kept::Found(bans) = BanFile::of(home.path()).read(0) else {
            panic!("it is well-formed");
        };
        assert_eq!(bans[&address].left, BAN);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_set_aside() {
        for text in [
            "{\"x\": 1}",
            "[]",
            r#"{"written": 0, "bans": {"x": {"left_s": 1, "strikes": []}}}"#,
            r#"{"written": -1, "bans": {}}"#,
        ] {
            let home = tempfile::tempdir().unwrap();
            std::fs::write(home.path().join("bans.json"), text).unwrap();
            let file = BanFile::of(home.path());
            assert_eq!(file.read(0), Kept::Damaged, "{text}");
            assert_eq!(file.read(0), Kept::Missing);
            assert!(home.path().join("bans.json.damaged").exists());
        }
    }
}
