//! The containers that a node knows: one row each, and nothing of them in memory.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::peers;
use super::sketches;
use super::values::{digest, int, path_bytes, path_of, uint};
use super::ways;
use super::{State, StateError};
use crate::digest::{ManifestId, ProgramId};

/// One container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRow {
    /// Its manifest, which the node's folder has a copy of.
    pub manifest_id: ManifestId,
    /// The SHA-256 of all of it.
    pub program_id: ProgramId,
    /// What people are shown: somebody else's text.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// How many chunks it has.
    pub chunks: u32,
    /// The user's own file that is it, or is to become it; without one it is in the node's folder.
    pub path: Option<PathBuf>,
    /// Whether it may be collected.
    pub pin: Pin,
    /// Bytes that it, or its `.part`, takes of the node's folder.
    pub kept: u64,
    /// Bytes that the copy of its manifest takes.
    pub manifest_bytes: u64,
    /// When it was last fetched or shared, in seconds since 1970.
    pub used: u64,
}

/// Whether a container may be collected when room is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It may not.
    Pinned,
    /// It may.
    Loose,
}

impl State {
    /// Writes down that a container is used now, as this row says. A pin that is there stays. Rows of
    /// other manifests for the same bytes in the node's folder give up their claim to its room. Blocks.
    pub fn keep_container(&self, row: ContainerRow) -> Result<(), StateError> {
        self.write_soon(move |connection| keep(connection, &row))
    }

    /// As [`keep_container`](Self::keep_container), for many, all or none. Blocks.
    pub fn keep_containers(&self, rows: Vec<ContainerRow>) -> Result<(), StateError> {
        self.write_soon(move |connection| rows.iter().try_for_each(|row| keep(connection, row)))
    }

    /// The same for those that are not known; what is known stays as it is. Blocks.
    pub fn adopt_containers(&self, rows: Vec<ContainerRow>) -> Result<(), StateError> {
        self.write_soon(move |connection| {
            let sql = "SELECT 1 FROM containers WHERE manifest = ?";
            let mut known = connection.prepare(sql)?;
            for row in rows {
                if !known.exists([row.manifest_id.digest().as_bytes()])? {
                    keep(connection, &row)?;
                }
            }
            Ok(())
        })
    }

    /// All containers, the one that was not used for longest first. Blocks.
    pub fn containers(&self) -> Result<Vec<ContainerRow>, StateError> {
        self.read(|connection| {
            let sql = "SELECT * FROM containers ORDER BY used, number";
            let mut all = connection.prepare(sql)?;
            let rows = all.query_map([], container)?;
            rows.collect()
        })
    }

    /// One container. Blocks.
    pub fn container(&self, id: ManifestId) -> Result<Option<ContainerRow>, StateError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM containers WHERE manifest = ?";
            let id = id.digest().as_bytes();
            connection.query_row(sql, [id], container).optional()
        })
    }

    /// How many containers there are, and the bytes of the node's folder that they take. Blocks.
    pub fn room_taken(&self) -> Result<(u64, u64), StateError> {
        self.read(|connection| {
            let sql = "SELECT count(*) AS many, coalesce(sum(kept + manifest_bytes), 0) AS bytes
                       FROM containers";
            connection.query_row(sql, [], |row| Ok((uint(row, "many")?, uint(row, "bytes")?)))
        })
    }

    /// Other manifests that describe the same bytes as this one. Blocks.
    pub fn others_of(
        &self,
        program_id: ProgramId,
        manifest_id: ManifestId,
    ) -> Result<Vec<ContainerRow>, StateError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM containers WHERE program = ? AND manifest <> ?";
            let (program, manifest) = (program_id.digest(), manifest_id.digest());
            let mut others = connection.prepare(sql)?;
            let key = params![program.as_bytes(), manifest.as_bytes()];
            others.query_map(key, container)?.collect()
        })
    }

    /// The manifests that describe these bytes, the one that was used last first. Blocks.
    pub fn manifests_of(&self, program_id: ProgramId) -> Result<Vec<ManifestId>, StateError> {
        self.read(move |connection| {
            let sql = "SELECT manifest FROM containers WHERE program = ? ORDER BY used DESC";
            let mut all = connection.prepare(sql)?;
            let id = |row: &Row<'_>| Ok(ManifestId::new(digest(row, "manifest")?));
            all.query_map([program_id.digest().as_bytes()], id)?
                .collect()
        })
    }

    /// Pins a container or lets it loose. Blocks.
    pub fn pin_container(&self, id: ManifestId, pin: Pin) -> Result<(), StateError> {
        self.write(move |connection| {
            let sql = "UPDATE containers SET pinned = ? WHERE manifest = ?";
            let pinned = i64::from(pin == Pin::Pinned);
            connection.execute(sql, params![pinned, id.digest().as_bytes()])?;
            Ok(())
        })
    }

    /// Forgets containers. Blocks.
    pub fn drop_containers(&self, ids: Vec<ManifestId>) -> Result<(), StateError> {
        self.write_soon(move |connection| {
            let mut delete = connection.prepare("DELETE FROM containers WHERE manifest = ?")?;
            for id in ids {
                sketches::take_out(connection, id)?;
                peers::take_out(connection, id)?;
                ways::take_out(connection, id)?;
                delete.execute([id.digest().as_bytes()])?;
            }
            Ok(())
        })
    }
}

fn keep(connection: &Connection, row: &ContainerRow) -> rusqlite::Result<()> {
    let (id, program) = (row.manifest_id.digest(), row.program_id.digest());
    let (id, program) = (id.as_bytes(), program.as_bytes());
    if row.kept > 0 {
        let sql = "UPDATE containers SET kept = 0 WHERE program = ? AND manifest <> ?";
        connection.execute(sql, params![program, id])?;
    }
    let sql = "
        INSERT INTO containers
            (manifest, program, name, size, chunks, path, pinned, added, used, kept, manifest_bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10)
        ON CONFLICT (manifest) DO UPDATE SET
            path = ?6, used = max(used, ?8), kept = ?9, manifest_bytes = ?10";
    connection.execute(
        sql,
        params![
            id,
            program,
            row.name,
            int(row.size),
            row.chunks,
            row.path.as_deref().map(path_bytes),
            i64::from(row.pin == Pin::Pinned),
            int(row.used),
            int(row.kept),
            int(row.manifest_bytes),
        ],
    )?;
    Ok(())
}

fn container(row: &Row<'_>) -> rusqlite::Result<ContainerRow> {
    let path: Option<Vec<u8>> = row.get("path")?;
    let pinned: i64 = row.get("pinned")?;
    Ok(ContainerRow {
        manifest_id: ManifestId::new(digest(row, "manifest")?),
        program_id: ProgramId::new(digest(row, "program")?),
        name: row.get("name")?,
        size: uint(row, "size")?,
        chunks: row.get("chunks")?,
        path: path.map(path_of),
        pin: if pinned == 0 { Pin::Loose } else { Pin::Pinned },
        kept: uint(row, "kept")?,
        manifest_bytes: uint(row, "manifest_bytes")?,
        used: uint(row, "used")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn row(of: &str, used: u64) -> ContainerRow {
        let digest = Digest::of(of.as_bytes());
        ContainerRow {
            manifest_id: ManifestId::new(digest),
            program_id: ProgramId::new(digest),
            name: of.to_owned(),
            size: 7 << 30,
            chunks: 3,
            path: None,
            pin: Pin::Loose,
            kept: 7 << 30,
            manifest_bytes: 1000,
            used,
        }
    }

    #[test]
    fn rows_come_back_as_they_went_the_oldest_use_first() {
        let state = State::in_memory();
        let elsewhere = ContainerRow {
            path: Some(PathBuf::from("/a/\u{fffd}.tar")),
            kept: 0,
            ..row("elsewhere", 5)
        };
        for row in [row("late", 9), elsewhere.clone(), row("early", 1)] {
            state.keep_container(row).unwrap();
        }
        let all = state.containers().unwrap();
        assert_eq!(all, [row("early", 1), elsewhere.clone(), row("late", 9)]);
        assert_eq!(state.room_taken().unwrap(), (3, (14 << 30) + 3000));
        let id = elsewhere.manifest_id;
        assert_eq!(state.container(id).unwrap(), Some(elsewhere));
        state.drop_containers(vec![id]).unwrap();
        assert_eq!(state.container(id).unwrap(), None);
    }

    #[test]
    fn what_is_adopted_takes_nothing_from_what_is_known() {
        let state = State::in_memory();
        let elsewhere = ContainerRow {
            path: Some(PathBuf::from("/a/x")),
            kept: 0,
            ..row("x", 9)
        };
        state.keep_container(elsewhere.clone()).unwrap();
        let found = vec![row("x", 20), row("y", 20)];
        state.adopt_containers(found).unwrap();
        assert_eq!(state.containers().unwrap(), [elsewhere, row("y", 20)]);
    }

    #[test]
    fn a_pin_stays_and_one_container_is_not_counted_twice() {
        let state = State::in_memory();
        let first = row("x", 5);
        state.keep_container(first.clone()).unwrap();
        state.pin_container(first.manifest_id, Pin::Pinned).unwrap();
        state.keep_container(row("x", 2)).unwrap();
        let found = state.container(first.manifest_id).unwrap().unwrap();
        assert_eq!((found.pin, found.used), (Pin::Pinned, 5));
        let other = ContainerRow {
            program_id: first.program_id,
            ..row("y", 6)
        };
        state.keep_container(other).unwrap();
        assert_eq!(state.room_taken().unwrap(), (2, (7 << 30) + 2000));
        let (program, other) = (first.program_id, ManifestId::new(Digest::of(b"y")));
        let kept = |id| {
            let others = state.others_of(program, id).unwrap();
            let kept = others.into_iter().map(|row| (row.manifest_id, row.kept));
            kept.collect::<Vec<_>>()
        };
        assert_eq!(kept(first.manifest_id), [(other, 7 << 30)]);
        assert_eq!(kept(other), [(first.manifest_id, 0)]);
        let both = [other, first.manifest_id];
        assert_eq!(state.manifests_of(program).unwrap(), both);
    }
}
