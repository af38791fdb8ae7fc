//! A master's loop: takes one thing that happened and hands it on. Runs on the network thread, alone.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::MasterStatus;
use super::claims::Claims;
use super::desk::{Answered, Asked, Desk, Done, Question, Waiting, Written};
use super::gate::{Gate, Kind};
use super::meet::{Introductions, Seen};
use super::relay::{Invitation, Relay, next};
use crate::digest::{Address, ManifestId};
use crate::index::{Challenge, Member, Random, Seat, TTL_MAX_S};
use crate::net::{Answer, Endpoint, Event, Origin, Responder, Session, SessionKey, Throttle, View};
use crate::node::clock::Clock;
use crate::node::reach::is_global;
use crate::node::subnet;
use crate::store::index::Change;
use crate::wire::{CloseCode, Extent, Refusal, Reply, Request};

/// How often claims are looked at, and what waits is written.
const TICK: Duration = Duration::from_millis(100);
/// Ticks from one time that those who are connected are written down as alive to the next.
const SEEN_TICKS: u32 = 100;
/// Ticks from one sweep to the next.
const SWEEP_TICKS: u32 = 20;
/// Rows of one sweep.
const SWEEP_ROWS: u32 = 2000;
/// Changes that nobody waits for and that may wait for the writer.
const OUTBOX_MAX: usize = 20_000;
/// How long nodes are given to hear that the master stops.
const GOODBYE: Duration = Duration::from_secs(2);
/// Things that happened, taken in at one go.
const BATCH_MAX: usize = 128;

/// A master's state, all of it but the index.
pub(super) struct Driver {
    pub(super) clock: Clock,
    pub(super) address: Address,
    pub(super) endpoint: Endpoint,
    pub(super) desk: Desk,
    pub(super) gate: Gate,
    /// The pace of all samples together.
    pub(super) sampling: Arc<Throttle>,
    pub(super) clients: BTreeMap<SessionKey, Client>,
    pub(super) claims: Claims,
    pub(super) introductions: Introductions,
    /// What is carried between nodes; none where nothing is.
    pub(super) relay: Option<Relay>,
    /// Who was called, by the number of the question.
    pub(super) calls: BTreeMap<u64, Address>,
    pub(super) next_call: u64,
    pub(super) random: Random,
    /// Changes that nobody waits for.
    pub(super) outbox: VecDeque<Change>,
    pub(super) totals: MasterStatus,
    pub(super) status: watch::Sender<MasterStatus>,
    pub(super) ticks: u32,
}

/// Where the driver hears from.
pub(super) struct Ears {
    pub(super) stop: mpsc::Receiver<oneshot::Sender<()>>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) done: mpsc::UnboundedReceiver<Done>,
    pub(super) views: mpsc::Receiver<View>,
    /// Whom the relay wants called; none where there is none.
    pub(super) invitations: Option<mpsc::Receiver<Invitation>>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) challenge: Challenge,
    /// What is known of its router.
    pub(super) seen: Seen,
    subnet: u64,
    pub(super) is_enlisted: bool,
}

impl Client {
    pub(super) fn subnet(&self) -> u64 {
        self.subnet
    }

    pub(super) fn seat(&self) -> Seat {
        Seat {
            address: self.session.address(),
            remote: self.session.remote(),
        }
    }

    /// The node, as it is reached now. What it says of itself counts where it can be true.
    pub(super) fn member(&self) -> Member {
        let remote = self.session.remote();
        let is_near = !is_global(remote.ip());
        let fits = |at: &&SocketAddr| {
            let ip = at.ip();
            at.port() != 0
                && !ip.is_unspecified()
                && !ip.is_multicast()
                && (is_near || !ip.is_loopback())
        };
        let listen: Vec<SocketAddr> = self.session.listen().iter().filter(fits).copied().collect();
        Member {
            seat: self.seat(),
            is_open: listen.contains(&remote),
            listen,
            subnet: self.subnet,
        }
    }
}

impl Driver {
    /// Runs until told to stop, or until nobody is left to say so.
    pub(super) async fn run(mut self, mut ears: Ears) -> Option<oneshot::Sender<()>> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reply = loop {
            tokio::select! {
                biased;
                reply = ears.stop.recv() => break reply,
                Some(done) = ears.done.recv() => {
                    self.on_done(done);
                    self.drain(&mut ears);
                }
                Some(event) = ears.events.recv() => {
                    self.on_event(event);
                    self.drain(&mut ears);
                }
                Some(view) = ears.views.recv() => self.on_view(view),
                Some(invitation) = next(&mut ears.invitations) => self.on_invitation(&invitation),
                _ = tick.tick() => self.on_tick(),
            }
        };
        self.stop().await;
        reply
    }

    fn drain(&mut self, ears: &mut Ears) {
        for _ in 0..BATCH_MAX {
            match (ears.done.try_recv(), ears.events.try_recv()) {
                (Err(_), Err(_)) => break,
                (done, event) => {
                    done.into_iter().for_each(|done| self.on_done(done));
                    event.into_iter().for_each(|event| self.on_event(event));
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected { session, origin } => self.on_connected(session, origin),
            Event::Closed { session, reason } => self.on_closed(session, &reason),
            Event::Asked {
                session,
                request,
                responder,
            } => self.on_asked(session, request, responder),
            Event::Manifest {
                session,
                id,
                answer,
            } => self.on_manifest(session, id, answer),
            Event::Chunk {
                session,
                ticket,
                answer,
                ..
            } => self.on_sample(session, ticket, answer),
            Event::Replied {
                session,
                ticket,
                answer,
            } => match self.calls.contains_key(&ticket) {
                true => self.on_called(ticket, answer),
                false => self.on_invited(session, ticket, answer),
            },
            Event::Line { line } => match &self.relay {
                Some(relay) => relay.on_line(line),
                None => line.close(CloseCode::Done, "nothing is carried here"),
            },
            // a master dials nobody, follows nobody and serves no chunks
            Event::DialFailed { .. }
            | Event::Progress { .. }
            | Event::Wasted { .. }
            | Event::Deluges { .. }
            | Event::Update { .. }
            | Event::Unsubscribed { .. }
            | Event::Carrying { .. }
            | Event::NotCarrying { .. }
            | Event::RelayFailed { .. }
            | Event::Answered { .. } => {}
        }
    }

    fn on_connected(&mut self, session: Session, origin: Origin) {
        if origin != Origin::Accepted {
            return session.close(CloseCode::Done, "a master dials nobody");
        }
        let subnet = subnet::of(session.remote().ip(), session.address());
        let mut nonce = [0; 16];
        if getrandom::fill(&mut nonce).is_err() {
            return session.close(CloseCode::Full, "no randomness");
        }
        let client = Client {
            challenge: Challenge::new(nonce),
            seen: Seen::default(),
            subnet: subnet.0,
            is_enlisted: false,
            session,
        };
        self.clients.insert(client.session.key(), client);
    }

    fn on_closed(&mut self, key: SessionKey, reason: &str) {
        self.drop_claims(key);
        let Some(client) = self.clients.remove(&key) else {
            return;
        };
        let who = client.session.address();
        tracing::debug!(address = %who, reason, "a node is gone");
        self.drop_introductions(key, who, client.seen);
        // one that nobody hears of is forgotten by its time
        if client.is_enlisted && self.outbox.len() < OUTBOX_MAX {
            self.outbox.push_back(Change::Left {
                seat: client.seat(),
            });
        }
    }

    fn on_asked(&mut self, key: SessionKey, request: Request, responder: Responder) {
        let Some(client) = self.clients.get_mut(&key) else {
            return;
        };
        let (seat, subnet) = (client.seat(), client.subnet);
        match request {
            Request::Enlist => {
                client.is_enlisted = true;
                let reply = Reply::Enlisted {
                    nonce: client.challenge.nonce(),
                    observed: seat.remote,
                    ttl_s_max: TTL_MAX_S,
                };
                responder.answer(Answer::Header(reply));
                self.on_home(seat.address, key);
            }
            Request::Locate => self.on_locate(key, responder),
            Request::Located => self.on_located(key, responder),
            Request::Meet(invitation) => self.on_meet(key, invitation, responder),
            Request::Invite(_) | Request::Start { .. } => {
                responder.answer(Answer::Header(Reply::Denied));
            }
            Request::Register(registration) => match self.admits(Kind::Register, &seat, subnet) {
                Ok(()) => self.on_register(key, registration, responder),
                Err(after) => self.send_away(responder, after),
            },
            Request::Withdraw { id } => self.on_withdraw(seat, id, responder),
            Request::Lookup { wanted, limit } => {
                let what = Asked::Holders { wanted, limit };
                self.ask(Kind::Lookup, seat, subnet, what, responder);
            }
            Request::Search(search) => {
                self.ask(Kind::Search, seat, subnet, Asked::Search(search), responder);
            }
            Request::Deluges { .. } => {
                responder.answer(Answer::Header(Reply::Deluges(Vec::new())));
            }
            Request::Manifest { .. } | Request::Subscribe { .. } | Request::Chunk(_) => {
                responder.answer(Answer::Refuse(Refusal::NotFound));
            }
            Request::Carry { .. } => responder.answer(Answer::Header(Reply::Denied)),
            Request::Hello(_) => responder.answer(Answer::Refuse(Refusal::Malformed)),
        }
    }

    pub(super) fn admits(&mut self, kind: Kind, seat: &Seat, subnet: u64) -> Result<(), Duration> {
        let now = self.clock.now();
        self.gate.admit(now, kind, seat.address, subnet)
    }

    fn ask(&mut self, kind: Kind, asker: Seat, subnet: u64, what: Asked, responder: Responder) {
        if let Err(after) = self.admits(kind, &asker, subnet) {
            return self.send_away(responder, after);
        }
        let question = Question {
            asker,
            at: self.clock.now(),
            seed: self.random(),
            what,
            responder,
        };
        if let Err(question) = self.desk.ask(question) {
            self.turn_away(question.responder);
        }
    }

    fn on_withdraw(&mut self, seat: Seat, id: Option<ManifestId>, responder: Responder) {
        let change = Change::Withdraw { seat, id };
        let waiting = Waiting::Withdrawal(responder);
        if let Err(unwritten) = self.desk.write(Written { change, waiting })
            && let Waiting::Withdrawal(responder) = unwritten.waiting
        {
            self.turn_away(responder);
        }
    }

    /// Says when somebody who asks too much may ask again.
    pub(super) fn send_away(&mut self, responder: Responder, after: Duration) {
        self.totals.busy += 1;
        let retry_after_ms = u32::try_from(after.as_millis()).unwrap_or(u32::MAX).max(1);
        responder.answer(Answer::Header(Reply::Busy { retry_after_ms }));
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Answer(responder, answer, answered) => {
                match answered {
                    Answered::Holders => self.totals.lookups += 1,
                    Answered::Search(extent) => {
                        self.totals.searches += 1;
                        self.totals.searches_cut += u64::from(extent == Extent::Partial);
                    }
                    Answered::Busy => self.totals.busy += 1,
                    Answered::Other => {}
                }
                responder.answer(answer);
            }
            Done::Signed(claim, outcome) => self.on_signed(claim, outcome),
            Done::Parsed(claim, outcome) => self.on_parsed(claim, outcome),
            Done::Proven(claim, outcome) => self.on_proven(claim, outcome),
            Done::Listed(claim, outcome) => self.on_listed(claim, outcome),
            Done::Extent(extent) => self.totals.index = extent,
        }
    }

    fn on_tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        self.review_claims();
        self.review_introductions();
        // while the writer is behind, there is no use in more of the same
        let is_abreast = self.outbox.is_empty();
        if is_abreast && self.ticks.is_multiple_of(SEEN_TICKS) {
            let enlisted = self.clients.values().filter(|it| it.is_enlisted);
            let seats = enlisted.map(Client::seat).collect();
            self.outbox.push_back(Change::Seen { seats });
        }
        if is_abreast && self.ticks.is_multiple_of(SWEEP_TICKS) {
            let limit = SWEEP_ROWS;
            self.outbox.push_back(Change::Sweep { limit });
        }
        self.flush();
        let enlisted = self.clients.values().filter(|it| it.is_enlisted);
        self.totals.enlisted = enlisted.count();
        self.totals.connections = self.clients.len();
        if let Some(relay) = &self.relay {
            relay.sweep();
            self.totals.relay = relay.totals();
        }
        self.status.send_replace(self.totals);
    }

    /// Hands in what nobody waits for, as far as there is room.
    fn flush(&mut self) {
        while let Some(change) = self.outbox.pop_front() {
            let waiting = Waiting::Nobody;
            if let Err(unwritten) = self.desk.write(Written { change, waiting }) {
                self.outbox.push_front(unwritten.change);
                return;
            }
        }
    }

    /// Another number.
    pub(super) fn random(&mut self) -> u64 {
        self.random.draw()
    }

    async fn stop(mut self) {
        self.endpoint.close();
        if !self.clients.is_empty() {
            // Those who do not answer learn of it by their own timeout.
            let _ = timeout(GOODBYE, self.endpoint.farewell()).await;
        }
        self.flush();
        // Waits for what is queued to be written.
        drop(self);
    }
}
