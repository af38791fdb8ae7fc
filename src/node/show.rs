//! What surfaces see of a node.

use super::driver::{Driver, session_key};
use super::status::{Banned, ContainerStatus, PeerStatus, Status};
use crate::digest::ManifestId;
use crate::swarm::Ban;

impl Driver {
    /// The node as surfaces see it.
    pub(super) fn snapshot(&self) -> Status {
        Status {
            address: self.address,
            connections: self.roster.len() - self.masters.connected(),
            masters: self.masters.status(),
            containers: self
                .catalog
                .iter()
                .filter_map(|(id, _)| self.container_status(&id))
                .collect(),
            banned: self.swarm.bans().map(|ban| self.banned(ban)).collect(),
        }
    }

    fn banned(&self, ban: Ban) -> Banned {
        Banned {
            address: ban.address,
            left: ban.until.since(self.clock.now()),
            strikes: ban.strikes,
        }
    }

    /// One container as a surface sees it.
    pub(super) fn container_status(&self, id: &ManifestId) -> Option<ContainerStatus> {
        let manifest = self.catalog.get(id)?.manifest();
        let peers = self.swarm.peers(*id).filter_map(|view| {
            let peer = self.roster.get(session_key(view.peer))?;
            let session = &peer.session;
            Some(PeerStatus {
                address: view.address,
                remote: session.remote(),
                path: peer.path,
                why: self.why_not_direct(view.address, peer.path),
                held: view.held,
                rate: view.rate,
                in_flight: view.in_flight,
            })
        });
        Some(ContainerStatus {
            manifest_id: *id,
            program_id: manifest.program_id(),
            name: manifest.name().to_owned(),
            size: manifest.layout().size(),
            chunks: manifest.layout().chunk_count(),
            held: self.swarm.have(id)?.count(),
            tally: self.swarm.tally(id)?.clone(),
            peers: peers.collect(),
        })
    }
}
