//! Bytes asked for and not yet stored, of all peers together: how many, and who may have more.
//!
//! While there is enough, whoever asks first gets it. Once somebody had to be refused, a peer gets
//! at most as much as is left free (Choudhury and Hahne, "Dynamic Queue Length Thresholds", 1998):
//! with `n` peers that want all they can get, each ends at one part in `n + 1`, and a newcomer finds
//! one part free. What peers need that have nothing at all is kept for them, so that all get their
//! turn, and large chunks do.
//!
//! Invariant: `used <= IN_FLIGHT_BYTES_MAX`, unless a single chunk is larger.

use std::collections::BTreeMap;

use super::event::PeerKey;
use super::planted::{Bug, is_planted};
use crate::limits::{CHUNK_BYTES_MAX, IN_FLIGHT_BYTES_MAX};
use crate::moment::Moment;

/// Bytes kept for peers that have nothing in flight, at most.
const RESERVED_MAX: u64 = IN_FLIGHT_BYTES_MAX / 2;
const _: () = assert!(
    RESERVED_MAX >= CHUNK_BYTES_MAX as u64,
    "enough for any chunk"
);

/// The node's bytes in flight.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: u64,
    /// Peers that were refused.
    starved: BTreeMap<PeerKey, Need>,
    /// How many of them are on trial.
    on_trial: usize,
    /// What those need that have nothing.
    first_bytes: u64,
}

/// What a peer has of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// Nothing: it comes first.
    Nothing,
    /// So many bytes.
    Bytes(u64),
    /// So many bytes, or none, of a peer on trial: it comes after all others.
    OnTrial(u64),
}

/// What a peer was refused.
#[derive(Debug, Clone, Copy)]
struct Need {
    bytes: u64,
    share: Share,
    since: Moment,
}

impl Budget {
    /// Whether a peer that has this share may be asked for `bytes` more.
    pub(super) fn admits(&self, peer: PeerKey, share: Share, bytes: u64) -> bool {
        self.would_admit(self.used, peer, share, bytes)
    }

    /// Since when a peer has been refused, if it would not be were so much released.
    pub(super) fn is_helped_by(&self, peer: PeerKey, released: u64) -> Option<Moment> {
        let need = self.starved.get(&peer)?;
        let used = self.used - released;
        let helped = self.would_admit(used, peer, need.share, need.bytes);
        helped.then_some(need.since)
    }

    fn would_admit(&self, used: u64, peer: PeerKey, share: Share, bytes: u64) -> bool {
        let free = IN_FLIGHT_BYTES_MAX.saturating_sub(used);
        let own = self.starved.get(&peer);
        let others = self.starved.len() - usize::from(own.is_some());
        let on_trial = self.on_trial - usize::from(own.is_some_and(Need::is_on_trial));
        let (held, rivals) = match share {
            Share::Nothing => (0, 0),
            Share::Bytes(held) => (held, others - on_trial),
            Share::OnTrial(held) => (held, others),
        };
        if used == 0 || rivals == 0 {
            return used == 0 || bytes <= free || (free > 0 && is_planted(Bug::OverdrawsBudget));
        }
        let needed = self.first_bytes - own.map_or(0, Need::first_bytes);
        held + bytes + needed.min(RESERVED_MAX) <= free
    }

    /// A peer was refused `bytes`.
    pub(super) fn on_refused(&mut self, now: Moment, peer: PeerKey, share: Share, bytes: u64) {
        let since = self.starved_since(peer).unwrap_or(now);
        let need = Need {
            bytes,
            share,
            since,
        };
        self.on_content(peer);
        self.on_trial += usize::from(need.is_on_trial());
        self.first_bytes += need.first_bytes();
        self.starved.insert(peer, need);
    }

    /// A peer needs nothing, or nothing any more.
    pub(super) fn on_content(&mut self, peer: PeerKey) {
        if let Some(need) = self.starved.remove(&peer) {
            self.on_trial -= usize::from(need.is_on_trial());
            self.first_bytes -= need.first_bytes();
        }
    }

    /// Peers that were refused and still need something.
    pub(super) fn starved(&self) -> impl Iterator<Item = PeerKey> + '_ {
        self.starved.keys().copied()
    }

    /// Whether a peer was refused and still needs something.
    pub(super) fn is_starved(&self, peer: PeerKey) -> bool {
        self.starved.contains_key(&peer)
    }

    /// Since when a peer has been refused.
    pub(super) fn starved_since(&self, peer: PeerKey) -> Option<Moment> {
        self.starved.get(&peer).map(|need| need.since)
    }

    /// Bytes are asked for.
    pub(super) fn book(&mut self, bytes: u64) {
        self.used += bytes;
    }

    /// Bytes are stored, or will not come.
    pub(super) fn release(&mut self, bytes: u64) {
        self.used -= bytes;
    }

    /// Bytes asked for and not yet stored.
    pub(super) fn used(&self) -> u64 {
        self.used
    }
}

impl Need {
    fn is_on_trial(&self) -> bool {
        matches!(self.share, Share::OnTrial(_))
    }

    fn first_bytes(&self) -> u64 {
        if self.share == Share::Nothing {
            self.bytes
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MIB;

    const CHUNK: u64 = 256 * 1024;

    fn share(held: u64) -> Share {
        if held == 0 {
            Share::Nothing
        } else {
            Share::Bytes(held)
        }
    }

    /// What peers get that answer so many chunks per turn, or one in eight turns, and want eight
    /// times as many, or eight.
    fn shares(speeds: &[u64], chunk: u64, turns: u64) -> Vec<u64> {
        let mut budget = Budget::default();
        let mut held = vec![0; speeds.len()];
        let mut got = vec![0; speeds.len()];
        for turn in 0..turns {
            let mut booked = true;
            while std::mem::take(&mut booked) {
                for (peer, key) in (0..speeds.len()).zip(0..) {
                    let wants = held[peer] < chunk * 8 * speeds[peer].max(1);
                    if wants && budget.admits(PeerKey(key), share(held[peer]), chunk) {
                        budget.book(chunk);
                        held[peer] += chunk;
                        booked = true;
                    } else if wants {
                        budget.on_refused(Moment::ORIGIN, PeerKey(key), share(held[peer]), chunk);
                    } else {
                        budget.on_content(PeerKey(key));
                    }
                }
            }
            for (peer, speed) in speeds.iter().enumerate() {
                let answered = if *speed > 0 { *speed } else { turn % 8 / 7 };
                let answered = (answered * chunk).min(held[peer]);
                budget.release(answered);
                held[peer] -= answered;
                got[peer] += answered / chunk;
            }
        }
        assert!(budget.used() <= IN_FLIGHT_BYTES_MAX);
        got
    }

    #[test]
    fn a_peer_alone_gets_everything() {
        let mut budget = Budget::default();
        let mut held = 0;
        while budget.admits(PeerKey(0), share(held), CHUNK) {
            budget.book(CHUNK);
            held += CHUNK;
        }
        budget.on_refused(Moment::ORIGIN, PeerKey(0), share(held), CHUNK);
        assert_eq!(held, IN_FLIGHT_BYTES_MAX);
        budget.release(CHUNK);
        assert!(budget.admits(PeerKey(0), share(held - CHUNK), CHUNK));
        assert!(budget.admits(PeerKey(1), share(0), CHUNK));
    }

    #[test]
    fn slow_peers_leave_a_fast_one_its_share() {
        let mut speeds = vec![0; 30];
        speeds.push(64);
        let got = shares(&speeds, CHUNK, 800);
        assert!(got[30] > 800 * 3 / 2, "the fast one got {}", got[30]);
        assert!(got[..30].iter().all(|chunks| *chunks >= 80), "{got:?}");
    }

    #[test]
    fn a_large_chunk_gets_its_turn_among_small_ones() {
        let mut budget = Budget::default();
        let mut held = [0; 40];
        let (large, big) = (PeerKey(99), u64::from(CHUNK_BYTES_MAX));
        for turn in 0..1000 {
            if turn > 2 && budget.admits(large, share(0), big) {
                return;
            }
            if turn > 2 {
                budget.on_refused(Moment::ORIGIN, large, share(0), big);
            }
            for (peer, key) in (0..held.len()).zip(0..) {
                while held[peer] < MIB as u64
                    && budget.admits(PeerKey(key), share(held[peer]), CHUNK)
                {
                    budget.book(CHUNK);
                    held[peer] += CHUNK;
                }
            }
            held.iter_mut().filter(|held| **held > 0).for_each(|held| {
                budget.release(CHUNK);
                *held -= CHUNK;
            });
        }
        panic!("the large chunk was never admitted");
    }
}
