//! Printing, which is all that a benchmark does with its results.

/// Prints a line for people, or for the parent process.
#[expect(
    clippy::print_stdout,
    reason = "a benchmark's result is what it prints"
)]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
