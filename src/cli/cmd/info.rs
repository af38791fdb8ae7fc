//! `swarmhold info`: what a manifest or a link says, and how much of it is proven. Asks nobody.

use serde_json::{Value, json};

use super::reference::Reference;
use crate::cli::args::Info;
use crate::cli::calendar::rfc3339;
use crate::cli::output::Output;
use crate::cli::table;
use crate::cli::units;
use crate::node::{Link, Manifest, SignatureState, read_manifest_file, unix_time};

/// Peers that are shown by name.
const PEERS_SHOWN_MAX: usize = 5;

pub(in crate::cli) fn run(info: &Info, out: &Output) -> anyhow::Result<()> {
    let Report { rows, object } = match Reference::read(&info.what)? {
        Reference::Link(link) => of_link(&link),
        Reference::File(path) => of_manifest(&read_manifest_file(&path)?, unix_time()),
    };
    Ok(out.result(table::rows(&rows), || object)?)
}

/// The same in two forms.
struct Report {
    /// Names and values, for people.
    rows: Vec<(&'static str, String)>,
    object: Value,
}

fn of_manifest(manifest: &Manifest, now_s: u64) -> Report {
    let layout = manifest.layout();
    let signed = match manifest.signature() {
        SignatureState::Signed { time } => Some(rfc3339(time)),
        SignatureState::Unsigned => None,
    };
    let reach = manifest.reach().map(|reach| reach.to_string());
    let peers: Vec<String> = manifest.peers().iter().map(ToString::to_string).collect();
    let warnings = manifest.warnings().iter().map(ToString::to_string);
    let late = manifest
        .warning_at(now_s)
        .map(|warning| warning.to_string());
    let warnings: Vec<String> = warnings.chain(late).collect();
    let link = Link::of(manifest, manifest.reach()).to_string();
    let unsigned = "no: unsigned, so nobody vouches for the owner";
    let size = layout.size();
    let mut rows = vec![
        ("name", manifest.name().to_owned()),
        ("program id", manifest.program_id().to_string()),
        ("manifest id", manifest.id().to_string()),
        ("size", format!("{} ({size} B)", units::bytes(size))),
        ("chunks", chunks(manifest)),
        ("owner", manifest.address().to_string()),
        (
            "signed",
            signed.clone().unwrap_or_else(|| unsigned.to_owned()),
        ),
        (
            "reach",
            reach.clone().unwrap_or_else(|| "not said".to_owned()),
        ),
        ("peers", listed(&peers)),
        ("link", link.clone()),
    ];
    rows.extend(warnings.iter().map(|warning| ("warning", warning.clone())));
    let object = json!({
        "name": manifest.name(),
        "program_id": manifest.program_id().to_string(),
        "manifest_id": manifest.id().to_string(),
        "size": size,
        "chunks": layout.chunk_count(),
        "chunk_size": layout.chunk_size(),
        "owner": manifest.address().to_string(),
        "signed_at": signed,
        "reach": reach,
        "peers": peers,
        "link": link,
        "warnings": warnings,
    });
    Report { rows, object }
}

fn chunks(manifest: &Manifest) -> String {
    let layout = manifest.layout();
    let chunk_size = units::bytes(u64::from(layout.chunk_size()));
    format!("{} of {chunk_size}", layout.chunk_count())
}

fn of_link(link: &Link) -> Report {
    let text = |item: Option<String>| item.unwrap_or_else(|| "not said".to_owned());
    let (manifest_id, owner) = (
        link.manifest_id.map(|id| id.to_string()),
        link.address.map(|address| address.to_string()),
    );
    let peers: Vec<String> = link.peers.iter().map(ToString::to_string).collect();
    let (provable, explained) = provable(link);
    let rows = vec![
        ("name", text(link.name.clone())),
        ("program id", link.program_id.to_string()),
        ("manifest id", text(manifest_id.clone())),
        ("owner", text(owner.clone())),
        ("peers", listed(&peers)),
        ("masters", listed(&link.masters)),
        ("provable", explained.to_owned()),
    ];
    let object = json!({
        "name": link.name,
        "program_id": link.program_id.to_string(),
        "manifest_id": manifest_id,
        "owner": owner,
        "peers": peers,
        "masters": link.masters,
        "provable": provable,
    });
    Report { rows, object }
}

/// What can be proven before the first byte arrives (DESIGN section 4): a word, and a sentence.
fn provable(link: &Link) -> (&'static str, &'static str) {
    match (link.manifest_id, link.address) {
        (Some(_), _) => (
            "everything",
            "everything, before the first byte: the link names the manifest",
        ),
        (None, Some(_)) => (
            "signature",
            "the owner's signature over the list of chunks, before the first byte",
        ),
        (None, None) => (
            "form",
            "only the form; a false manifest shows when all of a container has come for nothing",
        ),
    }
}

fn listed(items: &[String]) -> String {
    let shown = items.iter().take(PEERS_SHOWN_MAX).cloned();
    let shown: Vec<String> = shown.collect();
    match items.len().checked_sub(PEERS_SHOWN_MAX) {
        _ if items.is_empty() => "none".to_owned(),
        Some(more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        Some(0) | None => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(number: usize) -> Vec<String> {
        (0..number).map(|index| format!("p{index}")).collect()
    }

    #[test]
    fn lists_are_short() {
        assert_eq!(listed(&peers(0)), "none");
        assert_eq!(listed(&peers(2)), "p0, p1");
        assert_eq!(listed(&peers(5)), "p0, p1, p2, p3, p4");
        assert_eq!(listed(&peers(7)), "p0, p1, p2, p3, p4 and 2 more");
    }

    #[test]
    fn what_a_link_lets_one_prove() {
        let id = "ab".repeat(32);
        for (parameters, word) in [
            (format!("?m={id}"), "everything"),
            (format!("?m={id}&a={id}"), "everything"),
            (format!("?a={id}"), "signature"),
            (String::new(), "form"),
        ] {
            let link: Link = format!("swarmhold:{id}{parameters}").parse().unwrap();
            assert_eq!(provable(&link).0, word);
        }
    }
}
