//! `swarmhold list`, `rm`, `pin`, `unpin` and `gc`: what is kept, and looking after it.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::args::Global;
use crate::cli::args::library::{Gc, Library as Command, One, Remove};
use crate::cli::calendar::rfc3339;
use crate::cli::cmd::{config, encrypted, peers, resume, scrub, vault};
use crate::cli::error::CliError;
use crate::cli::home::Home;
use crate::cli::output::{Output, prompt};
use crate::cli::progress::percent;
use crate::cli::text::{count, shown};
use crate::cli::{table, units};
use crate::node::{Collecting, Condition, Job, JobState, Key, Known, Library, LibraryError, Pin};

pub(in crate::cli) fn run(global: &Global, command: &Command, out: &Output) -> anyhow::Result<()> {
    let own = Home::find(global)?;
    let home = own.folder();
    match command {
        Command::List => list(&Library::open(home, None), out),
        Command::Peers(peers) => peers::run(&Library::open(home, None), peers.what.as_deref(), out),
        Command::Rm(remove) => rm(&Library::open(home, None), remove, out),
        Command::Pin(One { what }) => pin(&Library::open(home, None), what, Pin::Pinned, out),
        Command::Unpin(One { what }) => pin(&Library::open(home, None), what, Pin::Loose, out),
        Command::Gc(gc) => collect(home, gc, out),
        Command::Scrub(what) => scrub::run(&own, what, out),
        Command::Resume(what) => resume::run(&own, what, out),
        Command::Export(export) => {
            let key = Key::of_wallet(&own.existing_identity()?);
            encrypted::export(&own.library(out)?, export, key, out)
        }
        Command::Vault(what) => vault::run(&own, what, out),
        Command::Config(config) => config::run(home, config, out),
    }
}

fn list(library: &Library, out: &Output) -> anyhow::Result<()> {
    let (all, jobs) = (library.list()?, library.jobs()?);
    let (taken, quota) = (library.taken()?, library.quota());
    let of = quota.map(|quota| format!(" of {}", units::bytes(quota)));
    let of = of.unwrap_or_default();
    out.note(&format!(
        "{}; {}{of} in the node's own folder",
        count(all.len() as u64, "container"),
        units::bytes(taken)
    ));
    if let Some(offer) = resume::offer(&jobs) {
        out.note(&offer);
    }
    let object = || {
        json!({
            "containers": all.iter().map(object).collect::<Vec<Value>>(),
            "jobs": jobs.iter().map(job_object).collect::<Vec<Value>>(),
            "taken_bytes": taken,
            "quota_bytes": quota,
        })
    };
    if all.is_empty() && jobs.is_empty() {
        return Ok(out.event(object)?);
    }
    let header = ["NAME", "SIZE", "ID", "STATE", "PINNED", "LAST USED"];
    let of = |known: &Known| jobs.iter().find(|job| job.is_of(known));
    let lines = all.iter().map(|known| line(known, of(known)));
    let unseen = jobs
        .iter()
        .filter(|job| !all.iter().any(|it| job.is_of(it)));
    let rows: Vec<Vec<String>> = unseen.map(job_line).chain(lines).collect();
    Ok(out.result(table::columns(&header, &rows), object)?)
}

fn line(known: &Known, job: Option<&Job>) -> Vec<String> {
    let job = job.filter(|_| known.condition.is_unfinished());
    let job = job.map(|job| format!(", {}", standing(job)));
    vec![
        known.name.clone(),
        units::bytes(known.size),
        known.program_id.short(),
        state(known.condition) + &job.unwrap_or_default(),
        if known.pin == Pin::Pinned {
            "yes"
        } else {
            "no"
        }
        .to_owned(),
        rfc3339(known.used),
    ]
}

/// A download of which nothing is known but what was asked for.
fn job_line(job: &Job) -> Vec<String> {
    let (nothing, id) = (|| "-".to_owned(), job.link.program_id.short());
    let begun = rfc3339(job.begun);
    vec![
        resume::name(job),
        nothing(),
        id,
        standing(job).to_owned(),
        nothing(),
        begun,
    ]
}

fn standing(job: &Job) -> &'static str {
    match &job.state {
        JobState::Running => "fetching",
        JobState::Waiting(_) => "waiting",
        JobState::Interrupted => "interrupted",
        JobState::Failed(_) => "failed",
    }
}

fn job_object(job: &Job) -> Value {
    let why = match &job.state {
        JobState::Running | JobState::Interrupted => None,
        JobState::Waiting(why) | JobState::Failed(why) => Some(why),
    };
    json!({
        "link": job.link.to_string(),
        "path": job.output.as_ref().map(|path| path.display().to_string()),
        "state": standing(job),
        "why": why,
        "begun": job.begun,
        "up": job.rates.up,
        "down": job.rates.down,
    })
}

fn state(condition: Condition) -> String {
    match condition {
        Condition::Complete => "complete".to_owned(),
        Condition::Vault => "vault".to_owned(),
        Condition::Partial { held, chunks } => {
            format!("partial {} %", percent(held.into(), chunks.into()))
        }
        Condition::InPlace => "in place".to_owned(),
        Condition::Gone => "gone".to_owned(),
        Condition::Manifest => "manifest".to_owned(),
    }
}

fn object(known: &Known) -> Value {
    let (state, held) = match known.condition {
        Condition::Complete => ("complete", None),
        Condition::Vault => ("vault", None),
        Condition::Partial { held, chunks } => ("partial", Some((held, chunks))),
        Condition::InPlace => ("in-place", None),
        Condition::Gone => ("gone", None),
        Condition::Manifest => ("manifest", None),
    };
    json!({
        "name": known.name,
        "size": known.size,
        "program_id": known.program_id.to_string(),
        "manifest_id": known.manifest_id.to_string(),
        "state": state,
        "held_chunks": held.map(|(held, _)| held),
        "chunks": held.map(|(_, chunks)| chunks),
        "pinned": known.pin == Pin::Pinned,
        "used": known.used,
        "path": known.path.display().to_string(),
    })
}

fn rm(library: &Library, remove: &Remove, out: &Output) -> anyhow::Result<()> {
    let known = match library.find(&remove.what) {
        Err(LibraryError::Unknown(_)) if is_job(library, &remove.what)? => {
            return forget(library, &remove.what, out);
        }
        found => found?,
    };
    if !remove.yes && !is_agreed(&known)? {
        out.note("nothing was removed");
        return Ok(());
    }
    let removed = library.remove(&known)?;
    for job in library.jobs()?.iter().filter(|job| job.is_of(&known)) {
        library.forget_job(job)?;
    }
    let freed = units::bytes(removed.freed);
    let name = &known.name;
    out.note(&match known.condition {
        Condition::InPlace => {
            let path = known.path.display();
            format!("forgot {name}; {path} is yours and stays; freed {freed}")
        }
        Condition::Complete
        | Condition::Vault
        | Condition::Partial { .. }
        | Condition::Gone
        | Condition::Manifest => {
            format!("removed {name}; freed {freed}")
        }
    });
    let id = known.manifest_id.to_string();
    let mut object = object(&known);
    object["freed_bytes"] = removed.freed.into();
    Ok(out.result(&id, || object)?)
}

/// Whether a download is meant of which nothing is known but what was asked for.
fn is_job(library: &Library, text: &str) -> anyhow::Result<bool> {
    Ok(library
        .jobs()?
        .iter()
        .any(|job| resume::is_meant(job, text)))
}

/// Forgets such a download: there is nothing to ask about.
fn forget(library: &Library, text: &str, out: &Output) -> anyhow::Result<()> {
    let jobs = library.jobs()?.into_iter();
    for job in jobs.filter(|job| resume::is_meant(job, text)) {
        library.forget_job(&job)?;
        out.note(&format!("forgot the download of {}", resume::name(&job)));
        out.result(job.link.to_string(), || job_object(&job))?;
    }
    Ok(())
}

/// Asks on a terminal. Elsewhere nobody can answer.
fn is_agreed(known: &Known) -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::NotAsked);
    }
    let (name, size) = (shown(&known.name), units::bytes(known.size));
    prompt(&format!(
        "remove {name} ({size}, {})? [y/N] ",
        state(known.condition)
    ));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(CliError::Stdin)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn pin(library: &Library, what: &str, pin: Pin, out: &Output) -> anyhow::Result<()> {
    let mut known = library.find(what)?;
    library.pin(&known, pin)?;
    known.pin = pin;
    let done = match pin {
        Pin::Pinned => "pinned",
        Pin::Loose => "not pinned any more:",
    };
    out.note(&format!("{done} {}", known.name));
    Ok(out.result(known.manifest_id.to_string(), || object(&known))?)
}

fn collect(home: &Path, gc: &Gc, out: &Output) -> anyhow::Result<()> {
    let library = Library::open(home, gc.room.bytes());
    let how = match gc.dry_run {
        true => Collecting::Planning,
        false => Collecting::Removing,
    };
    let Some(quota) = library.quota() else {
        out.note("there is no quota: nothing has to go; swarmhold config set quota SIZE sets one");
        let nothing = || json!({ "collected": [], "freed_bytes": 0, "dry_run": gc.dry_run });
        return Ok(out.event(nothing)?);
    };
    let collected = library.collect(how)?;
    let (many, freed) = (
        collected.containers.len() as u64,
        units::bytes(collected.freed),
    );
    let taken = library.taken()?;
    let (remove, free) = match how {
        Collecting::Planning => ("would remove", "free"),
        Collecting::Removing => ("removed", "freed"),
    };
    let stays = match collected.in_use.len() as u64 {
        0 => String::new(),
        1 => "; 1 is being served or fetched and stays".to_owned(),
        more => format!("; {more} are being served or fetched and stay"),
    };
    out.note(&format!(
        "{remove} {} and {free} {freed}; {} of {} are taken{stays}",
        count(many, "container"),
        units::bytes(taken),
        units::bytes(quota)
    ));
    let objects = || {
        json!({
            "collected": collected.containers.iter().map(object).collect::<Vec<Value>>(),
            "in_use": collected.in_use.iter().map(object).collect::<Vec<Value>>(),
            "freed_bytes": collected.freed,
            "taken_bytes": taken,
            "quota_bytes": quota,
            "dry_run": gc.dry_run,
        })
    };
    if collected.containers.is_empty() {
        return Ok(out.event(objects)?);
    }
    let ids = collected
        .containers
        .iter()
        .map(|it| it.manifest_id.to_string());
    let lines: Vec<String> = ids.collect();
    Ok(out.result(lines.join("\n"), objects)?)
}
