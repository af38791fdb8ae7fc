//! How those who give and take are reached, across restarts: written down for `swarmhold peers`.
//!
//! What somebody gave and took is in the tally of each container; here is what of it was written down, so that
//! each byte counts once. Written once a minute, when somebody leaves, and at the end. Nothing is decided by it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::clock::unix_time;
use super::driver::Driver;
use super::library::Library;
use super::roster::Peer;
use super::status::PeerPath;
use crate::digest::{Address, ManifestId};
use crate::net::SessionKey;
use crate::store::{StateError, Way, WayRow};

/// Somebody who gave or took chunks of a container, as a home remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPeer {
    /// Of which container.
    pub manifest_id: ManifestId,
    /// Who it proved to be.
    pub address: Address,
    /// How it was reached the last time.
    pub path: PeerPath,
    /// Where it spoke from; none where a SwarmMaster carried.
    pub remote: Option<SocketAddr>,
    /// Why there was no direct way and what would help, where a SwarmMaster carried and that was known.
    pub why: Option<String>,
    /// Bytes of chunks that it gave and that were right.
    pub gave: u64,
    /// Bytes that it was sent.
    pub took: u64,
    /// When it was last heard of, in seconds since 1970.
    pub seen: u64,
}

/// What of each tally is written down.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Bytes given and taken, by container and peer.
    written: BTreeMap<(ManifestId, Address), (u64, u64)>,
    /// To be written.
    fresh: Vec<WayRow>,
}

/// Rows that wait to be written at once, at most: what is beyond is written first.
const FRESH_MAX: usize = 256;

impl Library {
    /// Who gave or took chunks of one container, or of all, and how they were reached; the latest first. Blocks.
    pub fn peers(&self, of: Option<ManifestId>) -> Result<Vec<KnownPeer>, StateError> {
        let rows = self.state.ways(of)?.into_iter();
        Ok(rows.map(KnownPeer::of).collect())
    }
}

impl KnownPeer {
    fn of(row: WayRow) -> Self {
        let after = row.after_ms.map(Duration::from_millis);
        let path = match row.way {
            Way::Dialed => PeerPath::Dialed,
            Way::Accepted => PeerPath::Accepted,
            Way::Met => PeerPath::Met {
                after: after.unwrap_or_default(),
            },
            Way::Relayed(master) => PeerPath::Relayed { master, after },
        };
        Self {
            manifest_id: row.manifest_id,
            address: row.address,
            path,
            remote: row.remote,
            why: row.why,
            gave: row.gave,
            took: row.took,
            seen: row.seen,
        }
    }
}

impl Driver {
    /// Somebody has left who is not connected another way: what is not written down yet will be.
    pub(super) fn note_way(&mut self, peer: &Peer) {
        let is_strange = !peer.downloads && !peer.uploads;
        if is_strange || self.roster.has_connection(peer.session.address()) {
            return;
        }
        let rows = self.ways_of(peer);
        self.seen.ways.add(rows);
        if self.seen.ways.fresh.len() > FRESH_MAX {
            self.keep_ways();
        }
    }

    /// Writes down what has changed, without waiting for it.
    pub(super) fn keep_ways(&mut self) {
        let active: Vec<SessionKey> = self.roster.keys();
        for key in active {
            if self.roster.is_draining(key) {
                continue;
            }
            if let Some(peer) = self.roster.get(key).filter(|it| it.downloads || it.uploads) {
                let rows = self.ways_of(peer);
                self.seen.ways.add(rows);
            }
        }
        let (swarm, ways) = (&self.swarm, &mut self.seen.ways);
        ways.written.retain(|(id, _), _| swarm.tally(id).is_some());
        let fresh = std::mem::take(&mut ways.fresh);
        if !fresh.is_empty() {
            self.library.state.keep_ways(fresh);
        }
    }

    /// What a peer gave and took that is not written down yet, of each container that takes part.
    fn ways_of(&self, peer: &Peer) -> Vec<WayRow> {
        let (who, now) = (peer.session.address(), unix_time());
        let (way, after) = match peer.path {
            PeerPath::Dialed => (Way::Dialed, None),
            PeerPath::Accepted => (Way::Accepted, None),
            PeerPath::Met { after } => (Way::Met, Some(after)),
            PeerPath::Relayed { master, after } => (Way::Relayed(master), after),
        };
        let is_relayed = matches!(way, Way::Relayed(_));
        let after_ms = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        let mut rows = Vec::new();
        for (manifest_id, _) in self.catalog.iter() {
            let tally = self.swarm.tally(&manifest_id);
            let Some(account) = tally.and_then(|tally| tally.accounts.get(&who)) else {
                continue;
            };
            let written = self.seen.ways.written.get(&(manifest_id, who));
            let (gave, took) = written.copied().unwrap_or_default();
            let row = WayRow {
                manifest_id,
                address: who,
                way,
                remote: (!is_relayed).then(|| peer.session.remote()),
                after_ms,
                why: self.why_not_direct(who, peer.path),
                gave: account.bytes.saturating_sub(gave),
                took: account.sent_bytes.saturating_sub(took),
                seen: now,
            };
            rows.extend(Some(row).filter(|row| row.gave > 0 || row.took > 0));
        }
        rows
    }
}

impl Ways {
    fn add(&mut self, rows: Vec<WayRow>) {
        for row in rows {
            let written = self.written.entry((row.manifest_id, row.address));
            let (gave, took) = written.or_default();
            (*gave, *took) = (*gave + row.gave, *took + row.took);
            self.fresh.push(row);
        }
    }
}
