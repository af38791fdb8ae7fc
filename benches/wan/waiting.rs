//! Packets that are on their way, in the order in which they arrive.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};

/// One direction's packets, each with the time in nanoseconds at which it arrives. One thread puts
/// them in, another takes them out.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    packets: Mutex<VecDeque<(u64, Vec<u8>)>>,
    came: Condvar,
}

impl Waiting {
    /// Adds packets that arrive after all that are here.
    pub(crate) fn extend(&self, packets: impl IntoIterator<Item = (u64, Vec<u8>)>) {
        self.packets.lock().expect("no panic").extend(packets);
        self.came.notify_one();
    }

    /// Waits until there is a packet; when it arrives.
    pub(crate) fn next_due(&self) -> u64 {
        let mut packets = self.packets.lock().expect("no panic");
        loop {
            match packets.front() {
                Some((at, _)) => return *at,
                None => packets = self.came.wait(packets).expect("no panic"),
            }
        }
    }

    /// What has arrived by now, so many at most.
    pub(crate) fn take_due(&self, now: u64, most: usize) -> Vec<Vec<u8>> {
        let mut packets = self.packets.lock().expect("no panic");
        let due = packets.iter().take_while(|(at, _)| *at <= now).count();
        let due = due.min(most);
        packets.drain(..due).map(|(_, packet)| packet).collect()
    }
}
