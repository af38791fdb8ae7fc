//! What leaves for places that have not proven to be where somebody is: three times what came from there at most.
//!
//! Whoever is connected can send datagrams under a false IP address, and quinn (0.11.19) bounds what it sends
//! there by no more than a datagram for each: it answers a PATH_CHALLENGE of 40 bytes with 1200, follows a connection to
//! wherever its newest packet seems to come from, with a datagram of its own each time, counts what came from
//! elsewhere for that place, and looks there for a larger MTU. RFC 9000 sections 8.1, 8.2 and 9.3 allow three times
//! what came from there. So this stands between quinn and its socket:
//!
//! * A place is *proven* while a connection has a path to it whose far end has shown that it gets what is sent there:
//!   by the handshake, or by an answer to quinn's own PATH_CHALLENGE (`proof`).
//! * What goes to a proven place passes, and so does all of a handshake, which quinn bounds itself.
//! * Of anything else, a host gets three times what came from its unproven places (`ledger`). Beyond that it gets a
//!   datagram, because who moves says so with a small one, and three more at growing distances, because it or its
//!   answer may be lost: for each host that is remembered, until somebody there has proven to be, and to all hosts together
//!   eight at once and one a second.
//!
//! A connection whose new path is not proven yet waits where it would send more, until something comes for it or a timer
//! of its own has it probe. quinn's word that a place is proven comes with the first acknowledgement after the answer to its
//! challenge, so what is allowed may be spent by then, and one of those probes has to ask for another.
//!
//! quinn does not say which path a datagram is sent on. Its congestion controllers, one for each path, are told of it
//! right before: between that and the socket nothing else happens on the thread. So what paces fast paths (`pace`) waits here as well.

mod ledger;
mod proof;
mod socket;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

use quinn::udp::Transmit;

use self::ledger::Ledger;
pub(super) use self::proof::{PathFactory, Proof};
pub(super) use self::socket::Guarded;
use crate::host::Host;

/// Dead entries among the proven places are looked for when there are this many and twice as many as last left.
const PLACES_MIN: usize = 256;
/// The first bit of a long header, which only packets of a handshake have (RFC 9000 section 17.2).
const LONG_HEADER: u8 = 0x80;

/// What one endpoint knows of the places that it speaks with.
#[derive(Debug, Default)]
pub(super) struct Guard {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The path of the datagrams that are handed over next.
    next: Option<(Arc<Proof>, Instant)>,
    /// Whether a connection is being made, and what is known of its first path.
    first: First,
    /// A transmit was put off, so the connection whose it is has to wait.
    waits: bool,
    /// The one that was put off: its path, and where to.
    put_off: Option<(Arc<Proof>, SocketAddr)>,
    places: HashMap<SocketAddr, Vec<Weak<Proof>>>,
    places_max: usize,
    ledger: Ledger,
}

#[derive(Debug, Default)]
enum First {
    #[default]
    None,
    Expected,
    Made(Arc<Proof>),
}

/// What may leave of a transmit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// All of it.
    All,
    /// So many datagrams; the rest is lost.
    Only(usize),
    /// So many datagrams now, and all of it later.
    Wait(usize),
}

impl Guard {
    /// Makes a connection; answers what will be known of its first path.
    pub(super) fn first<T>(&self, make: impl FnOnce() -> T) -> (T, Option<Arc<Proof>>) {
        self.lock().first = First::Expected;
        let made = make();
        let first = std::mem::take(&mut self.lock().first);
        let proof = match first {
            First::Made(proof) => Some(proof),
            First::None | First::Expected => None,
        };
        (made, proof)
    }

    /// A path comes into being.
    fn path(&self) -> Arc<Proof> {
        let mut state = self.lock();
        if !matches!(state.first, First::Expected) {
            return Arc::new(Proof::moved());
        }
        let proof = Arc::new(Proof::first());
        state.first = First::Made(Arc::clone(&proof));
        proof
    }

    /// What is handed over next is sent on this path.
    fn announce(&self, now: Instant, proof: &Arc<Proof>) {
        self.lock().next = Some((Arc::clone(proof), now));
    }

    /// The path of what is handed over next, if it was announced.
    fn next(&self) -> Option<Arc<Proof>> {
        let state = self.lock();
        state.next.as_ref().map(|(path, _)| Arc::clone(path))
    }

    /// What was announced is not handed over now.
    fn forget(&self) {
        self.lock().next = None;
    }

    /// Whether the connection that is being driven has to wait.
    fn take_wait(&self) -> bool {
        std::mem::take(&mut self.lock().waits)
    }

    /// Datagrams came from there, each of so many bytes, but for the last.
    fn on_received(&self, from: SocketAddr, datagrams: &[u8], each: usize) {
        let mut state = self.lock();
        if state.is_proven(from) {
            return;
        }
        let short = datagrams.chunks(each.max(1)).filter(|it| !is_long(it));
        let bytes = short.map(|it| it.len() as u64).sum();
        if bytes > 0 {
            state.ledger.on_received(Host::of(from.ip()), bytes);
        }
    }

    /// What may leave of this.
    fn admit(&self, transmit: &Transmit) -> Leave {
        let mut state = self.lock();
        let to = transmit.destination;
        let next = state.next.take();
        if let Some((path, _)) = &next
            && path.passes()
        {
            if path.is_to_be_listed() {
                state.list(to, path);
            }
            return Leave::All;
        }
        if is_long(transmit.contents) || state.is_proven(to) {
            return Leave::All;
        }
        state.ration(transmit, next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }
}

impl State {
    fn is_proven(&self, place: SocketAddr) -> bool {
        let paths = self.places.get(&place);
        paths.is_some_and(|paths| paths.iter().any(|path| path.strong_count() > 0))
    }

    /// A place is proven for as long as this path lives, and its host owes nothing more.
    fn list(&mut self, place: SocketAddr, path: &Arc<Proof>) {
        if self.places.len() >= self.places_max.max(PLACES_MIN) {
            self.places
                .retain(|_, paths| paths.iter().any(|path| path.strong_count() > 0));
            self.places_max = 2 * self.places.len();
        }
        self.ledger.forget(Host::of(place.ip()));
        let paths = self.places.entry(place).or_default();
        paths.retain(|path| path.strong_count() > 0);
        paths.push(Arc::downgrade(path));
    }

    /// What an unproven place may get of this, which is sent on a path, or else beside all paths.
    fn ration(&mut self, transmit: &Transmit, path: Option<(Arc<Proof>, Instant)>) -> Leave {
        let to = transmit.destination;
        let put_off = self.put_off.take_if(|(_, there)| *there == to);
        if let Some((path, _)) = &put_off
            && path.passes()
        {
            self.list(to, path);
            return Leave::All;
        }
        let total = transmit.contents.len();
        let each = transmit.segment_size.unwrap_or(total).max(1);
        let host = Host::of(to.ip());
        let mut fitting = self.ledger.take(host, total, each);
        let datagrams = total.div_ceil(each);
        let Some((path, now)) = path else {
            return Leave::Only(fitting);
        };
        if fitting == 0 && self.ledger.take_beyond(now, host, each.min(total)) {
            fitting = 1;
        }
        if fitting == datagrams {
            return Leave::All;
        }
        self.put_off = Some((path, to));
        self.waits = true;
        Leave::Wait(fitting)
    }
}

fn is_long(datagram: &[u8]) -> bool {
    datagram
        .first()
        .is_some_and(|first| first & LONG_HEADER != 0)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod pacing;
#[cfg(test)]
mod tests;
