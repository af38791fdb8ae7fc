//! The tables at the end: who gave whom how much, and how it went for each leecher.

use std::time::Duration;

use comfy_table::{Cell, CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};
use swarmhold::Address;
use swarmhold::swarm::Tally;

use crate::cast::LIAR;
use crate::leecher::Leecher;
use crate::stage::Stage;
use crate::units::{self, Scale};

/// One line under the header, and nothing else.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .content_lines(ContentLineStyle::none());
/// Where there is nothing to say.
const NONE: &str = "–";

/// The unit of [`sources`].
pub(crate) fn unit(stage: &Stage) -> &'static str {
    scale(stage).name
}

/// A row for each node that could have been a source, a column for each leecher.
pub(crate) fn sources(stage: &Stage) -> String {
    let scale = scale(stage);
    let mut header = vec!["from \\ to".to_owned()];
    header.extend(stage.leechers.iter().map(|leecher| leecher.name.clone()));
    header.push("given".to_owned());
    let mut table = table(header);
    let tallies: Vec<Tally> = stage.leechers.iter().map(Leecher::tally).collect();
    for (address, name) in everyone(stage) {
        let mut row = vec![name];
        let mut sent = 0;
        for (leecher, tally) in stage.leechers.iter().zip(&tallies) {
            let given = tally
                .accounts
                .get(&address)
                .map_or(0, |account| account.bytes);
            let is_itself = leecher.node.address() == address;
            row.push(if is_itself {
                NONE.to_owned()
            } else {
                scale.number(given)
            });
            sent += given;
        }
        row.push(scale.number(sent));
        add(&mut table, row);
    }
    table.trim_fmt()
}

/// What the swarm did as a whole.
pub(crate) fn summary(stage: &Stage) -> String {
    let tallies = stage.leechers.iter().map(Leecher::tally);
    let (mut bytes, mut wire, mut published) = (0, 0, 0);
    for tally in tallies {
        bytes += tally.total.bytes;
        wire += tally.total.wire_bytes;
        let publisher = tally.accounts.get(&stage.publisher.address());
        published += publisher.map_or(0, |account| account.bytes);
    }
    let took = took(stage);
    format!(
        " {} delivered in {} ({}), as {} on the wire.\n The publisher gave {} of it, the leechers gave each other {}.",
        units::bytes(bytes),
        units::seconds(took),
        units::rate(units::per_second(bytes, took)),
        units::bytes(wire),
        units::percent(published, bytes),
        units::percent(bytes - published, bytes),
    )
}

/// Who lost how many requests to faster sources, if anybody did.
pub(crate) fn moved(stage: &Stage) -> String {
    let tallies: Vec<Tally> = stage.leechers.iter().map(Leecher::tally).collect();
    let lost = |address: &Address| -> u64 {
        let accounts = tallies.iter().filter_map(|it| it.accounts.get(address));
        accounts.map(|account| account.given_up).sum()
    };
    let mut losers: Vec<_> = everyone(stage)
        .into_iter()
        .map(|(address, name)| (lost(&address), name))
        .filter(|(lost, _)| *lost > 0)
        .collect();
    losers.sort_by(|a, b| b.cmp(a));
    let all: u64 = losers.iter().map(|(lost, _)| lost).sum();
    let losers = losers.iter().map(|(lost, name)| format!("{name} {lost}"));
    match all {
        0 => " No request had to move to a faster source.".to_owned(),
        _ => format!(
            " {all} requests moved to faster sources; from: {}.",
            losers.collect::<Vec<_>>().join(", ")
        ),
    }
}

/// How it went for each leecher.
pub(crate) fn leechers(stage: &Stage) -> String {
    let header = [
        "leecher",
        "took",
        "throughput",
        "sources",
        "saved by zstd",
        "duplicates",
        "moved",
        "bad chunks",
        "banned",
    ];
    let mut table = table(header.map(str::to_owned).to_vec());
    for leecher in &stage.leechers {
        let (tally, took) = (leecher.tally(), leecher.took());
        let total = tally.total;
        let speed = took.map(|took| units::rate(units::per_second(total.bytes, took)));
        let saved = total.bytes.saturating_sub(total.wire_bytes);
        let banned = leecher.banned().into_iter();
        let banned: Vec<_> = banned.map(|address| stage.names.of(address)).collect();
        add(
            &mut table,
            vec![
                leecher.name.clone(),
                took.map_or_else(|| "unfinished".to_owned(), units::seconds),
                speed.unwrap_or_default(),
                tally.sources().to_string(),
                format!(
                    "{} ({})",
                    units::bytes(saved),
                    units::percent(saved, total.bytes)
                ),
                units::percent(total.duplicate_bytes, total.bytes),
                total.taken_over.to_string(),
                total.bad_chunks.to_string(),
                if banned.is_empty() {
                    NONE.to_owned()
                } else {
                    units::list(&banned)
                },
            ],
        );
    }
    table.trim_fmt()
}

/// From the first leecher's start to the last one's end.
fn took(stage: &Stage) -> Duration {
    let began = stage.leechers.iter().map(|leecher| leecher.began).min();
    let ended = stage
        .leechers
        .iter()
        .filter_map(|leecher| leecher.outcome.as_ref());
    let ended = ended.map(|(_, at)| *at).max();
    began
        .zip(ended)
        .map_or(Duration::ZERO, |(began, ended)| ended.duration_since(began))
}

fn scale(stage: &Stage) -> Scale {
    Scale::for_size(stage.manifest.layout().size())
}

/// Every node that could give something, the publisher first and the liar last.
fn everyone(stage: &Stage) -> Vec<(Address, String)> {
    let publisher = stage.publisher.address();
    let leechers = stage
        .leechers
        .iter()
        .map(|leecher| (leecher.node.address(), leecher.name.clone()));
    let liar = stage
        .liar
        .iter()
        .map(|liar| (liar.address(), LIAR.to_owned()));
    [(publisher, stage.names.of(publisher))]
        .into_iter()
        .chain(leechers)
        .chain(liar)
        .collect()
}

fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    let titles = header.into_iter().enumerate();
    table.set_header(titles.map(aligned).collect::<Vec<_>>());
    table
}

fn add(table: &mut Table, row: Vec<String>) {
    table.add_row(row.into_iter().enumerate().map(aligned).collect::<Vec<_>>());
}

/// Names to the left, numbers to the right.
fn aligned((column, text): (usize, String)) -> Cell {
    let side = if column == 0 {
        CellAlignment::Left
    } else {
        CellAlignment::Right
    };
    Cell::new(text).set_alignment(side)
}
