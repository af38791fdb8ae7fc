//! Which world a seed stands for.
//!
//! 50 to 199 nodes and 8 to 511 chunks, each scale as likely as the next. What most worlds would
//! spend most of their time on is bounded: chunks that change hands.

use std::time::Duration;

use swarmhold::manifest::Layout;
use swarmhold::moment::Moment;
use swarmhold::swarm::Subnet;

use crate::faults::{Direction, Faults, Inside, LADDER, Path, ROLES, Role, Split, Turn};
use crate::plan::{ContainerPlan, NodePlan, Plan};
use crate::rng::Rng;

/// The slowest ways out and in, in bytes per second, and in seconds for everything.
const UP_MIN: u64 = 16 * 1024;
const DOWN_MIN: u64 = 64 * 1024;
const SLOWEST_S: u64 = 1_000;

/// Of so many worlds one has nothing out of order: there, what arrives for nothing is counted.
const PURE_IN: u64 = 8;

const HOUR: Duration = Duration::from_secs(3600);

/// Chunks that change hands in one world, about, but for one world in [`LARGE_IN`].
const DELIVERIES: u64 = 2_400;
const LARGE_IN: u64 = 48;

impl Plan {
    /// Draws a world.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let faults = draw_faults(&mut rng);
        let count = rng.scale(50, 200);
        let containers = draw_containers(&mut rng, count);
        let size: u64 = containers.iter().map(|it| it.layout.size()).sum();
        let rate = size * 1000 / rng.scale(1000, 32_000) + 1;
        let nodes = draw_nodes(&mut rng, (count, containers.len()), (rate, size));
        let calm_at = Moment::from_micros(rng.between(5_000_000, 60_000_000));
        let slowest = nodes.iter().map(|node| node.up.min(node.down)).min();
        let slowest = slowest.unwrap_or(1).max(1);
        // The one full copy that is always there may be slow, and everybody may want all of it.
        let ideal = size * count / nodes[0].up + size / slowest;
        let limit = Duration::from_secs(3 * ideal + 10 * 64);
        let gathers = Duration::from_millis(rng.pick(&[10, 50, 200, 500]));
        let seeds_leave_at = (faults.churn && rng.percent(30)).then(|| rng.between(5, 90));
        let mut plan = Self {
            seed,
            containers,
            nodes,
            faults,
            gathers,
            seeds_leave_at,
            script: Vec::new(),
            calm_at,
            done_by: calm_at + limit,
            is_scene: false,
        };
        if seed.is_multiple_of(PURE_IN) {
            plan.purify();
        }
        draw_links(&mut rng, &mut plan);
        draw_script(&mut rng, &mut plan);
        plan.draw_whims();
        plan
    }
}

fn draw_faults(rng: &mut Rng) -> Faults {
    // A tenth of the worlds have none, which 12 coins would almost never give.
    let some = rng.percent(90);
    let mut on = || some & rng.percent(50);
    Faults {
        stalls: on(),
        churn: on(),
        restarts: on(),
        amnesia: on(),
        breaks: on(),
        partitions: on(),
        freezes: on(),
        store: on(),
        full_disks: on(),
        rot: on(),
        slow_workers: on(),
        changes_of_mind: on(),
    }
}

fn draw_containers(rng: &mut Rng, nodes: u64) -> Vec<ContainerPlan> {
    let count = rng.pick(&[1, 1, 1, 2, 3]);
    let most = if rng.between(0, LARGE_IN) == 0 {
        512
    } else {
        DELIVERIES / nodes
    };
    let draw = |_| {
        let chunk_size = rng.pick(&[32_768, 32_768, 262_144, 1 << 20, 4 << 20, 16 << 20]);
        let chunks = (rng.scale(8, 512).min(most) / count).max(1);
        let size = chunks * u64::from(chunk_size) - rng.between(0, u64::from(chunk_size));
        ContainerPlan {
            layout: Layout::new(size.max(1), chunk_size).expect("within bounds"),
            poisoned: None,
        }
    };
    let mut containers: Vec<_> = (0..count).map(draw).collect();
    // The first is always sound, so that there is something to get.
    for container in containers.iter_mut().skip(1) {
        let chunks = u64::from(container.layout.chunk_count());
        let which = u32::try_from(rng.between(0, chunks)).expect("few chunks");
        container.poisoned = rng.percent(30).then_some(which);
    }
    containers
}

fn draw_nodes(
    rng: &mut Rng,
    (count, containers): (u64, usize),
    (rate, size): (u64, u64),
) -> Vec<NodePlan> {
    let mut classes = ROLES.to_vec();
    classes.retain(|_| rng.percent(50));
    let faulty = rng.pick(&[0, 0, 0, 20, 40, 60, 95]);
    let (slow, late) = (rng.pick(&[0, 25]), rng.pick(&[0, 50]));
    let (ladder, flash) = (rng.percent(50), rng.percent(20));
    let draw = |node: u64| {
        let first = node == 0;
        let is_faulty = !first && !classes.is_empty() && rng.percent(faulty);
        let role = if is_faulty {
            rng.pick(&classes)
        } else {
            Role::Honest
        };
        let (path, slower) = if ladder && !first {
            draw_step(rng)
        } else {
            let path = Path {
                latency: rng.micros(50, 80_000),
                jitter: Duration::ZERO,
                loss: 0,
            };
            (path, 1)
        };
        let up = rng.scale(rate, 4 * rate) / 2 / slower;
        let slowness = if rng.percent(slow) {
            rng.between(10, 100)
        } else {
            1
        };
        let one = rng.index(containers);
        let takes = (0..containers)
            .filter(|container| first || *container == one || rng.percent(70))
            .collect();
        let join = if !first && !flash && rng.percent(late) {
            20_000_000
        } else {
            1_000_000
        };
        let holds = if first {
            100
        } else if flash {
            0
        } else {
            rng.pick(&[0, 0, 0, 0, 0, 0, 30, 100])
        };
        NodePlan {
            role,
            up: (up / slowness).max(UP_MIN).max(size / SLOWEST_S),
            down: (up * rng.between(1, 5)).max(DOWN_MIN).max(size / SLOWEST_S),
            limit: None,
            path,
            // Those who are up to something come from few places.
            subnet: Subnet(if is_faulty { node % 4 } else { node }),
            joins_at: Moment::from_micros(rng.between(0, join)),
            holds,
            takes,
            links: Vec::new(),
        }
    };
    (0..count).map(draw).collect()
}

/// A kind of access, and by how much it is slower than others.
fn draw_step(rng: &mut Rng) -> (Path, u64) {
    let (_, latency, jitter, loss, slower) = rng.pick(&LADDER);
    let path = Path {
        latency: rng.millis(latency / 2 + 1, 2 * latency),
        jitter: Duration::from_millis(jitter),
        loss,
    };
    (path, slower)
}

/// Everybody knows a few others, and the honest ones are connected among themselves.
fn draw_links(rng: &mut Rng, plan: &mut Plan) {
    let mut honest = vec![0];
    let degree = rng.pick(&[1, 1, 2, 2, 3, 4, 8]);
    for node in 1..plan.nodes.len() {
        for _ in 0..degree {
            plan.link(rng.index(node), node);
        }
        // Whoever takes part in less cannot pass the rest on, so all know the first.
        if plan.nodes[node].role == Role::Honest {
            plan.link(0, node);
            plan.link(rng.pick(&honest), node);
            honest.push(node);
        }
    }
}

/// What happens when, before faults stop.
fn draw_script(rng: &mut Rng, plan: &mut Plan) {
    let nodes = plan.nodes.len();
    let before = plan.calm_at.as_micros();
    if plan.faults.partitions {
        for _ in 0..rng.between(1, 5) {
            let split = Split {
                inside: if rng.percent(30) {
                    Inside::One(rng.index(nodes))
                } else {
                    let nth = rng.pick(&[2, 3, 10]);
                    Inside::EachNth(nth, rng.index(nth))
                },
                direction: rng.pick(&[Direction::Inwards, Direction::Outwards, Direction::Both]),
            };
            let at = Moment::from_micros(rng.between(0, before));
            let lasts = rng.millis(100, 30_000);
            plan.script.push((at, Turn::Splits(split, lasts)));
        }
    }
    if plan.faults.freezes {
        // One world in eight has an hour for it.
        if rng.percent(12) {
            plan.calm_at = plan.calm_at + HOUR;
            plan.done_by = plan.done_by + HOUR;
        }
        for _ in 0..rng.between(1, 10) {
            let at = Moment::from_micros(rng.between(0, before));
            let most = rng.pick(&[1_000, 5_000, 15_000, 60_000, 3_600_000]);
            let lasts = rng.millis(1, most);
            plan.script
                .push((at, Turn::Freezes(rng.index(nodes), lasts)));
        }
    }
}
