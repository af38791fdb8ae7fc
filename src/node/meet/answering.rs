//! Taking up invitations that masters carry to us.
//!
//! Only what its sender signed, for us, lately, and once; ten in a minute, and three of one node. A master
//! that makes things up gets nowhere: it cannot sign for others.

use std::time::Duration;

use super::{MEETINGS_MAX, Running, Stage};
use crate::moment::Moment;
use crate::nat::{Meeting, Terms, candidates, check_invitation, is_near, prospect_of, role_of};
use crate::net::{Answer, Responder, SessionKey};
use crate::node::clock::unix_time;
use crate::node::driver::Driver;
use crate::wire::{Acceptance, Invitation, Nonce, Reply, Unmet};

impl Driver {
    /// Somebody would like to meet us.
    pub(in crate::node) fn on_invite(
        &mut self,
        key: SessionKey,
        invitation: Invitation,
        responder: Responder,
    ) {
        let reply = match self.accept_invitation(key, invitation) {
            Ok(acceptance) => Reply::Accepted(acceptance),
            Err(unmet) => Reply::Unmet(unmet),
        };
        responder.answer(Answer::Header(reply));
    }

    fn accept_invitation(
        &mut self,
        key: SessionKey,
        invitation: Invitation,
    ) -> Result<Acceptance, Unmet> {
        let now = self.clock.now();
        // only masters that we chose carry invitations
        let id = self.masters.by_session(key).ok_or(Unmet::NotYou)?;
        let observed = self.masters.observed(id).ok_or(Unmet::NotHere)?;
        let is_known = self.meets.running.contains_key(&invitation.nonce);
        if is_known || self.meets.running.len() >= MEETINGS_MAX {
            return Err(Unmet::Declined);
        }
        // counted before it is checked: a signature takes a moment
        let counted = self
            .meets
            .budget
            .admit(now, invitation.from(), invitation.nonce);
        if let Err(turned) = counted {
            tracing::debug!(%turned, "an invitation is not taken up");
            return Err(Unmet::Declined);
        }
        let who = check_invitation(&invitation, self.address, unix_time())?;
        if self.swarm.is_banned(&who) {
            return Err(Unmet::Declined);
        }
        let plain = Acceptance {
            at: candidates(observed, &self.endpoint.announced().all()),
            mapping: self.meets.mapping(id),
            answers: invitation.id(),
            public_key: self.wallet.public_key(),
            signature: [[0; 32]; 2],
        };
        let signature = self.wallet.sign(&plain.signed_bytes());
        tracing::debug!(%who, "accepted an invitation");
        let running = Running {
            who,
            since: now,
            mappings: (plain.mapping, invitation.mapping),
            stage: Stage::Accepted(Box::new(invitation.clone())),
        };
        self.meets.running.insert(invitation.nonce, running);
        Ok(plain.signed(signature))
    }

    /// The master says when to begin.
    pub(in crate::node) fn on_start(
        &mut self,
        key: SessionKey,
        nonce: Nonce,
        wait_us: u32,
        responder: Responder,
    ) {
        let begin = self.clock.now() + Duration::from_micros(wait_us.into());
        let reply = match self.begin_theirs(key, nonce, begin) {
            Some(()) => Reply::Started,
            None => Reply::Unmet(Unmet::Expired),
        };
        responder.answer(Answer::Header(reply));
    }

    fn begin_theirs(&mut self, key: SessionKey, nonce: Nonce, begin: Moment) -> Option<()> {
        let id = self.masters.by_session(key)?;
        let observed = self.masters.observed(id)?;
        let via = self.master_remote(id)?;
        let running = self.meets.running.get_mut(&nonce)?;
        let Stage::Accepted(invitation) = &running.stage else {
            return None;
        };
        let (own, theirs) = running.mappings;
        let first = invitation.at.first().copied()?;
        let terms = Terms {
            begin,
            role: role_of(
                (own, self.address),
                (theirs, running.who),
                invitation.attempt,
            ),
            places: invitation.at.clone(),
            near: is_near(observed, first, via.ip()),
            prospect: prospect_of(own, theirs),
        };
        tracing::debug!(who = %running.who, role = ?terms.role, "a meeting begins");
        running.stage = Stage::Begun(Meeting::new(terms));
        let who = running.who;
        self.note_prospect(who, (own, theirs));
        Some(())
    }
}
