//! Telling nodes that somebody calls, so that they come and a channel can be opened.

use super::driver::Driver;
use super::relay::{CALL_PATIENCE, Invitation};
use crate::net::{Answered, Fault};
use crate::wire::relay::RelayRefusal;
use crate::wire::{Reply, Request};

/// What the numbers of calls have that those of other questions have not.
const CALLS: u64 = 1 << 63;

impl Driver {
    /// Somebody who has no line is called: if they are here, they are asked to come.
    pub(super) fn on_invitation(&mut self, invitation: &Invitation) {
        let Some(relay) = &self.relay else { return };
        let called = self.clients.values().filter(|client| client.is_enlisted);
        let mut called = called.filter(|client| client.session.address() == invitation.to);
        let Some(client) = called.next() else {
            return relay.on_absent(invitation.to, RelayRefusal::Peer);
        };
        // apart from the numbers of other questions
        self.next_call += 1;
        let ticket = CALLS | self.next_call;
        self.calls.insert(ticket, invitation.to);
        let from = invitation.from;
        let request = Request::Carry { from };
        client.session.ask(ticket, request, CALL_PATIENCE);
    }

    /// Somebody who was called comes, or does not.
    pub(super) fn on_called(&mut self, ticket: u64, answer: Result<Answered, Fault>) {
        let Some(who) = self.calls.remove(&ticket) else {
            return;
        };
        let comes = matches!(answer.map(|it| it.reply), Ok(Reply::Coming));
        if let (false, Some(relay)) = (comes, &self.relay) {
            relay.on_absent(who, RelayRefusal::Denied);
        }
    }
}
