//! The loop: takes one thing that happened, tells the core, and carries out what it decided.
//!
//! Runs on the network thread, alone, and owns everything but the workers and the files. The other
//! halves of [`Driver`] are `sessions` (what the network says), `answering` (what peers ask), `engage` (what
//! they are asked first), `meet` (those behind routers),
//! `finding`, `fetches` and `ends` (from link to file), `share` (files served where they lie),
//! `apply` (what the core wants) and `show` (what surfaces see).

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use super::bans::Bans;
use super::catalog::Catalog;
use super::clock::Clock;
use super::command::{Command, Note};
use super::config::{Discovery, Serving};
use super::credit::CreditBook;
use super::ends::leave;
use super::error::{FetchError, kept};
use super::idle::Idle;
use super::library::Library;
use super::load::Load;
use super::masters::Masters;
use super::meet::Meets;
use super::offer::Offer;
use super::pool::Pool;
use super::quest::{FetchId, Quest};
use super::reach::Reach;
use super::relay::Relays;
use super::roster::Roster;
use super::rounds::Rounds;
use super::seen::Seen;
use super::status::Status;
use super::syncs::Syncs;
use super::verdicts::Verdicts;
use super::work::Done;
use crate::digest::Address;
use crate::identity::Wallet;
use crate::manifest::Recall;
use crate::net::{Endpoint, Event, Responder, SessionKey, Throttle};
use crate::store::{Content, Ledger};
use crate::swarm::{AskKey, Contribution, Input, PeerKey, Swarm, Ticket};
use crate::wire::{Accept, CloseCode};

/// How often what surfaces see is brought up to date.
const STATUS_EVERY: Duration = Duration::from_millis(100);
/// Status ticks in a second.
const TICKS_PER_SECOND: u32 = 10;
/// Status ticks from one look at the file of bans to the next: two seconds.
const BANS_EVERY_TICKS: u32 = 2 * TICKS_PER_SECOND;
/// How often credit is written down, in seconds: what a crash loses of it.
const CREDIT_EVERY_S: u32 = 60;
/// Things that happened, taken in before the core's wishes are carried out.
const BATCH_MAX: usize = 64;

/// A node's state, all of it but the bytes.
pub(super) struct Driver {
    pub(super) clock: Clock,
    pub(super) address: Address,
    pub(super) wallet: Arc<Wallet>,
    pub(super) discovery: Discovery,
    pub(super) serving: Serving,
    /// What takes part because peers ask for it.
    pub(super) idle: Idle,
    pub(super) offer: Offer,
    pub(super) contribution: Contribution,
    pub(super) masters: Masters,
    pub(super) meets: Meets,
    pub(super) relays: Relays,
    /// The turn to look for what a peer searches for.
    pub(super) answering: Arc<Semaphore>,
    pub(super) endpoint: Endpoint,
    /// The limits for all transfers together.
    pub(super) up: Arc<Throttle>,
    pub(super) down: Arc<Throttle>,
    pub(super) library: Library,
    pub(super) swarm: Swarm,
    pub(super) pool: Pool,
    pub(super) bans: Bans,
    pub(super) verdicts: Verdicts,
    /// Chunks that need not be hashed again.
    pub(super) recall: Arc<Recall>,
    /// The turn to hold a whole file against its manifest.
    pub(super) proving: Arc<Semaphore>,
    pub(super) credit: CreditBook,
    pub(super) catalog: Catalog,
    pub(super) roster: Roster,
    pub(super) reach: Reach,
    pub(super) seen: Seen,
    pub(super) quests: BTreeMap<FetchId, Quest>,
    /// What was written and is not synced yet.
    pub(super) syncs: Syncs,
    /// How busy this thread is.
    pub(super) load: Load,
    /// Who is looked after next.
    pub(super) rounds: Rounds,
    /// Where downloads write down what is safe.
    pub(super) ledger: Option<Arc<dyn Ledger>>,
    /// Our chunk requests that are out, for taking them back.
    pub(super) requests: HashMap<Ticket, AbortHandle>,
    /// The peers' chunk requests that wait to be answered.
    pub(super) asks: HashMap<AskKey, (Responder, Accept)>,
    /// What was wrong with a chunk, in words, until its sender is dropped for it.
    pub(super) faults: BTreeMap<PeerKey, String>,
    pub(super) notes: mpsc::UnboundedSender<Note>,
    pub(super) status: watch::Sender<Arc<Status>>,
    pub(super) ticks: u32,
}

/// Where the driver hears from.
pub(super) struct Ears {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) done: mpsc::UnboundedReceiver<Done>,
    pub(super) notes: mpsc::UnboundedReceiver<Note>,
}

impl Driver {
    /// Runs until a surface says stop, or all surfaces are gone. Returns whom to tell that it is done.
    pub(super) async fn run(mut self, mut ears: Ears) -> Option<oneshot::Sender<()>> {
        let mut tick = interval(STATUS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.tend_masters();
        let reply = loop {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                Some(done) = ears.done.recv() => {
                    self.on_done(done);
                    self.drain(&mut ears);
                }
                Some(event) = ears.events.recv() => {
                    self.on_event(event);
                    self.drain(&mut ears);
                }
                command = ears.commands.recv() => match command {
                    Some(Command::Stop { reply }) => break Some(reply),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                Some(note) = ears.notes.recv() => self.on_note(note),
                () = sleep_until(deadline) => {}
                _ = tick.tick() => self.on_tick(),
            }
            self.on_deadline();
            self.weigh();
            self.apply();
            // Who was not dropped was not to blame.
            self.faults.clear();
            self.dial_due();
            self.drive_meetings();
        };
        self.leave_masters(&mut ears).await;
        self.stop().await;
        reply
    }

    /// Takes in what else is waiting already, so that one wake-up serves many.
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

    /// Tells the core what happened.
    pub(super) fn tell(&mut self, input: Input) {
        self.swarm.handle(self.clock.now(), input);
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Seed {
                content,
                proof,
                reply,
            } => {
                // Whoever asked may have gone; the container is served all the same.
                let _ = reply.send(self.on_seed(content, proof));
            }
            Command::Fetch {
                id,
                source,
                output,
                peers,
                patience,
                course,
                status,
                done,
            } => {
                let quest = Quest::new(
                    self.clock.now(),
                    super::quest::Want::of(&source),
                    output,
                    patience,
                    course,
                    status,
                    done,
                );
                self.on_fetch(id, source, quest, peers);
            }
            Command::AddPeers { id, peers } => self.on_more_peers(id, peers),
            Command::Steer { id, change } => self.on_steer(id, change),
            Command::Limit { id, rates } => self.on_limit(id, rates),
            Command::Cancel { id } => self.cancel(id),
            Command::Lift { address } => self.tell(Input::Lift(address)),
            Command::Search {
                search,
                whom,
                peers,
                reply,
            } => self.on_search(search, whom, peers, reply),
            Command::Scrub { reply } => self.on_scrub(reply),
            Command::Stop { .. } => unreachable!("the loop takes it"),
        }
    }

    fn deadline(&self) -> tokio::time::Instant {
        let core = self.swarm.deadline().map(|(at, _)| at);
        let others = [self.reach.deadline(), self.meets.deadline()];
        let next = core.into_iter().chain(others.into_iter().flatten()).min();
        // What is due now was seen to already: look again soon, not at once.
        let soon = self.clock.now() + Duration::from_millis(1);
        let at = next.map_or(soon + Duration::from_secs(1), |at| at.max(soon));
        self.clock.instant(at)
    }

    fn on_deadline(&mut self) {
        let now = self.clock.now();
        if self.swarm.deadline().is_some_and(|(at, _)| at <= now) {
            self.tell(Input::Wake);
        }
    }

    /// Tells the core now and then how busy this thread is.
    fn weigh(&mut self) {
        if let Some(percent) = self.load.sample(self.clock.now()) {
            self.tell(Input::Load(percent));
        }
    }

    fn dial_due(&mut self) {
        let (roster, swarm) = (&self.roster, &self.swarm);
        let is_connected = |who| roster.has_direct(who);
        let is_banned = |who| swarm.is_banned(&who);
        for hint in self
            .reach
            .take_due(self.clock.now(), is_connected, is_banned)
        {
            self.endpoint.dial(hint.remote, hint.expected);
        }
    }

    fn on_tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(TICKS_PER_SECOND) {
            self.on_second();
        }
        self.tend_searches();
        self.close_drained();
        self.sync_due();
        self.scrub_due();
        self.show_fetches();
        // The node's handle holds one receiver itself; whoever takes another sees more.
        let is_watched = self.status.receiver_count() > 1;
        if is_watched || self.ticks % TICKS_PER_SECOND == 1 {
            let status = Arc::new(self.snapshot());
            self.status.send_replace(status);
        }
    }

    fn on_second(&mut self) {
        self.review_fetches();
        self.notice_moves();
        self.tend_masters();
        self.tend_relays();
        self.retry_blocked();
        self.look_around();
        self.review_offer();
        self.review_idle();
        self.choose_manifests();
        if self.ticks.is_multiple_of(BANS_EVERY_TICKS) {
            self.settle_bans();
        }
        if self.ticks.is_multiple_of(TICKS_PER_SECOND * CREDIT_EVERY_S) {
            let (book, credit) = (self.credit.clone(), self.swarm.credit().collect::<Vec<_>>());
            tokio::task::spawn_blocking(move || book.write(&credit));
            self.keep_seen();
        }
        for key in self.roster.idlers(self.clock.now()) {
            if let Some(peer) = self.roster.get(key) {
                peer.session.close(CloseCode::Full, "FULL");
            }
            self.on_closed(key, "FULL");
        }
        for key in self.roster.keys() {
            self.engage(key);
        }
    }

    async fn stop(mut self) {
        let quests = std::mem::take(&mut self.quests).into_values();
        let ended: Vec<_> = quests.map(|quest| (self.part_of(&quest), quest)).collect();
        let contents = ended.iter().filter_map(|(_, quest)| self.content_of(quest));
        let contents: Vec<_> = contents.collect();
        self.asks.clear();
        self.keep_seen();
        let credit: Vec<_> = self.swarm.credit().collect();
        let book = self.credit.clone();
        let written = tokio::task::spawn_blocking(move || book.write(&credit));
        self.endpoint.close();
        if self.roster.len() > 0 {
            // Peers that do not answer learn of it by their own timeout.
            let _ = timeout(self.roster.farewell_max(), self.endpoint.farewell()).await;
        }
        let bans = self.bans.clone();
        // An error means that the runtime ends, and nobody is left to be told.
        let _ = tokio::task::spawn_blocking(move || bans.settle()).await;
        // A disk that panics has said so.
        let _ = written.await;
        // Waits for the workers, and closes the files.
        drop(self);
        for content in contents {
            leave(&content);
        }
        for (part, quest) in ended {
            quest.finish(Err(FetchError::Cancelled { kept: kept(part) }));
        }
    }

    /// The file in which a fetch keeps what it has.
    pub(super) fn part_of(&self, quest: &Quest) -> Option<PathBuf> {
        Some(self.content_of(quest)?.path())
    }

    fn content_of(&self, quest: &Quest) -> Option<Arc<Content>> {
        let entry = self.catalog.get(&quest.manifest.as_ref()?.id())?;
        Some(Arc::clone(&entry.content))
    }
}

/// A connection by the core's name for it.
pub(super) fn peer_key(session: SessionKey) -> PeerKey {
    PeerKey(session.0)
}

/// A connection by the network's name for it.
pub(super) fn session_key(peer: PeerKey) -> SessionKey {
    SessionKey(peer.0)
}
