//! How busy the processor was.

use tokio::time::Instant;

use crate::cpu::cpu_s;

/// Counts this process's CPU time from its start on.
#[derive(Debug)]
pub(crate) struct Load {
    began: Instant,
    cpu_s: f64,
}

impl Load {
    /// Begins to count.
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
            cpu_s: cpu_s(),
        }
    }

    /// CPU time per second and core since then, in percent of all the cores.
    pub(crate) fn percent(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = (cpu_s() - self.cpu_s) / self.began.elapsed().as_secs_f64();
        100.0 * share / cores as f64
    }
}
