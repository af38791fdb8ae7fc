//! From a relayed connection to a direct one.
//!
//! A direct connection to a peer takes the place of one through a SwarmMaster as soon as it is there,
//! whoever dialed it: what is asked from then on goes over it. The relayed one is asked for nothing new,
//! answers what it is asked, and is closed after [`DRAIN`]; what was under way on it has that long to
//! arrive, and what has not arrived by then is asked for again. Both sides do the same.

use std::time::Duration;

use super::driver::{Driver, peer_key};
use crate::net::SessionKey;
use crate::swarm::Input;
use crate::wire::CloseCode;

/// How long what is under way on a relayed connection has to arrive.
const DRAIN: Duration = Duration::from_secs(5);

impl Driver {
    /// A direct connection to the same peer is there: this one is used no more.
    pub(super) fn retire(&mut self, relayed: SessionKey) {
        let until = self.clock.now() + DRAIN;
        let Some(peer) = self.roster.get_mut(relayed) else {
            return;
        };
        peer.drain(until);
        tracing::info!(address = %peer.session.address(), "a direct connection takes over");
        // nothing more is asked of it; what was asked may still arrive
        self.tell(Input::Choked {
            peer: peer_key(relayed),
        });
    }

    /// Closes what had its time.
    pub(super) fn close_drained(&mut self) {
        for key in self.roster.drained(self.clock.now()) {
            if let Some(peer) = self.roster.get(key) {
                peer.session.close(CloseCode::Duplicate, "DUPLICATE");
            }
            self.on_closed(key, "DUPLICATE");
        }
    }
}
