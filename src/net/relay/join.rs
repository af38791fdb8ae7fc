//! Halves of packets become packets again.
//!
//! Invariant: as many halves wait as there are numbers, and no more; a half that the other does not
//! follow makes way for the next one with its number. What is put together wrongly because of that is
//! for QUIC to drop, whose packets prove themselves.

use bytes::{Bytes, BytesMut};

use crate::wire::relay::{Part, SPLITS};

/// What waits for its other half, on one channel in one direction.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// By number; made when the first half comes.
    waiting: Vec<Option<Half>>,
}

#[derive(Debug, Clone)]
enum Half {
    First(Bytes),
    Second(Bytes),
}

impl Joiner {
    /// Takes in what a datagram carried; answers the packet that is whole now.
    pub(super) fn handle(&mut self, part: Part, payload: Bytes) -> Option<Bytes> {
        match part {
            Part::Whole => Some(payload),
            Part::First(number) => self.pair(number, Half::First(payload)),
            Part::Second(number) => self.pair(number, Half::Second(payload)),
        }
    }

    fn pair(&mut self, number: u8, half: Half) -> Option<Bytes> {
        if self.waiting.is_empty() {
            self.waiting.resize(SPLITS.into(), None);
        }
        let slot = self.waiting.get_mut(usize::from(number))?;
        match (slot.take(), half) {
            (Some(Half::First(first)), Half::Second(second))
            | (Some(Half::Second(second)), Half::First(first)) => Some(joined(&first, &second)),
            (_, newest) => {
                *slot = Some(newest);
                None
            }
        }
    }
}

fn joined(first: &[u8], second: &[u8]) -> Bytes {
    let mut packet = BytesMut::with_capacity(first.len() + second.len());
    packet.extend_from_slice(first);
    packet.extend_from_slice(second);
    packet.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn halves_come_in_any_order_and_whole_packets_pass_by() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.handle(Part::First(1), bytes("ab")), None);
        assert_eq!(joiner.handle(Part::Second(2), bytes("yz")), None);
        assert_eq!(joiner.handle(Part::Whole, bytes("m")), Some(bytes("m")));
        assert_eq!(
            joiner.handle(Part::First(2), bytes("wx")),
            Some(bytes("wxyz"))
        );
        assert_eq!(
            joiner.handle(Part::Second(1), bytes("cd")),
            Some(bytes("abcd"))
        );
        assert_eq!(joiner.handle(Part::Second(1), bytes("cd")), None);
    }

    #[test]
    fn a_lost_half_costs_its_packet_alone_and_nothing_piles_up() {
        let mut joiner = Joiner::default();
        for round in 0..10 {
            for number in 0..SPLITS {
                let (first, second) = (Part::First(number), Part::Second(number));
                assert_eq!(joiner.handle(first, bytes("ab")), None, "round {round}");
                // every other second half is lost
                if round % 2 == 0 {
                    assert_eq!(joiner.handle(second, bytes("c")), Some(bytes("abc")));
                }
            }
        }
        assert_eq!(joiner.waiting.len(), usize::from(SPLITS));
        assert_eq!(
            joiner.handle(Part::First(SPLITS), bytes("x")),
            None,
            "there is no such number"
        );
    }
}
