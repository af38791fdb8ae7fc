//! `swarmhold peers`: who gave and took chunks of which container, how they were reached, and what would help
//! where there was no direct way.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::paths;
use crate::cli::calendar::rfc3339;
use crate::cli::output::Output;
use crate::cli::{table, units};
use crate::node::{KnownPeer, Library, ManifestId, PeerPath};

pub(super) fn run(library: &Library, of: Option<&str>, out: &Output) -> anyhow::Result<()> {
    let of = of.map(|text| library.find(text)).transpose()?;
    let peers = library.peers(of.map(|known| known.manifest_id))?;
    let names = library.list()?.into_iter();
    let names: BTreeMap<ManifestId, String> =
        names.map(|known| (known.manifest_id, known.name)).collect();
    let objects = || {
        let object = |peer: &KnownPeer| object(peer, names.get(&peer.manifest_id));
        json!({ "peers": peers.iter().map(object).collect::<Vec<Value>>() })
    };
    if peers.is_empty() {
        out.note("nobody has given or taken anything yet");
        return Ok(out.event(objects)?);
    }
    for (who, why) in reasons(&peers) {
        out.note(&format!("{who}: {why}"));
    }
    let header = ["PEER", "CONTAINER", "REACHED", "AT", "GAVE", "TOOK", "LAST"];
    let row = |peer: &KnownPeer| row(peer, names.get(&peer.manifest_id));
    let rows: Vec<Vec<String>> = peers.iter().map(row).collect();
    Ok(out.result(table::columns(&header, &rows), objects)?)
}

fn row(peer: &KnownPeer, name: Option<&String>) -> Vec<String> {
    let id = || peer.manifest_id.short();
    let at = peer.remote.map(|remote| remote.to_string());
    vec![
        peer.address.short(),
        name.cloned().unwrap_or_else(id),
        reached(peer.path),
        at.unwrap_or_else(|| "-".to_owned()),
        units::bytes(peer.gave),
        units::bytes(peer.took),
        rfc3339(peer.seen),
    ]
}

fn reached(path: PeerPath) -> String {
    match path {
        PeerPath::Dialed => "directly, dialed".to_owned(),
        PeerPath::Accepted => "directly, it dialed".to_owned(),
        PeerPath::Met { .. } => "directly, through both routers".to_owned(),
        PeerPath::Relayed { master, .. } => format!("through {}", master.short()),
    }
}

/// Why some were not reached directly, each once.
fn reasons(peers: &[KnownPeer]) -> BTreeMap<String, &str> {
    let told = peers
        .iter()
        .rev()
        .filter_map(|peer| Some((peer.address.short(), peer.why.as_deref()?)));
    told.collect()
}

fn object(peer: &KnownPeer, name: Option<&String>) -> Value {
    let mut object = paths::object(peer.address, peer.path, peer.why.as_deref());
    object["manifest_id"] = peer.manifest_id.to_string().into();
    object["name"] = name.cloned().into();
    object["remote"] = peer.remote.map(|remote| remote.to_string()).into();
    object["gave_bytes"] = peer.gave.into();
    object["took_bytes"] = peer.took.into();
    object["last_seen"] = peer.seen.into();
    object
}
