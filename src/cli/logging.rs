//! What the node logs, on stderr and above any bar.

use std::io::{self, Write as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::Global;
use super::error::CliError;
use super::output::{Format, Output, Paint};

/// Starts logging as the options say: by default warnings of the node, with JSON nothing.
pub(super) fn start(global: &Global, out: &Output) -> anyhow::Result<()> {
    let chosen = global.log_level.as_deref();
    let filter = match (chosen, global.verbose) {
        (Some(filter), _) => filter.to_owned(),
        (None, 0) if global.quiet || out.format() == Format::Json => return Ok(()),
        (None, 0) => "warn".to_owned(),
        (None, 1) => "info".to_owned(),
        (None, 2) => "debug".to_owned(),
        (None, _) => "warn,quinn=debug,quinn_proto=debug,rustls=debug,swarmhold=trace".to_owned(),
    };
    // a level alone is about this program; its libraries are heard when they fail
    let filter = match filter.contains(['=', ',']) {
        true => filter,
        false => format!("error,swarmhold={filter}"),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|why| CliError::LogFilter {
        filter: filter.clone(),
        why: why.to_string(),
    })?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(out.paint() == Paint::Colour)
        .with_writer(Above(out.clone()))
        .try_init();
    // A second start in one process, as in tests, keeps what the first has set.
    drop(started);
    Ok(())
}

/// Writes above the bar.
struct Above(Output);

/// Collects one line and writes it when it is whole.
struct Line<'a> {
    out: &'a Output,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Above {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            out: &self.0,
            bytes: Vec::new(),
        }
    }
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.out.suspend(|| {
            // Where stderr is closed there is nobody to tell.
            let _ = io::stderr().lock().write_all(&self.bytes);
        });
    }
}
