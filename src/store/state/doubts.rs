//! How far SwarmMasters were right.

use rusqlite::params;

use super::values::{digest, int, uint};
use super::{State, StateError};
use crate::digest::Address;

/// Masters that are remembered; those that nothing was written of for longest go first.
const DOUBTS_MAX: u32 = 256;

/// What a master did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoubtRow {
    /// Who it is.
    pub address: Address,
    /// Peers that it named and that were there.
    pub good: u32,
    /// Peers that it named and that were not.
    pub bad: u32,
    /// Things that it said and that were proven false.
    pub lies: u32,
    /// When this was so, in seconds since 1970.
    pub written: u64,
}

impl State {
    /// What all masters did of whom anything is remembered. Blocks.
    pub fn doubts(&self) -> Result<Vec<DoubtRow>, StateError> {
        self.read(|connection| {
            let mut all = connection.prepare("SELECT * FROM doubts ORDER BY address")?;
            let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            let rows = all.query_map([], |row| {
                Ok(DoubtRow {
                    address: Address::new(digest(row, "address")?),
                    good: count(uint(row, "good")?),
                    bad: count(uint(row, "bad")?),
                    lies: count(uint(row, "lies")?),
                    written: uint(row, "written")?,
                })
            })?;
            rows.collect()
        })
    }

    /// Puts these in place of what is known of the same masters. A loss of power may drop them. Does not wait.
    pub fn keep_doubts(&self, rows: Vec<DoubtRow>) {
        self.post(move |connection| {
            let sql = "INSERT OR REPLACE INTO doubts VALUES (?, ?, ?, ?, ?)";
            let mut insert = connection.prepare(sql)?;
            for row in rows {
                let address = row.address.digest().as_bytes();
                let (good, bad, lies) = (row.good, row.bad, row.lies);
                insert.execute(params![address, good, bad, lies, int(row.written)])?;
            }
            let sql = "DELETE FROM doubts WHERE address IN (
                SELECT address FROM doubts ORDER BY written DESC LIMIT -1 OFFSET ?)";
            connection.execute(sql, [DOUBTS_MAX])?;
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn row(number: u32) -> DoubtRow {
        DoubtRow {
            address: Address::new(Digest::of(&number.to_le_bytes())),
            good: number,
            bad: 1,
            lies: u32::MAX,
            written: number.into(),
        }
    }

    #[test]
    fn the_latest_are_remembered_and_each_once() {
        let state = State::in_memory();
        state.keep_doubts((1..=300).map(row).collect());
        state.keep_doubts(vec![DoubtRow { lies: 0, ..row(9) }, row(299)]);
        let mut found = state.doubts().unwrap();
        found.sort_by_key(|row| row.written);
        assert_eq!(found.len(), DOUBTS_MAX as usize);
        assert_eq!((found[0], found[255]), (row(45), row(300)));
        state.keep_doubts(vec![DoubtRow {
            lies: 0,
            ..row(299)
        }]);
        let found = state.doubts().unwrap();
        assert!(found.contains(&DoubtRow {
            lies: 0,
            ..row(299)
        }));
        assert_eq!(state.troubles(), []);
    }
}
