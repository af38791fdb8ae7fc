//! `swarmhold swarmmaster`: runs a SwarmMaster until a signal.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::cli::args::Global;
use crate::cli::args::index::Master;
use crate::cli::home::Home;
use crate::cli::output::Output;
use crate::cli::start;
use crate::cli::text::count;
use crate::cli::units::Rate;
use crate::node::{
    IndexPlace, Listen, MASTER_PORT, MasterConfig, MasterStatus, StartError, SwarmMaster,
    replace_file,
};

/// Its folder in the home folder.
const FOLDER: &str = "swarmmaster";
/// How often figures are written.
const METRICS_EVERY: Duration = Duration::from_secs(15);

/// A figure: its name, what it is, and where it comes from.
struct Figure {
    name: &'static str,
    help: &'static str,
    value: fn(&MasterStatus) -> u64,
}

#[rustfmt::skip]
const FIGURES: &[Figure] = &[
    Figure { name: "connections", help: "Connections that are up", value: |it| it.connections as u64 },
    Figure { name: "nodes_enlisted", help: "Nodes that have enlisted on them", value: |it| it.enlisted as u64 },
    Figure { name: "nodes_alive", help: "Nodes that are named to others", value: |it| it.index.nodes },
    Figure { name: "entries", help: "Containers in the index", value: |it| it.index.entries },
    Figure { name: "holders", help: "Pairs of a container and a node that holds it", value: |it| it.index.holders },
    Figure { name: "registered_total", help: "Registrations listed or renewed", value: |it| it.registered },
    Figure { name: "rejected_total", help: "Registrations not taken", value: |it| it.rejected },
    Figure { name: "lookups_total", help: "Questions who holds something", value: |it| it.lookups },
    Figure { name: "searches_total", help: "Searches answered", value: |it| it.searches },
    Figure { name: "searches_cut_total", help: "Searches answered in part", value: |it| it.searches_cut },
    Figure { name: "meetings_total", help: "Times that two nodes were told to meet", value: |it| it.meetings },
    Figure { name: "relay_lines", help: "Connections of nodes that have packets carried", value: |it| it.relay.lines as u64 },
    Figure { name: "relay_channels", help: "Channels between two nodes", value: |it| it.relay.channels as u64 },
    Figure { name: "relay_opened_total", help: "Channels opened", value: |it| it.relay.opened },
    Figure { name: "relay_refused_total", help: "Channels refused", value: |it| it.relay.refused },
    Figure { name: "relay_bytes_total", help: "Bytes carried", value: |it| it.relay.bytes },
    Figure { name: "relay_packets_total", help: "Packets carried", value: |it| it.relay.packets },
    Figure { name: "relay_over_rate_total", help: "Packets dropped for being more than their share", value: |it| it.relay.over_rate },
    Figure { name: "relay_over_line_total", help: "Packets dropped because the way on was full", value: |it| it.relay.over_line },
    Figure { name: "relay_strays_total", help: "Packets dropped that belonged to no channel", value: |it| it.relay.strays },
    Figure { name: "busy_total", help: "Requests told to come back later", value: |it| it.busy },
];

pub(in crate::cli) fn run(global: &Global, args: &Master, out: &Output) -> anyhow::Result<()> {
    let home = Home::find(global)?.within(FOLDER);
    let everywhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), MASTER_PORT);
    let wallet = home.identity(out)?.wallet;
    let mut config = MasterConfig::new(home.folder(), wallet, Listen::At(everywhere));
    if let Some(database) = &args.index {
        config.index = IndexPlace::Postgres(database.clone());
    }
    if let Some(Rate(rate)) = args.relay {
        config.relay_rate = Some(rate.unwrap_or(u64::MAX));
    }
    if args.no_relay {
        config.relay_rate = None;
    }
    start::wait(async |mut signals| {
        let master = match args.listen {
            Some(at) => {
                config.listen = Listen::At(at);
                SwarmMaster::start(config).await?
            }
            None => anywhere(config).await?,
        };
        let (hint, at) = (master.hint(), master.listen_address());
        out.note(&format!("a SwarmMaster listens on {at}; Ctrl-C stops"));
        out.note("nodes are told of it with --master, and what follows");
        out.result(&hint, || {
            json!({
                "event": "listening",
                "master": hint,
                "address": master.address().to_string(),
                "listen": at.to_string(),
            })
        })?;
        let mut status = master.status();
        let mut every = tokio::time::interval(METRICS_EVERY);
        loop {
            tokio::select! {
                () = signals.stopped() => break,
                _ = every.tick() => {}
            }
            if let Some(path) = &args.metrics {
                let now = *status.borrow_and_update();
                publish(path, &now, out).await;
            }
        }
        let last = *status.borrow_and_update();
        master.stop().await;
        out.note(&sum(&last));
        Ok(())
    })
}

/// On all addresses of this machine: IPv6 and IPv4, or IPv4 alone where it has no IPv6.
async fn anywhere(config: MasterConfig) -> Result<SwarmMaster, StartError> {
    let mut with_ipv4 = config.clone();
    let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), MASTER_PORT);
    with_ipv4.listen = Listen::At(everywhere);
    match SwarmMaster::start(config).await {
        Err(StartError::Bind(_)) => SwarmMaster::start(with_ipv4).await,
        started => started,
    }
}

/// Writes the figures, away from this thread.
async fn publish(path: &Path, now: &MasterStatus, out: &Output) {
    let (path, text) = (path.to_owned(), metrics(now));
    let write = tokio::task::spawn_blocking(move || {
        let written = replace_file(&path, text.as_bytes());
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))
    });
    if let Ok(Err(why)) = write.await {
        out.note(&why);
    }
}

/// What a master does, in the text format of Prometheus (version 0.0.4).
fn metrics(now: &MasterStatus) -> String {
    let mut text = String::new();
    for Figure { name, help, value } in FIGURES {
        let kind = match name.ends_with("_total") {
            true => "counter",
            false => "gauge",
        };
        // a String takes everything
        let _ = writeln!(
            text,
            "# HELP swarmhold_master_{name} {help}.\n# TYPE swarmhold_master_{name} {kind}\n\
             swarmhold_master_{name} {}",
            value(now)
        );
    }
    text
}

/// What it did, when it stops.
fn sum(last: &MasterStatus) -> String {
    format!(
        "{} of {}; answered {} and {}",
        count(last.index.holders, "registration"),
        count(last.index.entries, "container"),
        count(last.lookups, "lookup"),
        match last.searches {
            1 => "1 search".to_owned(),
            searches => format!("{searches} searches"),
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_in_the_format_of_prometheus() {
        let text = metrics(&MasterStatus {
            connections: 3,
            searches: 7,
            ..MasterStatus::default()
        });
        let start = "# HELP swarmhold_master_connections Connections that are up.\n\
                     # TYPE swarmhold_master_connections gauge\n\
                     swarmhold_master_connections 3\n";
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("\nswarmhold_master_searches_total 7\n"));
        assert_eq!(text.lines().count(), 3 * FIGURES.len());
    }
}
