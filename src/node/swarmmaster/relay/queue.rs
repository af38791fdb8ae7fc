//! Seeing to what waits for its share: one task while anything does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{Hub, State};
use crate::index::NotCarried;
use crate::net::{Line, Room};
use crate::wire::relay::{ChannelId, RelayRefusal};

/// How often what waits is looked at. A share earns some packets in it, or waits for some of these.
const TURN: Duration = Duration::from_millis(4);

/// Passes on what waits, in turn, until nothing does.
pub(super) async fn tend(hub: Arc<Hub>) {
    loop {
        sleep(TURN).await;
        let Due {
            leaves,
            ended,
            is_last,
        } = hub.due();
        for (line, datagram) in leaves {
            hub.carry(&line, &datagram);
        }
        for channel in ended {
            hub.end(channel, RelayRefusal::Quota);
        }
        if is_last {
            return;
        }
    }
}

/// What is to be done now.
struct Due {
    leaves: Vec<(Line, Bytes)>,
    /// Channels that have had enough for a day.
    ended: Vec<ChannelId>,
    /// Nothing waits any more, and nobody sees to what will.
    is_last: bool,
}

impl Hub {
    /// Sends a packet on, or drops it where the way is full.
    pub(super) fn carry(&self, to: &Line, datagram: &Bytes) {
        if to.carry(datagram) == Room::Full {
            self.lock().totals.over_line += 1;
        }
    }

    /// Takes what has its share by now: one packet of each direction, and again, so that answers are not behind all
    /// that they answer.
    fn due(&self) -> Due {
        let now = self.clock.now();
        let (mut leaves, mut ended) = (Vec::new(), Vec::new());
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut directions = state.quay.directions();
        while !directions.is_empty() {
            // who has had its share has no more of it in this turn
            directions.retain(|direction| {
                let Some(bytes) = state.quay.next_bytes(now, *direction) else {
                    return false;
                };
                let (channel, line) = (direction.channel, direction.line);
                let passed = state.ferry.pass(now, channel, line, bytes);
                match passed {
                    Ok(to) => {
                        let datagram = state.quay.pop(*direction);
                        leaves.extend(state.leaves_by(to, bytes).zip(datagram));
                    }
                    Err(NotCarried::Rate) => {}
                    Err(NotCarried::Channel) => state.quay.close(*direction),
                    Err(NotCarried::Quota) => {
                        state.quay.close(*direction);
                        ended.push(channel);
                    }
                }
                passed.is_ok()
            });
        }
        state.totals.over_rate += state.quay.take_dropped();
        let is_last = state.quay.is_empty();
        state.is_tended = !is_last;
        Due {
            leaves,
            ended,
            is_last,
        }
    }
}

impl State {
    /// The line by which a packet leaves that may; it counts from here on.
    pub(super) fn leaves_by(&mut self, line: u64, bytes: u64) -> Option<Line> {
        let line = self.lines.get(&line).cloned()?;
        self.totals.packets += 1;
        self.totals.bytes += bytes;
        Some(line)
    }
}
