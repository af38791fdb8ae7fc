//! How often a host is dialed that has not answered.
//!
//! A link, a manifest or a SwarmMaster may name a stranger's machine as a peer, at as many ports as it likes, to
//! everybody who fetches. So each node dials a host that has not answered [`UNDER_WAY_MAX`] times at once and
//! [`LATELY_MAX`] times in [`WINDOW`] at most, whatever it is told. One that has proven to be a node takes part, and is
//! dialed as often as its peers are wanted. A machine's own ports are its own affair.
//!
//! Invariant: at most [`HOSTS_MAX`] hosts are remembered; whoever was dialed longest ago is forgotten first.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::host::Host;
use crate::moment::Moment;

/// Dials of one silent host that are under way at once.
pub const UNDER_WAY_MAX: usize = 3;
/// Dials of one silent host in a while.
pub const LATELY_MAX: usize = 12;
/// That while. A candidate by itself is dialed once a minute in the long run, so it hardly notices.
pub const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Hosts that are remembered.
const HOSTS_MAX: usize = 4096;
/// How soon a place is for one that has too much under way.
const SOON: Duration = Duration::from_secs(1);

/// What was dialed lately.
#[derive(Debug, Default)]
pub struct Targets {
    hosts: BTreeMap<Host, Dialed>,
}

/// When a place may be dialed that may not be now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// When others at the same host may be done with, which is soon.
    Soon(Moment),
    /// Its host was dialed enough for now.
    Enough(Moment),
}

#[derive(Debug, Default)]
struct Dialed {
    /// The dials of the last while, the oldest first.
    lately: VecDeque<Moment>,
    answered_at: Option<Moment>,
}

impl Targets {
    /// Whether a place may be dialed now, while so many dials of its host are under way; or when to ask again. What
    /// may be counts as dialed.
    pub fn admit(&mut self, now: Moment, place: SocketAddr, under_way: usize) -> Result<(), Later> {
        let Some(host) = Host::elsewhere(place.ip()) else {
            return Ok(());
        };
        self.make_room(now, host);
        let dialed = self.hosts.entry(host).or_default();
        dialed.forget(now);
        if dialed.answered_at.is_some() {
            return Ok(());
        }
        if under_way >= UNDER_WAY_MAX {
            return Err(Later::Soon(now + SOON));
        }
        match dialed.lately.front() {
            Some(oldest) if dialed.lately.len() >= LATELY_MAX => {
                Err(Later::Enough(*oldest + WINDOW))
            }
            Some(_) | None => {
                dialed.lately.push_back(now);
                Ok(())
            }
        }
    }

    /// A node has answered there.
    pub fn on_answered(&mut self, now: Moment, place: SocketAddr) {
        if let Some(host) = Host::elsewhere(place.ip()) {
            self.make_room(now, host);
            let dialed = self.hosts.entry(host).or_default();
            (dialed.answered_at, dialed.lately) = (Some(now), VecDeque::new());
        }
    }

    fn make_room(&mut self, now: Moment, host: Host) {
        if self.hosts.len() < HOSTS_MAX || self.hosts.contains_key(&host) {
            return;
        }
        self.hosts.retain(|_, dialed| {
            dialed.forget(now);
            dialed.last().is_some()
        });
        if self.hosts.len() >= HOSTS_MAX {
            let oldest = self.hosts.iter().min_by_key(|(_, dialed)| dialed.last());
            if let Some(oldest) = oldest.map(|(host, _)| *host) {
                self.hosts.remove(&oldest);
            }
        }
    }
}

impl Dialed {
    /// Forgets what is over.
    fn forget(&mut self, now: Moment) {
        let is_over = |at: &Moment| now.since(*at) >= WINDOW;
        while self.lately.front().is_some_and(is_over) {
            self.lately.pop_front();
        }
        self.answered_at = self.answered_at.filter(|at| !is_over(at));
    }

    fn last(&self) -> Option<Moment> {
        self.lately.back().copied().max(self.answered_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(seconds)
    }

    fn place(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn port(port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 7], port))
    }

    /// A23: a list of ten thousand ports of one host.
    #[test]
    fn a_silent_host_is_dialed_twelve_times_in_ten_minutes_at_whatever_ports() {
        let mut targets = Targets::default();
        let dials = |targets: &mut Targets, seconds| {
            let admitted = |it: &u16| targets.admit(at(seconds), port(*it), 0).is_ok();
            (1024..11_024).filter(admitted).count()
        };
        assert_eq!(dials(&mut targets, 0), LATELY_MAX);
        assert_eq!(dials(&mut targets, 599), 0);
        assert_eq!(
            targets.admit(at(599), port(1024), 0),
            Err(Later::Enough(at(600)))
        );
        assert_eq!(dials(&mut targets, 600), LATELY_MAX);
        let soon = targets.admit(at(1300), port(1024), UNDER_WAY_MAX);
        assert_eq!(soon, Err(Later::Soon(at(1301))), "three at once");
    }

    #[test]
    fn a_host_that_has_answered_and_this_machine_are_dialed_as_often_as_is_wanted() {
        let mut targets = Targets::default();
        targets.on_answered(at(0), port(7922));
        assert!((1024..2048).all(|it| targets.admit(at(599), port(it), 100).is_ok()));
        assert_eq!(
            targets.admit(at(600), port(1024), 100),
            Err(Later::Soon(at(601)))
        );
        let own = place("127.0.0.1:7922");
        assert!((0..100).all(|_| targets.admit(at(0), own, 100).is_ok()));
    }

    #[test]
    fn a_crowd_of_hosts_is_bounded() {
        let mut targets = Targets::default();
        for host in 0..20_000u32 {
            let place = SocketAddr::from((host.to_be_bytes(), 7922));
            assert_eq!(targets.admit(at(u64::from(host / 100)), place, 0), Ok(()));
        }
        assert_eq!(targets.hosts.len(), HOSTS_MAX);
    }
}
