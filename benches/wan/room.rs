//! Two hosts with a line between them: network namespaces, joined by a process that is the line.
//!
//! Everything that the kernel does to packets of a real network card happens here as well: TCP and UDP,
//! segmentation, 1500 bytes of MTU. It takes root and Linux.

use std::ffi::OsStr;
use std::process::{Child, Command};

use crate::link::Shape;
use crate::{host, role};

/// Where the sender listens.
pub(crate) const SENDER: &str = "10.91.0.1";
const RECEIVER: &str = "10.91.0.2";
/// Why a part does not run here.
pub(crate) const SKIPPED: &str = "skipped: it takes root, Linux, ip(8) and /dev/net/tun";

/// The hosts. Dropped, they are gone.
#[derive(Debug)]
pub(crate) struct Room {
    line: Option<Child>,
    names: [String; 2],
}

impl Room {
    /// Two hosts with this line between them; nothing where the system does not allow it.
    pub(crate) fn open(shape: Shape) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let id = std::process::id();
        let names = ["s", "r"].map(|side| format!("shwan{side}{id}"));
        if !names.iter().all(|name| ip(&["netns", "add", name])) {
            return None;
        }
        let line = start_line(&names, shape);
        for (name, address) in names.iter().zip([SENDER, RECEIVER]) {
            let with_prefix = format!("{address}/24");
            for words in [
                &["link", "set", name, "netns", name][..],
                &["-n", name, "addr", "add", &with_prefix, "dev", name],
                &["-n", name, "link", "set", name, "mtu", "1500", "up"],
                &["-n", name, "link", "set", "lo", "up"],
            ] {
                assert!(ip(words), "ip {words:?} failed");
            }
        }
        Some(Self {
            line: Some(line),
            names,
        })
    }

    /// Starts a role on the sending host; its process and its first line.
    pub(crate) fn sender(&self, role: &str, arguments: &[&OsStr]) -> (Child, String) {
        host::start_in(&self.names[0], role, arguments)
    }

    /// Starts a role on the receiving host; its process, from which lines are to come.
    pub(crate) fn receiver(&self, role: &str, arguments: &[&OsStr]) -> Child {
        host::spawn_in(&self.names[1], role, arguments)
    }

    /// Begins the line's figures anew.
    pub(crate) fn begin_figures(&mut self) {
        host::poke(self.line.as_mut().expect("taken only when dropped"));
    }

    /// Closes the room; how long packets waited at the bottleneck in ms: the mean, and what 95 of 100
    /// stayed below.
    pub(crate) fn waits(mut self) -> (f64, f64) {
        let line = self.line.take().expect("taken only here and when dropped");
        let figures = role::stop(line);
        let mut numbers = figures.split(' ').map(|n| n.parse().expect("a figure"));
        let mut next = || numbers.next().expect("two figures");
        (next(), next())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            role::stop(line);
        }
        for name in &self.names {
            ip(&["netns", "del", name]);
        }
    }
}

#[cfg(target_os = "linux")]
fn start_line(names: &[String; 2], shape: Shape) -> Child {
    crate::tun::start(names, shape)
}

#[cfg(not(target_os = "linux"))]
fn start_line(_: &[String; 2], _: Shape) -> Child {
    unreachable!("a room opens on Linux only")
}

fn ip(words: &[&str]) -> bool {
    let status = Command::new("ip").args(words).status();
    status.is_ok_and(|status| status.success())
}
