//! What each wallet gave and got.

use rusqlite::{Row, params};

use super::values::{digest, int, uint};
use super::{State, StateError};
use crate::digest::Address;
use crate::limits::CREDIT_MAX;

/// One wallet's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditRow {
    /// Whose it is.
    pub address: Address,
    /// Bytes that it gave us.
    pub received: u64,
    /// Bytes that we gave it.
    pub sent: u64,
    /// When this was so, in seconds since 1970.
    pub written: u64,
}

impl State {
    /// All accounts. Blocks.
    pub fn credit(&self) -> Result<Vec<CreditRow>, StateError> {
        self.read(|connection| {
            let mut all = connection.prepare("SELECT * FROM credit ORDER BY address")?;
            let rows = all.query_map([], account)?;
            rows.collect()
        })
    }

    /// Puts these accounts in place of what is known of the same wallets; those of others stay, as
    /// other processes in the same home write theirs. Past [`CREDIT_MAX`] the smallest go. Blocks.
    pub fn keep_credit(&self, accounts: Vec<CreditRow>) -> Result<(), StateError> {
        self.write(move |connection| {
            let sql = "INSERT OR REPLACE INTO credit VALUES (?, ?, ?, ?)";
            let mut insert = connection.prepare(sql)?;
            for account in accounts {
                let address = account.address.digest().as_bytes();
                let (received, sent) = (int(account.received), int(account.sent));
                insert.execute(params![address, received, sent, int(account.written)])?;
            }
            let sql = "DELETE FROM credit WHERE address IN (
                SELECT address FROM credit ORDER BY max(received, sent) DESC LIMIT -1 OFFSET ?)";
            connection.execute(sql, [int(CREDIT_MAX as u64)])?;
            Ok(())
        })
    }
}

fn account(row: &Row<'_>) -> rusqlite::Result<CreditRow> {
    Ok(CreditRow {
        address: Address::new(digest(row, "address")?),
        received: uint(row, "received")?,
        sent: uint(row, "sent")?,
        written: uint(row, "written")?,
    })
}
