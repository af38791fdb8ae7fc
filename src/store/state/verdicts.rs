//! Which manifests are known to be right or wrong.

use rusqlite::{Connection, Row, params};

use super::values::{digest, int, maybe_digest};
use super::{State, StateError};
use crate::digest::{Address, ManifestId, ProgramId};

/// A manifest whose chunks are not the container that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongRow {
    /// The manifest.
    pub id: ManifestId,
    /// Whose signature it has; none where it is not signed.
    pub signer: Option<Address>,
    /// What it says that its chunks are.
    pub claimed: ProgramId,
    /// What they are.
    pub found: ProgramId,
}

/// What is known of manifests, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictRows {
    /// Manifests that are right.
    pub right: Vec<ManifestId>,
    /// Manifests that are wrong.
    pub wrong: Vec<WrongRow>,
}

impl State {
    /// Adds what is known of manifests to what was, forgets the oldest beyond `keep` of each kind, and
    /// answers with all that is known then. Blocks.
    pub fn add_verdicts(&self, more: VerdictRows, keep: usize) -> Result<VerdictRows, StateError> {
        let keep = int(keep as u64);
        if more == VerdictRows::default() {
            return self.read(all);
        }
        self.write(move |connection| {
            let sql = "INSERT OR IGNORE INTO verdicts_right (manifest) VALUES (?)";
            let mut right = connection.prepare(sql)?;
            for id in more.right {
                right.execute([id.digest().as_bytes()])?;
            }
            let sql = "INSERT OR IGNORE INTO verdicts_wrong (manifest, signer, claimed, found)
                       VALUES (?, ?, ?, ?)";
            let mut wrong = connection.prepare(sql)?;
            for WrongRow {
                id,
                signer,
                claimed,
                found,
            } in more.wrong
            {
                let signer = signer.map(|signer| *signer.digest().as_bytes());
                let (id, claimed, found) = (id.digest(), claimed.digest(), found.digest());
                let (claimed, found) = (claimed.as_bytes(), found.as_bytes());
                wrong.execute(params![id.as_bytes(), signer, claimed, found])?;
            }
            for table in ["verdicts_right", "verdicts_wrong"] {
                let sql = format!(
                    "DELETE FROM {table} WHERE number <= (
                        SELECT number FROM {table} ORDER BY number DESC LIMIT 1 OFFSET ?)"
                );
                connection.execute(&sql, [keep])?;
            }
            all(connection)
        })
    }
}

fn all(connection: &Connection) -> rusqlite::Result<VerdictRows> {
    let mut right = connection.prepare("SELECT * FROM verdicts_right ORDER BY number")?;
    let right = right.query_map([], |row| Ok(ManifestId::new(digest(row, "manifest")?)))?;
    let mut wrong_ones = connection.prepare("SELECT * FROM verdicts_wrong ORDER BY number")?;
    let wrong = wrong_ones.query_map([], wrong)?;
    Ok(VerdictRows {
        right: right.collect::<Result<_, _>>()?,
        wrong: wrong.collect::<Result<_, _>>()?,
    })
}

fn wrong(row: &Row<'_>) -> rusqlite::Result<WrongRow> {
    Ok(WrongRow {
        id: ManifestId::new(digest(row, "manifest")?),
        signer: maybe_digest(row, "signer")?.map(Address::new),
        claimed: ProgramId::new(digest(row, "claimed")?),
        found: ProgramId::new(digest(row, "found")?),
    })
}
