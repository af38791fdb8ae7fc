//! What came from hosts that have proven nothing, and what they were sent.
//!
//! Invariant: of each host that is remembered, `sent <= FACTOR * received`. A few datagrams may go beyond that
//! (`take_beyond`), which are counted apart. A host that is forgotten begins anew with nothing, so forgetting one never has
//! it sent more than that.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::host::Host;

/// How many times what came may go (RFC 9000 section 8.1).
const FACTOR: u64 = 3;
/// Hosts that are remembered; who came first is forgotten first.
const HOSTS_MAX: usize = 1024;
/// Datagrams beyond that, to all hosts together, at once.
const BEYOND_MAX: u32 = 8;
/// How long until there is another.
const BEYOND_EVERY: Duration = Duration::from_secs(1);
/// Datagrams beyond that to one host: any may be lost, or what answers it.
const BEYOND_OF_HOST_MAX: u32 = 4;
/// How long after the first of these the second may go; each further one waits twice as long as the one before. QUIC's
/// probes come at such times (RFC 9002 section 6.2.1).
const BEYOND_OF_HOST_EVERY: Duration = Duration::from_millis(25);
/// Bytes of such a datagram, at most: what Ethernet carries.
const BEYOND_BYTES: usize = 1500;

/// Who sent how much, and got how much.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    hosts: BTreeMap<Host, Account>,
    /// The same hosts, as they came.
    order: VecDeque<Host>,
    beyond: u32,
    /// When the oldest of the datagrams that count in `beyond` stops to.
    beyond_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Account {
    received: u64,
    sent: u64,
    /// Datagrams beyond that.
    beyond: u32,
    /// When there may be another.
    beyond_next: Option<Instant>,
}

impl Ledger {
    /// Bytes came from a host.
    pub(super) fn on_received(&mut self, host: Host, bytes: u64) {
        if !self.hosts.contains_key(&host) {
            if self.order.len() >= HOSTS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.hosts.remove(&oldest);
            }
            self.order.push_back(host);
        }
        let account = self.hosts.entry(host).or_default();
        account.received = account.received.saturating_add(bytes);
    }

    /// Somebody at a host has proven to be there, who may move again: it begins anew.
    pub(super) fn forget(&mut self, host: Host) {
        if self.hosts.remove(&host).is_some() {
            self.order.retain(|known| *known != host);
        }
    }

    /// How many whole datagrams of `each` bytes, of `total` bytes in all, may go; they have gone then.
    pub(super) fn take(&mut self, host: Host, total: usize, each: usize) -> usize {
        let Some(account) = self.hosts.get_mut(&host) else {
            return 0;
        };
        let most = account.received.saturating_mul(FACTOR);
        let left = most.saturating_sub(account.sent);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let (bytes, datagrams) = if total <= left {
            (total, total.div_ceil(each))
        } else {
            (left / each * each, left / each)
        };
        account.sent += bytes as u64;
        datagrams
    }

    /// Takes one of the datagrams beyond that which a host may get.
    pub(super) fn take_beyond(&mut self, now: Instant, host: Host, bytes: usize) -> bool {
        let account = self.hosts.get_mut(&host);
        let Some(account) = account.filter(|it| it.may_have_beyond(now)) else {
            return false;
        };
        if bytes > BEYOND_BYTES {
            return false;
        }
        let mut since = self.beyond_since.unwrap_or(now);
        while self.beyond > 0 && now.saturating_duration_since(since) >= BEYOND_EVERY {
            self.beyond -= 1;
            since += BEYOND_EVERY;
        }
        if self.beyond == 0 {
            since = now;
        }
        self.beyond_since = Some(since);
        if self.beyond >= BEYOND_MAX {
            return false;
        }
        self.beyond += 1;
        account.beyond_next = Some(now + BEYOND_OF_HOST_EVERY * 2u32.pow(account.beyond));
        account.beyond += 1;
        true
    }
}

impl Account {
    fn may_have_beyond(&self, now: Instant) -> bool {
        self.beyond < BEYOND_OF_HOST_MAX && self.beyond_next.is_none_or(|next| next <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u32) -> Host {
        Host::of(std::net::Ipv4Addr::from(number).into())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an instant has no other beginning"
    )]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn three_times_what_came_goes_in_whole_datagrams() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.take(host(1), 40, 40), 0, "nothing came from there");
        ledger.on_received(host(1), 1000);
        assert_eq!(ledger.take(host(1), 12_000, 1200), 2);
        assert_eq!(ledger.take(host(1), 700, 700), 0);
        assert_eq!(ledger.take(host(1), 1000, 300), 2);
        assert_eq!(ledger.take(host(1), 1, 1), 0);
        ledger.on_received(host(1), 1);
        assert_eq!(ledger.take(host(1), 3, 3), 1);
        assert_eq!(ledger.take(host(2), 1, 1), 0, "that is another host");
    }

    #[test]
    fn to_all_hosts_one_datagram_a_second_goes_beyond_that() {
        let (mut ledger, began) = (Ledger::default(), now());
        let mut taken = 0;
        for second in 0..100u32 {
            for number in 0..20 {
                let host = host(second * 100 + number);
                ledger.on_received(host, 40);
                let now = began + second * Duration::from_secs(1);
                assert!(!ledger.take_beyond(now, host, BEYOND_BYTES + 1));
                if ledger.take_beyond(now, host, 1200) {
                    taken += 1;
                    assert!(!ledger.take_beyond(now, host, 1200), "at once");
                    assert_eq!(ledger.take(host, 120, 120), 1, "it is counted apart");
                    assert_eq!(ledger.take(host, 1, 1), 0);
                }
            }
        }
        assert_eq!(taken, BEYOND_MAX + 99);
        assert!(
            !ledger.take_beyond(began, host(1_000_000), 1),
            "it never spoke"
        );
    }

    #[test]
    fn to_one_host_four_datagrams_go_beyond_that_ever_further_apart() {
        let (mut ledger, began) = (Ledger::default(), now());
        ledger.on_received(host(1), 40);
        let mut gone = Vec::new();
        for after in 0..100_000 {
            let now = began + Duration::from_millis(after);
            if ledger.take_beyond(now, host(1), 1200) {
                gone.push(after);
            }
        }
        assert_eq!(gone, [0, 25, 75, 175]);
    }

    #[test]
    fn a_flood_of_hosts_is_kept_in_little_memory_and_forgotten_hosts_owe_nothing_more() {
        let mut ledger = Ledger::default();
        for number in 0..100_000 {
            ledger.on_received(host(number), 40);
            assert!(ledger.hosts.len() <= HOSTS_MAX && ledger.order.len() == ledger.hosts.len());
        }
        assert_eq!(ledger.take(host(0), 1, 1), 0, "forgotten");
        assert_eq!(ledger.take(host(99_999), 120, 120), 1);
        ledger.forget(host(99_999));
        assert_eq!(ledger.order.len(), ledger.hosts.len());
        assert_eq!(ledger.take(host(99_999), 1, 1), 0, "forgotten");
    }
}
