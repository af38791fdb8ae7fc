//! I9: who is served, as one node's peers see it. Kept from what the node says and does, and compared
//! with what its core believes.
//!
//! * A chunk goes only to a peer that was not told that it is choked; who was told is who the core
//!   means.
//! * There are never more slots taken than there are, nor one free while somebody is choked.
//! * Where slots are given out anew, nobody has two more than another subnet or wallet that was sent
//!   away, and none is with a peer that gives nothing while one that gives was.
//! * While a peer waits of which nothing is being sent, no other subnet has two turns, and within its
//!   own no other wallet has.
//! * Nobody that gives stays choked for ever while its subnet has no slot.

use std::collections::BTreeMap;
use std::time::Duration;

use swarmhold::digest::Address;
use swarmhold::moment::Moment;
use swarmhold::swarm::{AskKey, AskerView, PeerKey, Standing, Subnet, Swarm};

/// Slots are given out anew this often while somebody is choked.
const ROUND: Duration = Duration::from_secs(10);
/// How long an optimistic slot is kept, and which part of all they are.
const OPTIMISTIC_ROUND: Duration = Duration::from_secs(30);
const OPTIMISTIC_SHARE: usize = 4;
/// Those that had something already are drawn by lot: so many times the mean is as good as never.
const LUCK: u32 = 20;

/// A peer that was told that it is choked.
#[derive(Debug)]
struct Wait {
    since: Moment,
    /// How many were choked with it, at most.
    rivals: usize,
}

/// A peer that asked for something.
#[derive(Debug)]
struct Asker {
    subnet: Subnet,
    address: Address,
    waiting: BTreeMap<AskKey, u64>,
    reading: usize,
    /// As of which turn its subnet, and its wallet, have to come before others come twice.
    since: [u64; 2],
    was_served: bool,
}

/// What the simulator knows of one node's upload side.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    choked: BTreeMap<PeerKey, Wait>,
    askers: BTreeMap<PeerKey, Asker>,
    turns: u64,
    of_subnet: BTreeMap<Subnet, u64>,
    of_address: BTreeMap<Address, u64>,
    held: usize,
    rounds: u64,
    slots: usize,
}

impl Shares {
    pub(crate) fn on_choke(&mut self, now: Moment, peer: PeerKey) {
        let wait = Wait {
            since: now,
            rivals: 0,
        };
        let before = self.choked.insert(peer, wait);
        assert!(before.is_none(), "I9: {peer:?} is choked twice");
    }

    pub(crate) fn on_unchoke(&mut self, peer: PeerKey) {
        let before = self.choked.remove(&peer);
        assert!(before.is_some(), "I9: {peer:?} was not choked");
    }

    /// A peer asks; the core has yet to hear of it.
    pub(crate) fn on_asked(
        &mut self,
        (peer, subnet, address): (PeerKey, Subnet, Address),
        ask: AskKey,
        bytes: u64,
    ) {
        let turns = self.turns;
        let asker = self.askers.entry(peer).or_insert_with(|| Asker {
            subnet,
            address,
            waiting: BTreeMap::new(),
            reading: 0,
            since: [turns; 2],
            was_served: false,
        });
        if asker.waiting.is_empty() && asker.reading == 0 {
            asker.since = [turns; 2];
        }
        asker.waiting.insert(ask, bytes);
    }

    /// A request is answered without a chunk.
    pub(crate) fn on_answered(&mut self, peer: PeerKey, ask: AskKey) {
        let Some(asker) = self.askers.get_mut(&peer) else {
            return;
        };
        asker.waiting.remove(&ask);
        let (subnet, address) = (asker.subnet, asker.address);
        self.put_off(subnet, address);
    }

    /// A request is to be served.
    pub(crate) fn on_serve(&mut self, peer: PeerKey, ask: AskKey, swarm: &Swarm) {
        let choked = self.choked.contains_key(&peer);
        assert!(!choked, "I9: {peer:?} is served, and was told it is choked");
        let Some(asker) = self.askers.get_mut(&peer) else {
            return;
        };
        let bytes = asker.waiting.remove(&ask);
        let bytes = bytes.expect("I9: served, and not asked for");
        asker.reading += 1;
        asker.was_served = true;
        let (subnet, address) = (asker.subnet, asker.address);
        let last_of = |had: Option<&u64>| had.copied().unwrap_or(0);
        let subnet_had = last_of(self.of_subnet.get(&subnet));
        let address_had = last_of(self.of_address.get(&address));
        self.turns += 1;
        for (other, it) in &mut self.askers {
            let Some(first) = it.waiting.values().next().filter(|_| it.reading == 0) else {
                continue;
            };
            if *first != bytes {
                // There may be room for the one and not for the other.
                it.since = [self.turns; 2];
                continue;
            }
            let passed_over = if it.subnet != subnet {
                subnet_had > it.since[0]
            } else {
                it.address != address && address_had > it.since[1]
            };
            let twice = passed_over && gives(swarm, *other);
            assert!(!twice, "I9: {peer:?} has two turns while {other:?} waits");
        }
        self.of_subnet.insert(subnet, self.turns);
        self.of_address.insert(address, self.turns);
        self.put_off(subnet, address);
    }

    /// Others may come before a subnet and a wallet again: these had a turn.
    fn put_off(&mut self, subnet: Subnet, address: Address) {
        let turns = self.turns;
        for it in self.askers.values_mut().filter(|it| it.subnet == subnet) {
            it.since[0] = turns;
            if it.address == address {
                it.since[1] = turns;
            }
        }
    }

    /// What was to be served is over.
    pub(crate) fn on_served(&mut self, peer: PeerKey) {
        let turns = self.turns;
        if let Some(asker) = self.askers.get_mut(&peer) {
            asker.reading -= 1;
            if asker.reading == 0 {
                asker.since = [turns; 2];
            }
        }
    }

    pub(crate) fn on_gone(&mut self, peer: PeerKey) {
        self.choked.remove(&peer);
        self.askers.remove(&peer);
    }

    /// The node does nothing until then.
    pub(crate) fn on_suspended(&mut self, until: Moment) {
        for wait in self.choked.values_mut() {
            wait.since = wait.since.max(until);
        }
    }

    /// What takes no counting, and the slots where they were just given out anew.
    pub(crate) fn check(&mut self, now: Moment, swarm: &Swarm) {
        let slots = swarm.slots();
        let most = slots.count.max(self.held);
        assert!(
            slots.held <= most,
            "I9: {} of {} slots",
            slots.held,
            slots.count
        );
        let is_free = slots.held < slots.count && slots.are_wanted;
        assert!(!is_free, "I9: {slots:?}, and somebody is choked");
        self.held = slots.held;
        if std::mem::replace(&mut self.slots, slots.count) != slots.count {
            self.on_suspended(now);
        }
        if std::mem::replace(&mut self.rounds, slots.rounds) != slots.rounds {
            check_round(swarm);
        }
    }

    /// Compares what the core believes with what its peers were told, from scratch.
    pub(crate) fn recount(&mut self, now: Moment, swarm: &Swarm) {
        let askers: Vec<_> = swarm.askers().collect();
        let choked = askers.iter().filter(|it| it.standing == Standing::Choked);
        let believed = choked.map(|it| it.peer);
        assert!(
            believed.eq(self.choked.keys().copied()),
            "I9: who is choked was told so: {:?}",
            self.choked.keys()
        );
        let held = askers.iter().filter(|it| has_slot(it)).count();
        assert_eq!(held, self.held, "I9: slots that are taken");
        let optimistic = (self.slots / OPTIMISTIC_SHARE).max(1);
        let rivals = self.choked.len();
        for it in &askers {
            let Some(wait) = self.choked.get_mut(&it.peer) else {
                continue;
            };
            let served = |other: &AskerView| has_slot(other) && other.subnet == it.subnet;
            if !it.gives || askers.iter().any(served) {
                wait.since = now;
            }
            wait.rivals = wait.rivals.max(rivals);
            let rounds = wait.rivals.div_ceil(optimistic) + 1;
            let rounds = u32::try_from(rounds).expect("few peers");
            let was_served = self.askers.get(&it.peer).is_some_and(|it| it.was_served);
            let luck = if was_served { LUCK } else { 1 };
            let most = ROUND + OPTIMISTIC_ROUND * rounds * luck;
            let waited = now.since(wait.since);
            assert!(waited <= most, "I9: {it:?} waits for {waited:?}");
        }
    }
}

fn gives(swarm: &Swarm, peer: PeerKey) -> bool {
    swarm.askers().any(|it| it.peer == peer && it.gives)
}

fn has_slot(asker: &AskerView) -> bool {
    matches!(asker.standing, Standing::Regular | Standing::Optimistic)
}

/// Slots were given out anew: nobody has more than its share while others wait.
fn check_round(swarm: &Swarm) {
    let (mut of_subnet, mut of_address) = (BTreeMap::new(), BTreeMap::new());
    let (mut all, mut takes_only) = (0, None);
    let askers: Vec<_> = swarm.askers().collect();
    for it in askers.iter().filter(|it| has_slot(it)) {
        all += 1;
        *of_subnet.entry(it.subnet).or_insert(0) += 1;
        *of_address.entry(it.address).or_insert(0) += 1;
        takes_only = takes_only.or_else(|| (!it.gives).then_some(it.peer));
    }
    let most = of_subnet.values().copied().max().unwrap_or(0);
    let sent_away = |it: &&AskerView| it.gives && it.standing == Standing::Choked;
    for it in askers.iter().filter(sent_away) {
        assert_eq!(takes_only, None, "I9: it takes only, and {it:?} is choked");
        let own = of_subnet.get(&it.subnet).copied().unwrap_or(0);
        assert!(
            most <= own + 1,
            "I9: one subnet has {most} of {all} slots, {it:?} is choked"
        );
        let wallets = askers.iter().filter(|other| other.subnet == it.subnet);
        let of = |address| of_address.get(address).copied().unwrap_or(0);
        let most = wallets.map(|other| of(&other.address)).max();
        let own = of(&it.address);
        assert!(
            most <= Some(own + 1),
            "I9: one wallet has {most:?} slots, {it:?} is choked"
        );
    }
}
