//! What this process has used so far, from Linux's `/proc`; nothing is known elsewhere.

/// Clock ticks in a second, as `/proc` counts them on every Linux that runs this.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time and memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// User and system time of all threads; 0 where that is not known.
    pub(crate) cpu_s: f64,
    /// The most memory that was resident at once.
    pub(crate) peak_bytes: Option<u64>,
}

impl Usage {
    /// Up to now.
    pub(crate) fn now() -> Self {
        Self {
            cpu_s: cpu_s().unwrap_or(0.0),
            peak_bytes: peak_bytes(),
        }
    }
}

/// proc(5), fields 14 and 15 of `stat`.
fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// proc(5), `VmHWM` of `status`.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}
