//! The binary: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    swarmhold::cli::run(std::env::args_os())
}
