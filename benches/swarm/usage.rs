//! How busy the processor was, from Linux's `/proc`.

use tokio::time::Instant;

/// Clock ticks in a second, as `/proc` counts them on every Linux that runs this.
const TICKS_PER_SECOND: f64 = 100.0;

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

/// User and system time of all threads, in seconds (proc(5), fields 14 and 15 of `stat`).
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this bench runs on Linux");
    let after_name = stat.rsplit(')').next().expect("the name is in parentheses");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}
