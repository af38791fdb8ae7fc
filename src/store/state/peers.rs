//! Peers that were of use: where to ask for a container again.

use std::net::SocketAddr;

use rusqlite::{Connection, params};

use super::values::{digest, int};
use super::{State, StateError};
use crate::digest::{Address, ManifestId};

/// Peers of one container that are remembered; those that were not of use for longest go first.
const PEERS_MAX: u32 = 32;
/// Peers of all containers.
const ALL_PEERS_MAX: u32 = 8192;

/// A peer that gave chunks of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerRow {
    /// Of which manifest.
    pub manifest_id: ManifestId,
    /// Where it was dialed.
    pub remote: SocketAddr,
    /// Who it proved to be.
    pub address: Address,
}

impl State {
    /// Remembers peers that were of use at this time, in seconds since 1970. A loss of power may drop
    /// them. Does not wait.
    pub fn keep_peers(&self, peers: Vec<PeerRow>, now: u64) {
        self.post(move |connection| {
            let sql = "INSERT OR REPLACE INTO peers VALUES (?, ?, ?, ?)";
            let mut insert = connection.prepare(sql)?;
            for peer in &peers {
                let (id, address) = (peer.manifest_id.digest(), peer.address.digest());
                let remote = peer.remote.to_string();
                insert.execute(params![id.as_bytes(), remote, address.as_bytes(), int(now)])?;
            }
            let sql = "DELETE FROM peers WHERE manifest = ?1 AND remote NOT IN (
                SELECT remote FROM peers WHERE manifest = ?1 ORDER BY seen DESC LIMIT ?2)";
            for peer in &peers {
                connection.execute(
                    sql,
                    params![peer.manifest_id.digest().as_bytes(), PEERS_MAX],
                )?;
            }
            let sql = "DELETE FROM peers WHERE (manifest, remote) IN (
                SELECT manifest, remote FROM peers ORDER BY seen DESC LIMIT -1 OFFSET ?)";
            connection.execute(sql, [ALL_PEERS_MAX])?;
            Ok(())
        });
    }

    /// The peers that were of use for a container, the latest first. Blocks.
    pub fn peers(&self, manifest_id: ManifestId) -> Result<Vec<PeerRow>, StateError> {
        self.read(move |connection| {
            let sql = "SELECT remote, address FROM peers WHERE manifest = ? ORDER BY seen DESC";
            let mut all = connection.prepare(sql)?;
            let rows = all.query_map([manifest_id.digest().as_bytes()], |row| {
                let remote: String = row.get("remote")?;
                Ok((remote, Address::new(digest(row, "address")?)))
            })?;
            let mut peers = Vec::new();
            for row in rows {
                let (remote, address) = row?;
                // what is no address was not written here
                peers.extend(remote.parse().map(|remote| PeerRow {
                    manifest_id,
                    remote,
                    address,
                }));
            }
            Ok(peers)
        })
    }
}

/// Forgets the peers of a container.
pub(super) fn take_out(connection: &Connection, id: ManifestId) -> rusqlite::Result<()> {
    let sql = "DELETE FROM peers WHERE manifest = ?";
    connection.execute(sql, [id.digest().as_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn peer(manifest: u8, port: u16) -> PeerRow {
        PeerRow {
            manifest_id: ManifestId::new(Digest::of(&[manifest])),
            remote: SocketAddr::from(([198, 51, 100, 7], port)),
            address: Address::new(Digest::of(&port.to_le_bytes())),
        }
    }

    #[test]
    fn the_latest_peers_of_a_container_are_remembered() {
        let state = State::in_memory();
        let id = peer(1, 0).manifest_id;
        for port in 1..=40 {
            state.keep_peers(vec![peer(1, port), peer(2, port)], port.into());
        }
        let found = state.peers(id).unwrap();
        assert_eq!(found.len(), 32);
        assert_eq!((found[0], found[31]), (peer(1, 40), peer(1, 9)));
        state.keep_peers(vec![peer(1, 9)], 41);
        assert_eq!(state.peers(id).unwrap()[0], peer(1, 9));
        state.drop_containers(vec![id]).unwrap();
        assert_eq!(state.peers(id).unwrap(), []);
        assert_eq!(state.peers(peer(2, 0).manifest_id).unwrap().len(), 32);
        assert_eq!(state.troubles(), []);
    }

    #[test]
    fn of_all_peers_there_are_not_more_than_so_many() {
        let state = State::in_memory();
        for manifest in 0..255 {
            let peers = (1..=33).map(|port| peer(manifest, port));
            state.keep_peers(peers.collect(), 1000 + u64::from(manifest));
        }
        state.keep_peers((1..=32).map(|port| peer(255, port)).collect(), 5000);
        let count = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM peers", [], |row| row.get::<_, u32>(0))
        };
        assert_eq!(state.read(count).unwrap(), ALL_PEERS_MAX);
        state.keep_peers(vec![peer(254, 99), peer(253, 98)], 6000);
        assert_eq!(state.read(count).unwrap(), ALL_PEERS_MAX);
    }
}
