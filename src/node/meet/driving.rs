//! Doing what meetings say, at their time, as far as the budget goes.

use std::net::SocketAddr;

use super::{START_PATIENCE, Stage};
use crate::moment::Moment;
use crate::nat::{DIAL_BYTES, GIVE_UP, Input, Output, PUNCH_BYTES};
use crate::net::DialError;
use crate::node::driver::Driver;
use crate::wire::Nonce;

impl Driver {
    /// Does what is due.
    pub(in crate::node) fn drive_meetings(&mut self) {
        let now = self.clock.now();
        if self.meets.deadline().is_none_or(|at| at > now) {
            return;
        }
        self.meets.running.retain(|_, it| match it.stage {
            Stage::Accepted(_) => now.since(it.since) < START_PATIENCE,
            Stage::Begun(_) => true,
        });
        let begun: Vec<Nonce> = self.meets.running.keys().copied().collect();
        for nonce in begun {
            self.drive(now, nonce, Input::Wake);
        }
        self.ask_for_meetings(now);
    }

    /// A dial of a meeting came to nothing.
    pub(in crate::node) fn on_no_meeting_dial(&mut self, remote: SocketAddr, error: &DialError) {
        tracing::debug!(%remote, %error, "a dial of a meeting failed");
        let now = self.clock.now();
        let theirs = self.meets.running.iter().filter(|(_, it)| it.dials(remote));
        let nonces: Vec<Nonce> = theirs.map(|(nonce, _)| *nonce).collect();
        for nonce in nonces {
            self.drive(now, nonce, Input::DialFailed(remote));
        }
    }

    fn drive(&mut self, now: Moment, nonce: Nonce, input: Input) {
        let Some(running) = self.meets.running.get_mut(&nonce) else {
            return;
        };
        let Stage::Begun(meeting) = &mut running.stage else {
            return;
        };
        meeting.handle(now, input);
        let (who, mut is_over, mut wants_relay) = (running.who, false, false);
        let number = [nonce.0[0], nonce.0[1], nonce.0[2], nonce.0[3]];
        while let Some(output) = meeting.poll_output() {
            match output {
                Output::Punch(remote) => {
                    if self.meets.budget.take(now, PUNCH_BYTES) {
                        self.endpoint.punch(remote, number);
                    }
                }
                Output::Dial(remote) => match self.meets.budget.take(now, DIAL_BYTES) {
                    true => self.endpoint.dial_met(remote, who, GIVE_UP),
                    false => meeting.handle(now, Input::Postponed(remote)),
                },
                Output::Relay => wants_relay = true,
                Output::GiveUp => is_over = true,
            }
        }
        let by = self.meets.named_by(who);
        // whoever was invited is dialed by whom it was invited by
        if wants_relay && !by.is_empty() {
            self.reach_through(who, &by);
        }
        if is_over {
            self.on_given_up(now, nonce);
        }
    }
}
