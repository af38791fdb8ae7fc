//! The core against inputs that no order keeps: nothing panics, nothing leaks.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the outputs that it is about"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::chunk::ChunkIndex;
use crate::digest::{Address, Digest};
use crate::limits::{BAD_CHUNKS_MAX, IN_FLIGHT_BYTES_MAX};
use crate::wire::Encoding;
use crate::wire::payload::Payload;

mod cases;
mod chaos;
mod copies;
mod crews;
mod limits;
mod memory;
mod orders;

const CHUNK: u32 = 256 * 1024;
const RTT: Duration = Duration::from_millis(20);
const SUBNET: Subnet = Subnet(0);

/// A core, and what it asked for and did not get yet.
struct Bench {
    swarm: Swarm,
    now: Moment,
    requests: BTreeMap<Ticket, (PeerKey, ManifestId, ChunkIndex)>,
    verifying: Vec<Ticket>,
    copying: Vec<Ticket>,
    said: Vec<Output>,
}

fn container(of: u8) -> ManifestId {
    ManifestId::new(Digest::of(&[of]))
}

fn address(of: u64) -> Address {
    Address::new(Digest::of(&of.to_le_bytes()))
}

fn payload() -> Payload {
    Payload::new(Encoding::Raw, vec![Bytes::from_static(b"chunk")])
}

fn set(len: u32, chunks: impl IntoIterator<Item = u32>) -> Bitfield {
    let mut set = Bitfield::empty(len);
    for chunk in chunks {
        set.insert(ChunkIndex::new(chunk));
    }
    set
}

impl Bench {
    fn new() -> Self {
        Self::with(Setup::default())
    }

    fn with(setup: Setup) -> Self {
        Self {
            swarm: Swarm::new(setup),
            now: Moment::from_micros(1_000_000),
            requests: BTreeMap::new(),
            verifying: Vec::new(),
            copying: Vec::new(),
            said: Vec::new(),
        }
    }

    /// A core that lacks all of one container with these many chunks.
    fn wanting(chunks: u32) -> Self {
        let mut bench = Self::new();
        bench.add(1, chunks, Trust::Pinned);
        bench
    }

    fn add(&mut self, id: u8, chunks: u32, trust: Trust) {
        let layout = Layout::new(u64::from(chunks) * u64::from(CHUNK), CHUNK).unwrap();
        self.tell(Input::Add {
            id: container(id),
            layout,
            have: Bitfield::empty(chunks),
            trust,
        });
    }

    /// A peer that holds these chunks of container 1.
    fn connect(&mut self, key: u64, held: Bitfield) {
        self.connect_in(SUBNET, key, held);
    }

    /// The same, in this subnet.
    fn connect_in(&mut self, subnet: Subnet, key: u64, held: Bitfield) {
        self.join(subnet, address(key), key, held);
    }

    /// A peer of this address that holds all 8 chunks of container 1.
    fn connect_as(&mut self, address: Address, key: u64) {
        self.join(SUBNET, address, key, Bitfield::full(8));
    }

    fn join(&mut self, subnet: Subnet, address: Address, key: u64, held: Bitfield) {
        let peer = PeerKey(key);
        self.tell(Input::PeerConnected {
            peer,
            address,
            subnet,
            rtt: RTT,
        });
        let id = container(1);
        self.tell(Input::PeerHolds { peer, id, held });
    }

    fn tell(&mut self, input: Input) -> usize {
        self.swarm.handle(self.now, input);
        let before = self.said.len();
        while let Some(output) = self.swarm.poll_output() {
            match &output {
                Output::Request {
                    peer,
                    ticket,
                    id,
                    chunk,
                } => {
                    self.requests.insert(*ticket, (*peer, *id, *chunk));
                }
                Output::Cancel { ticket, .. } => {
                    assert!(self.requests.remove(ticket).is_some(), "cancelled twice");
                }
                Output::Verify { ticket, .. } => {
                    self.requests.remove(ticket);
                    self.verifying.push(*ticket);
                }
                Output::Copy { ticket, .. } => self.copying.push(*ticket),
                Output::Drop { peer, .. } => {
                    self.requests.retain(|_, (at, ..)| at != peer);
                }
                _ => {}
            }
            self.said.push(output);
        }
        self.swarm.download.check();
        self.said.len() - before
    }

    fn arrive(&mut self, ticket: Ticket) {
        let (peer, ..) = self.requests[&ticket];
        self.tell(Input::Arrived {
            peer,
            ticket,
            payload: payload(),
            rtt: RTT,
        });
    }

    fn store(&mut self, ticket: Ticket) {
        self.arrive(ticket);
        self.tell(Input::Stored { ticket });
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.swarm.deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.tell(Input::Wake);
            let next = self.swarm.deadline();
            assert!(next.is_none_or(|(at, _)| at > self.now), "stays due");
        }
        self.now = end;
    }

    /// Requests that are out at a peer, the oldest first.
    fn out_at(&self, key: u64) -> Vec<Ticket> {
        let theirs = self.requests.iter().filter(|(_, it)| it.0 == PeerKey(key));
        theirs.map(|(ticket, _)| *ticket).collect()
    }

    fn chunks_at(&self, key: u64) -> Vec<u32> {
        let chunk = |ticket: &Ticket| self.requests[ticket].2.get();
        self.out_at(key).iter().map(chunk).collect()
    }
}
