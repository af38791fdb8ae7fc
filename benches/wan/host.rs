//! Processes on one of the two hosts.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::time::Duration;

use crate::role::{next_line, program, spawn, text_argument};

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

/// In a child: a time that the parent gave.
pub(crate) fn seconds(at: usize) -> Duration {
    Duration::from_secs(text_argument(at).parse().expect("whole seconds"))
}

/// In a child: waits for the parent to close the input.
pub(crate) fn wait_for_input_to_end() {
    let ended = std::io::stdin().read_to_end(&mut Vec::new());
    ended.expect("the parent closes it");
}

/// The same where others have work meanwhile.
pub(crate) async fn input_ends() {
    let ended = tokio::task::spawn_blocking(wait_for_input_to_end);
    ended.await.expect("no panic");
}
