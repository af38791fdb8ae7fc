//! Changes, one by one, within the transaction of a batch.
//!
//! Invariants between changes: `nodes.files` and `subnets.files` count rows of `holders`; `entries.holders`
//! counts an entry's, and `entries.seeders` the subnets among those that are whole; an entry without
//! holders does not exist, and the pieces of every other stand at its place.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::entries::{
    Entry, drop_holder, entry_of, new_entry, settle, settle_subnet, subnet_number,
};
use super::names::Pieces;
use crate::digest::ManifestId;
use crate::index::{FILES_PER_KEY, FILES_PER_SUBNET, Facts, HOLDERS_MAX, Member, Seat, crowd};
use crate::store::index::{ALIVE_S, Change, FORGET_S, Outcome};
use crate::store::state::values::int;
use crate::wire::Holding;

/// Makes one change.
pub(super) fn write_one(
    db: &Connection,
    pieces: &mut Pieces,
    now: u64,
    change: &Change,
) -> rusqlite::Result<Outcome> {
    match change {
        Change::List {
            facts,
            member,
            held,
            expires,
        } => list(db, pieces, now, facts, member, *held, *expires),
        Change::Refresh {
            id,
            member,
            held,
            expires,
        } => refresh(db, pieces, now, *id, member, *held, *expires),
        Change::Withdraw { seat, id } => withdraw(db, pieces, seat, *id),
        Change::Seen { seats } => {
            let sql = "UPDATE nodes SET seen = ? WHERE address = ? AND remote = ?";
            let mut update = db.prepare_cached(sql)?;
            for seat in seats {
                let (address, remote) = key_of(seat);
                update.execute(params![int(now), address, remote])?;
            }
            Ok(Outcome::Done(0))
        }
        Change::Left { seat } => {
            let sql = "UPDATE nodes SET seen = min(seen, ?) WHERE address = ? AND remote = ?";
            let before = now.saturating_sub(ALIVE_S + 1);
            let (address, remote) = key_of(seat);
            let rows = db
                .prepare_cached(sql)?
                .execute(params![int(before), address, remote])?;
            Ok(Outcome::Done(u32::try_from(rows).unwrap_or(u32::MAX)))
        }
        Change::Revive => {
            let rows = db.execute("UPDATE nodes SET seen = max(seen, ?)", [int(now)])?;
            Ok(Outcome::Done(u32::try_from(rows).unwrap_or(u32::MAX)))
        }
        Change::Sweep { limit } => sweep(db, pieces, now, *limit),
    }
}

fn list(
    db: &Connection,
    pieces: &mut Pieces,
    now: u64,
    facts: &Facts,
    member: &Member,
    held: Holding,
    expires: u64,
) -> rusqlite::Result<Outcome> {
    let node = note_node(db, now, member)?;
    let entry = entry_of(db, facts.manifest_id)?;
    let known = match &entry {
        Some(entry) => is_holder(db, entry.number, node)?,
        None => false,
    };
    if !known {
        let of_subnet = files_of_subnet(db, member.subnet)?;
        let sql = "SELECT sum(files) FROM nodes WHERE address = ?";
        let key = member.seat.address.digest().as_bytes();
        let of_key: u32 = db.prepare_cached(sql)?.query_row([key], |row| row.get(0))?;
        let full = entry.as_ref().is_some_and(|it| it.holders >= HOLDERS_MAX);
        if of_key >= FILES_PER_KEY || of_subnet >= FILES_PER_SUBNET || full {
            return Ok(Outcome::Quota);
        }
        count_file(db, node, member.subnet)?;
        if crowd(of_subnet) != crowd(of_subnet + 1) {
            settle_subnet(db, pieces, member.subnet)?;
        }
    }
    let is_whole = held.chunks >= facts.chunks;
    let entry = match entry {
        Some(entry) => entry,
        None => new_entry(db, facts)?,
    };
    let stake = Stake {
        node,
        subnet: member.subnet,
        is_whole,
        held,
        expires,
    };
    hold(db, pieces, entry, &stake)?;
    Ok(Outcome::Listed)
}

fn refresh(
    db: &Connection,
    pieces: &mut Pieces,
    now: u64,
    id: ManifestId,
    member: &Member,
    held: Holding,
    expires: u64,
) -> rusqlite::Result<Outcome> {
    let Some(entry) = entry_of(db, id)? else {
        return Ok(Outcome::Unknown);
    };
    let node = note_node(db, now, member)?;
    let sql = "SELECT chunks FROM entries WHERE number = ?";
    let chunks: u32 = db
        .prepare_cached(sql)?
        .query_row([entry.number], |row| row.get(0))?;
    let sql = "SELECT whole FROM holders WHERE entry = ? AND node = ?";
    let was: Option<bool> = db
        .prepare_cached(sql)?
        .query_row([entry.number, node], |row| row.get(0))
        .optional()?;
    let is_whole = held.chunks >= chunks;
    match was {
        // to hold all of it is to be counted as a seeder, which is proven first
        None | Some(false) if is_whole || was.is_none() => return Ok(Outcome::Unknown),
        None | Some(_) => {}
    }
    let stake = Stake {
        node,
        subnet: member.subnet,
        is_whole,
        held,
        expires,
    };
    hold(db, pieces, entry, &stake)?;
    Ok(Outcome::Listed)
}

fn withdraw(
    db: &Connection,
    pieces: &mut Pieces,
    seat: &Seat,
    id: Option<ManifestId>,
) -> rusqlite::Result<Outcome> {
    let sql = "SELECT number FROM nodes WHERE address = ? AND remote = ?";
    let (address, remote) = key_of(seat);
    let node: Option<i64> = db
        .prepare_cached(sql)?
        .query_row(params![address, remote], |row| row.get(0))
        .optional()?;
    let Some(node) = node else {
        return Ok(Outcome::Done(0));
    };
    let entries: Vec<i64> = match id {
        Some(id) => entry_of(db, id)?.map(|it| it.number).into_iter().collect(),
        None => entries_of(db, node, u32::MAX)?,
    };
    let mut gone = 0;
    for entry in entries {
        gone += drop_holder(db, pieces, entry, node)?;
    }
    Ok(Outcome::Done(gone))
}

fn sweep(db: &Connection, pieces: &mut Pieces, now: u64, limit: u32) -> rusqlite::Result<Outcome> {
    let mut gone = 0;
    let sql = "SELECT entry, node FROM holders WHERE expires < ? LIMIT ?";
    let mut expired = db.prepare_cached(sql)?;
    let rows = expired.query_map(params![int(now), limit], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        gone += drop_holder(db, pieces, row.0, row.1)?;
    }
    let dead_since = int(now.saturating_sub(FORGET_S));
    let sql = "SELECT number FROM nodes WHERE seen < ? LIMIT 100";
    let mut dead = db.prepare_cached(sql)?;
    let nodes = dead.query_map([dead_since], |row| row.get::<_, i64>(0))?;
    for node in nodes.collect::<rusqlite::Result<Vec<_>>>()? {
        let entries = entries_of(db, node, limit.saturating_sub(gone))?;
        for entry in entries {
            gone += drop_holder(db, pieces, entry, node)?;
        }
        let sql = "DELETE FROM nodes WHERE number = ? AND files = 0";
        db.prepare_cached(sql)?.execute([node])?;
        if gone >= limit {
            break;
        }
    }
    Ok(Outcome::Done(gone))
}

/// The row of a node, as it is reached now, seen just now.
fn note_node(db: &Connection, now: u64, member: &Member) -> rusqlite::Result<i64> {
    let listen: Vec<String> = member.listen.iter().map(ToString::to_string).collect();
    let sql = "INSERT INTO nodes (address, remote, listen, subnet, open, files, seen)
               VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
               ON CONFLICT (address, remote) DO UPDATE SET listen = ?3, open = ?5, seen = ?6
               RETURNING number, subnet";
    let ((address, remote), subnet) = (key_of(&member.seat), subnet_number(member.subnet));
    let listen = listen.join(" ");
    let values = params![address, remote, listen, subnet, member.is_open, int(now)];
    let (node, before): (i64, i64) = db
        .prepare_cached(sql)?
        .query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    if before != subnet {
        move_node(db, node, before, subnet)?;
    }
    Ok(node)
}

/// What a node's row is found by.
fn key_of(seat: &Seat) -> (&[u8; 32], String) {
    (seat.address.digest().as_bytes(), seat.remote.to_string())
}

/// A node counts to another subnet than before.
fn move_node(db: &Connection, node: i64, from: i64, to: i64) -> rusqlite::Result<()> {
    db.execute("UPDATE nodes SET subnet = ? WHERE number = ?", [to, node])?;
    db.execute("UPDATE holders SET subnet = ? WHERE node = ?", [to, node])?;
    let sql = "SELECT files FROM nodes WHERE number = ?";
    let files: i64 = db.query_row(sql, [node], |row| row.get(0))?;
    let add = "INSERT INTO subnets VALUES (?1, ?2)
               ON CONFLICT (subnet) DO UPDATE SET files = files + ?2";
    db.execute(add, [to, files])?;
    db.execute(add, [from, -files])?;
    Ok(())
}

fn is_holder(db: &Connection, entry: i64, node: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM holders WHERE entry = ? AND node = ?";
    db.prepare_cached(sql)?.exists([entry, node])
}

/// Who holds how much of an entry, and until when.
struct Stake {
    node: i64,
    subnet: u64,
    is_whole: bool,
    held: Holding,
    expires: u64,
}

fn hold(db: &Connection, pieces: &mut Pieces, entry: Entry, stake: &Stake) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO holders VALUES (?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        entry.number,
        stake.node,
        subnet_number(stake.subnet),
        stake.is_whole,
        stake.held.chunks,
        stake.held.map.cast_signed(),
        int(stake.expires)
    ])?;
    settle(db, pieces, entry)
}

fn files_of_subnet(db: &Connection, subnet: u64) -> rusqlite::Result<u32> {
    let sql = "SELECT files FROM subnets WHERE subnet = ?";
    let files = db
        .prepare_cached(sql)?
        .query_row([subnet_number(subnet)], |row| row.get(0));
    Ok(files.optional()?.unwrap_or(0))
}

fn count_file(db: &Connection, node: i64, subnet: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE nodes SET files = files + 1 WHERE number = ?")?
        .execute([node])?;
    let sql = "INSERT INTO subnets VALUES (?, 1)
               ON CONFLICT (subnet) DO UPDATE SET files = files + 1";
    db.prepare_cached(sql)?.execute([subnet_number(subnet)])?;
    Ok(())
}

fn entries_of(db: &Connection, node: i64, limit: u32) -> rusqlite::Result<Vec<i64>> {
    let mut all = db.prepare_cached("SELECT entry FROM holders WHERE node = ? LIMIT ?")?;
    let rows = all.query_map([node, i64::from(limit)], |row| row.get(0))?;
    rows.collect()
}
