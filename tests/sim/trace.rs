//! What happened, as a hash to compare two runs by, and as the last lines of a story.
//!
//! A line is a few numbers until somebody wants to read it: a run makes many and shows few.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use swarmhold::moment::Moment;
use swarmhold::swarm::Offence;

use crate::net::Answer;

/// Lines of story that a failing seed prints, unless `SWARMHOLD_SIM_LINES` says otherwise.
const LINES: usize = 40;
/// How far back those lines are looked for.
const KEPT: usize = 8_000;

/// One thing that happens at a node. The numbers of others are node numbers.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) enum Line {
    Note(&'static str),
    Meets(usize),
    Loses(usize),
    IsTold {
        by: usize,
        container: usize,
        chunks: u32,
    },
    Asks {
        whom: usize,
        container: usize,
        chunk: u32,
        ticket: u64,
    },
    TakesBack {
        whom: usize,
        ticket: u64,
    },
    Gets {
        from: usize,
        container: usize,
        chunk: u32,
        ticket: u64,
    },
    /// An answer that is no chunk.
    IsDenied {
        by: usize,
        ticket: u64,
        how: &'static str,
    },
    Finds {
        container: usize,
        chunk: u32,
        what: &'static str,
    },
    Serves {
        whom: usize,
        chunk: u32,
    },
    Refuses {
        whom: usize,
        how: &'static str,
    },
    /// It serves a node from now on, or no more.
    Chokes(usize),
    Unchokes(usize),
    /// So many bytes.
    Wastes(u64),
    Completes(usize),
    Removes(usize),
    Adds(usize),
    Stops(usize),
    Suspects {
        container: usize,
        chunk: u32,
    },
    Drops {
        whom: usize,
        why: &'static str,
    },
    Bans(usize),
}

/// The trace of one run. Outlives the run, also where that panics.
#[derive(Clone)]
pub(crate) struct Trace(Rc<RefCell<State>>);

struct State {
    mixer: Mixer,
    last: VecDeque<(Moment, usize, Line)>,
    lines: u64,
    /// The node whose turn it is: if something is wrong, then there.
    here: usize,
    kept: usize,
    shown: usize,
}

impl Trace {
    pub(crate) fn new() -> Self {
        let shown = crate::number("SWARMHOLD_SIM_LINES");
        let shown = shown.and_then(|lines| usize::try_from(lines).ok());
        let shown = shown.unwrap_or(LINES);
        Self(Rc::new(RefCell::new(State {
            mixer: Mixer(0),
            last: VecDeque::new(),
            lines: 0,
            here: 0,
            kept: KEPT.max(100 * shown),
            shown,
        })))
    }

    /// Notes what happens at a node.
    pub(crate) fn line(&self, now: Moment, node: usize, line: Line) {
        let state = &mut *self.0.borrow_mut();
        (now, node, line).hash(&mut state.mixer);
        state.lines += 1;
        if state.last.len() == state.kept {
            state.last.pop_front();
        }
        state.last.push_back((now, node, line));
    }

    /// It is this node's turn.
    pub(crate) fn turn_to(&self, node: usize) {
        self.0.borrow_mut().here = node;
    }

    pub(crate) fn hash(&self) -> u64 {
        self.0.borrow().mixer.finish()
    }

    /// The last that happened at the node whose turn it is, and at others with it.
    pub(crate) fn story(&self) -> String {
        let state = self.0.borrow();
        let here = state.here;
        let concerns = |it: &&(Moment, usize, Line)| it.1 == here || it.2.names(here);
        let mut last: Vec<_> = state.last.iter().rev().filter(concerns).collect();
        last.truncate(state.shown);
        let mut story = format!("of {} lines, the last that concern n{here}:\n", state.lines);
        for (at, node, line) in last.into_iter().rev() {
            let micros = at.as_micros();
            let (s, us) = (micros / 1_000_000, micros % 1_000_000);
            let written = writeln!(story, "{s:>6}.{us:06} s  n{node} {line}");
            written.expect("a string takes everything");
        }
        story
    }
}

impl Line {
    fn names(&self, node: usize) -> bool {
        match *self {
            Self::Meets(other)
            | Self::Loses(other)
            | Self::IsTold { by: other, .. }
            | Self::Asks { whom: other, .. }
            | Self::TakesBack { whom: other, .. }
            | Self::Gets { from: other, .. }
            | Self::IsDenied { by: other, .. }
            | Self::Serves { whom: other, .. }
            | Self::Refuses { whom: other, .. }
            | Self::Drops { whom: other, .. }
            | Self::Chokes(other)
            | Self::Unchokes(other)
            | Self::Bans(other) => other == node,
            Self::Note(_)
            | Self::Finds { .. }
            | Self::Completes(_)
            | Self::Wastes(_)
            | Self::Removes(_)
            | Self::Adds(_)
            | Self::Stops(_)
            | Self::Suspects { .. } => false,
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Note(what) => f.write_str(what),
            Self::Meets(other) => write!(f, "is connected to n{other}"),
            Self::Loses(other) => write!(f, "loses the connection to n{other}"),
            Self::IsTold {
                by,
                container,
                chunks,
            } => write!(f, "hears that n{by} holds {chunks} chunks of c{container}"),
            Self::Asks {
                whom,
                container,
                chunk,
                ticket,
            } => write!(
                f,
                "asks n{whom} for chunk {chunk} of c{container} (request {ticket})"
            ),
            Self::TakesBack { whom, ticket } => {
                write!(f, "takes request {ticket} back from n{whom}")
            }
            Self::Gets {
                from,
                container,
                chunk,
                ticket,
            } => write!(
                f,
                "gets an answer of n{from} to request {ticket}: chunk {chunk} of c{container}"
            ),
            Self::IsDenied { by, ticket, how } => {
                write!(f, "gets no chunk for request {ticket}: n{by} {how}")
            }
            Self::Finds {
                container,
                chunk,
                what,
            } => write!(f, "finds chunk {chunk} of c{container} {what}"),
            Self::Serves { whom, chunk } => write!(f, "serves chunk {chunk} to n{whom}"),
            Self::Refuses { whom, how } => write!(f, "tells n{whom} that {how}"),
            Self::Chokes(whom) => write!(f, "tells n{whom} that it is not served for now"),
            Self::Unchokes(whom) => write!(f, "tells n{whom} that it is served again"),
            Self::Wastes(bytes) => write!(f, "got {bytes} bytes for nothing"),
            Self::Completes(container) => write!(f, "has all of c{container}"),
            Self::Removes(container) => write!(f, "gives c{container} up"),
            Self::Adds(container) => write!(f, "takes part in c{container}"),
            Self::Stops(container) => write!(f, "stops c{container}: it cannot be stored"),
            Self::Suspects { container, chunk } => {
                write!(f, "suspects the manifest of c{container} for chunk {chunk}")
            }
            Self::Drops { whom, why } => write!(f, "drops n{whom}: {why}"),
            Self::Bans(whom) => write!(f, "bans n{whom}"),
        }
    }
}

/// Mixes all it is given into 64 bits; equal inputs give equal ones, which is all that is wanted.
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.unsigned_abs() as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// Why somebody is dropped.
pub(crate) fn describe(offence: Offence) -> &'static str {
    match offence {
        Offence::BadChunk => "it sent a false chunk",
        Offence::Protocol => "it broke the protocol",
        Offence::Banned => "it is banned",
        Offence::Rate => "it asks too much",
    }
}

/// What an answer is that is no chunk.
pub(crate) fn how(answer: &Answer) -> &'static str {
    match answer {
        Answer::NotHeld(_) => "does not hold it",
        Answer::Busy(_) => "is busy",
        Answer::Denied => "gives nothing",
        Answer::Refused => "takes no part",
        Answer::Garbage => "breaks the protocol",
        Answer::Data(..) | Answer::Progress(_) => "sends something",
    }
}
