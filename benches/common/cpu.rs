//! CPU time of a process, from Linux's `/proc`.

/// Clock ticks in a second, as `/proc` counts them on every Linux that runs this.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of this process so far, in seconds.
pub(crate) fn cpu_s() -> f64 {
    cpu_s_of("self")
}

/// The same of all threads of the process of this number (proc(5), fields 14 and 15 of `stat`).
pub(crate) fn cpu_s_of(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let stat = stat.expect("this bench runs on Linux");
    let after_name = stat.rsplit(')').next().expect("the name is in parentheses");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}
