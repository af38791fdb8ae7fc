//! `swarmhold list`, `rm`, `pin`, `unpin` and `gc`: what is kept, and looking after it.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::args::Global;
use crate::cli::args::library::{Gc, Library as Command, One, Remove};
use crate::cli::calendar::rfc3339;
use crate::cli::cmd::{config, encrypted, scrub, vault};
use crate::cli::error::CliError;
use crate::cli::home::Home;
use crate::cli::output::{Output, prompt};
use crate::cli::progress::percent;
use crate::cli::text::{count, shown};
use crate::cli::{table, units};
use crate::node::{Collecting, Condition, Key, Known, Library, Pin};

pub(in crate::cli) fn run(global: &Global, command: &Command, out: &Output) -> anyhow::Result<()> {
    let home = Home::find(global)?;
    let home = home.folder();
    match command {
        Command::List => list(&Library::open(home, None), out),
        Command::Rm(remove) => rm(&Library::open(home, None), remove, out),
        Command::Pin(One { what }) => pin(&Library::open(home, None), what, Pin::Pinned, out),
        Command::Unpin(One { what }) => pin(&Library::open(home, None), what, Pin::Loose, out),
        Command::Gc(gc) => collect(home, gc, out),
        Command::Scrub(what) => scrub::run(global, what, out),
        Command::Export(export) => {
            let own = Home::find(global)?;
            let key = Key::of_wallet(&own.existing_identity()?);
            encrypted::export(&own.library(out)?, export, key, out)
        }
        Command::Vault(what) => vault::run(&Home::find(global)?, what, out),
        Command::Config(config) => config::run(home, config, out),
    }
}

fn list(library: &Library, out: &Output) -> anyhow::Result<()> {
    let all = library.list()?;
    let (taken, quota) = (library.taken()?, library.quota());
    let of = quota.map(|quota| format!(" of {}", units::bytes(quota)));
    let of = of.unwrap_or_default();
    out.note(&format!(
        "{}; {}{of} in the node's own folder",
        count(all.len() as u64, "container"),
        units::bytes(taken)
    ));
    let object = || {
        json!({
            "containers": all.iter().map(object).collect::<Vec<Value>>(),
            "taken_bytes": taken,
            "quota_bytes": quota,
        })
    };
    if all.is_empty() {
        return Ok(out.event(object)?);
    }
    let header = ["NAME", "SIZE", "ID", "STATE", "PINNED", "LAST USED"];
    let rows: Vec<Vec<String>> = all.iter().map(line).collect();
    Ok(out.result(table::columns(&header, &rows), object)?)
}

fn line(known: &Known) -> Vec<String> {
    vec![
        known.name.clone(),
        units::bytes(known.size),
        known.program_id.short(),
        state(known.condition),
        if known.pin == Pin::Pinned {
            "yes"
        } else {
            "no"
        }
        .to_owned(),
        rfc3339(known.used),
    ]
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
    let known = library.find(&remove.what)?;
    if !remove.yes && !is_agreed(&known)? {
        out.note("nothing was removed");
        return Ok(());
    }
    let removed = library.remove(&known)?;
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
