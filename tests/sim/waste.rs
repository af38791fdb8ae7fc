//! How much arrives for nothing: in one world, and in all of them together.

use std::sync::Mutex;

use crate::plan::Plan;
use crate::world::Report;

/// One part in this may arrive for nothing where nothing is out of order, of all that nodes lack.
const SHARE: u64 = 50;
/// One part in this where much is: answers that break off with their connection count, and what liars
/// make others ask for twice.
const SHARE_OF_ALL: u64 = 16;
/// In a single world this many chunks of each node as well: no part of one can be asked for, and small
/// containers are over before anything is known of anybody.
const CHUNKS: u64 = 3;
/// So many worlds are enough to judge all by.
const ENOUGH: usize = 500;

/// Bytes that nodes lacked, and bytes that arrived for nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    worlds: usize,
    lacked: u64,
    wasted: u64,
}

impl Sum {
    fn of(report: &Report) -> Self {
        Self {
            worlds: 1,
            lacked: report.lacked.iter().sum(),
            wasted: report.wasted.iter().sum(),
        }
    }

    fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.lacked += other.lacked;
        self.wasted += other.wasted;
    }

    fn check(self, most: u64) -> Result<(), String> {
        let Self {
            worlds,
            lacked,
            wasted,
        } = self;
        if wasted > most {
            return Err(format!(
                "{wasted} bytes for nothing in {worlds} worlds, at most {most} of {lacked} should be"
            ));
        }
        Ok(())
    }
}

/// What was wasted in the worlds so far: in those where nothing is out of order, and in all.
#[derive(Debug, Default)]
pub(crate) struct Waste(Mutex<(Sum, Sum)>);

impl Waste {
    /// Adds a world. An error if too much was wasted in it.
    pub(crate) fn add(&self, plan: &Plan, report: &Report) -> Result<(), String> {
        let sum = Sum::of(report);
        let (pure, all) = &mut *self.0.lock().expect("nothing panics while holding it");
        all.add(sum);
        if !plan.is_pure() {
            return Ok(());
        }
        pure.add(sum);
        let chunks = plan.containers.iter().map(|it| it.layout.chunk_size());
        let chunk = u64::from(chunks.max().unwrap_or(0));
        let nodes = plan.nodes.len() as u64;
        sum.check(sum.lacked / SHARE + CHUNKS * chunk * nodes)
    }

    /// Whether too much was wasted in all of them together, if they are many.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (pure, all) = *self.0.lock().expect("nothing panics while holding it");
        if all.worlds < ENOUGH {
            return Ok(());
        }
        pure.check(pure.lacked / SHARE)?;
        all.check(all.lacked / SHARE_OF_ALL)
    }
}
