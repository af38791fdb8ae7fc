//! Packets that wait for their share of what a SwarmMaster carries.
//!
//! Without it whoever sends more than a share loses what is beyond, and congestion control that looks for the share
//! goes on losing a part of what it sends. Here it sees first that packets take longer, which is how a line
//! says that it is full.
//!
//! Invariants: of one direction of a channel at most [`BYTES_MAX`] wait, and of all together [`ALL_BYTES_MAX`]; what has
//! waited for [`TIME_MAX`] is dropped; of one direction packets leave in the order in which they came.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::moment::Moment;
use crate::wire::relay::ChannelId;

/// What may wait in one direction of a channel, in bytes.
const BYTES_MAX: u64 = 64 * 1024;
/// What may wait in all, in bytes: memory that senders can take.
const ALL_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a packet may wait: longer, and whoever sent it takes it for lost.
const TIME_MAX: Duration = Duration::from_millis(100);

/// One direction of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Direction {
    /// Of which channel.
    pub channel: ChannelId,
    /// From which line.
    pub line: u64,
}

/// All that waits.
#[derive(Debug)]
pub struct Quay<T> {
    /// None is empty.
    queues: BTreeMap<Direction, Queue<T>>,
    bytes: u64,
    /// Packets that were dropped and not told of yet.
    dropped: u64,
}

#[derive(Debug)]
struct Queue<T> {
    packets: VecDeque<Waiting<T>>,
    bytes: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    since: Moment,
    bytes: u64,
    packet: T,
}

impl<T> Default for Quay<T> {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            bytes: 0,
            dropped: 0,
        }
    }
}

impl<T> Quay<T> {
    /// Whether something waits in this direction: what comes waits behind it.
    pub fn holds(&self, direction: Direction) -> bool {
        self.queues.contains_key(&direction)
    }

    /// Whether nothing waits at all.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// A packet has to wait. Where its direction is full the oldest make way for it; where all is full it is dropped.
    pub fn push(&mut self, now: Moment, direction: Direction, bytes: u64, packet: T) {
        if bytes > BYTES_MAX || self.bytes + bytes > ALL_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        while self
            .queues
            .get(&direction)
            .is_some_and(|it| it.bytes + bytes > BYTES_MAX)
        {
            self.pop(direction);
            self.dropped += 1;
        }
        let queue = self.queues.entry(direction).or_insert_with(|| Queue {
            packets: VecDeque::new(),
            bytes: 0,
        });
        let since = now;
        queue.packets.push_back(Waiting {
            since,
            bytes,
            packet,
        });
        queue.bytes += bytes;
        self.bytes += bytes;
    }

    /// The directions in which something waits.
    pub fn directions(&self) -> Vec<Direction> {
        self.queues.keys().copied().collect()
    }

    /// How many bytes the next packet of a direction has; what has waited for too long is dropped before.
    pub fn next_bytes(&mut self, now: Moment, direction: Direction) -> Option<u64> {
        loop {
            let next = self.queues.get(&direction)?.packets.front()?;
            if now.since(next.since) < TIME_MAX {
                return Some(next.bytes);
            }
            self.pop(direction);
            self.dropped += 1;
        }
    }

    /// Takes the next packet of a direction.
    pub fn pop(&mut self, direction: Direction) -> Option<T> {
        let queue = self.queues.get_mut(&direction)?;
        let next = queue.packets.pop_front()?;
        queue.bytes -= next.bytes;
        self.bytes -= next.bytes;
        if queue.packets.is_empty() {
            self.queues.remove(&direction);
        }
        Some(next.packet)
    }

    /// Drops what waits in a direction, because its channel is over.
    pub fn close(&mut self, direction: Direction) {
        if let Some(queue) = self.queues.remove(&direction) {
            self.bytes -= queue.bytes;
        }
    }

    /// Packets that were dropped since this was last asked.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Direction = from(1, 1);
    const OTHER: Direction = from(1, 2);

    const fn from(channel: u32, line: u64) -> Direction {
        let channel = ChannelId(channel);
        Direction { channel, line }
    }

    fn at(ms: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(ms)
    }

    fn rest(quay: &mut Quay<u32>, direction: Direction) -> Vec<u32> {
        std::iter::from_fn(|| quay.pop(direction)).collect()
    }

    #[test]
    fn what_waits_leaves_in_order_and_is_not_mixed_with_the_other_direction() {
        let mut quay = Quay::default();
        for number in 0..3 {
            quay.push(at(0), ONE, 1000, number);
            quay.push(at(0), OTHER, 40, 10 + number);
        }
        assert_eq!(quay.directions(), [ONE, OTHER]);
        assert_eq!(quay.next_bytes(at(0), OTHER), Some(40));
        assert_eq!(
            (rest(&mut quay, ONE), rest(&mut quay, OTHER)),
            (vec![0, 1, 2], vec![10, 11, 12])
        );
        assert!(quay.is_empty() && !quay.holds(ONE) && quay.bytes == 0);
        assert_eq!(
            (quay.next_bytes(at(0), ONE), quay.take_dropped()),
            (None, 0)
        );
    }

    #[test]
    fn a_direction_that_is_full_drops_its_oldest() {
        let mut quay = Quay::default();
        for number in 0..100 {
            quay.push(at(0), ONE, 1000, number);
        }
        quay.push(at(0), OTHER, 1000, 7);
        assert_eq!(rest(&mut quay, ONE), (35..100).collect::<Vec<_>>());
        assert_eq!((quay.take_dropped(), quay.take_dropped()), (35, 0));
        assert_eq!(rest(&mut quay, OTHER), [7]);
        quay.push(at(0), ONE, BYTES_MAX + 1, 1);
        assert_eq!((quay.is_empty(), quay.take_dropped()), (true, 1));
    }

    #[test]
    fn what_has_waited_for_a_tenth_of_a_second_is_dropped() {
        let mut quay = Quay::default();
        quay.push(at(0), ONE, 1000, 1);
        quay.push(at(50), ONE, 900, 2);
        assert_eq!(quay.next_bytes(at(99), ONE), Some(1000));
        assert_eq!(quay.next_bytes(at(100), ONE), Some(900));
        assert_eq!(quay.next_bytes(at(150), ONE), None);
        assert_eq!(
            (quay.is_empty(), quay.take_dropped(), quay.bytes),
            (true, 2, 0)
        );
    }

    #[test]
    fn all_that_waits_is_bounded_whoever_sends_it() {
        let mut quay = Quay::default();
        for channel in 0..1000 {
            for number in 0..100 {
                quay.push(at(0), from(channel, 1), 1000, number);
            }
        }
        assert!(quay.bytes <= ALL_BYTES_MAX, "{}", quay.bytes);
        let all: u64 = quay.queues.values().map(|it| it.bytes).sum();
        assert_eq!(all, quay.bytes);
        for direction in quay.directions() {
            quay.close(direction);
        }
        assert_eq!((quay.bytes, quay.is_empty()), (0, true));
    }
}
