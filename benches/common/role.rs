//! Processes of one benchmark: each plays a role, so that its CPU time and memory are its own.
//!
//! A child says where it is, or what came out, in lines on its output, and ends when its input does.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The variable that names a child's role; unset in the process that the user starts.
const ROLE: &str = "SWARMHOLD_BENCH_ROLE";

/// Which role this process has, if it is a child.
pub(crate) fn own() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// An argument that the parent gave, from 1 on.
pub(crate) fn text_argument(at: usize) -> String {
    std::env::args().nth(at).expect("given by the parent")
}

/// The same as a path.
pub(crate) fn path_argument(at: usize) -> PathBuf {
    text_argument(at).into()
}

/// Starts a child and waits for its first line.
pub(crate) fn start(role: &str, arguments: &[&OsStr]) -> (Child, String) {
    let mut child = start_child(role, arguments);
    let line = next_line(&mut child);
    (child, line)
}

/// Lets a child end by closing its input; its last line.
pub(crate) fn stop(mut child: Child) -> String {
    drop(child.stdin.take());
    last_line(child)
}

/// Waits for a child's next line, and for its end, which comes by itself or with that of its input.
pub(crate) fn last_line(mut child: Child) -> String {
    let line = next_line(&mut child);
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success(), "a role failed");
    line
}

/// Starts a child.
pub(crate) fn start_child(role: &str, arguments: &[&OsStr]) -> Child {
    spawn(&mut Command::new(program()), role, arguments)
}

/// This program.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe().expect("this program")
}

/// Starts a command of which this program is the last word so far.
pub(crate) fn spawn(command: &mut Command, role: &str, arguments: &[&OsStr]) -> Child {
    command
        .env(ROLE, role)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().expect("a process of this program")
}

/// What a child says next.
pub(crate) fn next_line(child: &mut Child) -> String {
    let mut line = Vec::new();
    let mut byte = BufReader::with_capacity(1, child.stdout.as_mut().expect("piped"));
    byte.read_until(b'\n', &mut line).expect("a line");
    String::from_utf8(line).expect("text").trim().to_owned()
}
