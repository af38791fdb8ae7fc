//! What can be wrong: with a node, with a disk or a user, with the world between them.
//!
//! Each class of faults is on in half of the seeds (`draw`), so that combinations and pure runs both
//! occur.

use std::time::Duration;

use swarmhold::swarm::Rates;

use crate::whims::Whim;

/// How a node behaves towards those that ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Honest,
    /// Sends false bytes.
    Liar(Lie),
    /// Answers nothing.
    Silent,
    /// Answers all but every seventh chunk.
    Withholds,
    /// Answers all but the last chunk that its asker lacks.
    HoldsLast,
    /// Says that it holds everything, whatever it holds.
    AllOnes,
    /// Says now that it holds everything, now that it holds nothing.
    FlipFlop,
    /// Says that it holds everything, then less and less.
    Shrinks,
    /// Speaks of chunks that the container does not have.
    WrongLength,
    /// Asks everybody to come back later, mostly.
    Busy,
    /// Begins every answer and ends none.
    Tarpit,
    /// Sends a byte a second.
    Trickles,
    /// Answers just before anybody would lose patience.
    Late,
    /// Breaks the protocol.
    Garbage,
    /// Takes what it can get and gives nothing. No seed draws one: `fairness` has worlds with them.
    Freerider(Excuse),
}

/// What a freerider says to those that ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excuse {
    /// That it gives nothing.
    Denies,
    /// That they are to come back later.
    Busy,
    /// Nothing: it says that it holds nothing, so nobody asks it.
    Hides,
}

/// How a liar lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Noise, in so many percent of its answers.
    Noise(u64),
    /// The chunk next to the one that was asked for.
    OtherChunk,
    /// Less than the chunk.
    Truncated,
    /// Noise at first, the chunk when it is asked again.
    RightLater,
    /// Noise for one chunk in sixteen.
    OneChunk(u32),
}

impl Role {
    /// Whether the rules allow to ban such a node.
    pub(crate) fn may_be_banned(self) -> bool {
        matches!(self, Self::Liar(_) | Self::Garbage)
    }

    /// Whether what such a node says of its chunks changes with time alone.
    pub(crate) fn fidgets(self) -> bool {
        matches!(self, Self::FlipFlop | Self::Shrinks | Self::WrongLength)
    }
}

/// Every way not to be honest.
pub(crate) const ROLES: [Role; 19] = [
    Role::Liar(Lie::Noise(100)),
    Role::Liar(Lie::Noise(20)),
    Role::Liar(Lie::Noise(1)),
    Role::Liar(Lie::OtherChunk),
    Role::Liar(Lie::Truncated),
    Role::Liar(Lie::RightLater),
    Role::Liar(Lie::OneChunk(3)),
    Role::Silent,
    Role::Withholds,
    Role::HoldsLast,
    Role::AllOnes,
    Role::FlipFlop,
    Role::Shrinks,
    Role::WrongLength,
    Role::Busy,
    Role::Tarpit,
    Role::Trickles,
    Role::Late,
    Role::Garbage,
];

/// Faults of the world, each on or off.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Paths that stand still for a while.
    pub(crate) stalls: bool,
    /// Nodes that leave and come back.
    pub(crate) churn: bool,
    /// Nodes that lose everything but their disk and their bans.
    pub(crate) restarts: bool,
    /// Nodes that lose their disk and their bans as well, or what was not synced yet.
    pub(crate) amnesia: bool,
    /// Connections that break.
    pub(crate) breaks: bool,
    /// Nodes that cannot reach each other for a while, in one direction or in both.
    pub(crate) partitions: bool,
    /// Nodes that are suspended, for up to an hour.
    pub(crate) freezes: bool,
    /// Disks that do not take a chunk now and then.
    pub(crate) store: bool,
    /// Disks that are full for a while.
    pub(crate) full_disks: bool,
    /// Disks that lose a chunk, or several at once.
    pub(crate) rot: bool,
    /// Workers that take their time.
    pub(crate) slow_workers: bool,
    /// Users that end a fetch and begin it again.
    pub(crate) changes_of_mind: bool,
}

impl Faults {
    /// Whether none is on that makes bytes travel in vain.
    pub(crate) fn are_none(&self) -> bool {
        let Self {
            stalls,
            churn,
            restarts,
            amnesia: _,
            breaks,
            partitions,
            freezes,
            store,
            full_disks,
            rot,
            slow_workers: _,
            changes_of_mind,
        } = *self;
        let nodes = churn || restarts || freezes || changes_of_mind;
        let disks = store || full_disks || rot;
        !(nodes || disks || stalls || breaks || partitions)
    }
}

/// Something that happens at a set time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    Becomes(usize, Role),
    Leaves(usize),
    Joins(usize),
    /// A node loses everything but its disk, its bans and its accounts.
    Restarts(usize),
    /// Those inside and those outside do not hear each other for so long.
    Splits(Split, Duration),
    /// A node is suspended for so long.
    Freezes(usize, Duration),
    /// A node's user wishes this of one of its containers.
    Wishes(usize, usize, Whim),
    /// A node's user sets these limits.
    Limits(usize, Rates),
}

/// Who is cut off from whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Split {
    pub(crate) inside: Inside,
    /// Whether those inside hear nothing, or nobody does.
    pub(crate) direction: Direction,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Inside {
    One(usize),
    /// One node in so many, from this one on.
    EachNth(usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Inwards,
    Outwards,
    Both,
}

impl Split {
    /// Whether what one node says does not reach another one.
    pub(crate) fn cuts(&self, from: usize, to: usize) -> bool {
        let is_inside = |node: usize| match self.inside {
            Inside::One(one) => node == one,
            Inside::EachNth(nth, first) => node % nth == first,
        };
        match self.direction {
            Direction::Inwards => !is_inside(from) && is_inside(to),
            Direction::Outwards => is_inside(from) && !is_inside(to),
            Direction::Both => is_inside(from) != is_inside(to),
        }
    }
}

/// A path's kind: what a node's own part of the way to everybody else is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// Percent of messages that are delayed by a packet that has to be sent again.
    pub(crate) loss: u64,
}

/// Kinds of access: one-way latency and jitter in milliseconds, percent of loss, and by how much it
/// is slower than the fastest.
pub(crate) const LADDER: [(&str, u64, u64, u64, u64); 6] = [
    ("good wifi", 3, 2, 0, 1),
    ("congested wifi", 15, 60, 5, 5),
    ("weak 4G", 45, 40, 2, 8),
    ("3G", 90, 50, 2, 50),
    ("satellite", 280, 20, 1, 10),
    ("EDGE", 200, 150, 5, 200),
];
