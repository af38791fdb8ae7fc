//! The least time in which anything could distribute a container: the fluid bound of Kumar and Ross,
//! "Peer-assisted file distribution: the minimum distribution time" (HotWeb 2006).
//!
//! It knows no chunks, no latency, and lets everybody talk to everybody: bytes flow like water. No
//! protocol can be faster, and none with chunks and latency can be quite as fast.

use std::time::Duration;

/// What the bound follows from: bytes, and bytes per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) size: u64,
    pub(crate) peers: u32,
    pub(crate) up: u64,
    pub(crate) down: u64,
    pub(crate) seed_up: u64,
}

impl Crowd {
    /// `max(F/us, F/d, N F/(us + N u))`: the seed has to send every byte once, the slowest downlink
    /// has to take every byte, and all uplinks together have to send every byte to every peer.
    pub(crate) fn bound(&self) -> Duration {
        let (size, peers) = (self.size as f64, f64::from(self.peers));
        let (up, seed_up) = (self.up as f64, self.seed_up as f64);
        let together = peers * size / (seed_up + peers * up);
        let seconds = (size / seed_up).max(size / self.down as f64).max(together);
        Duration::from_secs_f64(seconds)
    }
}
