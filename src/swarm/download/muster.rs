//! Who is asked where not all are: a handful of those that hold everything. Who is asked stays so; the fastest join.
//!
//! How many, [`Crew`](crate::swarm::crew::Crew) says. Where a peer lacks anything, nobody is left out: who holds
//! what is rare is worth more than what it costs. Progress is certain: whoever rests, chokes us, is gone, or has lost a
//! request for being silent makes room for another at once, and where there are no more than may be asked, all are.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Download;
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::swarm::crew::Sample;
use crate::swarm::event::PeerKey;
use crate::swarm::peers::Peer;

impl Download {
    /// The thread that handles peers was at work for this part of the last while, in percent.
    pub(in crate::swarm) fn on_load(&mut self, now: Moment, percent: u8) {
        if self.budget.used() == 0 {
            self.crew.on_idle();
        }
        let flights = self.peers.values().map(Peer::in_flight_bytes);
        let busy = flights.filter(|bytes| *bytes > 0);
        let (asked, to_come) = busy.fold((0, 0), |(peers, sum), bytes| (peers + 1, sum + bytes));
        let seen = Sample {
            percent,
            asked,
            is_behind: self.budget.used() > 2 * to_come,
        };
        self.crew.on_load(now, seen);
        if self.crew.size().is_some() && !self.is_mustered {
            self.look_who_lacks();
        }
        self.muster(now);
    }

    /// Notes whether any peer lacks anything of a container that it takes part in.
    pub(super) fn look_who_lacks(&mut self) {
        let is_complete = |peer: &Peer| peer.all_held().all(|(_, held)| held.is_full());
        self.all_complete = self.peers.values().all(is_complete);
    }

    /// Chooses anew whom to ask, if somebody cannot be asked any more.
    pub(super) fn muster_if_needed(&mut self, now: Moment) {
        if !self.is_mustered {
            return;
        }
        let is_fit = |key: &PeerKey| self.peers.get(key).is_some_and(|peer| peer.is_fit(now));
        let mut crews = self.containers.values().filter_map(|it| it.crew.as_ref());
        if crews.any(|crew| !crew.iter().all(is_fit)) {
            self.muster(now);
        }
    }

    /// Chooses whom to ask for each container.
    pub(super) fn muster(&mut self, now: Moment) {
        let size = self.crew.size().filter(|_| self.all_complete);
        if size.is_none() && !self.is_mustered {
            return;
        }
        self.is_mustered = size.is_some();
        let ids: Vec<_> = self.containers.keys().copied().collect();
        for id in ids {
            let crew = size.and_then(|size| self.crew_for(now, &id, size));
            let container = self.containers.get_mut(&id).expect("its id is known");
            if crew != container.crew {
                container.crew = crew;
                self.all_hungry = true;
            }
        }
    }

    /// So many peers to ask for a container: those that are asked already, then the fastest. None if all are.
    fn crew_for(&self, now: Moment, id: &ManifestId, size: usize) -> Option<BTreeSet<PeerKey>> {
        let container = self.containers.get(id).filter(|it| it.is_active())?;
        let may_choose = container.plan.may_leave_out();
        let holders = self.peers().filter(|(_, peer)| peer.holds(id).is_some());
        let fit = holders.filter(|(_, peer)| may_choose && peer.is_fit(now));
        let is_in = |key| container.crew.as_ref().is_some_and(|it| it.contains(&key));
        let rank = |(key, peer): (PeerKey, &Peer)| (!is_in(key), Reverse(peer.rate()), key);
        let mut fit: Vec<_> = fit.map(rank).collect();
        if fit.len() <= size {
            return None;
        }
        fit.sort_unstable();
        Some(fit.into_iter().take(size).map(|(_, _, key)| key).collect())
    }
}
