//! Who has earned what with us, by wallet: bytes that an address gave us, and bytes that we gave it.
//!
//! Both fade, so that it is the last days that count. The caller keeps the accounts across restarts.
//! Bounded: past [`CREDIT_MAX`] addresses, the one that gave and got least goes.
//!
//! Invariant: an address has one account, however many connections and IP addresses it comes with.

use std::collections::{BTreeMap, BTreeSet};

use super::decay::Decaying;
use crate::digest::Address;
use crate::limits::{CREDIT_HALF_LIFE, CREDIT_MAX};
use crate::moment::Moment;
use crate::swarm::Credit;

/// What an address must have given to count as one that gives: less is anybody's luck.
const GIVEN_MIN: u64 = 1024 * 1024;
/// Who gave us one part in so many of what it got has earned its place.
const GIVEN_SHARE: u64 = 4;
/// Chunks given to a peer that never said that it holds any of them, after which it takes only.
pub(super) const HIDDEN_MAX: u32 = 32;

/// How a peer ranks where it gave us nothing lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It gave us its share, in the last days.
    Giver,
    /// We owe it nothing.
    Stranger,
    /// It gives nothing to anybody: it is served what nobody else wants.
    Taker,
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Credits {
    accounts: BTreeMap<Address, Account>,
    takers: BTreeSet<Address>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    received: Decaying,
    sent: Decaying,
}

impl Credits {
    /// Starts with accounts from an earlier run.
    pub(super) fn new(now: Moment, saved: impl IntoIterator<Item = Credit>) -> Self {
        let account = |credit: Credit| {
            let amount = |bytes| Decaying::new(now, CREDIT_HALF_LIFE, bytes);
            let account = Account {
                received: amount(credit.received),
                sent: amount(credit.sent),
            };
            (credit.address, account)
        };
        Self {
            accounts: saved.into_iter().map(account).take(CREDIT_MAX).collect(),
            takers: BTreeSet::new(),
        }
    }

    /// What is left of every account.
    pub(super) fn all(&self, now: Moment) -> impl Iterator<Item = Credit> + '_ {
        self.accounts.iter().map(move |(address, account)| Credit {
            address: *address,
            received: account.received.left(now, CREDIT_HALF_LIFE),
            sent: account.sent.left(now, CREDIT_HALF_LIFE),
        })
    }

    /// How an address ranks now.
    pub(super) fn rank(&self, now: Moment, address: &Address) -> Rank {
        if self.takers.contains(address) {
            return Rank::Taker;
        }
        let Some(account) = self.accounts.get(address) else {
            return Rank::Stranger;
        };
        let received = account.received.left(now, CREDIT_HALF_LIFE);
        let sent = account.sent.left(now, CREDIT_HALF_LIFE);
        if received >= GIVEN_MIN.max(sent / GIVEN_SHARE) {
            Rank::Giver
        } else {
            Rank::Stranger
        }
    }

    /// An address gave us so many bytes, and they were right.
    pub(super) fn on_received(&mut self, now: Moment, address: Address, bytes: u64) {
        self.takers.remove(&address);
        let account = self.account(now, address);
        account.received.add(now, CREDIT_HALF_LIFE, bytes);
    }

    /// We gave an address so many bytes.
    pub(super) fn on_sent(&mut self, now: Moment, address: Address, bytes: u64) {
        let account = self.account(now, address);
        account.sent.add(now, CREDIT_HALF_LIFE, bytes);
    }

    /// An address says that it gives nothing.
    pub(super) fn on_taker(&mut self, address: Address) {
        if self.takers.len() < CREDIT_MAX {
            self.takers.insert(address);
        }
    }

    fn account(&mut self, now: Moment, address: Address) -> &mut Account {
        if self.accounts.len() >= CREDIT_MAX && !self.accounts.contains_key(&address) {
            let worth = |account: &Account| {
                let received = account.received.left(now, CREDIT_HALF_LIFE);
                received.saturating_add(account.sent.left(now, CREDIT_HALF_LIFE))
            };
            let least = self.accounts.iter().min_by_key(|(_, it)| worth(it));
            if let Some(least) = least.map(|(address, _)| *address) {
                self.accounts.remove(&least);
            }
        }
        self.accounts.entry(address).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    const MIB: u64 = 1024 * 1024;
    const NOW: Moment = Moment::from_micros(1_000_000);

    fn address(of: u64) -> Address {
        Address::new(Digest::of(&of.to_le_bytes()))
    }

    #[test]
    fn who_gave_its_share_ranks_before_strangers_until_that_is_long_ago() {
        let mut credits = Credits::new(NOW, []);
        credits.on_received(NOW, address(1), 100 * MIB);
        credits.on_sent(NOW, address(1), 300 * MIB);
        credits.on_received(NOW, address(2), 10 * MIB);
        credits.on_sent(NOW, address(2), 300 * MIB);
        let ranks = |credits: &Credits, at| [1, 2, 3].map(|it| credits.rank(at, &address(it)));
        assert_eq!(
            ranks(&credits, NOW),
            [Rank::Giver, Rank::Stranger, Rank::Stranger]
        );
        let later = NOW + 10 * CREDIT_HALF_LIFE;
        assert_eq!(ranks(&credits, later), [Rank::Stranger; 3]);
    }

    #[test]
    fn one_that_gives_nothing_ranks_last_until_it_gives() {
        let mut credits = Credits::new(NOW, []);
        credits.on_taker(address(1));
        assert_eq!(credits.rank(NOW, &address(1)), Rank::Taker);
        credits.on_received(NOW, address(1), MIB);
        assert_eq!(credits.rank(NOW, &address(1)), Rank::Giver);
    }

    #[test]
    fn accounts_survive_and_fade() {
        let mut credits = Credits::new(NOW, []);
        credits.on_received(NOW, address(1), 8 * MIB);
        credits.on_sent(NOW, address(2), 4 * MIB);
        let credits = Credits::new(NOW, credits.all(NOW));
        assert_eq!(credits.rank(NOW, &address(1)), Rank::Giver);
        let all = credits.all(NOW + CREDIT_HALF_LIFE);
        let mut amounts: Vec<_> = all.map(|it| (it.received / MIB, it.sent / MIB)).collect();
        amounts.sort_unstable();
        assert_eq!(amounts, [(0, 2), (4, 0)]);
    }

    #[test]
    fn the_smallest_account_makes_room() {
        let mut credits = Credits::new(NOW, []);
        (0..CREDIT_MAX as u64).for_each(|it| credits.on_sent(NOW, address(it), 1000 + it));
        credits.on_received(NOW, address(1 << 40), 5000);
        assert_eq!(credits.all(NOW).count(), CREDIT_MAX);
        let least = credits.all(NOW).map(|it| it.sent + it.received).min();
        assert!(least > Some(999) && !credits.all(NOW).any(|it| it.address == address(0)));
    }
}
