//! Peers that were of use, across restarts: where a fetch asks again, beside the hints that it is given.
//!
//! Only peers that we dialed and that gave chunks are remembered, with the wallet that they proved: a
//! stranger cannot have us dial anybody by it. Without discovery nobody is asked who was not named.

use std::collections::BTreeSet;

use super::clock::unix_time;
use super::command::Note;
use super::config::{Discovery, PeerHint};
use super::driver::Driver;
use super::quest::FetchId;
use super::ways::Ways;
use crate::digest::ManifestId;
use crate::net::{Path, SessionKey};
use crate::store::PeerRow;

/// What is remembered of peers and not written down yet.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those that were of use.
    useful: BTreeSet<PeerRow>,
    /// How those who give and take are reached.
    pub(super) ways: Ways,
}

impl Driver {
    /// A peer gave a chunk of a container.
    pub(super) fn note_seen(&mut self, key: SessionKey, id: &ManifestId) {
        let Some(peer) = self.roster.get(key) else {
            return;
        };
        // the address that stands for a channel of a SwarmMaster's is nothing to dial
        let is_direct = peer.session.path() == Path::Direct;
        if let Some(remote) = peer.dialed().filter(|_| is_direct) {
            self.seen.useful.insert(PeerRow {
                manifest_id: *id,
                remote,
                address: peer.session.address(),
            });
        }
    }

    /// Writes down who was of use and which masters are doubted, away from the network thread.
    pub(super) fn keep_seen(&mut self) {
        self.keep_ways();
        let peers: Vec<PeerRow> = std::mem::take(&mut self.seen.useful).into_iter().collect();
        if !peers.is_empty() {
            let state = self.library.state.clone();
            tokio::task::spawn_blocking(move || state.keep_peers(peers, unix_time()));
        }
        self.keep_doubts();
    }

    /// Looks, away from the network thread, for peers that were of use to a fetch of this manifest.
    pub(super) fn recall_peers(&self, fetch: FetchId, id: ManifestId) {
        if self.discovery == Discovery::Off {
            return;
        }
        let (state, notes) = (self.library.state.clone(), self.notes.clone());
        tokio::task::spawn_blocking(move || {
            let hint = |row: PeerRow| PeerHint {
                remote: row.remote,
                expected: Some(row.address),
            };
            // without an answer there are the hints that were given
            let rows = state.peers(id).unwrap_or_default().into_iter();
            let peers = rows.map(hint).collect();
            // The driver is gone only when the node is.
            let _ = notes.send(Note::Recalled { fetch, peers });
        });
    }
}
