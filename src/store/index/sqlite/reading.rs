//! Questions: who holds a container, and what is called like this.

use std::sync::Arc;

use rusqlite::{ErrorCode, Row, params};

use super::SqliteIndex;
use super::names::expression;
use crate::digest::{Address, Digest, ManifestId, ProgramId};
use crate::index::{Candidate, Query, Route, Seat};
use crate::store::index::{ALIVE_S, CANDIDATES_MAX, IndexExtent, Listed, Stop};
use crate::store::state::values::{digest, int, senseless, uint};
use crate::wire::{Extent, Hit, Holding, Wanted};

/// Steps of SQLite's machine between two looks at whether it is time to stop.
const STEPS: i32 = 2000;
/// Rows between two such looks.
const ROWS: usize = 64;
/// Names that begin alike are read in their own order if they are at most so many, and sorted by place.
const ALIKE_MAX: u32 = 512;
/// Behind every letter that there is.
const LAST: &str = "\u{10ffff}\u{10ffff}\u{10ffff}\u{10ffff}";
/// Manifests of one container whose holders are looked at.
const MANIFESTS_MAX: u32 = 8;

/// What is read of an entry that is shown.
const ENTRY: &str = "SELECT manifest, program, owner, name, size, time, seeders, holders
                     FROM entries WHERE place = ?";

impl SqliteIndex {
    pub(super) fn read_holders(
        &self,
        now: u64,
        wanted: Wanted,
        from: u64,
    ) -> rusqlite::Result<Vec<Listed>> {
        let entries: Vec<(i64, ManifestId)> = match wanted {
            Wanted::Manifest(id) => {
                let sql = "SELECT number, manifest FROM entries WHERE manifest = ? LIMIT ?";
                self.entries(sql, id.digest(), 1)?
            }
            Wanted::Program(id) => {
                let sql = "SELECT number, manifest FROM entries WHERE program = ?
                           ORDER BY place LIMIT ?";
                self.entries(sql, id.digest(), MANIFESTS_MAX)?
            }
        };
        let share = CANDIDATES_MAX / u32::try_from(entries.len()).unwrap_or(1).max(1);
        let mut listed = Vec::new();
        for (entry, id) in entries {
            self.read_round(now, entry, id, from, share, &mut listed)?;
        }
        Ok(listed)
    }

    fn entries(
        &self,
        sql: &str,
        key: &Digest,
        limit: u32,
    ) -> rusqlite::Result<Vec<(i64, ManifestId)>> {
        let mut found = self.connection.prepare_cached(sql)?;
        let rows = found.query_map(params![key.as_bytes(), limit], |row| {
            Ok((row.get(0)?, ManifestId::new(digest(row, "manifest")?)))
        })?;
        rows.collect()
    }

    /// Holders of one entry: those from somewhere on, and then from the beginning to there.
    fn read_round(
        &self,
        now: u64,
        entry: i64,
        id: ManifestId,
        from: u64,
        limit: u32,
        listed: &mut Vec<Listed>,
    ) -> rusqlite::Result<()> {
        let sql = "SELECT max(number) FROM nodes";
        let last: Option<i64> = self
            .connection
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        let nodes = u64::try_from(last.unwrap_or(0)).unwrap_or(0) + 1;
        let start = int(from % nodes);
        let alive = int(now.saturating_sub(ALIVE_S));
        let before = listed.len();
        for (low, high) in [(start, i64::MAX), (0, start)] {
            let room = i64::from(limit) - i64::try_from(listed.len() - before).unwrap_or(i64::MAX);
            let sql =
                "SELECT n.address, n.remote, n.listen, n.subnet, n.open, h.whole, h.chunks, h.map
                       FROM holders h CROSS JOIN nodes n ON n.number = h.node
                       WHERE h.entry = ? AND h.node >= ? AND h.node < ? AND n.seen >= ? LIMIT ?";
            let mut found = self.connection.prepare_cached(sql)?;
            let values = params![entry, low, high, alive, room.max(0)];
            let rows = found.query_map(values, |row| listed_of(row, id))?;
            for row in rows {
                listed.push(row?);
            }
        }
        Ok(())
    }

    pub(super) fn read_hits(
        &mut self,
        query: &Query,
        stop: Stop,
    ) -> rusqlite::Result<(Extent, Vec<Hit>)> {
        let stop = Arc::new(stop);
        let seen = Arc::clone(&stop);
        let watch = Some(move || seen.is_due());
        self.connection.progress_handler(STEPS, watch)?;
        let mut hits = Vec::new();
        let walked = self.look(query, &stop, &mut hits);
        self.connection.progress_handler(0, None::<fn() -> bool>)?;
        let extent = match walked {
            Ok(extent) => extent,
            Err(error) if is_interrupt(&error) => Extent::Partial,
            Err(error) => return Err(error),
        };
        Ok((extent, hits))
    }

    /// Takes in what fits, by whichever way is the shortest.
    fn look(&self, query: &Query, stop: &Stop, hits: &mut Vec<Hit>) -> rusqlite::Result<Extent> {
        if let Some(places) = self.alike(query)? {
            return self.take(&places, query, hits);
        }
        match query.route() {
            Route::Grams(demand) => {
                let sql = "SELECT l.place, l.name FROM names
                           CROSS JOIN labels l ON l.place = names.rowid
                           WHERE names MATCH ? ORDER BY names.rowid";
                self.walk(sql, [expression(&demand)], query, stop, hits)
            }
            Route::Owner(owner) => {
                let sql = "SELECT place, name FROM entries WHERE owner = ? ORDER BY place";
                let key = owner.digest().as_bytes();
                self.walk(sql, [key], query, stop, hits)
            }
            Route::All => {
                let sql = "SELECT place, name FROM labels ORDER BY place";
                self.walk(sql, [], query, stop, hits)
            }
        }
    }

    /// The places of all names that begin as asked, the best first, if they are few and that is what is asked
    /// for. One or two letters are a piece of their own, and many names begin with them.
    fn alike(&self, query: &Query) -> rusqlite::Result<Option<Vec<i64>>> {
        let Some(start) = query.start().filter(|it| it.chars().count() > 2) else {
            return Ok(None);
        };
        let sql = "SELECT place FROM starts WHERE folded >= ?1 AND folded < ?1 || ?2 LIMIT ?3";
        let mut found = self.connection.prepare_cached(sql)?;
        let rows = found.query_map(params![start, LAST, ALIKE_MAX + 1], |row| row.get(0))?;
        let mut places = rows.collect::<rusqlite::Result<Vec<i64>>>()?;
        places.sort_unstable();
        Ok((places.len() <= ALIKE_MAX as usize).then_some(places))
    }

    /// Takes in what is admitted of these.
    fn take(&self, places: &[i64], query: &Query, hits: &mut Vec<Hit>) -> rusqlite::Result<Extent> {
        let mut entry = self.connection.prepare_cached(ENTRY)?;
        for place in places {
            let hit = entry.query_row([place], hit_of)?;
            if query.admits(hit.size, &hit.owner, hit.time, hit.seeders) {
                hits.push(hit);
            }
            if hits.len() >= query.limit() {
                break;
            }
        }
        Ok(Extent::Whole)
    }

    /// Takes in what fits of the rows, in their order.
    fn walk(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        query: &Query,
        stop: &Stop,
        hits: &mut Vec<Hit>,
    ) -> rusqlite::Result<Extent> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut entry = self.connection.prepare_cached(ENTRY)?;
        let mut rows = statement.query(values)?;
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            looked_at += 1;
            if looked_at % ROWS == 0 && stop.is_due() {
                return Ok(Extent::Partial);
            }
            if !query.fits(row.get_ref(1)?.as_str()?) {
                continue;
            }
            let place: i64 = row.get(0)?;
            let hit = entry.query_row([place], hit_of)?;
            if query.admits(hit.size, &hit.owner, hit.time, hit.seeders) {
                hits.push(hit);
            }
            if hits.len() >= query.limit() {
                break;
            }
        }
        Ok(Extent::Whole)
    }

    pub(super) fn count(&self, now: u64) -> rusqlite::Result<IndexExtent> {
        let db = &self.connection;
        let alive = int(now.saturating_sub(ALIVE_S));
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let nodes = "SELECT count(*) FROM nodes WHERE seen >= ?";
        let nodes: i64 = db.query_row(nodes, [alive], |row| row.get(0))?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(IndexExtent {
            nodes: count(nodes),
            entries: count(one("SELECT count(*) FROM entries")?),
            holders: count(one("SELECT coalesce(sum(files), 0) FROM subnets")?),
        })
    }
}

fn listed_of(row: &Row<'_>, manifest_id: ManifestId) -> rusqlite::Result<Listed> {
    let (remote, listen): (String, String) = (row.get("remote")?, row.get("listen")?);
    let remote = remote.parse().map_err(senseless)?;
    let (subnet, map): (i64, i64) = (row.get("subnet")?, row.get("map")?);
    Ok(Listed {
        seat: Seat {
            address: Address::new(digest(row, "address")?),
            remote,
        },
        manifest_id,
        held: Holding {
            chunks: row.get("chunks")?,
            map: map.cast_unsigned(),
        },
        // what is no address was not written here
        listen: listen.split(' ').flat_map(str::parse).collect(),
        candidate: Candidate {
            subnet: subnet.cast_unsigned(),
            is_open: row.get("open")?,
            is_whole: row.get("whole")?,
        },
    })
}

fn hit_of(row: &Row<'_>) -> rusqlite::Result<Hit> {
    Ok(Hit {
        manifest_id: ManifestId::new(digest(row, "manifest")?),
        program_id: ProgramId::new(digest(row, "program")?),
        owner: Address::new(digest(row, "owner")?),
        name: row.get("name")?,
        size: uint(row, "size")?,
        time: uint(row, "time")?,
        seeders: row.get("seeders")?,
        peers: row.get("holders")?,
    })
}

fn is_interrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}
