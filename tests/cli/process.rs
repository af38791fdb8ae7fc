//! A swarmhold that runs while a test goes on.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Long enough for anything here, on two busy cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process whose lines are collected. Killed if it is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// What a stream has said so far.
struct Lines {
    coming: Receiver<String>,
    seen: String,
}

/// How a process ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Waits for a line of stdout that this is in, and answers it.
    pub(crate) fn stdout_line(&mut self, part: &str) -> String {
        self.stdout.wait_for(part)
    }

    /// Waits for a line of stderr that this is in, and answers it.
    pub(crate) fn stderr_line(&mut self, part: &str) -> String {
        self.stderr.wait_for(part)
    }

    /// Sends signals, by the names that `kill` knows, right after each other.
    pub(crate) fn signal(&self, names: &[&str]) {
        let pid = self.child.id();
        let kills: Vec<String> = names
            .iter()
            .map(|name| format!("kill -{name} {pid}"))
            .collect();
        let sent = Command::new("sh").arg("-c").arg(kills.join("; ")).status();
        assert!(sent.unwrap().success());
    }

    /// Resident memory of its own, in KiB (proc(5), `RssAnon` of `status`).
    #[cfg(target_os = "linux")]
    pub(crate) fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap()
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let stdout = self.stdout.rest();
        let stderr = self.stderr.rest();
        let status = self.child.wait().unwrap();
        Ended {
            status,
            stdout,
            stderr,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, coming) = channel();
        thread::spawn(move || {
            // Reads on to the end, so that the process never finds the stream closed.
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            coming,
            seen: String::new(),
        }
    }

    fn wait_for(&mut self, part: &str) -> String {
        loop {
            let line = self.coming.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|why| {
                panic!("{why}: no line with {part:?} after:\n{}", self.seen);
            });
            self.seen.push_str(&format!("{line}\n"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn rest(&mut self) -> String {
        while let Ok(line) = self.coming.recv_timeout(PATIENCE) {
            self.seen.push_str(&format!("{line}\n"));
        }
        std::mem::take(&mut self.seen)
    }
}
