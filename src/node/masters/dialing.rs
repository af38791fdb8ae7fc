//! Dialing masters: each of the addresses that its name means, in turn, with pauses that double.

use std::net::SocketAddr;

use super::{MasterId, Masters, PAUSE_MAX, PAUSE_MIN, State};
use crate::moment::Moment;
use crate::net::SessionKey;
use crate::node::command::Note;
use crate::node::driver::Driver;

impl Masters {
    /// A dial has come to a connection; answers the master that it leads to.
    pub(super) fn on_up(&mut self, remote: SocketAddr, key: SessionKey) -> Option<MasterId> {
        let dialed = self
            .all
            .iter_mut()
            .find(|(_, it)| it.state == State::Dialing(remote));
        let (id, master) = dialed?;
        master.state = State::Up(key);
        master.why = None;
        Some(*id)
    }

    /// A dial has failed.
    pub(in crate::node) fn on_failed(&mut self, now: Moment, remote: SocketAddr, why: &str) {
        let dialed = self
            .all
            .iter_mut()
            .find(|(_, it)| it.state == State::Dialing(remote));
        if let Some((id, _)) = dialed {
            let id = *id;
            self.on_down(now, id, why);
        }
    }

    /// A connection is over.
    pub(in crate::node) fn on_closed(&mut self, now: Moment, key: SessionKey, why: &str) {
        if let Some(id) = self.by_session(key) {
            self.on_down(now, id, why);
        }
    }

    pub(super) fn on_down(&mut self, now: Moment, id: MasterId, why: &str) {
        let Some(master) = self.all.get_mut(&id) else {
            return;
        };
        let pause = PAUSE_MIN * (1 << master.failures.min(6));
        master.failures += 1;
        master.state = State::Waiting(now + pause.min(PAUSE_MAX));
        master.why = Some(why.to_owned());
        master.enlisted = None;
        master.registered.clear();
        master.looked_up.clear();
        if !master.remotes.is_empty() {
            // the next of its addresses; when all were tried, its name is looked up again
            master.remotes.remove(0);
        }
    }

    /// Its name means these addresses, or nothing.
    fn on_resolved(&mut self, now: Moment, id: MasterId, outcome: Result<Vec<SocketAddr>, String>) {
        match outcome {
            Ok(remotes) if !remotes.is_empty() => {
                if let Some(master) = self.all.get_mut(&id) {
                    master.remotes = remotes;
                    master.state = State::Waiting(now);
                }
            }
            Ok(_) => self.on_down(now, id, "its name has no address"),
            Err(why) => self.on_down(now, id, &why),
        }
    }
}

impl Driver {
    /// Dials the masters whose time has come, and tells those that are up what is new.
    pub(in crate::node) fn tend_masters(&mut self) {
        let now = self.clock.now();
        let mut dials = Vec::new();
        for (id, master) in &mut self.masters.all {
            if !matches!(master.state, State::Waiting(at) if at <= now) {
                continue;
            }
            match master.remotes.first().copied() {
                Some(remote) => {
                    master.state = State::Dialing(remote);
                    dials.push((remote, master.hint.expected));
                }
                None => {
                    master.state = State::Resolving;
                    let (host, port) = (master.hint.host.clone(), master.hint.port);
                    resolve(*id, host, port, self.notes.clone());
                }
            }
        }
        for (remote, expected) in dials {
            self.endpoint.dial(remote, expected);
        }
        self.register_all();
        self.look_up_all();
        self.tend_searches();
    }

    /// A name was looked up.
    pub(in crate::node) fn on_resolved(
        &mut self,
        id: MasterId,
        outcome: Result<Vec<SocketAddr>, String>,
    ) {
        self.masters.on_resolved(self.clock.now(), id, outcome);
        self.tend_masters();
    }
}

fn resolve(id: MasterId, host: String, port: u16, notes: tokio::sync::mpsc::UnboundedSender<Note>) {
    tokio::spawn(async move {
        let place = format!("{host}:{port}");
        let found = tokio::net::lookup_host(place).await;
        let outcome = match found {
            Ok(remotes) => Ok(remotes.collect()),
            Err(error) => Err(error.to_string()),
        };
        // The driver is gone only when the node is.
        let _ = notes.send(Note::Resolved { id, outcome });
    });
}
