//! What one process of a transfer took, told by that process and read by its parent.

use crate::cpu::cpu_s;

/// What one process took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    /// How long its transfer took; 0 where it only serves.
    pub(crate) seconds: f64,
    /// CPU time of all its threads, in seconds.
    pub(crate) cpu_s: f64,
    /// Peak resident memory, in MiB.
    pub(crate) peak_mib: f64,
}

/// Both sides of one transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) serve: Side,
    pub(crate) fetch: Side,
}

impl Side {
    /// This process's figures: the time that its transfer took, and the CPU time since it had used
    /// `cpu_s_before`.
    pub(crate) fn now(seconds: f64, cpu_s_before: f64) -> Self {
        Self {
            seconds,
            cpu_s: cpu_s() - cpu_s_before,
            peak_mib: peak_mib(),
        }
    }

    /// As a line for the parent.
    pub(crate) fn line(self) -> String {
        format!("{} {} {}", self.seconds, self.cpu_s, self.peak_mib)
    }

    /// Reads such a line.
    pub(crate) fn parse(line: &str) -> Self {
        let numbers: Vec<f64> = line
            .split(' ')
            .map(|n| n.parse().expect("a figure"))
            .collect();
        Self {
            seconds: numbers[0],
            cpu_s: numbers[1],
            peak_mib: numbers[2],
        }
    }
}

impl Pair {
    /// Speed of a transfer of so many bytes, in MB/s.
    pub(crate) fn mb_per_s(self, size: u64) -> f64 {
        size as f64 / 1e6 / self.fetch.seconds
    }

    /// CPU time of both sides for each GiB of so many bytes, in seconds.
    pub(crate) fn cpu_s_per_gib(self, size: u64) -> f64 {
        (self.serve.cpu_s + self.fetch.cpu_s) * (1u64 << 30) as f64 / size as f64
    }
}

/// Peak resident memory, in MiB (proc(5), `VmHWM` of `status`).
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this bench runs on Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    let kib: f64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kib / 1024.0
}
