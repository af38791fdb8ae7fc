//! Manifests that strangers offer for one program id: who vouches for which, and which is next.
//!
//! A program id commits to the bytes and not to the list of chunks, so any of these may lie, and only
//! the whole tells (DESIGN section 4). One is tried at a time: the one with the most independent
//! vouchers, after a short time in which at least [`SOURCES_MIN`] of them may speak up. Vouchers are
//! independent if they live in different [subnets](super::subnet); where an address says nothing about
//! the network, if they are different wallets.
//!
//! Bounds: each voucher counts for [`CANDIDATE_MANIFESTS_MAX`] manifests at a time, and [`KNOWN_MAX`]
//! manifests are kept whole. Invariant: what is wrong is never next again; what was set aside is next
//! again once, or where somebody vouches for it who did not before.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::verdicts::signer;
use crate::digest::{Address, ManifestId};
use crate::limits::CANDIDATE_MANIFESTS_MAX;
use crate::manifest::Manifest;
use crate::moment::Moment;
use crate::swarm::Subnet;

/// Independent vouchers that are waited for.
const SOURCES_MIN: usize = 3;
/// How long they are waited for after the first one spoke up.
const GATHER_MAX: Duration = Duration::from_secs(2);
/// Manifests kept whole: together at most 4 MiB.
const KNOWN_MAX: usize = 16;
/// Vouchers that are asked for one manifest at once.
const ASKED_MAX: usize = 2;
/// Manifests that one wallet may bring up, and all of them: what strangers make us keep in mind.
const BROUGHT_UP_MAX: u32 = 8;
const CANDIDATES_MAX: usize = 4096;
/// How often a manifest may come to nothing because nobody sends its chunks.
const STALLS_MAX: u32 = 2;

/// The manifests for one program id.
#[derive(Debug, Default)]
pub(super) struct Ballot {
    candidates: BTreeMap<ManifestId, Candidate>,
    heard: BTreeSet<Address>,
    began: Option<Moment>,
    arrivals: u32,
    /// How many candidates each voucher was the first to name.
    brought_up: BTreeMap<Address, u32>,
    /// Vouchers of manifests that turned out to be wrong.
    discredited: BTreeSet<Address>,
}

#[derive(Debug)]
struct Candidate {
    /// How many came before it.
    arrival: u32,
    vouchers: BTreeMap<Address, Subnet>,
    asked: BTreeSet<Address>,
    manifest: Option<Arc<Manifest>>,
    standing: Standing,
    stalls: u32,
}

/// Why a manifest comes to nothing, though it may be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setback {
    /// Nobody sends its chunks, or there is no room for them.
    Stalled,
    /// Different peers failed the same chunk.
    Suspected,
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Open,
    /// It came to nothing with these vouchers, for reasons that may not be its own. It comes last,
    /// and where somebody else vouches for it, or may be tried `again`.
    SetAside {
        before: BTreeSet<Address>,
        again: bool,
    },
    /// Its chunks are not the container, or it is none that is wanted.
    Wrong,
}

impl Ballot {
    /// A peer says which manifests it has. Returns those that it is to be asked for.
    pub(super) fn on_vouched(
        &mut self,
        now: Moment,
        who: Address,
        subnet: Subnet,
        manifests: impl IntoIterator<Item = ManifestId>,
    ) -> Vec<ManifestId> {
        self.heard.insert(who);
        for candidate in self.candidates.values_mut() {
            candidate.vouchers.remove(&who);
        }
        let mut wanted = Vec::new();
        for id in manifests.into_iter().take(CANDIDATE_MANIFESTS_MAX) {
            self.began.get_or_insert(now);
            if self.candidates.contains_key(&id) || self.may_bring_up(who) {
                let arrival = self.arrivals;
                let entry = self.candidates.entry(id);
                let candidate = entry.or_insert_with(|| Candidate::new(arrival));
                candidate.vouchers.insert(who, subnet);
                wanted.push(id);
            }
        }
        self.candidates.retain(|_, it| it.is_worth_keeping());
        wanted.retain(|id| self.asks(id, who));
        wanted
    }

    /// Whether a voucher may name one more manifest that nobody named before; it counts as named.
    fn may_bring_up(&mut self, who: Address) -> bool {
        let has_room = self.candidates.len() < CANDIDATES_MAX
            && (self.brought_up.len() < CANDIDATES_MAX || self.brought_up.contains_key(&who));
        let brought_up = self.brought_up.get(&who).copied().unwrap_or_default();
        let may = has_room && brought_up < BROUGHT_UP_MAX;
        if may {
            self.brought_up.insert(who, brought_up + 1);
            self.arrivals += 1;
        }
        may
    }

    /// Whether a voucher is to be asked for a manifest; it counts as asked from here on.
    fn asks(&mut self, id: &ManifestId, who: Address) -> bool {
        let Some(candidate) = self.candidates.get(id) else {
            return false;
        };
        let is_wanted = candidate.manifest.is_none()
            && candidate.is_eligible()
            && candidate.asked.len() < ASKED_MAX
            && !candidate.asked.contains(&who);
        let asks = is_wanted && self.makes_room(candidate.independent(|_| true));
        if let Some(candidate) = self.candidates.get_mut(id).filter(|_| asks) {
            candidate.asked.insert(who);
        }
        asks
    }

    /// Sees to it that one more manifest can be kept that has this many independent vouchers.
    fn makes_room(&mut self, independent: usize) -> bool {
        let known = self.candidates.values_mut();
        let known: Vec<_> = known.filter(|it| it.manifest.is_some()).collect();
        if known.len() < KNOWN_MAX {
            return true;
        }
        let weakest = known.into_iter().min_by_key(|it| it.independent(|_| true));
        match weakest.filter(|it| it.independent(|_| true) < independent) {
            Some(weakest) => {
                weakest.manifest = None;
                true
            }
            None => false,
        }
    }

    /// A voucher did not give a manifest that it was asked for: another may be asked.
    pub(super) fn on_not_given(&mut self, id: &ManifestId, who: Address) {
        if let Some(candidate) = self.candidates.get_mut(id) {
            candidate.asked.remove(&who);
        }
    }

    /// A manifest is here that is one of those that are wanted.
    pub(super) fn on_known(&mut self, manifest: Arc<Manifest>) {
        let id = manifest.id();
        let Some(candidate) = self.candidates.get_mut(&id) else {
            return;
        };
        candidate.asked.clear();
        let independent = candidate.independent(|_| true);
        let is_news = candidate.manifest.is_none() && candidate.standing != Standing::Wrong;
        if is_news && self.makes_room(independent) {
            let candidate = self.candidates.get_mut(&id);
            candidate.expect("it was just there").manifest = Some(manifest);
        }
    }

    /// A voucher is gone. What it vouched for it still did.
    pub(super) fn on_gone(&mut self, who: Address) {
        self.heard.remove(&who);
        for candidate in self.candidates.values_mut() {
            candidate.asked.remove(&who);
        }
    }

    /// Whether a peer has said which manifests it has.
    pub(super) fn has_heard(&self, who: &Address) -> bool {
        self.heard.contains(who)
    }

    /// A manifest is wrong, and whoever vouched for it does not count any more.
    pub(super) fn on_wrong(&mut self, id: &ManifestId) {
        if let Some(candidate) = self.candidates.get_mut(id) {
            self.discredited.extend(candidate.vouchers.keys());
        }
        self.on_unwanted(id);
    }

    /// A manifest is none that is wanted.
    pub(super) fn on_unwanted(&mut self, id: &ManifestId) {
        if let Some(candidate) = self.candidates.get_mut(id) {
            candidate.standing = Standing::Wrong;
            candidate.manifest = None;
        }
    }

    /// A manifest came to nothing, for reasons that may not be its own.
    pub(super) fn on_set_aside(&mut self, id: &ManifestId, why: Setback) {
        if let Some(candidate) = self.candidates.get_mut(id) {
            candidate.stalls += 1;
            let again = why == Setback::Stalled && candidate.stalls < STALLS_MAX;
            let before = candidate.vouchers.keys().copied().collect();
            candidate.standing = Standing::SetAside { before, again };
        }
    }

    /// Whether there is a manifest to try other than this one.
    pub(super) fn has_other(&self, id: &ManifestId) -> bool {
        let mut others = self.eligible().filter(|(other, _)| *other != id);
        others.any(|(_, it)| it.manifest.is_some())
    }

    /// The best manifest that is here, however few vouch for it.
    pub(super) fn best(&self, has_lied: impl Fn(&Address) -> bool) -> Option<Arc<Manifest>> {
        let rank = |(candidate, manifest): &(&Candidate, &Arc<Manifest>)| {
            let signer = signer(manifest);
            let is_liars = signer.as_ref().is_some_and(&has_lied);
            let credible = candidate.independent(|who| !self.discredited.contains(who));
            let earlier = u32::MAX - candidate.arrival;
            let is_open = candidate.standing == Standing::Open;
            (is_open, !is_liars, credible, signer.is_some(), earlier)
        };
        let known = self
            .eligible()
            .filter_map(|(_, it)| Some((it, it.manifest.as_ref()?)));
        known
            .max_by_key(rank)
            .map(|(_, manifest)| Arc::clone(manifest))
    }

    /// The manifest to try next, once it is time. `is_everybody_heard` says that nobody is left who
    /// could still vouch, `has_lied` who signed a wrong manifest before: theirs come last.
    pub(super) fn next(
        &self,
        now: Moment,
        is_everybody_heard: bool,
        has_lied: impl Fn(&Address) -> bool,
    ) -> Option<Arc<Manifest>> {
        let is_over = self.began.is_some_and(|at| now.since(at) >= GATHER_MAX);
        let best = self.best(has_lied)?;
        // Somebody's better manifest may be on its way.
        let is_awaited = |it: &Candidate| it.manifest.is_none() && !it.asked.is_empty();
        let awaited = self.eligible().any(|(_, it)| is_awaited(it));
        let gathered = is_everybody_heard || self.sources() >= SOURCES_MIN;
        (is_over || (gathered && !awaited)).then_some(best)
    }

    fn eligible(&self) -> impl Iterator<Item = (&ManifestId, &Candidate)> {
        self.candidates.iter().filter(|(_, it)| it.is_eligible())
    }

    /// Independent vouchers of anything.
    fn sources(&self) -> usize {
        let vouchers = self.candidates.values().flat_map(|it| it.vouchers.values());
        vouchers.collect::<BTreeSet<_>>().len()
    }
}

impl Candidate {
    fn new(arrival: u32) -> Self {
        Self {
            arrival,
            vouchers: BTreeMap::new(),
            asked: BTreeSet::new(),
            manifest: None,
            standing: Standing::Open,
            stalls: 0,
        }
    }

    /// How many of its vouchers are independent of each other.
    fn independent(&self, is_credible: impl Fn(&Address) -> bool) -> usize {
        let credible = self.vouchers.iter().filter(|(who, _)| is_credible(who));
        credible
            .map(|(_, subnet)| subnet)
            .collect::<BTreeSet<_>>()
            .len()
    }

    fn is_eligible(&self) -> bool {
        match &self.standing {
            Standing::Open => true,
            Standing::SetAside { before, again } => {
                *again || self.vouchers.keys().any(|who| !before.contains(who))
            }
            Standing::Wrong => false,
        }
    }

    /// What nobody vouches for any more is forgotten, but for what is known against it.
    fn is_worth_keeping(&self) -> bool {
        !self.vouchers.is_empty() || self.standing != Standing::Open
    }
}
