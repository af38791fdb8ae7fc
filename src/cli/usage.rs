//! Command lines that are not understood, and those that ask for help.

use std::env;
use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _};
use serde_json::json;

use super::args::Cli;
use super::exit::Exit;
use super::output;

/// The command that a command line is.
pub(super) fn command(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let color = match said(arguments, "--color", "SWARMHOLD_COLOR").as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        Some(_) | None => ColorChoice::Auto,
    };
    let matches = Cli::command()
        .color(color)
        .try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// Prints what clap has to say: help on stdout, a mistake on stderr.
pub(super) fn explain(arguments: &[OsString], refused: &clap::Error) -> Exit {
    let is_help = matches!(
        refused.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if is_help || !wants_json(arguments) {
        // Whoever closed the stream does not want to read it.
        let _ = refused.print();
    } else {
        let text = refused.to_string();
        let message = text.lines().next().unwrap_or_default();
        let error = json!({
            "code": "E-USAGE",
            "kind": Exit::Usage.kind(),
            "message": message.trim_start_matches("error: "),
            "hint": "swarmhold --help",
        });
        output::stderr_line(&json!({ "error": error }).to_string());
    }
    if is_help { Exit::Ok } else { Exit::Usage }
}

/// Whether a command line that could not be parsed asks for JSON.
fn wants_json(arguments: &[OsString]) -> bool {
    let set = env::var("SWARMHOLD_JSON").is_ok_and(|value| value == "true" || value == "1");
    set || arguments.iter().any(|argument| argument == "--json")
}

/// The value of an option, looked up before the command line is parsed.
fn said(arguments: &[OsString], option: &str, variable: &str) -> Option<String> {
    let texts: Vec<&str> = arguments.iter().filter_map(|text| text.to_str()).collect();
    let next = texts
        .windows(2)
        .find_map(|pair| (pair[0] == option).then(|| pair[1].to_owned()));
    let joined = texts.iter().find_map(|text| {
        let value = text.strip_prefix(option)?.strip_prefix('=')?;
        Some(value.to_owned())
    });
    next.or(joined).or_else(|| env::var(variable).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_option_is_seen_in_both_its_spellings() {
        for text in ["x id --color never", "x --color=never id"] {
            let said = said(&line(text), "--color", "SWARMHOLD_NO_SUCH_VARIABLE");
            assert_eq!(said.as_deref(), Some("never"));
        }
        assert!(wants_json(&line("x get --json")));
        assert!(!wants_json(&line("x get --no-json")));
    }
}
