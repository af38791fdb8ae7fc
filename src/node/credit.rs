//! Credit across restarts: what each wallet address gave and got.
//!
//! Losing it costs peers the place that they have earned and nothing else.

use super::clock::unix_time;
use super::kept;
use super::memory::tell;
use crate::limits::CREDIT_HALF_LIFE;
use crate::store::{CreditRow, State};
use crate::swarm::Credit;

/// Where the credit of a node's peers is kept.
#[derive(Debug, Clone)]
pub(super) struct CreditBook {
    state: State,
}

impl CreditBook {
    /// The accounts of a home.
    pub(super) fn new(state: State) -> Self {
        Self { state }
    }

    /// What is left of what was written down, after the time since. Blocks on the disk.
    pub(super) fn load(&self) -> Vec<Credit> {
        let now = unix_time();
        let rows = self.state.credit().unwrap_or_else(|error| {
            tracing::warn!("credit cannot be read: {error}");
            Vec::new()
        });
        rows.into_iter().map(|row| faded(row, now)).collect()
    }

    /// Writes accounts down. Blocks on the disk.
    pub(super) fn write(&self, credit: &[Credit]) {
        let written = unix_time();
        let row = |credit: &Credit| CreditRow {
            address: credit.address,
            received: credit.received,
            sent: credit.sent,
            written,
        };
        if let Err(error) = self.state.keep_credit(credit.iter().map(row).collect()) {
            tracing::warn!("credit cannot be written down: {error}");
        }
        tell(&self.state);
    }
}

fn faded(row: CreditRow, now: u64) -> Credit {
    let away = kept::away(row.written, now);
    let halvings = away.as_secs() / CREDIT_HALF_LIFE.as_secs();
    let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
    let left = |bytes: u64| bytes.checked_shr(halvings).unwrap_or(0);
    Credit {
        address: row.address,
        received: left(row.received),
        sent: left(row.sent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, Digest};
    use crate::limits::CREDIT_MAX;

    fn address(of: u64) -> Address {
        Address::new(Digest::of(&of.to_le_bytes()))
    }

    fn credit(of: u64, received: u64) -> Credit {
        Credit {
            address: address(of),
            received,
            sent: 5,
        }
    }

    #[test]
    fn credit_outlives_the_process_and_others_accounts_stay() {
        let home = tempfile::tempdir().unwrap();
        let book = || CreditBook::new(State::open(home.path()));
        assert_eq!(book().load(), []);
        book().write(&[credit(1, 7 << 30)]);
        assert_eq!(book().load(), [credit(1, 7 << 30)]);
        let (one, two) = (book(), book());
        one.write(&[credit(1, 8)]);
        two.write(&[credit(2, 9)]);
        let mut all = book().load();
        all.sort_by_key(|credit| credit.received);
        assert_eq!(all, [credit(1, 8), credit(2, 9)]);
    }

    #[test]
    fn the_smallest_accounts_go() {
        let book = CreditBook::new(State::in_memory());
        let most = CREDIT_MAX as u64;
        let accounts: Vec<_> = (1..=most + 3).map(|of| credit(of, of << 20)).collect();
        book.write(&accounts);
        let left = book.load();
        assert_eq!(left.len(), CREDIT_MAX);
        assert!(left.iter().all(|credit| credit.received > 3 << 20));
    }

    /// What is left of an account of 4000 and 400 bytes that was written down at this time.
    fn left(written: u64) -> (u64, u64) {
        let row = CreditRow {
            address: address(1),
            received: 4000,
            sent: 400,
            written,
        };
        let credit = faded(row, 1_790_000_000);
        (credit.received, credit.sent)
    }

    #[test]
    fn credit_fades_while_the_node_does_not_run() {
        let long_ago = 1_790_000_000 - 2 * CREDIT_HALF_LIFE.as_secs();
        assert_eq!(left(long_ago), (1000, 100));
    }

    /// A38.
    #[test]
    fn a_clock_that_jumps_wipes_no_credit() {
        assert_eq!(left(0), (4000, 400));
        assert_eq!(left(u64::MAX), (4000, 400));
    }
}
