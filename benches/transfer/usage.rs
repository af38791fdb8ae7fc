//! What this process has used so far, from Linux's `/proc`.

use crate::report::Side;

/// Clock ticks in a second, as `/proc` counts them on every Linux that runs this.
const TICKS_PER_SECOND: f64 = 100.0;

/// This process's figures: the time that its transfer took, and the CPU time since `cpu_s_before`.
pub(crate) fn side(seconds: f64, cpu_s_before: f64) -> Side {
    let cpu_s = cpu_s() - cpu_s_before;
    Side {
        seconds,
        cpu_s,
        peak_mib: peak_mib(),
    }
}

/// User and system time of all threads, in seconds (proc(5), fields 14 and 15 of `stat`).
pub(crate) fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this bench runs on Linux");
    let after_name = stat.rsplit(')').next().expect("the name is in parentheses");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
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
