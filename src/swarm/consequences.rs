//! What follows from a bad answer: whose fault it is, who is dropped, who is banned, who is pardoned.

use super::Swarm;
use super::blame::{Offence, Strike};
use super::container::Failure;
use super::download::{Cause, Claim};
use super::event::{Output, PeerKey, Ticket};
use super::peers::Peer;
use crate::digest::{Address, ManifestId};

impl Swarm {
    pub(super) fn on_misbehaved(&mut self, peer: PeerKey, ticket: Ticket) {
        self.download
            .on_failed(self.now, peer, ticket, Cause::Failed);
        let Some(address) = self.download.peer(peer).map(Peer::address) else {
            return;
        };
        self.strike(address, Strike::Protocol);
        self.drop_peer(peer, Offence::Protocol);
    }

    pub(super) fn on_bad(&mut self, ticket: Ticket) {
        let Some((claim, failure)) = self.download.on_bad(ticket) else {
            return;
        };
        let strike = Strike::BadChunk { id: claim.id };
        match failure {
            Failure::Peer if !self.blame.is_excused(strike) => self.blame_for_bad_chunk(claim),
            Failure::Peer | Failure::Nobody => {}
            Failure::Manifest => {
                self.on_manifest_wrong(claim.id);
                self.download
                    .take_all_back(self.now, &claim.id, &mut self.out);
                self.out.push_back(Output::Suspect {
                    id: claim.id,
                    chunk: claim.chunk,
                });
            }
        }
    }

    /// One bad chunk drops the connection, the third bans the address.
    fn blame_for_bad_chunk(&mut self, claim: Claim) {
        self.strike(claim.address, Strike::BadChunk { id: claim.id });
        self.drop_peer(claim.peer, Offence::BadChunk);
    }

    fn strike(&mut self, address: Address, strike: Strike) {
        if let Some(ban) = self.blame.on_strike(address, strike, self.now) {
            self.out.push_back(Output::Ban {
                address,
                until: ban.until,
                strikes: ban.strikes,
            });
            self.drop_all_of(address, Offence::Banned);
        }
    }

    /// Whoever was blamed for what did not fit this manifest is not any more.
    pub(super) fn on_manifest_wrong(&mut self, id: ManifestId) {
        for address in self.blame.on_manifest_wrong(id, self.now) {
            self.out.push_back(Output::Pardon { address });
        }
    }

    pub(super) fn on_lift(&mut self, address: Address) {
        if self.blame.lift(&address) {
            self.out.push_back(Output::Pardon { address });
        }
    }

    pub(super) fn drop_peer(&mut self, peer: PeerKey, offence: Offence) {
        if self.download.peer(peer).is_some() {
            self.out.push_back(Output::Drop { peer, offence });
            self.on_gone(peer);
        }
    }

    fn drop_all_of(&mut self, address: Address, offence: Offence) {
        let theirs = self
            .download
            .peers()
            .filter(|(_, peer)| peer.address() == address);
        for peer in theirs.map(|(key, _)| key).collect::<Vec<_>>() {
            self.drop_peer(peer, offence);
        }
    }
}
