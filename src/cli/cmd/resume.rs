//! `swarmhold resume`: goes on with downloads that were interrupted.

use std::path::Path;
use std::sync::Arc;

use super::get::{self, Request};
use crate::cli::args::library::Resume;
use crate::cli::error::CliError;
use crate::cli::home::{Home, VaultWish};
use crate::cli::output::Output;
use crate::cli::text::{count, shown};
use crate::cli::verdict;
use crate::node::{DISK_RETRY, FetchError, FetchOptions, Form, Job, Library, PeerHint, What};

/// Digits by which a download can be named, at least.
const DIGITS_MIN: usize = 6;

pub(in crate::cli) fn run(home: &Home, resume: &Resume, out: &Output) -> anyhow::Result<()> {
    let jobs = chosen(home.folder(), &resume.what)?;
    if jobs.is_empty() {
        out.note("there is nothing to go on with");
        return Ok(());
    }
    let mut failed: Option<anyhow::Error> = None;
    for job in jobs {
        out.note(&format!("going on with {}", name(&job)));
        let request = request(home, job, resume);
        let Err(error) = get::fetch_one(home, request, out) else {
            continue;
        };
        let is_stopped = matches!(error.downcast_ref(), Some(FetchError::Cancelled { .. }));
        // the last one is told by whoever called
        if let Some(error) = failed.replace(error) {
            out.error(&error, &verdict::of(&error));
        }
        if is_stopped {
            break;
        }
    }
    failed.map_or(Ok(()), Err)
}

/// What a person may know a download by.
pub(super) fn name(job: &Job) -> String {
    let name = job.link.name.as_deref().map(shown);
    name.unwrap_or_else(|| job.link.program_id.short())
}

/// Whether a text means this download: its name, digits of an id, its link, or the path that it goes to.
pub(super) fn is_meant(job: &Job, text: &str) -> bool {
    let begins = |id: String| text.len() >= DIGITS_MIN && id.starts_with(text);
    let path = std::path::absolute(text).ok();
    job.link.name.as_deref() == Some(text)
        || begins(job.link.program_id.to_string())
        || job
            .link
            .manifest_id
            .is_some_and(|id| begins(id.to_string()))
        || job.link.to_string() == text
        || (job.output.is_some() && job.output == path)
}

/// Those that nobody is at, all of them or those that are named.
fn chosen(home: &Path, named: &[String]) -> anyhow::Result<Vec<Job>> {
    let mut jobs = Library::open(home, None).jobs()?;
    for text in named {
        let mut meant = jobs.iter().filter(|job| is_meant(job, text)).peekable();
        if meant.peek().is_none() {
            return Err(CliError::NoJob(text.clone()).into());
        }
        if meant.all(Job::is_running) {
            return Err(CliError::JobRuns(text.clone()).into());
        }
    }
    let is_meant = |job: &Job| named.is_empty() || named.iter().any(|it| is_meant(job, it));
    jobs.retain(|job| !job.is_running() && is_meant(job));
    Ok(jobs)
}

/// As it was asked for. The manifest need not be asked for where the node has it.
fn request(home: &Home, job: Job, resume: &Resume) -> Request {
    let manifest = job.manifest(&Library::open(home.folder(), None));
    let mut peers = job.peers;
    let what = match manifest {
        Some(manifest) => {
            peers.extend(job.link.peers.iter().copied().map(PeerHint::from));
            What::Manifest(Arc::new(manifest))
        }
        None => What::Link(job.link),
    };
    Request {
        what,
        options: FetchOptions {
            output: job.output,
            peers,
            patience: job.patience,
            order: job.order,
            rates: job.rates,
            disk_retry: DISK_RETRY,
        },
        vault: match job.form {
            // also where the settings say otherwise by now
            Form::Open => VaultWish::Read,
            Form::Sealed => VaultWish::Keep,
        },
        quota: None,
        network: resume.network.clone(),
    }
}

/// How many downloads there are that could be gone on with, in words; nothing of none.
pub(super) fn offer(jobs: &[Job]) -> Option<String> {
    let many = jobs.iter().filter(|job| !job.is_running()).count() as u64;
    let of = count(many, "download");
    (many > 0).then(|| format!("{of} can be gone on with: swarmhold resume"))
}
