//! A ban as it is written down: who is refused, for how much longer, and what for.
//!
//! A ban is written down as the time that is left of it and the wall clock's time of writing, because
//! wall clocks lie. The time that a node was off counts as far as the clock can be believed
//! ([`kept::away`]): one that went back, or that jumped by years, says nothing, and what was left of a
//! ban is left. While a node runs, only its monotonic clock counts. So a jump neither wipes
//! a ban nor makes it longer than [`BAN`] of the time that nodes run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kept;
use crate::digest::Address;
use crate::limits::{BAD_CHUNKS_MAX, BAN, BLAMED_MAX};
use crate::store::BanRow;
use crate::swarm::Strike;

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

/// The bans that still hold at this time of the wall clock, in seconds since 1970. What makes no sense
/// of what a ban is for is left out.
pub(super) fn read(rows: Vec<BanRow>, wall: u64) -> BTreeMap<Address, KeptBan> {
    let ban = |row: BanRow| {
        let left = Duration::from_secs(row.left_s).min(BAN);
        let left = left.saturating_sub(kept::away(row.written, wall));
        let strikes = row.strikes.split_whitespace().filter_map(strike);
        let strikes = strikes.take(BAD_CHUNKS_MAX as usize).collect();
        (!left.is_zero()).then_some((row.address, KeptBan { left, strikes }))
    };
    rows.into_iter().filter_map(ban).take(BLAMED_MAX).collect()
}

/// Bans as they are written down at this time of the wall clock.
pub(super) fn write(bans: &BTreeMap<Address, KeptBan>, wall: u64) -> Vec<BanRow> {
    let row = |(address, ban): (&Address, &KeptBan)| {
        // A ban that was just made has a day, not a day less a moment.
        let left_s = ban.left.as_millis().div_ceil(1000);
        let strikes: Vec<String> = ban.strikes.iter().map(written).collect();
        BanRow {
            address: *address,
            left_s: u64::try_from(left_s).unwrap_or(u64::MAX),
            written: wall,
            strikes: strikes.join(" "),
        }
    };
    bans.iter().map(row).collect()
}

fn written(strike: &Strike) -> String {
    match strike {
        Strike::BadChunk { id } => id.to_string(),
        Strike::Protocol => PROTOCOL.to_owned(),
    }
}

fn strike(text: &str) -> Option<Strike> {
    if text == PROTOCOL {
        return Some(Strike::Protocol);
    }
    let id = text.parse().ok()?;
    Some(Strike::BadChunk { id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Digest, ManifestId};

    const NOW: u64 = 1_790_000_000;
    const YEAR: u64 = 365 * 24 * 60 * 60;

    /// What is left, in seconds, of a ban of an hour when it is read at this time.
    fn left(at: u64) -> Option<u64> {
        let (liar, id) = (Address::new(Digest::of(b"x")), Digest::of(b"m"));
        let id = ManifestId::new(id);
        let ban = KeptBan {
            left: Duration::from_secs(3600),
            strikes: vec![Strike::BadChunk { id }, Strike::Protocol],
        };
        let rows = write(&BTreeMap::from([(liar, ban.clone())]), NOW);
        let found = read(rows, at);
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
    fn nothing_that_a_row_says_bans_for_longer_than_a_ban() {
        let address = Address::new(Digest::of(b"x"));
        let row = BanRow {
            address,
            left_s: u64::MAX,
            written: 0,
            strikes: "what protocol".to_owned(),
        };
        let bans = read(vec![row], 0);
        assert_eq!(bans[&address].left, BAN);
        assert_eq!(bans[&address].strikes, [Strike::Protocol]);
    }
}
