//! How those who took part in a container were reached, and what they gave and took: for people to look at.

use std::net::SocketAddr;

use rusqlite::{Connection, Row, params};

use super::values::{digest, int, maybe_digest, uint};
use super::{State, StateError};
use crate::digest::{Address, ManifestId};

/// Rows of one container; those of whom nothing was heard for longest go first.
const WAYS_MAX: u32 = 64;
/// Rows of all containers.
const ALL_WAYS_MAX: u32 = 8192;

/// How a connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// We dialed it.
    Dialed,
    /// It dialed us.
    Accepted,
    /// A SwarmMaster had both sides open their routers.
    Met,
    /// A SwarmMaster carries it.
    Relayed(Address),
}

/// Somebody who gave or took chunks of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayRow {
    /// Of which manifest.
    pub manifest_id: ManifestId,
    /// Who it proved to be.
    pub address: Address,
    /// How it was reached the last time.
    pub way: Way,
    /// Where it spoke from; none where a SwarmMaster carried.
    pub remote: Option<SocketAddr>,
    /// How long that took, in milliseconds, where it was timed.
    pub after_ms: Option<u64>,
    /// Why there was no direct way, in words.
    pub why: Option<String>,
    /// Bytes of chunks that it gave and that were right.
    pub gave: u64,
    /// Bytes that it was sent.
    pub took: u64,
    /// When it was last heard of, in seconds since 1970.
    pub seen: u64,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Dialed => "dialed",
            Self::Accepted => "accepted",
            Self::Met => "met",
            Self::Relayed(_) => "relayed",
        }
    }

    const fn master(self) -> Option<Address> {
        match self {
            Self::Relayed(master) => Some(master),
            Self::Dialed | Self::Accepted | Self::Met => None,
        }
    }

    /// What a row says; none where this program wrote no such row.
    fn of(name: &str, master: Option<Address>) -> Option<Self> {
        match (name, master) {
            ("dialed", None) => Some(Self::Dialed),
            ("accepted", None) => Some(Self::Accepted),
            ("met", None) => Some(Self::Met),
            ("relayed", Some(master)) => Some(Self::Relayed(master)),
            _ => None,
        }
    }
}

impl State {
    /// Writes down how peers were reached. What they gave and took is added to what was written before, the rest
    /// takes its place. A loss of power may drop it. Does not wait.
    pub fn keep_ways(&self, ways: Vec<WayRow>) {
        self.post(move |connection| {
            for row in &ways {
                keep(connection, row)?;
            }
            let sql = "DELETE FROM ways WHERE manifest = ?1 AND address NOT IN (
                SELECT address FROM ways WHERE manifest = ?1 ORDER BY seen DESC, address LIMIT ?2)";
            let mut trim = connection.prepare(sql)?;
            for row in &ways {
                trim.execute(params![row.manifest_id.digest().as_bytes(), WAYS_MAX])?;
            }
            let sql = "DELETE FROM ways WHERE (manifest, address) IN (
                SELECT manifest, address FROM ways ORDER BY seen DESC LIMIT -1 OFFSET ?)";
            connection.execute(sql, [ALL_WAYS_MAX])?;
            Ok(())
        });
    }

    /// How peers were reached, of one container or of all; the latest first. Blocks.
    pub fn ways(&self, of: Option<ManifestId>) -> Result<Vec<WayRow>, StateError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM ways WHERE ?1 IS NULL OR manifest = ?1
                ORDER BY seen DESC, manifest, address";
            let mut all = connection.prepare(sql)?;
            let of = of.map(|id| id.digest().as_bytes().to_vec());
            let rows = all.query_map([of], read)?;
            // what is no way was not written here
            Ok(rows
                .collect::<rusqlite::Result<Vec<_>>>()?
                .into_iter()
                .flatten()
                .collect())
        })
    }
}

/// Forgets how the peers of a container were reached.
pub(super) fn take_out(connection: &Connection, id: ManifestId) -> rusqlite::Result<()> {
    let sql = "DELETE FROM ways WHERE manifest = ?";
    connection.execute(sql, [id.digest().as_bytes()])?;
    Ok(())
}

fn keep(connection: &Connection, row: &WayRow) -> rusqlite::Result<()> {
    let sql = "INSERT INTO ways VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (manifest, address) DO UPDATE SET path = excluded.path, master = excluded.master,
            remote = excluded.remote, after_ms = excluded.after_ms, why = excluded.why,
            gave = gave + excluded.gave, took = took + excluded.took, seen = excluded.seen";
    let mut insert = connection.prepare_cached(sql)?;
    insert.execute(params![
        row.manifest_id.digest().as_bytes(),
        row.address.digest().as_bytes(),
        row.way.name(),
        row.way.master().map(|it| *it.digest().as_bytes()),
        row.remote.map(|it| it.to_string()),
        row.after_ms.map(int),
        row.why,
        int(row.gave),
        int(row.took),
        int(row.seen),
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<WayRow>> {
    let (name, remote): (String, Option<String>) = (row.get("path")?, row.get("remote")?);
    let master = maybe_digest(row, "master")?.map(Address::new);
    let after_ms: Option<i64> = row.get("after_ms")?;
    let Some(way) = Way::of(&name, master) else {
        return Ok(None);
    };
    Ok(Some(WayRow {
        manifest_id: ManifestId::new(digest(row, "manifest")?),
        address: Address::new(digest(row, "address")?),
        way,
        remote: remote.and_then(|text| text.parse().ok()),
        after_ms: after_ms.and_then(|ms| u64::try_from(ms).ok()),
        why: row.get("why")?,
        gave: uint(row, "gave")?,
        took: uint(row, "took")?,
        seen: uint(row, "seen")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn id(manifest: u8) -> ManifestId {
        ManifestId::new(Digest::of(&[manifest]))
    }

    fn row(manifest: u8, peer: u32, seen: u64) -> WayRow {
        WayRow {
            manifest_id: id(manifest),
            address: Address::new(Digest::of(&peer.to_le_bytes())),
            way: Way::Met,
            remote: Some(([198, 51, 100, 7], 7922).into()),
            after_ms: Some(72),
            why: None,
            gave: 1000,
            took: 10,
            seen,
        }
    }

    #[test]
    fn what_was_given_adds_up_and_the_last_way_counts() {
        let state = State::in_memory();
        state.keep_ways(vec![row(1, 1, 5)]);
        let later = WayRow {
            way: Way::Relayed(Address::new(Digest::of(b"master"))),
            remote: None,
            why: Some("both routers vary".to_owned()),
            ..row(1, 1, 9)
        };
        state.keep_ways(vec![later.clone(), row(2, 1, 6)]);
        let sum = WayRow {
            gave: 2000,
            took: 20,
            ..later
        };
        assert_eq!(state.ways(Some(id(1))).unwrap(), std::slice::from_ref(&sum));
        assert_eq!(state.ways(None).unwrap(), [sum, row(2, 1, 6)]);
        state.drop_containers(vec![id(1)]).unwrap();
        assert_eq!(state.ways(None).unwrap(), [row(2, 1, 6)]);
        assert_eq!(state.troubles(), []);
    }

    #[test]
    fn the_latest_of_a_container_and_of_all_are_kept() {
        let state = State::in_memory();
        for peer in 0..100 {
            state.keep_ways(vec![row(1, peer, peer.into())]);
        }
        let kept = state.ways(Some(id(1))).unwrap();
        let seen: Vec<u64> = kept.iter().map(|row| row.seen).collect();
        assert_eq!(seen, (36..100).rev().collect::<Vec<_>>());
        for manifest in 2..=200 {
            let peers = (0..64).map(|peer| row(manifest, peer, 1000 + u64::from(manifest)));
            state.keep_ways(peers.collect());
        }
        assert_eq!(state.ways(None).unwrap().len(), ALL_WAYS_MAX as usize);
        assert_eq!(state.ways(Some(id(1))).unwrap(), []);
        assert_eq!(state.troubles(), []);
    }
}
