//! How much others can have this node send to places that have not answered yet.
//!
//! Two bounds, both for the whole node: how many invitations it takes up, in all and of one node, and how many
//! bytes go to unproven places. In any time of `t` seconds these are at most
//! `BYTES_AT_ONCE + BYTES_PER_SECOND * t`, whatever masters and strangers say. An invitation counts once.

use std::collections::VecDeque;
use std::time::Duration;

use super::paper::{FRESH_S, SKEW_S};
use crate::digest::Address;
use crate::moment::Moment;
use crate::wire::Nonce;

/// What a punch comes to, in bytes: eight, and the headers of UDP and IPv4.
pub const PUNCH_BYTES: u64 = 8 + 28;
/// What a dial comes to that nobody answers until it is given up, in bytes: four flights of a hello that takes two
/// packets of 1200 bytes (post-quantum keys), and one packet that ends it, with the headers of UDP and IPv6.
pub const DIAL_BYTES: u64 = (4 * 2 + 1) * (1200 + 48);

/// The time that invitations are counted over.
const WINDOW: Duration = Duration::from_secs(60);
/// Invitations that are taken up in that time.
const INVITATIONS_MAX: usize = 10;
/// Of those, of one node.
const OF_ONE_MAX: usize = 3;
/// Bytes to unproven places, in the long run.
const BYTES_PER_SECOND: u64 = 8 * 1024;
/// The same, at once: three dials and all punches of one meeting with as many places as it may have.
const BYTES_AT_ONCE: u64 = 36 * 1024;
/// How long an invitation can be shown again and still look good: clocks may differ in both directions.
const REMEMBERED: Duration = Duration::from_secs(FRESH_S + 2 * SKEW_S + 1);

/// Why an invitation is not taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// There were too many.
    #[error("{INVITATIONS_MAX} invitations in a minute are enough")]
    Many,
    /// There were too many from this node.
    #[error("{OF_ONE_MAX} invitations in a minute are enough from one node")]
    Insistent,
    /// It was taken up already.
    #[error("this invitation was taken up before")]
    Replayed,
}

/// What is left.
#[derive(Debug)]
pub struct Budget {
    /// Those taken up in the last minute, the oldest first: at most [`INVITATIONS_MAX`].
    taken: VecDeque<(Moment, Address)>,
    /// Those that could be shown again. Bounded by how fast they are taken up.
    used: VecDeque<(Moment, Nonce)>,
    /// Bytes that may be sent, as of then.
    bytes: u64,
    /// What they have grown by since, below one, in millionths.
    millionths: u64,
    at: Moment,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            taken: VecDeque::new(),
            used: VecDeque::new(),
            bytes: BYTES_AT_ONCE,
            millionths: 0,
            at: Moment::ORIGIN,
        }
    }
}

impl Budget {
    /// Takes up an invitation, or says why not. One that is not taken up leaves nothing behind.
    pub fn admit(&mut self, now: Moment, from: Address, nonce: Nonce) -> Result<(), Turned> {
        drop_older(&mut self.taken, now, WINDOW);
        drop_older(&mut self.used, now, REMEMBERED);
        if self.used.iter().any(|(_, used)| *used == nonce) {
            return Err(Turned::Replayed);
        }
        if self.taken.len() >= INVITATIONS_MAX {
            return Err(Turned::Many);
        }
        let theirs = self.taken.iter().filter(|(_, who)| *who == from);
        if theirs.count() >= OF_ONE_MAX {
            return Err(Turned::Insistent);
        }
        self.taken.push_back((now, from));
        self.used.push_back((now, nonce));
        Ok(())
    }

    /// Takes so many bytes, if they are left.
    pub fn take(&mut self, now: Moment, bytes: u64) -> bool {
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let grown = micros
            .saturating_mul(BYTES_PER_SECOND)
            .saturating_add(self.millionths);
        let full = self.bytes.saturating_add(grown / 1_000_000);
        self.bytes = full.min(BYTES_AT_ONCE);
        self.millionths = if full < BYTES_AT_ONCE {
            grown % 1_000_000
        } else {
            0
        };
        self.at = self.at.max(now);
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }

    /// Gives back what was taken for a dial: its place has proven itself, so it was for nobody unproven.
    pub fn give_back(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes).min(BYTES_AT_ONCE);
    }
}

fn drop_older<T>(queue: &mut VecDeque<(Moment, T)>, now: Moment, span: Duration) {
    while queue.front().is_some_and(|(at, _)| now.since(*at) >= span) {
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn at(ms: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(ms)
    }

    fn who(name: u32) -> Address {
        Address::new(Digest::of(&name.to_le_bytes()))
    }

    fn nonce(number: u64) -> Nonce {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Nonce(bytes)
    }

    #[test]
    fn ten_in_a_minute_and_three_of_one_node() {
        let mut budget = Budget::default();
        let mut next = 0;
        let mut offer = |now, from| {
            next += 1;
            budget.admit(at(now), who(from), nonce(next))
        };
        for _ in 0..3 {
            assert_eq!(offer(0, 1), Ok(()));
        }
        assert_eq!(offer(0, 1), Err(Turned::Insistent));
        assert_eq!(offer(59_999, 1), Err(Turned::Insistent));
        for from in 2..9 {
            assert_eq!(offer(30_000, from), Ok(()));
        }
        assert_eq!(offer(30_000, 9), Err(Turned::Many));
        assert_eq!(offer(59_999, 9), Err(Turned::Many));
        assert_eq!((offer(60_000, 1), offer(60_000, 9)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_flood_for_an_hour_is_taken_up_at_ten_a_minute_and_kept_in_little_memory() {
        let mut budget = Budget::default();
        let mut taken = 0;
        for second in 0..3600u32 {
            for from in 0..20 {
                let number = u64::from(second * 20 + from);
                let outcome = budget.admit(at(u64::from(second) * 1000), who(from), nonce(number));
                taken += u32::from(outcome.is_ok());
            }
            assert!(budget.taken.len() <= INVITATIONS_MAX && budget.used.len() <= 120);
        }
        assert_eq!(taken, 600);
    }

    #[test]
    fn an_invitation_counts_once_for_as_long_as_it_could_look_good() {
        let mut budget = Budget::default();
        assert_eq!(budget.admit(at(0), who(1), nonce(1)), Ok(()));
        let mut again = |ms| budget.admit(at(ms), who(1), nonce(1));
        assert_eq!(
            (again(0), again(630_000)),
            (Err(Turned::Replayed), Err(Turned::Replayed))
        );
        assert_eq!(again(631_000), Ok(()), "by then its time is over");
    }

    #[test]
    fn bytes_to_unproven_places_are_a_burst_and_then_8_kib_a_second() {
        let mut budget = Budget::default();
        let mut sent = 0;
        // as often as can be, with gaps in which nothing is saved up beyond the burst
        for ms in (0..60_000).chain(100_000..160_000) {
            while budget.take(at(ms), PUNCH_BYTES) {
                sent += PUNCH_BYTES;
            }
        }
        let most = 2 * (BYTES_AT_ONCE + 60 * BYTES_PER_SECOND);
        assert!(sent <= most && sent > most - 1000, "{sent} of {most}");
        assert!(!budget.take(at(160_000), DIAL_BYTES));
        assert!(budget.take(at(162_000), DIAL_BYTES));
        budget.give_back(DIAL_BYTES);
        assert!(budget.take(at(162_000), DIAL_BYTES), "that place was there");
        budget.give_back(u64::MAX);
        assert!(!budget.take(at(162_000), BYTES_AT_ONCE + 1));
    }
}
