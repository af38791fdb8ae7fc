//! `swarmhold scrub`: reads what is complete, and tells what has changed on the disk.

use serde_json::{Value, json};

use crate::cli::args::library::Scrub;
use crate::cli::error::CliError;
use crate::cli::home::Home;
use crate::cli::output::Output;
use crate::cli::progress::{self, Work};
use crate::cli::text::count;
use crate::node::{Comparison, Condition, Known, Library, ScrubError};

/// Chunks that a line names.
const NAMED_MAX: usize = 8;

/// What was found in all of them.
#[derive(Default)]
struct Sum {
    read: u64,
    bad: u64,
    chunks: u64,
}

pub(in crate::cli) fn run(home: &Home, scrub: &Scrub, out: &Output) -> anyhow::Result<()> {
    let library = home.library(out)?;
    let all = match scrub.what.is_empty() {
        true => library.list()?,
        false => {
            let named = scrub.what.iter().map(|what| library.find(what));
            named.collect::<Result<Vec<_>, _>>()?
        }
    };
    let mut sum = Sum::default();
    for known in &all {
        match known.condition {
            Condition::Complete | Condition::Vault | Condition::InPlace => {
                one(&library, known, &mut sum, out)?
            }
            // a download looks at what it has when it goes on
            Condition::Partial { .. } | Condition::Gone | Condition::Manifest => {}
        }
    }
    if sum.bad > 0 {
        let Sum { bad, chunks, .. } = sum;
        return Err(CliError::Rotten { bad, chunks }.into());
    }
    out.note(&format!("read {}", count(sum.read, "container")));
    Ok(())
}

fn one(library: &Library, known: &Known, sum: &mut Sum, out: &Output) -> anyhow::Result<()> {
    let outcome = progress::working(out, Work::Hashing, known.size, |show| {
        library.scrub(known, show)
    });
    sum.read += 1;
    let is_right = outcome.as_ref().is_ok_and(Comparison::is_match);
    sum.bad += u64::from(!is_right);
    let damaged = outcome.as_ref().map_or(0, |found| found.damaged.len());
    sum.chunks += damaged as u64;
    let found = described(known, &outcome);
    let text = format!("{}: {found}", known.name);
    Ok(out.result(text, || object(known, &outcome))?)
}

fn described(known: &Known, outcome: &Result<Comparison, ScrubError>) -> String {
    let comparison = match outcome {
        Ok(comparison) if comparison.is_match() => return "ok".to_owned(),
        Ok(comparison) if comparison.damaged.is_empty() => {
            return "every chunk is right, and the whole is not: its manifest is wrong".to_owned();
        }
        Ok(comparison) => comparison,
        Err(error) => return error.to_string(),
    };
    let damaged = &comparison.damaged;
    let named = damaged.iter().take(NAMED_MAX);
    let mut named: Vec<String> = named.map(|chunk| chunk.index.to_string()).collect();
    if damaged.len() > NAMED_MAX {
        named.push("...".to_owned());
    }
    let chunks = count(damaged.len() as u64, "chunk");
    let next = match known.condition {
        Condition::Complete | Condition::Vault => "the next get fetches what is wrong",
        Condition::InPlace | Condition::Partial { .. } | Condition::Gone | Condition::Manifest => {
            "the file is yours, and is not written to"
        }
    };
    format!("{chunks} changed on disk: {}; {next}", named.join(" "))
}

fn object(known: &Known, outcome: &Result<Comparison, ScrubError>) -> Value {
    let damaged = |found: &Comparison| -> Vec<u32> {
        found.damaged.iter().map(|chunk| chunk.index).collect()
    };
    json!({
        "name": known.name,
        "manifest_id": known.manifest_id.to_string(),
        "path": known.path.display().to_string(),
        "ok": outcome.as_ref().is_ok_and(Comparison::is_match),
        "damaged_chunks": outcome.as_ref().map(damaged).unwrap_or_default(),
        "error": outcome.as_ref().err().map(ToString::to_string),
    })
}
