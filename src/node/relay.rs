//! Reaching peers through SwarmMasters, where they cannot be reached directly, and being reached so.
//!
//! A peer whose wallet address is known and that did not answer a second after it was first dialed is
//! dialed through a master as well: rather one that named it. Direct dials go on beside that; what
//! happens when one succeeds is in `upgrade`. There is one carrier for each master at most, made when it
//! is needed, for a dial of ours or because the master says that somebody calls.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::driver::Driver;
use super::masters::{MasterId, Presence};
use crate::digest::Address;
use crate::moment::Moment;
use crate::net::{Answer, Carrier, RelayError, Responder, SessionKey};
use crate::wire::Reply;

/// How long direct dials have before a relay is tried beside them.
const HEAD_START: Duration = Duration::from_secs(1);
/// The pause after the first dial through a master that failed; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// The longest pause between two of them.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Whether a node is reached, and reaches others, through SwarmMasters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayUse {
    /// Where there is no other way.
    On,
    /// Never.
    Off,
}

/// The carriers, and who is sought through them.
#[derive(Debug)]
pub(super) struct Relays {
    usage: RelayUse,
    /// By master; none while it comes about.
    carriers: BTreeMap<Address, Option<Carrier>>,
    sought: BTreeMap<Address, Sought>,
}

/// A peer that is dialed through masters.
#[derive(Debug, Clone, Copy)]
struct Sought {
    state: State,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// When the carrier of this master is there, it is dialed.
    Coming(Address),
    Dialing,
    /// To be dialed then.
    Waiting(Moment),
}

impl Relays {
    /// Nobody carries yet.
    pub(super) const fn new(usage: RelayUse) -> Self {
        Self {
            usage,
            carriers: BTreeMap::new(),
            sought: BTreeMap::new(),
        }
    }

    /// A dial through a master came to nothing.
    fn on_failed(&mut self, now: Moment, to: Address) {
        if let Some(sought) = self.sought.get_mut(&to) {
            let pause = PAUSE_MIN * (1 << sought.failures.min(5));
            sought.failures += 1;
            sought.state = State::Waiting(now + pause.min(PAUSE_MAX));
        }
    }
}

impl Driver {
    /// Once a second: dials those through masters who do not answer otherwise.
    pub(super) fn tend_relays(&mut self) {
        if self.relays.usage == RelayUse::Off {
            return;
        }
        let now = self.clock.now();
        let silent = self.reach.silent(now, HEAD_START);
        self.relays.sought.retain(|who, sought| {
            let is_over = matches!(sought.state, State::Waiting(_)) && !silent.contains_key(who);
            !is_over
        });
        for (who, named_by) in silent {
            self.reach_through(who, &named_by);
        }
    }

    /// Dials somebody through a master, unless they are there: rather through one that named them, and
    /// through another each time.
    pub(super) fn reach_through(&mut self, who: Address, named_by: &BTreeSet<MasterId>) {
        let now = self.clock.now();
        let is_reached = self.roster.has_address(who) || who == self.address;
        let sought = self.relays.sought.get(&who);
        let is_early =
            sought.is_some_and(|it| !matches!(it.state, State::Waiting(at) if at <= now));
        if is_reached || is_early || self.swarm.is_banned(&who) {
            return;
        }
        let failures = sought.map_or(0, |it| it.failures);
        let all = || self.masters.up().map(|(id, master, _)| (id, master));
        let mut via: Vec<Address> = all()
            .filter(|(id, _)| named_by.contains(id))
            .map(|(_, master)| master)
            .collect();
        if via.is_empty() {
            via = all().map(|(_, master)| master).collect();
        }
        if let Some(master) = via.get(failures as usize % via.len().max(1)).copied() {
            self.dial_through(who, master);
        }
    }

    /// Dials a peer through a master. Ends as a connection, or as a failure that is tried again.
    fn dial_through(&mut self, who: Address, master: Address) {
        if self.relays.usage == RelayUse::Off || !self.have_carried(master) {
            return;
        }
        let failures = self.relays.sought.get(&who).map_or(0, |it| it.failures);
        let carrier = self.relays.carriers.get(&master).and_then(Option::as_ref);
        let state = match carrier {
            Some(carrier) => {
                carrier.dial(who);
                State::Dialing
            }
            None => State::Coming(master),
        };
        self.relays.sought.insert(who, Sought { state, failures });
    }

    /// Sees to it that a master carries for us, now or soon; answers whether it may come to that.
    fn have_carried(&mut self, master: Address) -> bool {
        if self.relays.carriers.contains_key(&master) {
            return true;
        }
        let mut all = self.masters.up();
        let Some((_, _, key)) = all.find(|(_, address, _)| *address == master) else {
            return false;
        };
        let Some(peer) = self.roster.get(key) else {
            return false;
        };
        self.endpoint.carry(peer.session.remote(), master);
        self.relays.carriers.insert(master, None);
        true
    }

    /// A master carries for us.
    pub(super) fn on_carrying(&mut self, carrier: Carrier) {
        let master = carrier.master();
        for (who, sought) in &mut self.relays.sought {
            if sought.state == State::Coming(master) {
                sought.state = State::Dialing;
                carrier.dial(*who);
            }
        }
        tracing::debug!(%master, "a SwarmMaster carries for us");
        self.relays.carriers.insert(master, Some(carrier));
    }

    /// A master does not carry for us, or no longer.
    pub(super) fn on_not_carrying(&mut self, master: Address, reason: &str) {
        tracing::debug!(%master, reason, "a SwarmMaster does not carry for us");
        self.relays.carriers.remove(&master);
        let coming = State::Coming(master);
        let theirs = self.relays.sought.iter();
        let theirs = theirs.filter(|(_, sought)| sought.state == coming);
        let theirs: Vec<Address> = theirs.map(|(who, _)| *who).collect();
        for who in theirs {
            self.on_unreached(who, &format!("through the SwarmMaster {master}: {reason}"));
        }
    }

    /// A dial through a master came to nothing.
    pub(super) fn on_relay_failed(&mut self, to: Address, master: Address, error: &RelayError) {
        tracing::debug!(%to, %master, %error, "a dial through a SwarmMaster failed");
        self.on_unreached(to, &error.to_string());
    }

    fn on_unreached(&mut self, who: Address, why: &str) {
        self.relays.on_failed(self.clock.now(), who);
        for fetch in self.wanted_of(None, who) {
            if let Some(quest) = self.quests.get_mut(&fetch) {
                quest.on_failed_attempt(format!("{}: {why}", who.short()));
            }
        }
    }

    /// A connection to a peer is up, by whatever way: those who named it were right.
    pub(super) fn on_reached(&mut self, who: Address) {
        if self.relays.sought.remove(&who).is_some() {
            let by = self.reach.namers_of(who);
            self.masters.on_named(&by, Presence::There);
        }
    }

    /// Whether whoever was not where they should be is there all the same, or may be soon.
    pub(super) fn is_reached_otherwise(&self, remote: SocketAddr) -> bool {
        self.reach.expected_at(remote).is_some_and(|who| {
            let sought = self.relays.sought.get(&who);
            let is_coming = sought.is_some_and(|it| !matches!(it.state, State::Waiting(_)));
            is_coming || self.roster.has_address(who)
        })
    }

    /// A master says that somebody calls.
    pub(super) fn on_call(&mut self, key: SessionKey, from: Address, responder: Responder) {
        let mut all = self.masters.up();
        let master = all.find(|(_, _, theirs)| *theirs == key);
        let master = master.map(|(_, address, _)| address);
        drop(all);
        let is_wanted = self.relays.usage == RelayUse::On && !self.swarm.is_banned(&from);
        let reply = match master.filter(|_| is_wanted) {
            Some(master) if self.have_carried(master) => Reply::Coming,
            Some(_) | None => Reply::Denied,
        };
        responder.answer(Answer::Header(reply));
    }
}
