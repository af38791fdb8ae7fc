//! The swarmhold binary, as a user runs it: each in a home of its own, without discovery.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

const SWARMHOLD: &str = env!("CARGO_BIN_EXE_swarmhold");
/// Long enough for a few megabytes on two busy cores.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything that one user of swarmhold keeps.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    /// `swarmhold create`; answers the link.
    pub(crate) fn create(&self, container: &Path) -> String {
        let printed = self.succeed(&["create".as_ref(), container]);
        let link = printed.lines().find(|line| is_link(line));
        link.expect("create prints the link").to_owned()
    }

    /// `swarmhold share`, until the answer is dropped.
    pub(crate) fn share(&self, container: &Path) -> Share {
        let mut process = Command::new(SWARMHOLD)
            .env("SWARMHOLD_HOME", self.0.path())
            .args(["share", "--no-discovery", "--listen", "127.0.0.1:0"])
            .arg(container)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("swarmhold starts");
        let stdout = process.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            // Reads on to the end, so that the process never finds its stdout closed.
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for line in lines.filter(|line| is_link(line)) {
                let _ = sender.send(line);
            }
        });
        let mut share = Share {
            process,
            link: String::new(),
        };
        share.link = lines.recv_timeout(PATIENCE).expect("share prints its link");
        share
    }

    /// `swarmhold get`, into a file.
    pub(crate) fn get(&self, link: &str, to: &Path) {
        let (get, link): (&Path, &Path) = ("get".as_ref(), link.as_ref());
        self.succeed(&[get, link, "-o".as_ref(), to, "--no-discovery".as_ref()]);
    }

    fn succeed(&self, arguments: &[&Path]) -> String {
        let output = assert_cmd::Command::new(SWARMHOLD)
            .env("SWARMHOLD_HOME", self.0.path())
            .args(arguments)
            .timeout(PATIENCE)
            .output()
            .expect("swarmhold starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "swarmhold {arguments:?}: {complaint}"
        );
        String::from_utf8(output.stdout).expect("swarmhold prints text")
    }
}

/// A swarmhold that seeds.
pub(crate) struct Share {
    process: Child,
    link: String,
}

impl Share {
    pub(crate) fn link(&self) -> &str {
        &self.link
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The link stands alone on its line.
fn is_link(line: &str) -> bool {
    line.starts_with("swarmhold:") && !line.contains(char::is_whitespace)
}
