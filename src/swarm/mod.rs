//! Which chunk, from whom, to whom: the swarm engine, sans IO.
//!
//! One [`Swarm`] serves a whole node. It reads no clock, opens no socket and touches no disk:
//! the caller says what happened and when ([`Swarm::handle`]), carries out what comes back
//! ([`Swarm::poll_output`], until it is empty), and wakes it at [`Swarm::deadline`]. The same code
//! runs under real sockets and under a simulated network; a seed decides every tie, so equal
//! inputs give equal outputs.
//!
//! This file routes; the components decide: `download` (who is asked for what, with `container`,
//! `chunks` and `local`, `order` and `sections`, `wanted` and `spread`, `peers`, `flights`, `window`
//! and `record`, `budget`, `crew`, `pacer` and `timers`), `upload` and `serve` (who is served), `blame` (who is
//! banned) and `consequences` (what follows from a bad answer). What can be seen of it is in `view`, what
//! is wished of it in `wish`.
//!
//! Invariants: a chunk is announced only after it was proven and stored; a request goes only to a
//! connected peer that is not banned and says it holds the chunk; what a peer asks is answered once.

mod blame;
mod budget;
mod chunks;
mod consequences;
mod container;
mod crew;
mod download;
mod event;
mod flights;
mod local;
mod order;
mod pacer;
mod peers;
#[cfg_attr(not(feature = "planted-bugs"), doc(hidden))]
pub mod planted;
mod record;
mod sections;
mod serve;
mod spread;
mod tally;
mod terms;
#[cfg(test)]
mod tests;
mod timers;
mod upload;
mod view;
mod wanted;
mod window;
mod wish;

use std::collections::VecDeque;
use std::time::Duration;

pub use blame::{Ban, Offence, Strike};
pub use event::{
    AskKey, Contribution, Credit, Input, Output, PeerKey, Reason, Subnet, Ticket, Trust,
};
pub use order::Order;
pub use tally::{Account, Tally};
pub use upload::Standing;
pub use view::{AskerView, PeerView, SlotsView};
pub use wish::{Rates, Wish};

use self::blame::Blame;
use self::container::Container;
use self::download::{Cause, Download};
use self::planted::{Bug, is_planted};
use self::upload::{Upload, Who};
use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::ManifestId;
use crate::manifest::Layout;
use crate::moment::Moment;
use crate::wire::payload::Payload;

/// What a [`Swarm`] is given at its start.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Decides ties. Nodes with different seeds spread over a container.
    pub seed: u64,
    /// Upload limit in bytes per second, for reading ahead and for how many are served at once; the
    /// network does the limiting.
    pub upload_rate_max: Option<u64>,
    /// Bans from an earlier run.
    pub bans: Vec<Ban>,
    /// What addresses gave and got in earlier runs.
    pub credit: Vec<Credit>,
    /// Whether anything is given to others.
    pub contribution: Contribution,
}

/// The decisions of one node.
#[derive(Debug)]
pub struct Swarm {
    download: Download,
    upload: Upload,
    contribution: Contribution,
    blame: Blame,
    out: VecDeque<Output>,
    now: Moment,
}

impl Swarm {
    /// A node that knows no container and no peer.
    pub fn new(setup: Setup) -> Self {
        Self {
            download: Download::new(setup.seed),
            upload: Upload::new(setup.seed, setup.upload_rate_max, setup.credit),
            contribution: setup.contribution,
            blame: Blame::new(setup.bans),
            out: VecDeque::new(),
            now: Moment::ORIGIN,
        }
    }

    /// Takes in what happened. Inputs about peers, containers and requests that are no longer
    /// known are ignored: they crossed with what ended them.
    pub fn handle(&mut self, now: Moment, input: Input) {
        self.now = self.now.max(now);
        self.route(self.now, input);
        self.download.copy(&mut self.out);
        self.download.fill(self.now, &mut self.out);
        self.serve();
    }

    fn route(&mut self, now: Moment, input: Input) {
        match input {
            Input::Add {
                id,
                layout,
                have,
                trust,
            } => self.on_add(id, layout, have, trust),
            Input::Remove { id } => self.on_remove(&id),
            Input::Limit { rates } => self.on_limit(rates),
            Input::Local { id, chunks } => self.download.on_local(&id, &chunks),
            Input::Repeats { id, groups } => self.download.on_repeats(&id, groups),
            Input::Copied { ticket } => self.on_copied(ticket),
            Input::NotCopied { ticket } => drop(self.download.on_not_copied(ticket)),
            Input::Steer { id, wish } => self.download.on_steer(now, &id, wish, &mut self.out),
            Input::PeerConnected {
                peer,
                address,
                subnet,
                rtt,
            } => self.on_connected(Who::new(subnet, address, peer), rtt),
            Input::PeerGone { peer } => self.on_gone(peer),
            Input::PeerHolds { peer, id, held } => self.on_holds(peer, id, held),
            Input::PeerLeft { peer, id } => self.on_left(peer, &id),
            Input::PeerHas { peer, id, chunks } => self.on_has(peer, &id, &chunks),
            Input::Choked { peer } => self.download.on_choked(peer),
            Input::Unchoked { peer } => self.download.on_unchoked(peer),
            Input::Progress {
                peer,
                ticket,
                bytes,
            } => self.download.on_progress(now, peer, ticket, bytes),
            Input::Arrived {
                peer,
                ticket,
                payload,
                rtt,
            } => self.on_arrived((peer, ticket), payload, rtt),
            Input::NotHeld { peer, ticket, .. } if is_planted(Bug::BlamesForNotHeld) => {
                self.on_misbehaved(peer, ticket);
            }
            Input::NotHeld { peer, ticket, held } => {
                self.download.on_not_held(now, (peer, ticket), held);
            }
            Input::Busy {
                peer,
                ticket,
                retry_after,
            } => self.on_failed(peer, ticket, Cause::Busy(retry_after)),
            Input::Denied { peer, ticket } => self.on_denied(peer, ticket),
            Input::Failed { peer, ticket } => self.on_failed(peer, ticket, Cause::Failed),
            Input::Misbehaved { peer, ticket } => self.on_misbehaved(peer, ticket),
            Input::Wasted { peer, id, bytes } => self.download.on_wasted(peer, &id, bytes),
            Input::Stored { ticket } => self.on_stored(ticket),
            Input::Bad { ticket } => self.on_bad(ticket),
            Input::StoreFailed { ticket } => self.on_store_failed(ticket),
            Input::Lost { id, chunk } => self.on_lost(&id, chunk),
            Input::Asked {
                peer,
                ask,
                id,
                chunk,
            } => self.on_asked(peer, ask, id, chunk),
            Input::Served { peer, ask, bytes } => self.on_served(peer, ask, bytes),
            Input::Condemn { id } => self.on_manifest_wrong(id),
            Input::Lift(address) => self.on_lift(address),
            Input::Load(percent) => self.download.on_load(now, percent),
            Input::Wake => self.download.on_wake(now, &mut self.out),
        }
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to call [`handle`](Self::handle) with [`Input::Wake`], and why.
    pub fn deadline(&self) -> Option<(Moment, Reason)> {
        let upload = self.upload.deadline().map(|at| (at, Reason::Serve));
        self.download.deadline().into_iter().chain(upload).min()
    }

    fn on_add(&mut self, id: ManifestId, layout: Layout, have: Bitfield, trust: Trust) {
        if self.download.container(&id).is_some() {
            return;
        }
        let complete = have.is_full();
        self.blame.on_manifest_tried(&id);
        self.download.on_add(id, layout, have, trust);
        if complete {
            self.out.push_back(Output::Complete { id });
        }
    }

    fn on_remove(&mut self, id: &ManifestId) {
        self.upload.on_lacking(id);
        self.download.on_remove(self.now, id, &mut self.out);
    }

    fn on_lost(&mut self, id: &ManifestId, chunk: ChunkIndex) {
        self.upload.on_lacking(id);
        self.download.on_lost(id, chunk);
    }

    fn on_limit(&mut self, rates: Rates) {
        self.download.on_limit(self.now, rates.down);
        self.upload.on_limit(rates.up);
    }

    fn on_connected(&mut self, who: Who, rtt: Duration) {
        let Who { address, peer, .. } = who;
        if self.is_banned(&address) && !is_planted(Bug::AdmitsBanned) {
            self.out.push_back(Output::Drop {
                peer,
                offence: Offence::Banned,
            });
        } else {
            self.download.on_connected(self.now, who, rtt);
            self.upload.on_connected(self.now, who, rtt);
        }
    }

    fn on_gone(&mut self, peer: PeerKey) {
        self.download.on_gone(peer);
        for ask in self.upload.on_gone(peer) {
            self.answer_busy(peer, ask.ask);
        }
    }

    fn on_has(&mut self, peer: PeerKey, id: &ManifestId, chunks: &[ChunkIndex]) {
        self.download.on_has(peer, id, chunks);
        self.on_shown(peer, id, chunks);
    }

    fn on_arrived(&mut self, request: (PeerKey, Ticket), payload: Payload, rtt: Duration) {
        self.download
            .on_arrived(self.now, request, payload, rtt, &mut self.out);
    }

    fn on_failed(&mut self, peer: PeerKey, ticket: Ticket, cause: Cause) {
        self.download.on_failed(self.now, peer, ticket, cause);
    }

    fn on_stored(&mut self, ticket: Ticket) {
        let Some(claim) = self.download.on_stored(ticket) else {
            return;
        };
        self.upload.on_given(self.now, claim.peer, claim.bytes);
        self.on_here(claim.id, claim.chunk);
    }

    fn on_copied(&mut self, ticket: Ticket) {
        if let Some((id, chunk)) = self.download.on_copied(ticket) {
            self.on_here(id, chunk);
        }
    }

    fn on_here(&mut self, id: ManifestId, chunk: ChunkIndex) {
        self.out.push_back(Output::Announce { id, chunk });
        if self.have(&id).is_some_and(Bitfield::is_full) {
            self.out.push_back(Output::Complete { id });
            self.review(id);
        }
    }

    fn on_store_failed(&mut self, ticket: Ticket) {
        if is_planted(Bug::BlamesForFullDisk) {
            return self.on_bad(ticket);
        }
        let fetched = self.download.on_not_stored(ticket).map(|claim| claim.id);
        let Some(id) = fetched.or_else(|| self.download.on_not_copied(ticket)) else {
            return;
        };
        let container = self.download.container_mut(&id);
        if container.is_some_and(Container::on_stopped) {
            self.download.take_all_back(self.now, &id, &mut self.out);
            self.out.push_back(Output::Stopped { id });
        }
    }
}
