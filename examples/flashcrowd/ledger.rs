//! What one node notes about itself, for the report.

use swarmhold::moment::Moment;
use swarmhold::swarm::Output;

use crate::rng::mix;

/// One node's figures.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) done_at: Option<Moment>,
    pub(crate) sent_bytes: u64,
    /// Bytes of answers that were still wanted, and of those that were not.
    pub(crate) received_bytes: u64,
    pub(crate) wasted_bytes: u64,
    pub(crate) taken_back: u64,
    pub(crate) busy: u64,
    pub(crate) events: u64,
    /// Bytes sent in each second.
    pub(crate) sent_in: Vec<u32>,
    pub(crate) trace: Trace,
}

impl Ledger {
    pub(crate) fn on_sent(&mut self, now: Moment, bytes: u32) {
        self.sent_bytes += u64::from(bytes);
        let second = usize::try_from(now.as_micros() / 1_000_000).unwrap_or(usize::MAX);
        if self.sent_in.len() <= second {
            self.sent_in.resize(second + 1, 0);
        }
        self.sent_in[second] += bytes;
    }
}

/// Everything that an engine wanted, and when, in one number.
#[derive(Debug, Default)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) fn note(&mut self, now: Moment, output: &Output) {
        let (kind, peer, number) = match output {
            Output::Request {
                peer,
                ticket,
                chunk,
                ..
            } => (1, peer.0, ticket.0 << 16 ^ u64::from(chunk.get())),
            Output::Cancel { peer, ticket } => (2, peer.0, ticket.0),
            Output::Verify { ticket, .. } | Output::Copy { ticket, .. } => (3, 0, ticket.0),
            Output::Serve { peer, ask, .. } => (4, peer.0, ask.0),
            Output::AnswerNotHeld { peer, ask, .. } => (5, peer.0, ask.0),
            Output::AnswerBusy { peer, ask, .. } => (6, peer.0, ask.0),
            Output::Announce { chunk, .. } => (7, 0, u64::from(chunk.get())),
            Output::Complete { .. } => (8, 0, 0),
            Output::Suspect { .. } => (9, 0, 0),
            Output::Stopped { .. } => (10, 0, 0),
            Output::Drop { peer, .. } => (11, peer.0, 0),
            Output::Ban { .. } => (12, 0, 0),
            Output::AnswerInstead { peer, ask, .. } => (15, peer.0, ask.0),
            Output::Offer { peer, held, .. } => (16, peer.0, held.count().into()),
            Output::AnswerDenied { peer, ask } => (17, peer.0, ask.0),
            Output::Choke { peer } => (13, peer.0, 0),
            Output::Unchoke { peer } => (14, peer.0, 0),
            Output::Pardon { .. } => (15, 0, 0),
        };
        for part in [now.as_micros(), kind, peer, number] {
            self.0 = mix(self.0 ^ part).wrapping_add(part);
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}
