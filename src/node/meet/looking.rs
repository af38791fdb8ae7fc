//! Finding out how our router maps: a datagram to a master's second port shows where it comes from there.

use std::net::SocketAddr;
use std::time::Duration;

use crate::nat::mapping_of;
use crate::net::{Answered, Fault};
use crate::node::driver::Driver;
use crate::node::masters::{MasterId, Ticket};
use crate::wire::{Mapping, Reply, Request};

/// How long a master may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a datagram is sent whose arrival no master has seen.
const LOOKS: u8 = 3;

impl Driver {
    /// Asks a master where to send such a datagram.
    pub(in crate::node) fn look_around_router(&mut self, id: MasterId) {
        self.meets.on_enlisted(id);
        self.locate(id, LOOKS);
    }

    fn locate(&mut self, id: MasterId, looks: u8) {
        let ticket = Ticket::Locate(id, looks);
        self.ask_master(id, ticket, Request::Locate, PATIENCE);
    }

    /// A master has said where.
    pub(in crate::node) fn on_locate(
        &mut self,
        id: MasterId,
        looks: u8,
        answer: Result<Answered, Fault>,
    ) {
        // an older master knows nothing of this
        let Ok(Reply::Locate { port, token }) = answer.map(|it| it.reply) else {
            return;
        };
        let Some(remote) = self.master_remote(id) else {
            return;
        };
        self.endpoint
            .look(SocketAddr::new(remote.ip(), port), token);
        let ticket = Ticket::Located(id, looks);
        self.ask_master(id, ticket, Request::Located, PATIENCE);
    }

    /// A master has said what it saw.
    pub(in crate::node) fn on_located(
        &mut self,
        id: MasterId,
        looks: u8,
        answer: Result<Answered, Fault>,
    ) {
        let Ok(Reply::Located { here, there }) = answer.map(|it| it.reply) else {
            return;
        };
        let own = self.endpoint.announced().all();
        let mapping = mapping_of(&own, here, there);
        tracing::debug!(%here, ?there, ?mapping, "how our router maps");
        self.meets.mappings.insert(id, mapping);
        if mapping == Mapping::Unknown && looks > 1 {
            self.locate(id, looks - 1);
        }
    }
}
