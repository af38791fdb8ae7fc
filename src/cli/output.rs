//! The only writer of stdout and stderr.
//!
//! Results go to stdout, everything else to stderr. With `--json` stdout carries objects, one a line,
//! and stderr nothing but an error object (and logs, if asked for). With `-q` notes are left out. Whatever
//! stderr is given is made harmless first. Nothing is written beside a progress bar without moving it
//! out of the way.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::args::{Color, Global};
use super::error::CliError;
use super::text::shown;
use super::verdict::{self, Verdict};

/// How results and news are written.
#[derive(Debug, Clone)]
pub(super) struct Output {
    format: Format,
    notes: Notes,
    paint: Paint,
    /// The bar that is on the terminal now.
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

/// What stdout carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Text for people.
    Text,
    /// JSON objects, one a line.
    Json,
}

/// How much is said beside results and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    /// Nothing.
    None,
    /// Lines.
    Lines,
    /// Lines, and progress bars.
    Bars,
}

/// Whether stderr takes colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// No.
    Plain,
    /// Yes.
    Colour,
}

impl Output {
    /// As the options and the terminal want it.
    pub(super) fn new(global: &Global) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = io::stderr().is_terminal() && !dumb;
        let colour = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !is_set("NO_COLOR"),
        };
        Self {
            format: if global.json {
                Format::Json
            } else {
                Format::Text
            },
            notes: match (global.quiet || global.json, terminal) {
                (true, _) => Notes::None,
                (false, true) => Notes::Bars,
                (false, false) => Notes::Lines,
            },
            paint: if colour { Paint::Colour } else { Paint::Plain },
            bar: Arc::default(),
        }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn notes(&self) -> Notes {
        self.notes
    }

    pub(super) fn paint(&self) -> Paint {
        self.paint
    }

    /// Prints the result: the line as it is, or the object.
    pub(super) fn result(
        &self,
        line: impl AsRef<OsStr>,
        object: impl FnOnce() -> Value,
    ) -> Result<(), CliError> {
        match self.format {
            Format::Text => self.stdout_line(line.as_ref()),
            Format::Json => self.stdout_line(OsStr::new(&object().to_string())),
        }
    }

    /// Prints an object where JSON is wanted, and nothing elsewhere.
    pub(super) fn event(&self, object: impl FnOnce() -> Value) -> Result<(), CliError> {
        match self.format {
            Format::Text => Ok(()),
            Format::Json => self.stdout_line(OsStr::new(&object().to_string())),
        }
    }

    /// Says something beside the result.
    pub(super) fn note(&self, text: &str) {
        if self.notes != Notes::None {
            self.suspend(|| stderr_line(&shown(text)));
        }
    }

    /// Reports the error that ends the command.
    pub(super) fn error(&self, error: &anyhow::Error, verdict: &Verdict) {
        let message = verdict::message(error, verdict);
        if self.format == Format::Json {
            let error = json!({
                "code": verdict.code,
                "kind": verdict.exit.kind(),
                "message": message,
                "hint": verdict.hint,
            });
            return stderr_line(&json!({ "error": error }).to_string());
        }
        let [red, dim, end] = match self.paint {
            Paint::Colour => ["\x1b[1;31m", "\x1b[2m", "\x1b[0m"],
            Paint::Plain => [""; 3],
        };
        let mut lines = message.lines();
        let first = shown(lines.next().unwrap_or_default());
        let code = verdict.code;
        self.suspend(|| stderr_line(&format!("{red}swarmhold:{end} {code}: {first}")));
        for line in lines {
            stderr_line(&format!("  {}", shown(line.trim_start())));
        }
        if let Some(hint) = verdict.hint {
            stderr_line(&format!("{dim}try:{end} {hint}"));
        }
    }

    /// Makes this the bar on the terminal; what is written from now on goes above it.
    pub(super) fn show_bar(&self, bar: ProgressBar) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    /// Takes the bar off the terminal.
    pub(super) fn hide_bar(&self) {
        let bar = self
            .bar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    /// Writes with the bar out of the way.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn stdout_line(&self, line: &OsStr) -> Result<(), CliError> {
        let mut written = Ok(());
        self.suspend(|| {
            let mut stdout = io::stdout().lock();
            written = stdout
                .write_all(line.as_encoded_bytes())
                .and_then(|()| stdout.write_all(b"\n"))
                .and_then(|()| stdout.flush());
        });
        written.map_err(CliError::Stdout)
    }
}

/// Writes a line to stderr. Where that is closed there is nobody to tell.
pub(super) fn stderr_line(line: &str) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// Asks for input on stderr, without ending the line.
pub(super) fn prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
