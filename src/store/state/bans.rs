//! Who is refused.

use rusqlite::{Connection, Row, params};

use super::schema::epoch;
use super::values::{digest, int, uint};
use super::{State, StateError};
use crate::digest::Address;

/// One ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanRow {
    /// Who is refused.
    pub address: Address,
    /// How much of it was left when it was written down, in seconds.
    pub left_s: u64,
    /// When that was, in seconds since 1970.
    pub written: u64,
    /// What for, in the node's words.
    pub strikes: String,
}

impl State {
    /// All bans, by address. Blocks.
    pub fn bans(&self) -> Result<Vec<BanRow>, StateError> {
        self.read(all)
    }

    /// Hands over the state's [`epoch`](Self::epoch) and all bans, and puts what comes back in their
    /// place, if anything does, before anybody else can change them. Blocks.
    pub fn exchange_bans<T: Send + 'static>(
        &self,
        change: impl FnOnce(i64, Vec<BanRow>) -> (Option<Vec<BanRow>>, T) + Send + 'static,
    ) -> Result<T, StateError> {
        self.write(move |connection| {
            let (bans, answer) = change(epoch(connection)?, all(connection)?);
            if let Some(bans) = bans {
                connection.execute("DELETE FROM bans", [])?;
                let mut insert = connection.prepare("INSERT INTO bans VALUES (?, ?, ?, ?)")?;
                for ban in bans {
                    let address = ban.address.digest().as_bytes();
                    let (left, written) = (int(ban.left_s), int(ban.written));
                    insert.execute(params![address, left, written, ban.strikes])?;
                }
            }
            Ok(answer)
        })
    }
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<BanRow>> {
    let mut all = connection.prepare("SELECT * FROM bans ORDER BY address")?;
    let rows = all.query_map([], ban)?;
    rows.collect()
}

fn ban(row: &Row<'_>) -> rusqlite::Result<BanRow> {
    Ok(BanRow {
        address: Address::new(digest(row, "address")?),
        left_s: uint(row, "left_s")?,
        written: uint(row, "written")?,
        strikes: row.get("strikes")?,
    })
}
