//! Asking masters for peers of what is being fetched.
//!
//! Every master is asked when a fetch begins, and while it has few peers after a second, two, four, and
//! then every quarter of a minute: of those who begin together nobody is there at first. Later it is asked
//! now and then. What they name is dialed like any stranger's hint: never below port 1024, and
//! never in a private network unless the master is in one too.

use std::net::SocketAddr;
use std::time::Duration;

use super::{MasterId, Ticket};
use crate::digest::{Address, ManifestId};
use crate::limits::{HINT_PORT_MIN, HOLDERS_TOLD_MAX};
use crate::manifest::Manifest;
use crate::net::{Answered, Fault};
use crate::node::clock::unix_time;
use crate::node::config::PeerHint;
use crate::node::driver::Driver;
use crate::node::quest::{FetchId, Quest, Stage};
use crate::node::reach::is_global;
use crate::wire::{Hit, Holder, Reply, Request, Wanted};

/// How long a master may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often each is asked while a fetch has few peers.
const OFTEN: Duration = Duration::from_secs(15);
/// How often each is asked otherwise.
const SELDOM: Duration = Duration::from_secs(60);
/// Fewer peers than this are few.
const FEW: usize = 8;
/// How many peers a master that is doubted may name.
const DOUBTED_MAX: u8 = 4;

impl Driver {
    /// Asks each master for peers of each fetch, when it is time.
    pub(super) fn look_up_all(&mut self) {
        let now = self.clock.now();
        let mut wanted = Vec::new();
        for (fetch, quest) in &self.quests {
            if quest.stage == Stage::Finishing || quest.course.is_paused() {
                continue;
            }
            let peers = quest
                .manifest_id()
                .map_or(0, |id| self.swarm.peers(id).count());
            let longest = if peers < FEW { OFTEN } else { SELDOM };
            wanted.push((*fetch, longest, wanted_by(quest)));
        }
        let mut due = Vec::new();
        for (id, master) in &mut self.masters.all {
            if master.enlisted.is_none() {
                continue;
            }
            let limit = match master.standing.is_doubted() {
                true => DOUBTED_MAX,
                false => u8::try_from(HOLDERS_TOLD_MAX).unwrap_or(u8::MAX),
            };
            for (fetch, longest, wanted) in &wanted {
                let (last, times) = master.looked_up.get(fetch).copied().unzip();
                let times = times.unwrap_or(0);
                if last.is_none_or(|at| now.since(at) >= pause(*longest, times)) {
                    master.looked_up.insert(*fetch, (now, times + 1));
                    let wanted = *wanted;
                    due.push((*id, *fetch, Request::Lookup { wanted, limit }));
                }
            }
        }
        for (id, fetch, request) in due {
            self.ask_master(id, Ticket::Lookup(id, fetch), request, PATIENCE);
        }
    }

    /// A master has named peers.
    pub(super) fn on_holders(
        &mut self,
        id: MasterId,
        fetch: FetchId,
        answer: Result<Answered, Fault>,
    ) {
        let now = self.clock.now();
        let Ok(Reply::Holders(holders)) = answer.map(|it| it.reply) else {
            return;
        };
        let (Some(quest), Some(master)) = (self.quests.get(&fetch), self.masters.all.get(&id))
        else {
            return;
        };
        let is_local = master.enlisted.is_some_and(|it| it.is_local);
        let is_doubted = master.standing.is_doubted();
        let fits = |holder: &Holder| match wanted_by(quest) {
            Wanted::Manifest(wanted) => holder.manifest_id == wanted,
            Wanted::Program(_) => true,
        };
        if !holders.iter().all(fits) {
            let what = "named peers of another manifest";
            return self.masters.on_lie(id, what, unix_time());
        }
        let most = if is_doubted {
            DOUBTED_MAX.into()
        } else {
            HOLDERS_TOLD_MAX
        };
        tracing::debug!(count = holders.len(), "a master named peers");
        for holder in holders.iter().take(most) {
            if holder.address != self.address {
                self.meets.wish(now, holder.address, fetch, id);
            }
            for remote in places(holder, self.address, is_local) {
                let hint = PeerHint {
                    remote,
                    expected: Some(holder.address),
                };
                self.reach.add_named(now, fetch, hint, id);
            }
        }
    }

    /// A manifest is known: what masters said of it is held against it.
    pub(in crate::node) fn judge_masters(&mut self, manifest: &Manifest) {
        let Some(said) = self.masters.said.remove(&manifest.id()) else {
            return;
        };
        for (id, hit) in said {
            if !is_true(&hit, manifest) {
                let what = "described a container as what it is not";
                self.masters.on_lie(id, what, unix_time());
            }
        }
    }
}

/// How long to wait before the next question, after so many.
fn pause(longest: Duration, times: u32) -> Duration {
    Duration::from_secs(1 << times.saturating_sub(1).min(6)).min(longest)
}

/// Whose peers a fetch needs.
fn wanted_by(quest: &Quest) -> Wanted {
    let named: Option<ManifestId> = quest.manifest_id();
    named.map_or(Wanted::Program(quest.want.program_id), Wanted::Manifest)
}

/// Where a holder may be tried.
fn places(holder: &Holder, own: Address, is_local: bool) -> Vec<SocketAddr> {
    let fits = |at: &SocketAddr| {
        at.port() >= HINT_PORT_MIN
            && !at.ip().is_unspecified()
            && !at.ip().is_multicast()
            && (is_global(at.ip()) || is_local)
    };
    let all = holder.at.into_iter().flatten().filter(fits);
    all.filter(|_| holder.address != own).collect()
}

/// Whether what a search found is what the manifest says.
fn is_true(hit: &Hit, manifest: &Manifest) -> bool {
    hit.program_id == manifest.program_id()
        && hit.size == manifest.layout().size()
        && hit.owner == manifest.address()
        && hit.name == manifest.name()
}
