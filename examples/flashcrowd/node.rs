//! One node: the production engine, and what its driver, its disk and its links would do.
//!
//! A peer's key is its position among the neighbours. An ask's key is made of the asker's position
//! and the asker's ticket, so the node needs no table of asks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use swarmhold::chunk::{Bitfield, ChunkIndex};
use swarmhold::digest::{Address, Digest, ManifestId};
use swarmhold::limits::CHUNK_BYTES_MAX;
use swarmhold::manifest::Layout;
use swarmhold::moment::Moment;
use swarmhold::net::feed_pause;
use swarmhold::swarm::{AskKey, Input, Output, PeerKey, Setup, Subnet, Swarm, Ticket, Trust};
use swarmhold::wire::Encoding;
use swarmhold::wire::payload::Payload;

use crate::graph::Neighbour;
use crate::ledger::Ledger;
use crate::net::{Event, Events, Letter, Message, Scheduled, Transfer, Uplink, span};

/// Time that a worker takes to prove and store a chunk: small next to any latency.
const STORE: Duration = Duration::from_micros(500);
/// Tickets of one node stay below this many bits: it would have to ask for each chunk a million
/// times.
const TICKET_BITS: u32 = 44;

/// What stands for the content of every chunk. The model's workers find every answer right.
static CONTENT: [u8; CHUNK_BYTES_MAX as usize] = [0; CHUNK_BYTES_MAX as usize];

/// What all nodes have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common {
    pub(crate) id: ManifestId,
    pub(crate) layout: Layout,
    pub(crate) feed_pause: Option<Duration>,
}

/// What one node is given.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) number: u32,
    pub(crate) seed: u64,
    pub(crate) up: u64,
    pub(crate) down: u64,
    pub(crate) complete: bool,
    pub(crate) neighbours: Vec<Neighbour>,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) ledger: Ledger,
    common: Common,
    number: u32,
    swarm: Swarm,
    neighbours: Vec<Neighbour>,
    connected: Vec<PeerKey>,
    events: Events,
    caused: u32,
    uplink: Uplink,
    down: u64,
    down_free_at: Moment,
    news: Vec<ChunkIndex>,
    now: Moment,
}

impl Node {
    pub(crate) fn new(common: Common, birth: Birth) -> Self {
        let chunks = common.layout.chunk_count();
        let have = match birth.complete {
            true => Bitfield::full(chunks),
            false => Bitfield::empty(chunks),
        };
        let mut swarm = Swarm::new(Setup {
            seed: birth.seed,
            upload_rate_max: Some(birth.up),
            ..Setup::default()
        });
        let add = Input::Add {
            id: common.id,
            layout: common.layout,
            have,
            trust: Trust::Pinned,
        };
        swarm.handle(Moment::ORIGIN, add);
        let mut node = Self {
            ledger: Ledger::default(),
            common,
            number: birth.number,
            swarm,
            neighbours: birth.neighbours,
            connected: Vec::new(),
            events: Events::default(),
            caused: 0,
            uplink: Uplink::new(birth.up),
            down: birth.down,
            down_free_at: Moment::ORIGIN,
            news: Vec::new(),
            now: Moment::ORIGIN,
        };
        node.carry_out(&mut Vec::new());
        node
    }

    pub(crate) fn neighbours(&self) -> &[Neighbour] {
        &self.neighbours
    }

    /// Something will happen here.
    pub(crate) fn expect(&mut self, event: Scheduled) {
        self.events.push(event);
    }

    /// The connection to a neighbour will stand at this moment.
    pub(crate) fn expect_connection(&mut self, at: Moment, peer: PeerKey) {
        self.plan(at, Event::Connected(peer));
    }

    /// The next moment at which anything happens here.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        let wake = self.swarm.deadline().map(|(at, _)| at.max(self.now));
        let event = self.events.next_at();
        event.into_iter().chain(wake).min()
    }

    /// Lets everything happen that happens here before this moment.
    pub(crate) fn run(&mut self, until: Moment, letters: &mut Vec<Letter>) {
        while let Some(at) = self.next_at().filter(|at| *at < until) {
            self.now = at;
            self.ledger.events += 1;
            if self.events.next_at() == Some(at) {
                let next = self.events.pop().expect("it is the next one");
                self.happen(next.event, letters);
            } else {
                self.tell(Input::Wake, letters);
            }
        }
    }

    fn happen(&mut self, event: Event, letters: &mut Vec<Letter>) {
        match event {
            Event::Heard(peer, message) => self.on_message(peer, message, letters),
            Event::Connected(peer) => self.on_connected(peer, letters),
            Event::Received(peer, ticket, bytes) => {
                self.on_received(peer, ticket, bytes, letters);
            }
            Event::Sent(number) => self.on_sent(number, letters),
            Event::Stored(ticket) => self.tell(Input::Stored { ticket }, letters),
            Event::Feed => {
                let news: Arc<[ChunkIndex]> = std::mem::take(&mut self.news).into();
                for peer in 0..self.connected.len() {
                    let has = Message::Has(Arc::clone(&news));
                    self.say(self.connected[peer], has, letters);
                }
            }
        }
    }

    fn on_connected(&mut self, peer: PeerKey, letters: &mut Vec<Letter>) {
        let neighbour = self.neighbour(peer);
        self.connected.push(peer);
        let connected = Input::PeerConnected {
            peer,
            address: address_of(neighbour.node),
            subnet: Subnet(neighbour.node.into()),
            rtt: 2 * neighbour.latency,
        };
        self.tell(connected, letters);
        let held = Arc::new(self.held());
        self.say(peer, Message::Holds(held), letters);
    }

    fn on_message(&mut self, peer: PeerKey, message: Message, letters: &mut Vec<Letter>) {
        let id = self.common.id;
        let input = match message {
            Message::Ask(ticket, chunk) => {
                let ask = ask_key(peer, ticket);
                Input::Asked {
                    peer,
                    ask,
                    id,
                    chunk,
                }
            }
            Message::TakeBack(ticket) => return self.on_taken_back(peer, ticket, letters),
            Message::Data(ticket, bytes) => return self.on_data(peer, ticket, bytes, letters),
            Message::Broken(bytes) => return self.on_wasted(peer, bytes, letters),
            Message::NotHeld(ticket, held) => {
                let held = Bitfield::clone(&held);
                Input::NotHeld { peer, ticket, held }
            }
            Message::Busy(ticket, retry_after) => {
                self.ledger.busy += 1;
                Input::Busy {
                    peer,
                    ticket,
                    retry_after,
                }
            }
            Message::Holds(held) => {
                let held = Bitfield::clone(&held);
                Input::PeerHolds { peer, id, held }
            }
            Message::Choke => Input::Choked { peer },
            Message::Unchoke => Input::Unchoked { peer },
            Message::Has(chunks) => {
                let chunks = chunks.to_vec();
                Input::PeerHas { peer, id, chunks }
            }
        };
        self.tell(input, letters);
    }

    /// The asker does not want it any more: what has not left yet does not leave.
    fn on_taken_back(&mut self, peer: PeerKey, ticket: Ticket, letters: &mut Vec<Letter>) {
        let ask = ask_key(peer, ticket);
        let left = self.uplink.take_back(self.now, ask);
        if let Some(sent) = left.filter(|sent| *sent > 0) {
            self.ledger.on_sent(self.now, sent);
            self.say(peer, Message::Broken(sent), letters);
        }
        let bytes = u64::from(left.unwrap_or(0));
        self.tell(Input::Served { peer, ask, bytes }, letters);
        self.send_next();
    }

    /// The last byte of an answer has come to the downlink.
    fn on_data(&mut self, peer: PeerKey, ticket: Ticket, bytes: u32, letters: &mut Vec<Letter>) {
        let takes = span(bytes, self.down);
        let began = self.down_free_at.max(self.now - takes);
        self.down_free_at = began + takes;
        if self.down_free_at > self.now {
            self.plan(self.down_free_at, Event::Received(peer, ticket, bytes));
        } else {
            self.on_received(peer, ticket, bytes, letters);
        }
    }

    fn on_received(
        &mut self,
        peer: PeerKey,
        ticket: Ticket,
        bytes: u32,
        letters: &mut Vec<Letter>,
    ) {
        if self.swarm.container_of(peer, ticket).is_none() {
            // It was taken back while the answer was on its way.
            return self.on_wasted(peer, bytes, letters);
        }
        self.ledger.received_bytes += u64::from(bytes);
        let content = Bytes::from_static(&CONTENT[..bytes as usize]);
        let arrived = Input::Arrived {
            peer,
            ticket,
            payload: Payload::new(Encoding::Raw, vec![content]),
            rtt: 2 * self.neighbour(peer).latency,
        };
        self.tell(arrived, letters);
    }

    fn on_wasted(&mut self, peer: PeerKey, bytes: u32, letters: &mut Vec<Letter>) {
        let (id, bytes) = (self.common.id, u64::from(bytes));
        self.ledger.wasted_bytes += bytes;
        self.tell(Input::Wasted { peer, id, bytes }, letters);
    }

    fn on_sent(&mut self, number: u64, letters: &mut Vec<Letter>) {
        let Some(Transfer { peer, ask, bytes }) = self.uplink.finish(number) else {
            return;
        };
        self.ledger.on_sent(self.now, bytes);
        self.say(peer, Message::Data(ticket_of(ask), bytes), letters);
        let bytes = u64::from(bytes);
        self.tell(Input::Served { peer, ask, bytes }, letters);
        self.send_next();
    }

    fn send_next(&mut self) {
        if let Some((number, at)) = self.uplink.begin(self.now) {
            self.plan(at, Event::Sent(number));
        }
    }

    fn tell(&mut self, input: Input, letters: &mut Vec<Letter>) {
        self.swarm.handle(self.now, input);
        self.carry_out(letters);
    }

    fn carry_out(&mut self, letters: &mut Vec<Letter>) {
        while let Some(output) = self.swarm.poll_output() {
            self.ledger.trace.note(self.now, &output);
            self.carry_out_one(output, letters);
        }
    }

    fn carry_out_one(&mut self, output: Output, letters: &mut Vec<Letter>) {
        match output {
            Output::Request {
                peer,
                ticket,
                chunk,
                ..
            } => self.say(peer, Message::Ask(ticket, chunk), letters),
            Output::Cancel { peer, ticket } => {
                self.ledger.taken_back += 1;
                self.say(peer, Message::TakeBack(ticket), letters);
            }
            Output::Verify { ticket, .. } | Output::Copy { ticket, .. } => {
                self.plan(self.now + STORE, Event::Stored(ticket))
            }
            Output::Serve {
                peer, ask, chunk, ..
            } => {
                let bytes = self.common.layout.chunk_len(chunk);
                let bytes = bytes.expect("the engine serves chunks that there are");
                self.uplink.push(Transfer { peer, ask, bytes });
                self.send_next();
            }
            Output::AnswerNotHeld { peer, ask, .. } => {
                let held = Arc::new(self.held());
                self.say(peer, Message::NotHeld(ticket_of(ask), held), letters);
            }
            Output::AnswerInstead {
                peer, ask, held, ..
            } => {
                self.say(peer, Message::NotHeld(ticket_of(ask), held.into()), letters);
            }
            Output::Offer { peer, held, .. } => {
                self.say(peer, Message::Holds(Arc::new(held)), letters);
            }
            Output::AnswerBusy {
                peer,
                ask,
                retry_after,
            } => self.say(peer, Message::Busy(ticket_of(ask), retry_after), letters),
            Output::Choke { peer } => self.say(peer, Message::Choke, letters),
            Output::Unchoke { peer } => self.say(peer, Message::Unchoke, letters),
            Output::Announce { chunk, .. } => {
                if self.news.is_empty() {
                    let pause = self.common.feed_pause;
                    let pause = pause.unwrap_or_else(|| feed_pause(self.connected.len()));
                    self.plan(self.now + pause, Event::Feed);
                }
                self.news.push(chunk);
            }
            Output::Complete { .. } => self.ledger.done_at = Some(self.now),
            Output::AnswerDenied { .. }
            | Output::Suspect { .. }
            | Output::Stopped { .. }
            | Output::Drop { .. }
            | Output::Ban { .. }
            | Output::Pardon { .. } => panic!("node {}: all are honest: {output:?}", self.number),
        }
    }

    fn say(&mut self, peer: PeerKey, message: Message, letters: &mut Vec<Letter>) {
        let neighbour = self.neighbour(peer);
        let name = PeerKey(neighbour.their_name_for_us.into());
        let at = self.now + neighbour.latency;
        let event = self.scheduled(at, Event::Heard(name, message));
        letters.push(Letter {
            to: neighbour.node,
            event,
        });
    }

    fn plan(&mut self, at: Moment, event: Event) {
        let event = self.scheduled(at, event);
        self.events.push(event);
    }

    fn scheduled(&mut self, at: Moment, event: Event) -> Scheduled {
        self.caused += 1;
        Scheduled {
            at,
            from: self.number,
            number: self.caused,
            event,
        }
    }

    fn neighbour(&self, peer: PeerKey) -> Neighbour {
        self.neighbours[usize::try_from(peer.0).expect("a position")]
    }

    fn held(&self) -> Bitfield {
        let held = self.swarm.have(&self.common.id);
        held.expect("it takes part").clone()
    }
}

fn ask_key(peer: PeerKey, ticket: Ticket) -> AskKey {
    AskKey(peer.0 << TICKET_BITS | ticket.0)
}

fn ticket_of(ask: AskKey) -> Ticket {
    Ticket(ask.0 & ((1 << TICKET_BITS) - 1))
}

fn address_of(node: u32) -> Address {
    Address::new(Digest::of(&node.to_le_bytes()))
}
