//! What a seed stands for: who takes part, how fast they are, who is faulty and how.
//!
//! Each class of faults is on in half of the seeds, so that combinations and pure runs both occur.

use std::collections::BTreeSet;
use std::time::Duration;

use swarmhold::digest::{Address, Digest, ManifestId};
use swarmhold::manifest::Layout;
use swarmhold::moment::Moment;

use crate::rng::Rng;

/// How a node behaves towards those that ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Honest,
    /// Sends false bytes, in so many percent of its answers.
    Liar(u64),
    /// Answers nothing.
    Silent,
    /// Answers all but every seventh chunk.
    Withholds,
    /// Says that it holds everything, whatever it holds.
    AllOnes,
    /// Asks everybody to come back later, mostly.
    Busy,
    /// Begins every answer and ends none.
    Tarpit,
    /// Breaks the protocol.
    Garbage,
}

impl Role {
    /// Whether the rules allow to ban such a node.
    pub(crate) fn may_be_banned(self) -> bool {
        matches!(self, Self::Liar(_) | Self::Garbage)
    }
}

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct NodePlan {
    pub(crate) role: Role,
    /// Bytes per second.
    pub(crate) up: u64,
    pub(crate) down: u64,
    /// Its part of the way to anybody else.
    pub(crate) latency: Duration,
    pub(crate) joins_at: Moment,
    /// Percent of the chunks that it has when it first joins.
    pub(crate) holds: u64,
    /// Which containers it takes part in.
    pub(crate) takes: Vec<usize>,
}

/// Faults of the world, each on or off.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Paths that stand still for a while.
    pub(crate) stalls: bool,
    /// Nodes that leave and come back.
    pub(crate) churn: bool,
    /// Nodes that lose everything but their disk and their bans.
    pub(crate) restarts: bool,
    /// Connections that break.
    pub(crate) breaks: bool,
    /// Disks that do not take a chunk.
    pub(crate) store: bool,
    /// Disks that lose a chunk.
    pub(crate) rot: bool,
    /// Workers that take their time.
    pub(crate) slow_workers: bool,
    /// Users that end a fetch and begin it again.
    pub(crate) changes_of_mind: bool,
}

/// Something that happens at a set time.
#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "scenes made by hand use the rest")]
pub(crate) enum Turn {
    Becomes(usize, Role),
    Leaves(usize),
    Joins(usize),
    /// Bytes per second from now on.
    Uplink(usize, u64),
}

/// Everything that a run needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) containers: Vec<Layout>,
    pub(crate) nodes: Vec<NodePlan>,
    pub(crate) links: BTreeSet<(usize, usize)>,
    pub(crate) faults: Faults,
    pub(crate) script: Vec<(Moment, Turn)>,
    /// When faults of the world stop, and those who left are back for good.
    pub(crate) calm_at: Moment,
    /// When every honest node has to be done.
    pub(crate) done_by: Moment,
}

pub(crate) fn container_id(container: usize) -> ManifestId {
    ManifestId::new(Digest::of(&container.to_le_bytes()))
}

pub(crate) fn address_of(node: usize) -> Address {
    Address::new(Digest::of(format!("node {node}").as_bytes()))
}

#[expect(dead_code, reason = "scenes made by hand use the rest")]
impl Plan {
    /// A calm world with one container, and no node yet.
    pub(crate) fn calm(chunks: u64, chunk_size: u32) -> Self {
        let layout = Layout::new(chunks * u64::from(chunk_size), chunk_size);
        Self {
            seed: 1,
            containers: vec![layout.expect("a scene has a good layout")],
            nodes: Vec::new(),
            links: BTreeSet::new(),
            faults: Faults::default(),
            script: Vec::new(),
            calm_at: Moment::ORIGIN,
            done_by: Moment::from_micros(3_600_000_000),
        }
    }

    /// Adds an honest node that is linked to all before it.
    pub(crate) fn node(mut self, holds: u64, up: u64, latency_ms: u64) -> Self {
        let node = self.nodes.len();
        self.links.extend((0..node).map(|other| (other, node)));
        self.nodes.push(NodePlan {
            role: Role::Honest,
            up,
            down: 1_000_000_000,
            latency: Duration::from_millis(latency_ms),
            joins_at: Moment::ORIGIN,
            holds,
            takes: vec![0],
        });
        self
    }

    /// Changes the node added last.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut NodePlan)) -> Self {
        change(self.nodes.last_mut().expect("there is one"));
        self
    }

    /// Has something happen so many milliseconds after the start.
    pub(crate) fn at(mut self, ms: u64, turn: Turn) -> Self {
        self.script.push((Moment::from_micros(ms * 1000), turn));
        self
    }

    /// Draws a world.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut on = || rng.percent(50);
        let faults = Faults {
            stalls: on(),
            churn: on(),
            restarts: on(),
            breaks: on(),
            store: on(),
            rot: on(),
            slow_workers: on(),
            changes_of_mind: on(),
        };
        let containers = draw_containers(&mut rng);
        let size: u64 = containers.iter().map(|layout| layout.size()).sum();
        let rate = size * 1000 / rng.scale(1000, 32_000) + 1;
        let nodes = draw_nodes(&mut rng, containers.len(), rate);
        let links = draw_links(&mut rng, &nodes);
        let calm_at = Moment::from_micros(rng.between(5_000_000, 60_000_000));
        let slowest = nodes.iter().map(|node| node.up.min(node.down)).min();
        let slowest = slowest.unwrap_or(1).max(1);
        // The one full copy that is always there may be slow, and everybody may want all of it.
        let ideal = size * (nodes.len() as u64) / nodes[0].up + size / slowest;
        let limit = Duration::from_secs(3 * ideal + 10 * 64);
        Self {
            seed,
            containers,
            nodes,
            links,
            faults,
            script: Vec::new(),
            calm_at,
            done_by: calm_at + limit,
        }
    }

    /// Whether the node is one that has to end with everything.
    pub(crate) fn must_finish(&self, node: usize) -> bool {
        self.nodes[node].role == Role::Honest
    }

    /// Whether nothing is out of order in this world.
    pub(crate) fn is_pure(&self) -> bool {
        let Faults {
            stalls,
            churn,
            restarts,
            breaks,
            store,
            rot,
            slow_workers: _,
            changes_of_mind,
        } = self.faults;
        let honest = (0..self.nodes.len()).all(|node| self.must_finish(node));
        let wild = stalls || churn || restarts || breaks || store || rot || changes_of_mind;
        honest && !wild
    }
}

fn draw_containers(rng: &mut Rng) -> Vec<Layout> {
    let count = rng.pick(&[1, 1, 1, 2, 3]);
    let draw = |_| {
        let chunk_size = rng.pick(&[32_768, 32_768, 262_144, 1 << 20, 4 << 20, 16 << 20]);
        let chunks = rng.scale(16, 256) / count;
        let size = chunks * u64::from(chunk_size) - rng.between(0, u64::from(chunk_size));
        Layout::new(size.max(1), chunk_size).expect("within bounds")
    };
    (0..count).map(draw).collect()
}

fn draw_nodes(rng: &mut Rng, containers: usize, rate: u64) -> Vec<NodePlan> {
    let count = rng.scale(5, 32);
    let classes = [
        Role::Liar(100),
        Role::Liar(20),
        Role::Silent,
        Role::Withholds,
        Role::AllOnes,
        Role::Busy,
        Role::Tarpit,
        Role::Garbage,
    ];
    let mut classes = classes.to_vec();
    classes.retain(|_| rng.percent(50));
    let (faulty, slow, late) = (
        rng.pick(&[0, 0, 20, 40, 60]),
        rng.pick(&[0, 25]),
        rng.pick(&[0, 50]),
    );
    let draw = |node: u64| {
        let first = node == 0;
        let is_faulty = !first && !classes.is_empty() && rng.percent(faulty);
        let up = (rng.scale(rate, 4 * rate) / 2).max(1);
        let slowness = if rng.percent(slow) {
            rng.between(10, 100)
        } else {
            1
        };
        let one = rng.index(containers);
        let takes = (0..containers)
            .filter(|container| first || *container == one || rng.percent(70))
            .collect();
        let join = if !first && rng.percent(late) {
            20_000_000
        } else {
            1_000_000
        };
        NodePlan {
            role: if is_faulty {
                rng.pick(&classes)
            } else {
                Role::Honest
            },
            up: (up / slowness).max(1),
            down: up * rng.between(1, 5),
            latency: rng.micros(50, 80_000),
            joins_at: Moment::from_micros(rng.between(0, join)),
            holds: if first {
                100
            } else {
                rng.pick(&[0, 0, 0, 0, 30, 100])
            },
            takes,
        }
    };
    (0..count).map(draw).collect()
}

/// Everybody knows a few others, and the honest ones are connected among themselves.
fn draw_links(rng: &mut Rng, nodes: &[NodePlan]) -> BTreeSet<(usize, usize)> {
    let mut links = BTreeSet::new();
    let mut honest = vec![0];
    let degree = rng.between(2, 12);
    for (node, plan) in nodes.iter().enumerate().skip(1) {
        for _ in 0..degree {
            links.insert((rng.index(node), node));
        }
        // Whoever takes part in less cannot pass the rest on, so all know the first.
        if plan.role == Role::Honest {
            links.insert((0, node));
            links.insert((rng.pick(&honest), node));
            honest.push(node);
        }
    }
    links
}
