//! The claims on `.part` files: the [`Ledger`] of downloads.
//!
//! Claims are not waited for, and are ordered: the journal is written in the order in which they came,
//! so a loss of power drops the newest and keeps the rest.

use std::path::Path;

use rusqlite::{OptionalExtension as _, Row, params};

use super::State;
use super::values::{digest, int, path_bytes, senseless, uint};
use crate::chunk::Bitfield;
use crate::digest::ManifestId;
use crate::store::ledger::{Claim, FileStamp, Ledger};

impl Ledger for State {
    fn claim(&self, part: &Path, claim: &Claim) {
        let (part, claim) = (path_bytes(part), claim.clone());
        self.post(move |connection| {
            let (manifest, chunks) = (claim.manifest.digest().as_bytes(), claim.have.len());
            let stamp = claim.rest;
            let sql = "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)";
            connection.prepare(sql)?.execute(params![
                part,
                manifest,
                chunks,
                claim.have.to_bytes(),
                stamp.map(|stamp| int(stamp.size)),
                stamp.map(|stamp| stamp.modified_ns),
                // all 64 bits mean something
                stamp.map(|stamp| stamp.inode.cast_signed()),
            ])?;
            Ok(())
        });
    }

    fn claimed(&self, part: &Path) -> Option<Claim> {
        let part = path_bytes(part);
        let found = self.read(move |connection| {
            let sql = "SELECT * FROM parts WHERE path = ?";
            connection.query_row(sql, [part], claim).optional()
        });
        // without an answer the file is looked at
        found.ok().flatten()
    }

    fn forget(&self, part: &Path) {
        let part = path_bytes(part);
        self.post(move |connection| {
            connection.execute("DELETE FROM parts WHERE path = ?", [part])?;
            Ok(())
        });
    }
}

fn claim(row: &Row<'_>) -> rusqlite::Result<Claim> {
    let bytes: Vec<u8> = row.get("have")?;
    Ok(Claim {
        manifest: ManifestId::new(digest(row, "manifest")?),
        have: Bitfield::from_bytes(&bytes, row.get("chunks")?).map_err(senseless)?,
        rest: stamp(row)?,
    })
}

fn stamp(row: &Row<'_>) -> rusqlite::Result<Option<FileStamp>> {
    let modified: Option<i64> = row.get("modified_ns")?;
    let inode: Option<i64> = row.get("inode")?;
    let Some((modified_ns, inode)) = modified.zip(inode) else {
        return Ok(None);
    };
    Ok(Some(FileStamp {
        size: uint(row, "size")?,
        modified_ns,
        inode: inode.cast_unsigned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkIndex;
    use crate::digest::Digest;

    fn some(of: u32) -> Claim {
        let mut have = Bitfield::empty(4096);
        have.insert(ChunkIndex::new(of));
        Claim {
            manifest: ManifestId::new(Digest::of(b"x")),
            have,
            rest: (of > 7).then_some(FileStamp {
                size: 9,
                modified_ns: -5,
                inode: u64::MAX,
            }),
        }
    }

    #[test]
    fn the_last_claim_on_a_part_counts_and_outlives_the_process() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (Path::new("/a/one.part"), Path::new("/a/two.part"));
        let state = State::open(home.path());
        assert_eq!(state.claimed(one), None);
        for of in [3, 4095, 7] {
            state.claim(one, &some(of));
            assert_eq!(state.claimed(one), Some(some(of)));
        }
        state.claim(two, &some(8));
        drop(state);
        let state = State::open(home.path());
        assert_eq!(state.claimed(one), Some(some(7)));
        assert_eq!(state.claimed(two), Some(some(8)));
        state.forget(one);
        assert_eq!(
            (state.claimed(one), state.claimed(two)),
            (None, Some(some(8)))
        );
        assert_eq!(state.troubles(), []);
    }

    #[test]
    fn a_claim_that_cannot_be_kept_is_told_of_once() {
        let state = State::in_memory();
        let dropped = state.write(|connection| connection.execute("DROP TABLE parts", []));
        dropped.unwrap();
        for of in [1, 2] {
            state.claim(Path::new("/x"), &some(of));
        }
        assert_eq!(state.claimed(Path::new("/x")), None);
        assert_eq!(state.troubles().len(), 1);
    }
}
