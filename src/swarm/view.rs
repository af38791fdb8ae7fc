//! What can be seen of a [`Swarm`] from outside. Looking changes nothing.

use super::Swarm;
use super::blame::Ban;
use super::event::{PeerKey, Subnet, Ticket};
use super::tally::Tally;
use super::upload::Standing;
use crate::chunk::Bitfield;
use crate::digest::{Address, ManifestId};

/// How one peer is doing, for showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerView {
    /// The connection.
    pub peer: PeerKey,
    /// Whose it is.
    pub address: Address,
    /// Chunks of the container that it holds.
    pub held: u32,
    /// Its measured delivery rate, bytes per second.
    pub rate: u64,
    /// Requests out at it.
    pub in_flight: usize,
}

/// The upload slots of a node, for showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotsView {
    /// How many there are.
    pub count: usize,
    /// How many are taken.
    pub held: usize,
    /// Whether somebody is choked.
    pub are_wanted: bool,
    /// How often they were given out anew.
    pub rounds: u64,
}

/// One peer as the uploading side sees it, for showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskerView {
    /// The connection.
    pub peer: PeerKey,
    /// Whose it is.
    pub address: Address,
    /// Where it comes from.
    pub subnet: Subnet,
    /// Whether it is served.
    pub standing: Standing,
    /// Whether it is not known to take only.
    pub gives: bool,
}

impl Swarm {
    /// The chunks of a container that are stored and verified.
    pub fn have(&self, id: &ManifestId) -> Option<&Bitfield> {
        self.download
            .container(id)
            .map(|container| container.chunks.have())
    }

    /// Who gave and took how much of a container.
    pub fn tally(&self, id: &ManifestId) -> Option<&Tally> {
        self.download
            .container(id)
            .map(|container| &container.tally)
    }

    /// The peers that take part in a container's swarm, or have yet to answer something about it.
    pub fn peers(&self, id: ManifestId) -> impl Iterator<Item = PeerView> + '_ {
        self.download.peers().filter_map(move |(key, peer)| {
            let held = peer.holds(&id).map(Bitfield::count);
            let in_flight = peer.flights().filter(|(_, flight)| flight.id == id).count();
            (held.is_some() || in_flight > 0).then(|| PeerView {
                peer: key,
                address: peer.address(),
                held: held.unwrap_or(0),
                rate: peer.rate(),
                in_flight,
            })
        })
    }

    /// The container that a request of ours is about, while it is out.
    pub fn container_of(&self, peer: PeerKey, ticket: Ticket) -> Option<ManifestId> {
        self.download
            .peer(peer)?
            .flight(ticket)
            .map(|flight| flight.id)
    }

    /// Who sent an answer of which a worker has yet to say what it is.
    pub fn sender_of(&self, ticket: Ticket) -> Option<PeerKey> {
        self.download.sender_of(ticket)
    }

    /// The upload slots.
    pub fn slots(&self) -> SlotsView {
        self.upload.slots()
    }

    /// Every peer as the uploading side sees it, in the order of their keys.
    pub fn askers(&self) -> impl Iterator<Item = AskerView> + '_ {
        self.upload.askers()
    }

    /// Whether an address is refused now.
    pub fn is_banned(&self, address: &Address) -> bool {
        self.blame.is_banned(address, self.now)
    }

    /// Addresses that are refused now, until when, and what for.
    pub fn bans(&self) -> impl Iterator<Item = Ban> + '_ {
        self.blame.bans(self.now)
    }
}
