//! The command line: arguments in, a result on stdout, everything else on stderr, an exit code.
//!
//! ```text
//! args ──▶ cmd/{id,create,share,get,resume,info,
//!            │      verify,bans,library,config,
//!            │      search,swarmmaster} ──▶ output  stdout, stderr, JSON, colour
//!            │  home     folder, identity             progress  bars and lines
//!            │  signals  Ctrl-C, once and twice        table     rows for people
//!            └▶ verdict ──▶ exit                      from a typed error to a code and a hint
//! ```
//!
//! Knows the node and nothing below it. `anyhow` carries errors up to [`run`]; which exit code they
//! mean is read from their types, never from their texts.

mod args;
mod calendar;
mod cmd;
mod error;
mod exit;
mod home;
mod logging;
mod output;
mod progress;
mod signals;
mod start;
mod table;
mod text;
mod units;
mod usage;
mod verdict;

use std::ffi::OsString;
use std::process::ExitCode;

use self::args::index::Index;
use self::args::{Cli, Command};
use self::cmd::{bans, create, get, id, info, library, search, share, swarmmaster, verify};
use self::exit::Exit;
use self::output::Output;

/// Runs a command line, whose first item is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let exit = match usage::command(&arguments) {
        Ok(cli) => run_parsed(cli),
        Err(refused) => usage::explain(&arguments, &refused),
    };
    ExitCode::from(exit.code())
}

fn run_parsed(cli: Cli) -> Exit {
    let out = Output::new(&cli.global);
    let outcome = logging::start(&cli.global, &out).and_then(|()| dispatch(cli, &out));
    match outcome {
        Ok(()) => Exit::Ok,
        Err(error) if verdict::is_reader_gone(&error) => Exit::Ok,
        Err(error) => {
            let verdict = verdict::of(&error);
            out.error(&error, &verdict);
            verdict.exit
        }
    }
}

fn dispatch(cli: Cli, out: &Output) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    match command {
        Command::Id(id) => id::run(&global, &id, out),
        Command::Create(create) => create::run(&global, &create, out),
        Command::Share(share) => share::run(&global, &share, out),
        Command::Get(get) => get::run(&global, get, out),
        Command::Index(Index::Search(search)) => search::run(&global, &search, out),
        Command::Index(Index::SwarmMaster(master)) => swarmmaster::run(&global, &master, out),
        Command::Info(info) => info::run(&info, out),
        Command::Verify(verify) => verify::run(&verify, out),
        Command::Bans(bans) => bans::run(&global, &bans, out),
        Command::Library(library) => library::run(&global, &library, out),
    }
}
