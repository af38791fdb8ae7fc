//! Asking a master to have somebody meet us.

use std::collections::BTreeSet;
use std::time::Duration;

use super::why::advice;
use super::{MEETINGS_MAX, Running, Stage, State};
use crate::digest::Address;
use crate::moment::Moment;
use crate::nat::{
    FRESH_S, Meeting, Prospect, Terms, candidates, check_acceptance, is_near, prospect_of, role_of,
};
use crate::net::{Answered, Fault};
use crate::node::clock::unix_time;
use crate::node::driver::Driver;
use crate::node::masters::{MasterId, Ticket};
use crate::node::status::PeerPath;
use crate::wire::{Acceptance, Invitation, Mapping, Nonce, Reply, Request};

/// How long a master and the other side may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Driver {
    /// Has masters invite those who did not answer where they were said to be.
    pub(super) fn ask_for_meetings(&mut self, now: Moment) {
        let mut due = Vec::new();
        for (who, wish) in &mut self.meets.wishes {
            if !matches!(wish.state, State::Waiting(at) if at <= now) {
                continue;
            }
            if self.roster.has_direct(*who) {
                wish.state = State::Connected;
            } else if self.swarm.is_banned(who) {
                wish.state = State::Waiting(now + Duration::from_secs(60));
            } else {
                due.push((*who, wish.attempts, wish.by.clone()));
            }
        }
        for (who, attempt, by) in due {
            if !self.invite(now, who, attempt, &by) {
                self.meets.on_failed(now, who);
            }
        }
    }

    /// Signs an invitation and hands it to one of the masters that know the other side, another one for each
    /// attempt. Answers whether there is one.
    fn invite(&mut self, now: Moment, who: Address, attempt: u8, by: &BTreeSet<MasterId>) -> bool {
        let up: Vec<MasterId> = by
            .iter()
            .copied()
            .filter(|id| self.masters.observed(*id).is_some())
            .collect();
        let busy = self.meets.running.len() >= MEETINGS_MAX;
        let Some(id) = up.get(usize::from(attempt) % up.len().max(1)).copied() else {
            return false;
        };
        let (Some(observed), Some(nonce)) = (self.masters.observed(id), fresh_nonce()) else {
            return false;
        };
        if busy {
            return false;
        }
        let plain = Invitation {
            at: candidates(observed, &self.endpoint.announced().all()),
            mapping: self.meets.mapping(id),
            attempt,
            to: who,
            nonce,
            expires: unix_time() + FRESH_S,
            public_key: self.wallet.public_key(),
            signature: [[0; 32]; 2],
        };
        let signature = self.wallet.sign(&plain.signed_bytes());
        let invitation = plain.signed(signature);
        let request = Request::Meet(invitation.clone());
        if self
            .ask_master(id, Ticket::Meet(id, who), request, PATIENCE)
            .is_none()
        {
            return false;
        }
        tracing::debug!(%who, attempt, "asked a master for a meeting");
        if let Some(wish) = self.meets.wishes.get_mut(&who) {
            wish.state = State::Asked(Box::new(invitation), now);
            wish.asked_at.get_or_insert(now);
        }
        true
    }

    /// A master has answered an invitation of ours.
    pub(in crate::node) fn on_meet_answer(
        &mut self,
        id: MasterId,
        who: Address,
        answer: Result<Answered, Fault>,
    ) {
        let now = self.clock.now();
        let Some(wish) = self.meets.wishes.get_mut(&who) else {
            return;
        };
        let state = std::mem::replace(&mut wish.state, State::Meeting);
        let State::Asked(invitation, since) = state else {
            // connected meanwhile
            wish.state = state;
            return;
        };
        let why = match answer.map(|it| it.reply) {
            Ok(Reply::Go {
                acceptance,
                wait_us,
            }) => {
                let wait = Duration::from_micros(wait_us.into());
                match self.begin_ours(id, &invitation, since, &acceptance, now + wait) {
                    Ok(()) => return,
                    Err(why) => why,
                }
            }
            Ok(Reply::Unmet(unmet)) => unmet.to_string(),
            Ok(Reply::Busy { retry_after_ms }) => {
                format!("the master is busy for {retry_after_ms} ms")
            }
            Ok(_) => "the master answered something else".to_owned(),
            Err(fault) => fault.to_string(),
        };
        tracing::debug!(%who, why, "no meeting");
        self.meets.note_why(who, &format!("no meeting: {why}"));
        self.meets.on_failed(now, who);
        self.tell_fetches(who, &format!("{}: no meeting: {why}", who.short()));
    }

    fn begin_ours(
        &mut self,
        id: MasterId,
        invitation: &Invitation,
        since: Moment,
        acceptance: &Acceptance,
        begin: Moment,
    ) -> Result<(), String> {
        let theirs = check_acceptance(acceptance, invitation).map_err(|unmet| unmet.to_string())?;
        let observed = self.masters.observed(id).ok_or("the master is gone")?;
        let via = self.master_remote(id).ok_or("the master is gone")?;
        let (who, mappings) = (invitation.to, (invitation.mapping, acceptance.mapping));
        let terms = Terms {
            begin,
            role: role_of(
                (mappings.0, self.address),
                (mappings.1, who),
                invitation.attempt,
            ),
            places: acceptance.at.clone(),
            near: is_near(observed, theirs, via.ip()),
            prospect: prospect_of(mappings.0, mappings.1),
        };
        tracing::debug!(%who, role = ?terms.role, ?mappings, "a meeting begins");
        let running = Running {
            who,
            since,
            mappings,
            stage: Stage::Begun(Meeting::new(terms)),
        };
        self.note_prospect(who, mappings);
        self.meets.running.insert(invitation.nonce, running);
        Ok(())
    }

    /// Two routers like these meet: where punches may not help, that is why there is no direct way until there is.
    pub(super) fn note_prospect(&mut self, who: Address, mappings: (Mapping, Mapping)) {
        if prospect_of(mappings.0, mappings.1) != Prospect::Good {
            self.meets.note_why(who, advice(mappings));
        }
    }

    /// Why somebody is not reached directly who is reached like this.
    pub(in crate::node) fn why_not_direct(&self, who: Address, path: PeerPath) -> Option<String> {
        match path {
            PeerPath::Relayed { .. } => self.meets.why(who),
            PeerPath::Dialed | PeerPath::Accepted | PeerPath::Met { .. } => None,
        }
    }

    /// A meeting is given up: those who wait are told what would help.
    pub(super) fn on_given_up(&mut self, now: Moment, nonce: Nonce) {
        let Some(running) = self.meets.running.remove(&nonce) else {
            return;
        };
        let (who, advice) = (running.who, advice(running.mappings));
        self.meets.note_why(who, advice);
        tracing::debug!(%who, advice, "a meeting came to nothing");
        self.meets.on_failed(now, who);
        self.tell_fetches(who, &format!("{}: {advice}", who.short()));
    }

    /// Tells the fetches that need somebody why they do without.
    fn tell_fetches(&mut self, who: Address, why: &str) {
        let fetches: Vec<_> = self.meets.wanted_of(who).collect();
        for fetch in fetches {
            if let Some(quest) = self.quests.get_mut(&fetch) {
                quest.on_failed_attempt(why.to_owned());
            }
        }
    }
}

fn fresh_nonce() -> Option<Nonce> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).ok()?;
    Some(Nonce(nonce))
}
