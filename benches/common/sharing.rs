//! The real program, sharing a container over loopback while a benchmark fetches it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A share that runs until it is dropped.
pub(crate) struct Sharing {
    child: Child,
    /// Where it is to be had.
    pub(crate) link: String,
}

impl Sharing {
    /// Begins to share, as alice.
    pub(crate) fn start(folder: &Path, container: &Path) -> Self {
        let mut child = swarmhold(folder, "alice")
            .arg("share")
            .arg(container)
            .args(["--listen", "127.0.0.1:0", "--no-discovery", "-q"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut link = String::new();
        let read = BufReader::new(stdout).read_line(&mut link);
        read.expect("a share prints its link");
        Self { child, link }
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, in the home of somebody.
pub(crate) fn swarmhold(folder: &Path, home: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarmhold"));
    command
        .env("SWARMHOLD_HOME", folder.join(home))
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}
