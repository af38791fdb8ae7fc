//! Going on when an address changes: ours, or that of somebody we wait for.
//!
//! QUIC carries a connection over to a new address of whoever dialed it (RFC 9000 section 9), and cannot
//! where that of whoever was dialed changes. So whoever waits for bytes and hears nothing for six seconds,
//! not even the answer to a ping, looks for the other side anew, by dialing and by a meeting, while the old
//! connection may still recover. And whoever has a new address of its own tells masters at once, which is
//! where it is looked for.

use super::driver::{Driver, session_key};
use super::start::reachable;
use crate::net::{SessionKey, own_towards};
use crate::wire::CloseCode;

impl Driver {
    /// Looks whether somebody has moved.
    pub(super) fn notice_moves(&mut self) {
        self.notice_own_move();
        let now = self.clock.now();
        let awaited = self.awaited();
        let missing = self.roster.newly_missing(now, |key| awaited.contains(&key));
        for key in missing {
            let Some(peer) = self.roster.get(key) else {
                continue;
            };
            let (who, dialed) = (peer.session.address(), peer.dialed());
            tracing::debug!(%who, "a peer is silent, and looked for elsewhere");
            if let Some(remote) = dialed {
                self.reach.on_over(now, remote);
            }
            self.meets.on_missing(now, who);
        }
    }

    /// The connections on which chunks are on their way to us.
    fn awaited(&self) -> Vec<SessionKey> {
        let manifests = self.quests.values().filter_map(|quest| quest.manifest_id());
        let peers = manifests.flat_map(|id| self.swarm.peers(id));
        let awaited = peers.filter(|peer| peer.in_flight > 0);
        awaited.map(|peer| session_key(peer.peer)).collect()
    }

    /// Masters see us at an address; where packets to them leave from another one than when they did, they
    /// are dialed anew.
    fn notice_own_move(&mut self) {
        let Some(master) = self.masters.first_remote() else {
            return;
        };
        // no way out at all is no new address
        let Some(own) = own_towards(master.ip()) else {
            return;
        };
        if !self.meets.has_moved(own) {
            return;
        }
        tracing::info!(%own, "this machine has a new address");
        if let Ok(listen) = self.endpoint.local_address() {
            self.endpoint.announced().on_own(reachable(listen));
        }
        let now = self.clock.now();
        for key in self.masters.on_moved(now) {
            if let Some(peer) = self.roster.get(key) {
                peer.session.close(CloseCode::Done, "moved");
            }
            self.on_closed(key, "this machine has moved");
        }
    }
}
