//! Questions: who holds a container, and what is called like this.
//!
//! A search for what few names contain is answered by the index of pieces (pg_trgm), and one for what
//! many contain by walking the entries in their order until enough are found. Which it is, is found out
//! by asking for the first thousand, whichever they are.

use ::postgres::error::SqlState;
use ::postgres::types::Type;
use ::postgres::{Client, Error, Row, Statement};

use super::condition::Condition;
use super::rows::{hit_of, listed_of, unsigned};
use crate::index::{Query, Route};
use crate::store::index::{ALIVE_S, CANDIDATES_MAX, IndexExtent, Listed, Stop};
use crate::store::state::values::int;
use crate::wire::{Extent, Hit, Wanted};

/// Manifests of one container whose holders are looked at.
const MANIFESTS_MAX: i64 = 8;
/// So many names are few: they are all read, and sorted.
const FEW: i64 = 1000;
/// Rows that are read at a time while walking, at first and at most.
const PAGE_MIN: i64 = 100;
const PAGE_MAX: i64 = 4000;

/// What is read of an entry.
const ENTRY: &str = "place, manifest, program, owner, name, size, time, seeders, holders";

/// Holders of one entry are taken from somewhere on, and then from the beginning to there.
const HOLDERS: &str = "
SELECT e.manifest, x.* FROM e CROSS JOIN LATERAL (
    SELECT n.address, n.remote, n.listen, n.subnet, n.open, h.whole, h.chunks, h.map
    FROM swarmhold.holders h JOIN swarmhold.nodes n ON n.number = h.node
    WHERE h.entry = e.number AND n.seen >= $2
    ORDER BY h.node < (SELECT $3 % (coalesce(max(number), 0) + 1) FROM swarmhold.nodes), h.node
    LIMIT (SELECT $4 / greatest(count(*), 1) FROM e)
) x";

/// The questions of who holds a container, as the server knows them. They are asked far more often than any other, and
/// reading and planning one takes it longer than answering it.
pub(super) struct Lookups {
    manifest: Statement,
    program: Statement,
}

impl Lookups {
    pub(super) fn new(client: &mut Client) -> Result<Self, Error> {
        let mut of = |column| {
            let sql = format!(
                "WITH e AS (SELECT number, manifest FROM swarmhold.entries WHERE {column} = $1
                 ORDER BY place LIMIT $5) {HOLDERS}"
            );
            let types = [Type::BYTEA, Type::INT8, Type::INT8, Type::INT8, Type::INT8];
            client.prepare_typed(&sql, &types)
        };
        Ok(Self {
            manifest: of("manifest")?,
            program: of("program")?,
        })
    }

    pub(super) fn holders(
        &self,
        client: &mut Client,
        now: u64,
        wanted: Wanted,
        from: u64,
    ) -> Result<Vec<Listed>, Error> {
        let (lookup, digest, limit) = match &wanted {
            Wanted::Manifest(id) => (&self.manifest, id.digest(), 1),
            Wanted::Program(id) => (&self.program, id.digest(), MANIFESTS_MAX),
        };
        let key = digest.as_bytes().as_slice();
        let alive = int(now.saturating_sub(ALIVE_S));
        let (from, most) = (int(from >> 1), i64::from(CANDIDATES_MAX));
        let rows = client.query(lookup, &[&key, &alive, &from, &most, &limit])?;
        rows.iter().map(listed_of).collect()
    }
}

pub(super) fn search(
    client: &mut Client,
    query: &Query,
    stop: &Stop,
) -> Result<(Extent, Vec<Hit>), Error> {
    let mut hits = Vec::new();
    let outcome = match few(client, query, &mut hits) {
        Ok(true) => Ok(Extent::Whole),
        Ok(false) => walk(client, query, stop, &mut hits),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(extent) => Ok((extent, hits)),
        Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
            Ok((Extent::Partial, hits))
        }
        Err(error) => Err(error),
    }
}

/// Takes in all that fits, if the index of pieces knows what to look at and it is little. Says whether.
fn few(client: &mut Client, query: &Query, hits: &mut Vec<Hit>) -> Result<bool, Error> {
    if !matches!(query.route(), Route::Grams(_)) {
        return Ok(false);
    }
    let mut condition = Condition::of(query);
    let few = condition.value(FEW, Type::INT8);
    let sql = format!(
        "WITH m AS MATERIALIZED (SELECT {ENTRY} FROM swarmhold.entries WHERE {} LIMIT {few} + 1)
         SELECT c.count, m.* FROM (SELECT count(*) FROM m) c LEFT JOIN m ON c.count <= {few}
         ORDER BY place",
        condition.sql()
    );
    let rows = client.query_typed(&sql, &condition.values())?;
    let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    if count > FEW {
        return Ok(false);
    }
    for row in rows.iter().filter(|_| count > 0) {
        take(row, query, hits)?;
    }
    hits.truncate(query.limit());
    Ok(true)
}

/// Takes in what fits, in the order of places, until there is enough.
fn walk(
    client: &mut Client,
    query: &Query,
    stop: &Stop,
    hits: &mut Vec<Hit>,
) -> Result<Extent, Error> {
    // where the database looks at all that there is to it, what comes is what is wanted
    let is_exact = !query.parts().is_empty();
    let wanted = i64::try_from(query.limit()).unwrap_or(PAGE_MIN);
    let (mut after, mut page) = (-1_i64, if is_exact { wanted } else { PAGE_MIN });
    loop {
        if stop.is_due() {
            return Ok(Extent::Partial);
        }
        let mut condition = Condition::of(query);
        let (last, limit) = (
            condition.value(after, Type::INT8),
            condition.value(page, Type::INT8),
        );
        let sql = format!(
            "SELECT {ENTRY} FROM swarmhold.entries WHERE place > {last} AND {}
             ORDER BY place LIMIT {limit}",
            condition.sql()
        );
        let rows = client.query_typed(&sql, &condition.values())?;
        for row in &rows {
            take(row, query, hits)?;
            if hits.len() >= query.limit() {
                return Ok(Extent::Whole);
            }
        }
        let Some(last) = rows.last().filter(|_| rows.len() as i64 == page) else {
            return Ok(Extent::Whole);
        };
        after = last.try_get("place")?;
        page = (page * 4).min(PAGE_MAX);
    }
}

fn take(row: &Row, query: &Query, hits: &mut Vec<Hit>) -> Result<(), Error> {
    if query.fits(row.try_get("name")?) {
        let hit = hit_of(row)?;
        if query.admits(hit.size, &hit.owner, hit.time, hit.seeders) {
            hits.push(hit);
        }
    }
    Ok(())
}

pub(super) fn extent(client: &mut Client, now: u64) -> Result<IndexExtent, Error> {
    let sql = "SELECT (SELECT count(*) FROM swarmhold.nodes WHERE seen >= $1),
                      (SELECT count(*) FROM swarmhold.entries),
                      (SELECT coalesce(sum(files), 0)::bigint FROM swarmhold.subnets)";
    let alive = int(now.saturating_sub(ALIVE_S));
    let row = client.query_typed_one(sql, &[(&alive, Type::INT8)])?;
    Ok(IndexExtent {
        nodes: unsigned(&row, 0)?,
        entries: unsigned(&row, 1)?,
        holders: unsigned(&row, 2)?,
    })
}
