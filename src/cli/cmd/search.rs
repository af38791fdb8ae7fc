//! `swarmhold search`, and how `get` finds a container by its name.

use std::io::{self, BufRead as _, IsTerminal as _};

use serde_json::{Value, json};

use crate::cli::args::Global;
use crate::cli::args::index::Search as Args;
use crate::cli::args::network::Network;
use crate::cli::error::CliError;
use crate::cli::home::Home;
use crate::cli::output::{Output, prompt};
use crate::cli::start::{self, Port};
use crate::cli::table::columns;
use crate::cli::text::{count, shown};
use crate::cli::units;
use crate::node::{
    Config, Extent, Found, Link, Mode, PeerHint, Search, SearchOutcome, Whom, check_search,
    unix_time,
};

/// Results among which somebody is asked to choose.
const CHOICES_MAX: u8 = 20;

pub(in crate::cli) fn run(global: &Global, args: &Args, out: &Output) -> anyhow::Result<()> {
    let mode = match (args.regex, args.prefix) {
        (true, _) => Mode::Regex,
        (false, true) => Mode::Prefix,
        (false, false) => Mode::Words,
    };
    let search = Search {
        size_min: args.min_size.map(|size| size.0),
        size_max: args.max_size.map(|size| size.0),
        owner: args.owner,
        since: args
            .newer
            .map(|age| unix_time().saturating_sub(age.as_secs())),
        seeders_min: args.seeders,
        limit: args.limit,
        ..Search::new(args.words.join(" "), mode)
    };
    let mut outcome = ask(global, &args.network, search, args.peer.clone(), out)?;
    outcome.found.truncate(args.limit.into());
    tell_of_masters(&outcome, out);
    if outcome.found.is_empty() {
        out.note("nothing is called like this");
        let none: [Value; 0] = [];
        return Ok(out.event(|| json!({ "found": none, "masters": masters(&outcome) }))?);
    }
    let object = || {
        let found: Vec<Value> = outcome.found.iter().map(value).collect();
        json!({ "found": found, "masters": masters(&outcome) })
    };
    Ok(out.result(table(&outcome.found), object)?)
}

/// Finds the one container of this name. Where several are called like it, asks; where nobody can be
/// asked, fails and lists them.
pub(super) fn resolve(
    global: &Global,
    network: &Network,
    peers: &[PeerHint],
    name: &str,
    out: &Output,
) -> anyhow::Result<Link> {
    let search = Search {
        limit: CHOICES_MAX,
        ..Search::new(name, Mode::Words)
    };
    let outcome = ask(global, network, search, peers.to_vec(), out)?;
    tell_of_masters(&outcome, out);
    let is_exact = |found: &&Found| found.hit.name.eq_ignore_ascii_case(name);
    let exact: Vec<&Found> = outcome.found.iter().filter(is_exact).collect();
    let chosen = match (exact.as_slice(), outcome.found.as_slice()) {
        (_, []) => return Err(CliError::NoSuchName(name.to_owned()).into()),
        ([one], _) => one,
        ([], [one]) => one,
        _ => choose(&outcome.found, name)?,
    };
    let hit = &chosen.hit;
    out.note(&format!("{}: {}", shown(&hit.name), hit.program_id));
    Ok(Link {
        program_id: hit.program_id,
        manifest_id: Some(hit.manifest_id),
        address: Some(hit.owner),
        name: Some(hit.name.clone()),
        peers: Vec::new(),
        masters: Vec::new(),
    })
}

/// Starts a node for as long as the search takes.
fn ask(
    global: &Global,
    network: &Network,
    search: Search,
    peers: Vec<PeerHint>,
    out: &Output,
) -> anyhow::Result<SearchOutcome> {
    check_search(&search).map_err(CliError::from)?;
    let home = Home::find(global)?;
    let masters = start::masters(network, &home)?;
    if masters.is_empty() && peers.is_empty() {
        return Err(CliError::NoMaster.into());
    }
    let wallet = home.identity(out)?.wallet;
    let config = Config::new(home.folder(), wallet);
    let whom = match peers.is_empty() {
        true => Whom::Masters,
        false => Whom::Everybody,
    };
    let outcome = start::wait(async |mut signals| {
        let node = start::start(config, network, &home, Port::Any).await?;
        let outcome = tokio::select! {
            outcome = node.search(search, whom, peers) => Ok(outcome),
            () = signals.stopped() => Err(CliError::SearchStopped),
        };
        node.stop().await;
        Ok(outcome?)
    })?;
    let answered = outcome.masters.iter().any(|it| it.outcome.is_ok()) || outcome.peers > 0;
    match answered {
        true => Ok(outcome),
        false => {
            let why = outcome.masters.iter().filter_map(|it| {
                let why = it.outcome.as_ref().err()?;
                Some(format!("\n  {}: {why}", it.hint))
            });
            Err(CliError::NobodyAnswered(why.collect()).into())
        }
    }
}

/// Asks which of several is meant.
fn choose<'a>(found: &'a [Found], name: &str) -> anyhow::Result<&'a Found> {
    let list = numbered(found);
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let name = name.to_owned();
        return Err(CliError::Ambiguous { name, list }.into());
    }
    loop {
        prompt(&format!(
            "{list}\nwhich one? 1 to {}, or nothing to leave: ",
            found.len()
        ));
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(CliError::Stdin)?;
        let answer = line.trim();
        if answer.is_empty() {
            return Err(CliError::NotChosen.into());
        }
        let number = answer.parse::<usize>().ok();
        if let Some(chosen) = number.and_then(|number| found.get(number.checked_sub(1)?)) {
            return Ok(chosen);
        }
    }
}

fn numbered(found: &[Found]) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .enumerate()
        .map(|(at, found)| {
            let mut row = vec![(at + 1).to_string()];
            row.extend(cells(found));
            row
        })
        .collect();
    columns(
        &["", "NAME", "SIZE", "SEEDERS", "AGE", "OWNER", "PROGRAM ID"],
        &rows,
    )
}

fn table(found: &[Found]) -> String {
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    columns(
        &["NAME", "SIZE", "SEEDERS", "AGE", "OWNER", "PROGRAM ID"],
        &rows,
    )
}

fn cells(found: &Found) -> Vec<String> {
    let hit = &found.hit;
    let age = match hit.time {
        0 => "unsigned".to_owned(),
        time => age(unix_time().saturating_sub(time)),
    };
    vec![
        hit.name.clone(),
        units::bytes(hit.size),
        hit.seeders.to_string(),
        age,
        hit.owner.short(),
        hit.program_id.to_string(),
    ]
}

/// How long ago, in the largest unit of which it is one.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => "now".to_owned(),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => count(seconds / 86_400, "day"),
    }
}

fn value(found: &Found) -> Value {
    let hit = &found.hit;
    let link = Link {
        program_id: hit.program_id,
        manifest_id: Some(hit.manifest_id),
        address: Some(hit.owner),
        name: None,
        peers: Vec::new(),
        masters: Vec::new(),
    };
    json!({
        "name": hit.name,
        "size": hit.size,
        "program_id": hit.program_id.to_string(),
        "manifest_id": hit.manifest_id.to_string(),
        "owner": hit.owner.to_string(),
        "signed_at": (hit.time > 0).then_some(hit.time),
        "seeders": hit.seeders,
        "peers": hit.peers,
        "told_by": found.told_by,
        "link": link.to_string(),
    })
}

fn masters(outcome: &SearchOutcome) -> Vec<Value> {
    let answer = |it: &crate::node::MasterAnswer| match &it.outcome {
        Ok((count, extent)) => {
            let is_whole = *extent == Extent::Whole;
            json!({ "master": it.hint, "found": count, "complete": is_whole })
        }
        Err(why) => json!({ "master": it.hint, "error": why }),
    };
    outcome.masters.iter().map(answer).collect()
}

/// Says which masters did not answer, or not for all that they have.
fn tell_of_masters(outcome: &SearchOutcome, out: &Output) {
    for master in &outcome.masters {
        match &master.outcome {
            Ok((_, Extent::Whole)) => {}
            Ok((_, Extent::Partial)) => {
                let hint = &master.hint;
                out.note(&format!(
                    "{hint} did not look at all names: say more letters"
                ));
            }
            Err(why) => out.note(&format!("{} did not answer: {why}", master.hint)),
        }
    }
}
