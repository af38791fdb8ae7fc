//! Carrying: lines of nodes, channels between them, and what goes through.
//!
//! ```text
//! Event::Line -> a task for each line: what comes -> ferry (whose, how much) -> the other end's line
//!                a task for each call: may ask -> line of the other, or an invitation to open one
//!                                      -> offer -> accepted -> open, until either side ends it
//! ```
//!
//! A packet is passed on as it came, without a copy, from the task of its line. What is more
//! than a share waits a little (`queue`), and the connection on which it leaves drops what does not fit. After so
//! many packets a line lets others have their turn, so questions are answered in between. The driver only tells nodes
//! that somebody calls (`calls`).
//!
//! Invariant: whoever has a channel has a line, which is to have asked for it; and whoever is called
//! and has none is asked for one on its own connection, and may decline.

mod queue;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::digest::Address;
use crate::index::{Direction, End, Ferry, Freight, NotCarried, Quay};
use crate::net::{Call, Held, Line};
use crate::node::clock::Clock;
use crate::node::subnet;
use crate::wire::CloseCode;
use crate::wire::relay::{ChannelId, RelayRefusal};

/// How long a node that is called may take to come.
pub(super) const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Those who wait for others to come.
const WAITING_MAX: usize = 1024;
/// Invitations that may wait for the driver.
const INVITATIONS_MAX: usize = 256;
/// Packets of one line that are passed on before others have their turn.
const BATCH: u32 = 32;

/// What was carried, and what not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayTotals {
    /// Connections that nodes have open for it.
    pub lines: usize,
    /// Channels that are open.
    pub channels: usize,
    /// Channels that were opened.
    pub opened: u64,
    /// Channels that were not.
    pub refused: u64,
    /// Bytes that were passed on.
    pub bytes: u64,
    /// Packets that were passed on.
    pub packets: u64,
    /// Packets that were dropped because they were more than their share for too long.
    pub over_rate: u64,
    /// Packets that were dropped because the way to where they go was full.
    pub over_line: u64,
    /// Packets of no channel of who sent them.
    pub strays: u64,
}

/// Somebody who has no line is called.
#[derive(Debug)]
pub(super) struct Invitation {
    pub(super) to: Address,
    pub(super) from: Address,
}

/// All lines and channels. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    hub: Arc<Hub>,
}

#[derive(Debug)]
struct Hub {
    clock: Clock,
    invitations: mpsc::Sender<Invitation>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ferry: Ferry,
    /// What waits for its share.
    quay: Quay<Bytes>,
    /// Whether a task sees to what waits.
    is_tended: bool,
    lines: BTreeMap<u64, Line>,
    /// The newest line of each node.
    by_address: BTreeMap<Address, u64>,
    /// Who waits for whom to come.
    waiting: BTreeMap<Address, Vec<oneshot::Sender<Result<Line, RelayRefusal>>>>,
    /// How each channel is ended from here.
    ending: BTreeMap<ChannelId, oneshot::Sender<RelayRefusal>>,
    totals: RelayTotals,
}

impl Relay {
    /// Nobody has a line yet. What comes out is for the driver to tell.
    pub(super) fn new(clock: Clock, freight: Freight) -> (Self, mpsc::Receiver<Invitation>) {
        let (invitations, inbox) = mpsc::channel(INVITATIONS_MAX);
        let state = State {
            ferry: Ferry::new(freight),
            quay: Quay::default(),
            is_tended: false,
            lines: BTreeMap::new(),
            by_address: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ending: BTreeMap::new(),
            totals: RelayTotals::default(),
        };
        let hub = Hub {
            clock,
            invitations,
            state: Mutex::new(state),
        };
        let hub = Arc::new(hub);
        (Self { hub }, inbox)
    }

    /// A node has a line from now on.
    pub(super) fn on_line(&self, line: Line) {
        let hub = Arc::clone(&self.hub);
        hub.enter(&line);
        tokio::spawn(forward(Arc::clone(&hub), line.clone()));
        tokio::spawn(take_calls(hub, line));
    }

    /// A node that was called does not come.
    pub(super) fn on_absent(&self, who: Address, why: RelayRefusal) {
        let waiting = self.hub.lock().waiting.remove(&who);
        for one in waiting.into_iter().flatten() {
            // Who has stopped waiting need not know.
            let _ = one.send(Err(why));
        }
    }

    /// Ends the channels that nobody uses.
    pub(super) fn sweep(&self) {
        let now = self.hub.clock.now();
        let idle = self.hub.lock().ferry.idle(now);
        for id in idle {
            self.hub.end(id, RelayRefusal::Idle);
        }
    }

    /// What was carried until now.
    pub(super) fn totals(&self) -> RelayTotals {
        let state = self.hub.lock();
        RelayTotals {
            lines: state.lines.len(),
            channels: state.ferry.channels(),
            ..state.totals
        }
    }
}

impl Hub {
    fn enter(&self, line: &Line) {
        let mut state = self.lock();
        state.lines.insert(line.key(), line.clone());
        state.by_address.insert(line.address(), line.key());
        let waiting = state.waiting.remove(&line.address());
        drop(state);
        for one in waiting.into_iter().flatten() {
            // Who has stopped waiting need not know.
            let _ = one.send(Ok(line.clone()));
        }
    }

    fn leave(&self, line: &Line) {
        let mut state = self.lock();
        state.lines.remove(&line.key());
        if state.by_address.get(&line.address()) == Some(&line.key()) {
            state.by_address.remove(&line.address());
        }
        let ended = state.ferry.of_line(line.key());
        drop(state);
        for id in ended {
            self.end(id, RelayRefusal::Gone);
        }
    }

    /// Passes a packet on, has it wait, or drops it.
    fn pass(self: &Arc<Self>, from: &Line, id: ChannelId, datagram: &Bytes) {
        let (now, bytes) = (self.clock.now(), datagram.len() as u64);
        let direction = Direction {
            channel: id,
            line: from.key(),
        };
        let mut state = self.lock();
        let passed = match state.quay.holds(direction) {
            true => Err(NotCarried::Rate),
            false => state.ferry.pass(now, id, from.key(), bytes),
        };
        match passed {
            Ok(to) => {
                let to = state.leaves_by(to, bytes);
                drop(state);
                if let Some(to) = to {
                    self.carry(&to, datagram);
                }
            }
            Err(NotCarried::Rate) => {
                state.quay.push(now, direction, bytes, datagram.clone());
                if !std::mem::replace(&mut state.is_tended, true) {
                    tokio::spawn(queue::tend(Arc::clone(self)));
                }
            }
            Err(NotCarried::Channel) => state.totals.strays += 1,
            Err(NotCarried::Quota) => {
                drop(state);
                self.end(id, RelayRefusal::Quota);
            }
        }
    }

    /// Ends a channel from here.
    fn end(&self, id: ChannelId, why: RelayRefusal) {
        let mut state = self.lock();
        state.ferry.close(id);
        if let Some(ending) = state.ending.remove(&id) {
            // Its task has ended it already otherwise.
            let _ = ending.send(why);
        }
    }

    /// The line of somebody, who is asked to come where there is none.
    async fn line_of(&self, to: Address, from: Address) -> Result<Line, RelayRefusal> {
        let coming = {
            let mut state = self.lock();
            let known = state.by_address.get(&to);
            if let Some(line) = known.and_then(|key| state.lines.get(key)) {
                return Ok(line.clone());
            }
            if state.waiting.values().map(Vec::len).sum::<usize>() >= WAITING_MAX {
                return Err(RelayRefusal::Full);
            }
            let (come, coming) = oneshot::channel();
            state.waiting.entry(to).or_default().push(come);
            coming
        };
        let invited = self.invitations.try_send(Invitation { to, from });
        if invited.is_err() {
            drop(coming);
            self.forget_waiting(to);
            return Err(RelayRefusal::Full);
        }
        let came = timeout(CALL_PATIENCE, coming).await;
        self.forget_waiting(to);
        match came {
            Ok(Ok(came)) => came,
            Ok(Err(_)) | Err(_) => Err(RelayRefusal::Denied),
        }
    }

    fn forget_waiting(&self, to: Address) {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(&to) {
            waiting.retain(|one| !one.is_closed());
            if waiting.is_empty() {
                state.waiting.remove(&to);
            }
        }
    }

    /// Opens a channel: found, allowed and accepted.
    async fn open(
        &self,
        line: &Line,
        to: Address,
    ) -> Result<(ChannelId, Held, oneshot::Receiver<RelayRefusal>), RelayRefusal> {
        let from = end_of(line);
        let now = self.clock.now();
        self.lock().ferry.may_ask(now, from, to)?;
        let other = self.line_of(to, from.who).await?;
        let now = self.clock.now();
        let (end, ended) = oneshot::channel();
        let id = {
            let mut state = self.lock();
            let id = state.ferry.open(now, from, end_of(&other))?;
            state.ending.insert(id, end);
            id
        };
        match other.offer(id, from.who).await {
            Ok(held) => Ok((id, held, ended)),
            Err(why) => {
                self.end(id, why);
                Err(why)
            }
        }
    }

    fn count_call(&self, is_open: Result<(), ()>) {
        let totals = &mut self.lock().totals;
        match is_open {
            Ok(()) => totals.opened += 1,
            Err(()) => totals.refused += 1,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }
}

fn end_of(line: &Line) -> End {
    End {
        line: line.key(),
        who: line.address(),
        subnet: subnet::of(line.remote().ip(), line.address()).0,
    }
}

/// Passes on what comes on a line until it is over.
async fn forward(hub: Arc<Hub>, line: Line) {
    let mut count = 0u32;
    while let Some((channel, datagram)) = line.next_datagram().await {
        match channel {
            Ok(id) => hub.pass(&line, id, &datagram),
            Err(_) => hub.lock().totals.strays += 1,
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(BATCH) {
            tokio::task::yield_now().await;
        }
    }
    hub.leave(&line);
}

/// Takes a line's calls; how many at once, its streams bound.
async fn take_calls(hub: Arc<Hub>, line: Line) {
    while let Some(streams) = line.next_call().await {
        let (hub, line) = (Arc::clone(&hub), line.clone());
        tokio::spawn(async move {
            match Call::read(streams).await {
                Some(call) => connect(&hub, &line, call).await,
                None => line.close(CloseCode::Protocol, "PROTOCOL call"),
            }
        });
    }
}

/// One call, from its beginning to the end of its channel.
async fn connect(hub: &Hub, line: &Line, call: Call) {
    let (from, to) = (line.address(), call.to);
    let (id, mut theirs, ended) = match hub.open(line, to).await {
        Ok(open) => open,
        Err(why) => {
            tracing::debug!(%from, %to, %why, "no channel");
            hub.count_call(Err(()));
            return call.refuse(why).await;
        }
    };
    hub.count_call(Ok(()));
    tracing::debug!(%from, %to, %id, "a channel is open");
    let mut why = RelayRefusal::Gone;
    let ours = call.opened(id).await;
    if let Some(mut ours) = ours {
        tokio::select! {
            () = ours.ended() => {}
            () = theirs.ended() => {}
            told = ended => why = told.unwrap_or(RelayRefusal::Gone),
        }
        ours.end(why);
    }
    hub.end(id, why);
    theirs.end(why);
}

/// What comes next, where anything does.
pub(super) async fn next<T>(inbox: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    match inbox {
        Some(inbox) => inbox.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
