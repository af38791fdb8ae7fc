//! Everything that a run needs to know: who takes part, how fast they are, who is faulty and how.

use std::time::Duration;

use swarmhold::digest::{Address, Digest, ManifestId};
use swarmhold::manifest::Layout;
use swarmhold::moment::Moment;
use swarmhold::swarm::Subnet;

use crate::faults::{Faults, Path, Role, Turn};

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct NodePlan {
    pub(crate) role: Role,
    /// Bytes per second.
    pub(crate) up: u64,
    pub(crate) down: u64,
    /// The upload limit that its user set, in bytes per second, if there is one.
    pub(crate) limit: Option<u64>,
    /// Its part of the way to anybody else.
    pub(crate) path: Path,
    pub(crate) subnet: Subnet,
    pub(crate) joins_at: Moment,
    /// Percent of the chunks that it has when it first joins.
    pub(crate) holds: u64,
    /// Which containers it takes part in.
    pub(crate) takes: Vec<usize>,
    /// Whom it dials, and who dials it.
    pub(crate) links: Vec<usize>,
}

/// One container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContainerPlan {
    pub(crate) layout: Layout,
    /// The chunk for which the manifest, which is only claimed, has a wrong hash.
    pub(crate) poisoned: Option<u32>,
}

/// A world.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) containers: Vec<ContainerPlan>,
    pub(crate) nodes: Vec<NodePlan>,
    pub(crate) faults: Faults,
    /// How long a node gathers news before it tells its peers.
    pub(crate) gathers: Duration,
    /// All that hold everything leave when the others have so many percent of what they want.
    pub(crate) seeds_leave_at: Option<u64>,
    pub(crate) script: Vec<(Moment, Turn)>,
    /// When faults of the world stop, and those who left are back for good.
    pub(crate) calm_at: Moment,
    /// When every honest node has to be done.
    pub(crate) done_by: Moment,
    /// Whether the report tells who got what from whom, and when.
    pub(crate) is_scene: bool,
}

pub(crate) fn container_id(container: usize) -> ManifestId {
    ManifestId::new(Digest::of(&container.to_le_bytes()))
}

pub(crate) fn address_of(node: usize) -> Address {
    Address::new(Digest::of(format!("node {node}").as_bytes()))
}

impl Plan {
    /// Whether the node is one that has to end with everything.
    pub(crate) fn must_finish(&self, node: usize) -> bool {
        self.nodes[node].role == Role::Honest
    }

    /// Whether nothing is out of order in this world.
    pub(crate) fn is_pure(&self) -> bool {
        let honest = (0..self.nodes.len()).all(|node| self.must_finish(node));
        let sound = self.containers.iter().all(|it| it.poisoned.is_none());
        let steady = self.nodes.iter().all(|it| it.path.loss == 0);
        let stay = self.seeds_leave_at.is_none();
        honest && sound && steady && stay && self.faults.are_none()
    }

    /// Takes out whatever is out of order.
    pub(crate) fn purify(&mut self) {
        for node in &mut self.nodes {
            node.role = Role::Honest;
            node.path.loss = 0;
        }
        self.containers.iter_mut().for_each(|it| it.poisoned = None);
        self.seeds_leave_at = None;
        self.faults = Faults::default();
    }

    /// Two nodes know each other.
    pub(crate) fn link(&mut self, a: usize, b: usize) {
        if a != b && !self.nodes[a].links.contains(&b) {
            self.nodes[a].links.push(b);
            self.nodes[b].links.push(a);
        }
    }
}

/// Worlds made by hand.
impl Plan {
    /// A calm world with one container, and no node yet.
    pub(crate) fn calm(chunks: u64, chunk_size: u32) -> Self {
        let layout = Layout::new(chunks * u64::from(chunk_size), chunk_size);
        let layout = layout.expect("a scene has a good layout");
        Self {
            seed: 1,
            containers: vec![ContainerPlan {
                layout,
                poisoned: None,
            }],
            nodes: Vec::new(),
            faults: Faults::default(),
            gathers: Duration::from_millis(10),
            seeds_leave_at: None,
            script: Vec::new(),
            calm_at: Moment::ORIGIN,
            done_by: Moment::from_micros(3_600_000_000),
            is_scene: true,
        }
    }

    /// Adds an honest node that is linked to all before it, with this percentage of the chunks, so
    /// many kilobytes per second, and so many milliseconds to the middle of the network.
    pub(crate) fn node(mut self, holds: u64, up_kb: u64, latency_ms: u64) -> Self {
        let node = self.nodes.len();
        self.nodes.push(NodePlan {
            role: Role::Honest,
            up: up_kb * 1000,
            down: 1_000_000_000,
            limit: None,
            path: Path {
                latency: Duration::from_millis(latency_ms),
                jitter: Duration::ZERO,
                loss: 0,
            },
            subnet: Subnet(node as u64),
            joins_at: Moment::ORIGIN,
            holds,
            takes: vec![0],
            links: Vec::new(),
        });
        (0..node).for_each(|other| self.link(other, node));
        self
    }

    /// Gives the node added last a role.
    pub(crate) fn who(mut self, role: Role) -> Self {
        self.nodes.last_mut().expect("there is one").role = role;
        self
    }

    /// Tells the node added last how much its line sends, as a user may.
    pub(crate) fn limited(mut self) -> Self {
        let node = self.nodes.last_mut().expect("there is one");
        node.limit = Some(node.up);
        self
    }

    /// Puts the node added last where others are as well.
    pub(crate) fn in_subnet(mut self, subnet: u64) -> Self {
        self.nodes.last_mut().expect("there is one").subnet = Subnet(subnet);
        self
    }

    /// Has the node added last know these only.
    pub(crate) fn knows_only(mut self, others: &[usize]) -> Self {
        let node = self.nodes.len() - 1;
        for it in &mut self.nodes {
            it.links.retain(|other| *other != node);
        }
        self.nodes[node].links.clear();
        others.iter().for_each(|other| self.link(*other, node));
        self
    }

    /// Has the node added last come so many milliseconds after the start.
    pub(crate) fn joins_at(mut self, ms: u64) -> Self {
        let node = self.nodes.last_mut().expect("there is one");
        node.joins_at = Moment::from_micros(ms * 1000);
        self
    }

    /// Has something happen so many milliseconds after the start.
    pub(crate) fn at(mut self, ms: u64, turn: Turn) -> Self {
        self.script.push((Moment::from_micros(ms * 1000), turn));
        self
    }
}
