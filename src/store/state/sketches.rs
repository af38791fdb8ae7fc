//! Which containers share chunks: a few hashes of each, to be looked up all at once.
//!
//! A sketch is a set of shortened hashes that depends on the chunks alone, so two containers that share
//! most chunks share most of their sketches. It stands in `sketches`, by hash, and with its container,
//! for taking it out again.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::values::digest;
use super::{State, StateError};
use crate::digest::ManifestId;

impl State {
    /// Keeps the sketches of containers that are known. Blocks.
    pub fn keep_sketches(&self, sketches: Vec<(ManifestId, Vec<u64>)>) -> Result<(), StateError> {
        self.write_soon(move |connection| {
            let mut all = sketches.iter();
            all.try_for_each(|(id, sketch)| keep(connection, *id, sketch))
        })
    }

    /// The containers of whose sketches these hashes have most, at most `most` of them, the best first.
    /// Blocks.
    pub fn similar(&self, hashes: Vec<u64>, most: usize) -> Result<Vec<ManifestId>, StateError> {
        self.read(move |connection| {
            let mut found = std::collections::BTreeMap::<i64, u32>::new();
            let sql = "SELECT container FROM sketches WHERE hash = ?";
            let mut lookup = connection.prepare(sql)?;
            for hash in hashes {
                let containers = lookup.query_map([hash.cast_signed()], |row| row.get(0))?;
                for container in containers {
                    *found.entry(container?).or_default() += 1;
                }
            }
            let mut found: Vec<_> = found.into_iter().collect();
            found.sort_by_key(|(number, shared)| (std::cmp::Reverse(*shared), *number));
            let sql = "SELECT manifest FROM containers WHERE number = ?";
            let mut container = connection.prepare(sql)?;
            let mut ids = Vec::new();
            for (number, _) in found.into_iter().take(most) {
                let id = container.query_row([number], |row| digest(row, "manifest"));
                ids.extend(id.optional()?.map(ManifestId::new));
            }
            Ok(ids)
        })
    }
}

fn keep(connection: &Connection, id: ManifestId, sketch: &[u64]) -> rusqlite::Result<()> {
    let packed: Vec<u8> = sketch.iter().flat_map(|hash| hash.to_le_bytes()).collect();
    let sql = "UPDATE containers SET sketch = ?2
               WHERE manifest = ?1 AND sketch IS NOT ?2 RETURNING number";
    let key = id.digest().as_bytes();
    let number = connection.query_row(sql, params![key, packed], |row| row.get(0));
    // there is no such container, or it has this sketch already; a manifest never has another
    let Some(number) = number.optional()? else {
        return Ok(());
    };
    let number: i64 = number;
    let mut insert = connection.prepare("INSERT OR IGNORE INTO sketches VALUES (?, ?)")?;
    for hash in sketch {
        insert.execute([hash.cast_signed(), number])?;
    }
    Ok(())
}

/// Takes out the sketch of a container that is about to be forgotten.
pub(super) fn take_out(connection: &Connection, id: ManifestId) -> rusqlite::Result<()> {
    let sql = "SELECT number, sketch FROM containers WHERE manifest = ? AND sketch IS NOT NULL";
    let found = connection.query_row(sql, [id.digest().as_bytes()], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    let Some((number, packed)): Option<(i64, Vec<u8>)> = found.optional()? else {
        return Ok(());
    };
    let mut delete = connection.prepare("DELETE FROM sketches WHERE hash = ? AND container = ?")?;
    for hash in packed.as_chunks::<8>().0 {
        delete.execute([i64::from_le_bytes(*hash), number])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Digest, ProgramId};
    use crate::store::state::{ContainerRow, Pin};

    fn known(state: &State, of: &str, sketch: &[u64]) -> ManifestId {
        let digest = Digest::of(of.as_bytes());
        let id = ManifestId::new(digest);
        let row = ContainerRow {
            manifest_id: id,
            program_id: ProgramId::new(digest),
            name: of.to_owned(),
            size: 1,
            chunks: 1,
            path: None,
            pin: Pin::Loose,
            kept: 0,
            manifest_bytes: 0,
            used: 0,
        };
        state.keep_container(row).unwrap();
        state.keep_sketches(vec![(id, sketch.to_vec())]).unwrap();
        id
    }

    #[test]
    fn who_shares_most_comes_first_until_it_is_forgotten() {
        let state = State::in_memory();
        let few = known(&state, "few", &[1, 2, u64::MAX]);
        let many = known(&state, "many", &[2, 3, 4, u64::MAX]);
        known(&state, "none", &[5]);
        let similar = |most| state.similar(vec![u64::MAX, 4, 2, 9], most).unwrap();
        assert_eq!(similar(9), [many, few]);
        assert_eq!(similar(1), [many]);
        known(&state, "many", &[2, 3, 4, u64::MAX]);
        assert_eq!(
            similar(9),
            [many, few],
            "the same once more changes nothing"
        );
        state.drop_containers(vec![many]).unwrap();
        assert_eq!(similar(9), [few]);
        let rows = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM sketches", [], |row| {
                row.get::<_, i64>(0)
            })
        };
        assert_eq!(state.read(rows).unwrap(), 4);
        state.keep_sketches(vec![(many, vec![7])]).unwrap();
        assert_eq!(
            state.read(rows).unwrap(),
            4,
            "of what is not known nothing is kept"
        );
    }
}
