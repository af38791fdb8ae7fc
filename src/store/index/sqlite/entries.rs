//! Entries: where each stands, by how many hold it, and the rows of those who do.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::names::{Pieces, signed};
use crate::digest::ManifestId;
use crate::index::{Crowd, Facts, Place, crowd};
use crate::store::state::values::int;

/// An entry as its rows say it.
pub(super) struct Entry {
    pub(super) number: i64,
    place: Place,
    crowd: Crowd,
    seeders: u32,
    pub(super) holders: u32,
}

pub(super) fn entry_of(db: &Connection, id: ManifestId) -> rusqlite::Result<Option<Entry>> {
    let sql = "SELECT number, place, crowd, seeders, holders FROM entries WHERE manifest = ?";
    entry_by(db, sql, id.digest().as_bytes())
}

fn entry_by(
    db: &Connection,
    sql: &str,
    key: impl rusqlite::ToSql,
) -> rusqlite::Result<Option<Entry>> {
    db.prepare_cached(sql)?
        .query_row([key], |row| {
            let (number, crowd, seeders) = (row.get(0)?, Crowd::of_step(row.get(2)?), row.get(3)?);
            Ok(Entry {
                number,
                place: Place::of(seeders, crowd, unsigned(number)),
                crowd,
                seeders,
                holders: row.get(4)?,
            })
        })
        .optional()
}

/// An entry that nobody holds yet: whoever lists it settles it.
pub(super) fn new_entry(db: &Connection, facts: &Facts) -> rusqlite::Result<Entry> {
    // its number is known only when it is there, and its place follows from that
    let sql =
        "INSERT INTO entries (place, crowd, manifest, program, owner, name, size, chunks, time,
               seeders, holders) VALUES (-1, 3, ?, ?, ?, ?, ?, ?, ?, 0, 0)";
    db.prepare_cached(sql)?.execute(params![
        facts.manifest_id.digest().as_bytes(),
        facts.program_id.digest().as_bytes(),
        facts.owner.digest().as_bytes(),
        facts.name,
        int(facts.size),
        facts.chunks,
        int(facts.time),
    ])?;
    let (number, crowd) = (db.last_insert_rowid(), Crowd::of_step(u8::MAX));
    Ok(Entry {
        number,
        place: Place::of(0, crowd, unsigned(number)),
        crowd,
        seeders: 0,
        holders: 0,
    })
}

/// Takes a holder off an entry. Answers how many there were: one or none.
pub(super) fn drop_holder(
    db: &Connection,
    pieces: &mut Pieces,
    entry: i64,
    node: i64,
) -> rusqlite::Result<u32> {
    let sql = "DELETE FROM holders WHERE entry = ? AND node = ? RETURNING subnet";
    let subnet: Option<i64> = db
        .prepare_cached(sql)?
        .query_row([entry, node], |row| row.get(0))
        .optional()?;
    let Some(subnet) = subnet else {
        return Ok(0);
    };
    db.prepare_cached("UPDATE nodes SET files = files - 1 WHERE number = ?")?
        .execute([node])?;
    let sql = "UPDATE subnets SET files = files - 1 WHERE subnet = ? RETURNING files";
    let left: Option<i64> = db
        .prepare_cached(sql)?
        .query_row([subnet], |row| row.get(0))
        .optional()?;
    if left.is_some_and(|left| left <= 0) {
        db.prepare_cached("DELETE FROM subnets WHERE subnet = ?")?
            .execute([subnet])?;
    }
    settle_number(db, pieces, entry)?;
    Ok(1)
}

/// Counts the holders of each entry of a subnet anew, whose crowd is another now.
pub(super) fn settle_subnet(
    db: &Connection,
    pieces: &mut Pieces,
    subnet: u64,
) -> rusqlite::Result<()> {
    let sql = "SELECT DISTINCT h.entry FROM nodes n CROSS JOIN holders h ON h.node = n.number
               WHERE n.subnet = ?";
    let mut all = db.prepare_cached(sql)?;
    let rows = all.query_map([subnet_number(subnet)], |row| row.get(0))?;
    for entry in rows.collect::<rusqlite::Result<Vec<i64>>>()? {
        settle_number(db, pieces, entry)?;
    }
    Ok(())
}

fn settle_number(db: &Connection, pieces: &mut Pieces, number: i64) -> rusqlite::Result<()> {
    let sql = "SELECT number, place, crowd, seeders, holders FROM entries WHERE number = ?";
    match entry_by(db, sql, number)? {
        Some(entry) => settle(db, pieces, entry),
        None => Ok(()),
    }
}

/// Counts an entry's holders anew, and puts it where it belongs, or nowhere.
pub(super) fn settle(db: &Connection, pieces: &mut Pieces, entry: Entry) -> rusqlite::Result<()> {
    let sql = "SELECT count(*), count(DISTINCT iif(h.whole, h.subnet, NULL)),
               min(iif(h.whole, s.files, NULL))
               FROM holders h CROSS JOIN subnets s ON s.subnet = h.subnet WHERE h.entry = ?";
    let (holders, seeders, files): (u32, u32, Option<u32>) =
        db.prepare_cached(sql)?.query_row([entry.number], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let was_listed = entry.holders > 0;
    if holders == 0 {
        if was_listed {
            pieces.take_out(entry.place);
        }
        db.prepare_cached("DELETE FROM entries WHERE number = ?")?
            .execute([entry.number])?;
        return Ok(());
    }
    let crowd = crowd(files.unwrap_or(u32::MAX));
    if was_listed && (holders, seeders, crowd) == (entry.holders, entry.seeders, entry.crowd) {
        return Ok(());
    }
    let place = Place::of(seeders, crowd, unsigned(entry.number));
    let sql = "UPDATE entries SET place = ?, crowd = ?, seeders = ?, holders = ? WHERE number = ?";
    let values = params![signed(place), crowd.step(), seeders, holders, entry.number];
    db.prepare_cached(sql)?.execute(values)?;
    if was_listed && place == entry.place {
        return Ok(());
    }
    if was_listed {
        pieces.take_out(entry.place);
    }
    let sql = "SELECT name FROM entries WHERE number = ?";
    let name: String = db
        .prepare_cached(sql)?
        .query_row([entry.number], |row| row.get(0))?;
    pieces.put(place, &name);
    Ok(())
}

/// A subnet as SQLite's integer.
pub(super) fn subnet_number(subnet: u64) -> i64 {
    subnet.cast_signed()
}

/// A row's number, which is never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
