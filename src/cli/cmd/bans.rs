//! `swarmhold bans`: who is refused, for how long and what for, and an end to that.

use serde_json::{Value, json};

use crate::cli::args::{Bans, Global, Whom};
use crate::cli::home::Home;
use crate::cli::output::Output;
use crate::cli::text::count;
use crate::cli::units;
use crate::node::{Address, KeptBan, Lift, Strike, kept_bans, lift_bans};

pub(in crate::cli) fn run(global: &Global, bans: &Bans, out: &Output) -> anyhow::Result<()> {
    let home = Home::find(global)?;
    match &bans.lift {
        Some(Whom::All) => lift(&home, Lift::All, out),
        Some(Whom::One(address)) => lift(&home, Lift::These(&[*address]), out),
        None => list(&home, out),
    }
}

fn list(home: &Home, out: &Output) -> anyhow::Result<()> {
    let bans = kept_bans(home.folder())?;
    let line = |(address, ban): (&Address, &KeptBan)| {
        let left = units::time(ban.left);
        format!("{address}  for {left} more, for {}", causes(ban))
    };
    let lines: Vec<String> = bans.iter().map(line).collect();
    if lines.is_empty() {
        out.note("nobody is banned");
    }
    let object = |(address, ban): (&Address, &KeptBan)| {
        json!({
            "address": address.to_string(),
            "left_seconds": ban.left.as_secs(),
            "strikes": ban.strikes.iter().map(strike).collect::<Vec<Value>>(),
        })
    };
    let objects = || json!({ "bans": bans.iter().map(object).collect::<Vec<Value>>() });
    print(&lines, objects, out)
}

fn lift(home: &Home, whose: Lift<'_>, out: &Output) -> anyhow::Result<()> {
    let lifted = lift_bans(home.folder(), whose)?;
    out.note(&format!("lifted {}", count(lifted.len() as u64, "ban")));
    let lines: Vec<String> = lifted.iter().map(Address::to_string).collect();
    print(&lines, || json!({ "lifted": lines }), out)
}

/// The lines as text where there are any, the object as JSON always.
fn print(lines: &[String], object: impl FnOnce() -> Value, out: &Output) -> anyhow::Result<()> {
    if lines.is_empty() {
        return Ok(out.event(object)?);
    }
    Ok(out.result(lines.join("\n"), object)?)
}

fn causes(ban: &KeptBan) -> String {
    let is_chunk = |strike: &&Strike| matches!(strike, Strike::BadChunk { .. });
    let bad = ban.strikes.iter().filter(is_chunk).count() as u64;
    let other = ban.strikes.len() as u64 - bad;
    match (bad, other) {
        (0, 0) => "reasons that were not kept".to_owned(),
        (bad, 0) => count(bad, "bad chunk"),
        (0, other) => count(other, "breach") + " of the protocol",
        (bad, other) => {
            let (bad, other) = (count(bad, "bad chunk"), count(other, "breach"));
            format!("{bad} and {other} of the protocol")
        }
    }
}

fn strike(strike: &Strike) -> Value {
    match strike {
        Strike::BadChunk { id } => json!({ "bad_chunk_of": id.to_string() }),
        Strike::Protocol => json!("protocol"),
    }
}
