//! What happened, as a hash to compare two runs by, and as the last lines of a narrative.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write;
use std::rc::Rc;

use swarmhold::digest::{Digest, Hasher};
use swarmhold::moment::Moment;
use swarmhold::swarm::Output;

/// Lines of narrative that a failing seed prints, unless `SWARMHOLD_SIM_LINES` says otherwise.
const LINES: usize = 40;

/// The trace of one run. Outlives the run, also where that panics.
#[derive(Clone)]
pub(crate) struct Trace(Rc<RefCell<State>>);

struct State {
    hasher: Hasher,
    last: VecDeque<String>,
    lines: u64,
    kept: usize,
}

impl Trace {
    pub(crate) fn new() -> Self {
        let kept = crate::number("SWARMHOLD_SIM_LINES");
        let kept = kept.and_then(|lines| usize::try_from(lines).ok());
        Self(Rc::new(RefCell::new(State {
            hasher: Hasher::new(),
            last: VecDeque::new(),
            lines: 0,
            kept: kept.unwrap_or(LINES),
        })))
    }

    /// Notes an output of a node's core.
    pub(crate) fn output(&self, now: Moment, node: usize, output: &Output) {
        self.line(now, node, |line| describe(line, output));
    }

    /// Notes something else that happens to a node.
    pub(crate) fn note(&self, now: Moment, node: usize, what: std::fmt::Arguments<'_>) {
        self.line(now, node, |line| line.write_fmt(what));
    }

    pub(crate) fn hash(&self) -> Digest {
        self.0.borrow().hasher.clone().finish()
    }

    pub(crate) fn narrative(&self) -> String {
        let state = self.0.borrow();
        let last: Vec<_> = state.last.iter().map(String::as_str).collect();
        format!("the last of {} lines:\n{}", state.lines, last.join("\n"))
    }

    fn line(&self, now: Moment, node: usize, write: impl Fn(&mut String) -> std::fmt::Result) {
        let state = &mut *self.0.borrow_mut();
        let mut line = if state.last.len() >= state.kept {
            state.last.pop_front().unwrap_or_default()
        } else {
            String::new()
        };
        line.clear();
        let micros = now.as_micros();
        write!(
            line,
            "{:>6}.{:06} n{node:<3} ",
            micros / 1_000_000,
            micros % 1_000_000
        )
        .and_then(|()| write(&mut line))
        .expect("a string takes everything");
        state.hasher.update(line.as_bytes());
        state.lines += 1;
        state.last.push_back(line);
    }
}

/// An output in a few words, shorter and faster than its `Debug`.
fn describe(line: &mut String, output: &Output) -> std::fmt::Result {
    match output {
        Output::Request {
            peer,
            ticket,
            chunk,
            ..
        } => write!(line, "asks p{} for {chunk} (t{})", peer.0, ticket.0),
        Output::Cancel { peer, ticket } => {
            write!(line, "takes t{} back from p{}", ticket.0, peer.0)
        }
        Output::Verify { ticket, chunk, .. } => write!(line, "verifies {chunk} (t{})", ticket.0),
        Output::Serve {
            peer, ask, chunk, ..
        } => write!(line, "serves {chunk} to p{} (a{})", peer.0, ask.0),
        Output::AnswerNotHeld { peer, ask, .. } => {
            write!(line, "tells p{} not held (a{})", peer.0, ask.0)
        }
        Output::AnswerBusy { peer, ask, .. } => write!(line, "tells p{} busy (a{})", peer.0, ask.0),
        Output::Choke { peer } => write!(line, "chokes p{}", peer.0),
        Output::Unchoke { peer } => write!(line, "unchokes p{}", peer.0),
        Output::Announce { chunk, id } => write!(line, "has {chunk} of {}", id.short()),
        Output::Complete { id } => write!(line, "has all of {}", id.short()),
        Output::Suspect { id, chunk } => write!(line, "suspects {} for {chunk}", id.short()),
        Output::Stopped { id } => write!(line, "stops {}", id.short()),
        Output::Drop { peer, offence } => write!(line, "drops p{}: {offence:?}", peer.0),
        Output::Ban { address, .. } => write!(line, "bans {}", address.short()),
    }
}
