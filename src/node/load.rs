//! How busy the network thread is: for which part of the time it ran, or could have run and waited for a processor.
//!
//! Linux says both for each thread (`/proc/thread-self/schedstat`, nanoseconds since its start). Elsewhere it is what
//! the runtime saw between waking and sleeping, which leaves out what was waited for before it woke.

use std::fs::File;
use std::io;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::moment::Moment;

/// How often it is asked for.
const EVERY: Duration = Duration::from_millis(50);

/// The load of the thread on which it is made, which is to run a runtime of its own.
#[derive(Debug)]
pub(super) struct Load {
    schedstat: Option<File>,
    at: Moment,
    busy: Duration,
}

impl Load {
    /// Begins to measure.
    pub(super) fn new(now: Moment) -> Self {
        let schedstat = File::open("/proc/thread-self/schedstat").ok();
        let mut load = Self {
            schedstat,
            at: now,
            busy: Duration::ZERO,
        };
        load.busy = load.busy_so_far();
        load
    }

    /// The load since the last sample in percent, if it is time for one.
    pub(super) fn sample(&mut self, now: Moment) -> Option<u8> {
        let span = now.since(self.at);
        if span < EVERY {
            return None;
        }
        let busy = self.busy_so_far();
        let percent = percent(busy.saturating_sub(self.busy), span);
        (self.at, self.busy) = (now, busy);
        Some(percent)
    }

    fn busy_so_far(&self) -> Duration {
        let stat = self.schedstat.as_ref().and_then(|file| read(file).ok());
        let busy = stat.as_deref().and_then(busy_in);
        busy.unwrap_or_else(|| Handle::current().metrics().worker_total_busy_duration(0))
    }
}

#[cfg(unix)]
fn read(file: &File) -> io::Result<String> {
    use std::os::unix::fs::FileExt;

    let mut line = [0; 80];
    let len = file.read_at(&mut line, 0)?;
    Ok(String::from_utf8_lossy(&line[..len]).into_owned())
}

#[cfg(not(unix))]
fn read(_file: &File) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What `schedstat` says: nanoseconds on a processor, nanoseconds in wait for one, and how often it had one. None
/// where the kernel does not count.
fn busy_in(line: &str) -> Option<Duration> {
    let mut fields = line.split_ascii_whitespace().map(str::parse::<u64>);
    let (ran, waited) = (fields.next()?.ok()?, fields.next()?.ok()?);
    (ran > 0).then(|| Duration::from_nanos(ran.saturating_add(waited)))
}

fn percent(busy: Duration, span: Duration) -> u8 {
    let percent = busy.as_nanos().saturating_mul(100) / span.as_nanos().max(1);
    u8::try_from(percent.min(100)).expect("at most 100")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let busy = busy_in("3117259561 1023000000 9001\n");
        assert_eq!(busy, Some(Duration::from_nanos(4_140_259_561)));
        for odd in [
            "",
            "0 0 0",
            "12",
            "12 x 3",
            "-1 4 5",
            "99999999999999999999 1 1",
        ] {
            assert_eq!(busy_in(odd), None, "{odd}");
        }
        assert!(busy_in("18446744073709551615 1 1").is_some());
    }

    #[test]
    fn a_load_is_a_part_of_the_time() {
        let span = Duration::from_millis(100);
        assert_eq!(percent(Duration::from_millis(82), span), 82);
        assert_eq!(percent(Duration::from_millis(300), span), 100);
        assert_eq!(percent(Duration::ZERO, Duration::ZERO), 0);
    }

    #[tokio::test]
    async fn samples_are_some_time_apart() {
        let mut load = Load::new(Moment::ORIGIN);
        assert_eq!(load.sample(Moment::ORIGIN + EVERY / 2), None);
        assert!(load.sample(Moment::ORIGIN + EVERY).is_some());
        assert_eq!(load.sample(Moment::ORIGIN + EVERY), None);
    }
}
