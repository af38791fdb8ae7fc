//! Who gave and took how much of one container: what the progress lines and the last table show.

use std::collections::BTreeMap;

use crate::digest::Address;
use crate::limits::BLAMED_MAX;

/// Bytes and chunks of one container, by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// What each address gave and took. Bounded: past 4096 addresses, new ones share the entry of
    /// nobody and are counted only in the sums.
    pub accounts: BTreeMap<Address, Account>,
    /// The sums.
    pub total: Account,
    /// Chunks that were copied from elsewhere on this node instead of being fetched.
    pub reused_chunks: u64,
    /// Their bytes.
    pub reused_bytes: u64,
}

/// What one address gave and took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Chunks received and proven.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their bytes as they travelled: fewer where zstd paid.
    pub wire_bytes: u64,
    /// Bytes that arrived for nothing: lost races.
    pub duplicate_bytes: u64,
    /// Answers that were not the chunk asked for.
    pub bad_chunks: u64,
    /// Requests that it was given because a slower peer would have answered them later.
    pub taken_over: u64,
    /// Requests that were given to a faster peer instead, or as well.
    pub given_up: u64,
    /// Bytes sent, as they travelled.
    pub sent_bytes: u64,
}

impl Tally {
    /// Applies a change to an address's account and to the sums.
    pub(super) fn enter(&mut self, address: Address, change: impl Fn(&mut Account)) {
        change(&mut self.total);
        if self.accounts.len() < BLAMED_MAX || self.accounts.contains_key(&address) {
            change(self.accounts.entry(address).or_default());
        }
    }

    /// Addresses that gave at least one chunk.
    pub fn sources(&self) -> usize {
        self.accounts
            .values()
            .filter(|account| account.chunks > 0)
            .count()
    }
}
