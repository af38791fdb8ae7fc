//! CPU time of this process, from Linux's `/proc`.

/// Clock ticks in a second, as `/proc` counts them on every Linux that runs this.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all threads so far, in seconds (proc(5), fields 14 and 15 of `stat`).
pub(crate) fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this bench runs on Linux");
    let after_name = stat.rsplit(')').next().expect("the name is in parentheses");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}
