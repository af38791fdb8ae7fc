//! Who is asked for what next: fills the windows of peers that have room.

use std::collections::VecDeque;
use std::time::Duration;

use super::{CHECK_MIN, Download};
use crate::chunk::ChunkIndex;
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::swarm::budget::Share;
use crate::swarm::container::Container;
use crate::swarm::event::{Output, PeerKey, Reason, Ticket};
use crate::swarm::peers::Peer;
use crate::swarm::planted::{Bug, is_planted};
use crate::swarm::spread::Place;

/// How often work is shared out anew after one input. Each time somebody gets more than before, so
/// this is never reached; were it, the rest would wait for the next input.
const ROUNDS_MAX: usize = 1000;

/// Among so many peers, work that may be taken over is looked for after every input.
const LOOKED_AT_ONCE: usize = 8;
/// For each further one there is a pause this much longer between two looks, so that their cost does
/// not grow with the square of the number of peers.
const LOOK_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause: short next to what anybody takes to answer.
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(20);

/// What there is to ask of a peer.
enum Next {
    /// This chunk.
    Chunk(ManifestId, ChunkIndex),
    /// A chunk of this many bytes, were there room in the budget.
    Starved(u64),
    /// Only what others were asked for.
    Idle,
    /// Nothing, or not now.
    Nothing,
}

/// Until when limits keep a peer from being asked.
#[derive(Debug, Default)]
struct Limits {
    /// That of a container.
    own: Option<Moment>,
    /// That for all.
    all: Option<Moment>,
}

impl Limits {
    fn earliest(&self) -> Option<Moment> {
        self.own.into_iter().chain(self.all).min()
    }
}

impl Download {
    /// Asks every peer that may have room for as much as it takes: one chunk of each in turn, and
    /// the turn goes on where it ended, so that none takes everything.
    pub(in crate::swarm) fn fill(&mut self, now: Moment, out: &mut VecDeque<Output>) {
        self.dry_until = None;
        self.survey(now);
        self.muster_if_needed(now);
        self.hungry.append(&mut self.paced);
        let may_look = now >= self.look_from;
        let mut has_looked = false;
        for _ in 0..ROUNDS_MAX {
            if self.all_hungry || !self.hungry.is_empty() {
                self.feed(now, out);
            } else if may_look && !self.restless.is_empty() {
                has_looked = true;
                let restless = std::mem::take(&mut self.restless);
                self.share_work(now, restless, out);
            } else {
                return self.look_later(now, has_looked);
            }
        }
        debug_assert!(false, "work goes round in circles");
    }

    fn feed(&mut self, now: Moment, out: &mut VecDeque<Output>) {
        let mut hungry = std::mem::take(&mut self.hungry);
        if std::mem::take(&mut self.all_hungry) {
            hungry.extend(self.peers.keys());
        }
        let (before, after): (Vec<_>, Vec<_>) = hungry.iter().partition(|key| **key <= self.turn);
        let mut left = [after, before].concat();
        left.sort_by_key(|key| {
            self.peers
                .get(key)
                .is_some_and(|it| it.record.is_on_trial())
        });
        while !left.is_empty() {
            left.retain(|key| self.fill_one(now, *key, out));
        }
        let idle = hungry.iter().filter(|key| self.idle.contains(key));
        self.restless.extend(idle);
    }

    /// Where there are many peers, work that may be taken over is looked for now and then, and not
    /// after every input.
    fn look_later(&mut self, now: Moment, has_looked: bool) {
        if has_looked {
            let many = self.peers.len().saturating_sub(LOOKED_AT_ONCE);
            let many = u32::try_from(many).unwrap_or(u32::MAX);
            self.look_from = now + LOOK_PAUSE.saturating_mul(many).min(LOOK_PAUSE_MAX);
        }
        let later = self.later.next().map(|(at, _)| at);
        let restless = (!self.restless.is_empty()).then_some(now);
        if let Some(at) = restless.into_iter().chain(later).min() {
            self.timers
                .arm_sooner(Reason::Steal, at.max(self.look_from));
        }
    }

    /// Asks a peer for one chunk. True if there may be one more.
    pub(super) fn fill_one(
        &mut self,
        now: Moment,
        key: PeerKey,
        out: &mut VecDeque<Output>,
    ) -> bool {
        if self.rescue(now, key, out) {
            return true;
        }
        let (next, paced) = self.next_for(now, key);
        if let Some(at) = paced {
            self.paced.insert(key);
            self.timers.arm_sooner(Reason::Pace, at);
        }
        match &next {
            Next::Chunk(id, chunk) => {
                let container = self.containers.get_mut(id).expect("picked from it");
                container.plan.on_picked(key, *chunk);
                container.chunks.take_up(*chunk);
                self.ask(now, key, *id, *chunk, out);
                self.turn = key;
                return true;
            }
            Next::Starved(bytes) => {
                let share = self.peers.get(&key).map_or(Share::Nothing, Peer::share);
                self.budget.on_refused(now, key, share, *bytes);
            }
            Next::Idle | Next::Nothing => self.budget.on_content(key),
        }
        if matches!(next, Next::Nothing) {
            self.idle.remove(&key);
        } else {
            self.idle.insert(key);
        }
        false
    }

    /// What a peer is asked for next, if it has room and holds anything that is wanted; and from when
    /// on, if it is but for a limit.
    fn next_for(&mut self, now: Moment, key: PeerKey) -> (Next, Option<Moment>) {
        let mut limits = Limits::default();
        let next = self.look_for(now, key, &mut limits);
        let next = next.unwrap_or(Next::Nothing);
        if let Some(at) = limits.all {
            self.dry_until.get_or_insert(at);
        }
        let asks = matches!(next, Next::Chunk(..));
        (next, limits.earliest().filter(|_| !asks))
    }

    fn look_for(&self, now: Moment, key: PeerKey, limits: &mut Limits) -> Option<Next> {
        let peer = self.peers.get(&key)?;
        let askable = || {
            peer.in_turn().filter_map(|(id, held)| {
                let container = self
                    .containers
                    .get(id)
                    .filter(|it| it.is_active() && it.asks(key))?;
                let has_room = peer.has_room(now, container.layout.chunk_size().into());
                has_room.then_some((id, held, container))
            })
        };
        let mut next = None;
        // What readers wait for comes before everything else.
        let read = askable().filter_map(|(id, held, container)| {
            let wanted = container.chunks.wanted().all();
            Some((id, container, Some(container.plan.next_read(wanted, held)?)))
        });
        let picked = askable().map(|(id, held, container)| {
            let (plan, chunks) = (&container.plan, &container.chunks);
            let chunk = plan.pick(key, chunks, held, self.place());
            let is_stuck = chunk.is_none() && chunks.is_quiet();
            let chunk = chunk.or_else(|| {
                let waiting = is_stuck.then(|| container.local.waiting(chunks, held));
                waiting.flatten()
            });
            (id, container, chunk)
        });
        for (id, container, chunk) in read.chain(picked) {
            let Some(chunk) = chunk else {
                if !container.chunks.asked().is_empty() && next.is_none() {
                    next = Some(Next::Idle);
                }
                continue;
            };
            let bytes = container.chunk_bytes(chunk);
            if !self.budget.admits(key, peer.share(), bytes) {
                next = Some(Next::Starved(bytes));
            } else if self.is_paced(now, container, bytes, limits) {
                if limits.all.is_some() {
                    break;
                }
            } else {
                return Some(Next::Chunk(*id, chunk));
            }
        }
        next
    }

    /// Whether limits stand against asking for so many bytes now; notes which.
    fn is_paced(
        &self,
        now: Moment,
        container: &Container,
        bytes: u64,
        limits: &mut Limits,
    ) -> bool {
        let own = container.pacer.next(now, bytes);
        let all = self.pacer.next(now, bytes);
        let all = self.dry_until.map_or(all, |until| until.max(all));
        if own > now {
            limits.own = Some(limits.own.map_or(own, |other| other.min(own)));
        } else if all > now {
            limits.all = Some(all);
        }
        own > now || all > now
    }

    /// Where this node picks among equally rare chunks: at the front while it has nobody to trade with
    /// (one source, or only such as hold everything, so that the whole can be hashed as it grows),
    /// elsewhere otherwise.
    fn place(&self) -> Place {
        if self.peers.len() < 2 || self.all_complete {
            Place::FRONT
        } else {
            Place::of(self.seed, self.tickets)
        }
    }

    pub(super) fn ask(
        &mut self,
        now: Moment,
        key: PeerKey,
        id: ManifestId,
        chunk: ChunkIndex,
        out: &mut VecDeque<Output>,
    ) {
        let container = self.containers.get_mut(&id).expect("picked from it");
        let peer = self.peers.get_mut(&key).expect("picked for it");
        let (bytes, ticket) = (container.chunk_bytes(chunk), Ticket(self.tickets));
        self.tickets += 1;
        self.budget.book(bytes);
        self.pacer.take(now, bytes);
        container.pacer.take(now, bytes);
        container.chunks.on_asked(chunk, ticket, key);
        peer.on_asked(now, ticket, id, chunk, bytes);
        if !self.timers.is_armed(Reason::Patience(key)) && !is_planted(Bug::NeverWatches) {
            self.timers.arm(Reason::Patience(key), now + CHECK_MIN);
        }
        out.push_back(Output::Request {
            peer: key,
            ticket,
            id,
            chunk,
        });
    }
}
