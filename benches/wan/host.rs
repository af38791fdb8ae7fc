//! Processes on one of the two hosts.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, Command};

use crate::role::{next_line, program, spawn};

/// Starts a child in a network namespace and waits for its first line.
pub(crate) fn start_in(namespace: &str, role: &str, arguments: &[&OsStr]) -> (Child, String) {
    let mut child = spawn_in(namespace, role, arguments);
    let line = next_line(&mut child);
    (child, line)
}

/// Starts a child in a network namespace.
pub(crate) fn spawn_in(namespace: &str, role: &str, arguments: &[&OsStr]) -> Child {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program());
    spawn(&mut command, role, arguments)
}

/// Sends a child an empty line.
pub(crate) fn poke(child: &mut Child) {
    let input = child.stdin.as_mut().expect("piped");
    input.write_all(b"\n").expect("the child listens");
}

/// Lets a child end that has nothing more to say.
pub(crate) fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().expect("it ends");
}
