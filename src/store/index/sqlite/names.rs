//! Names by their places, the pieces that they are made of, and what is asked of those.
//!
//! FTS5 keeps what one transaction adds in memory as long as rows come in rising order, and begins
//! anew otherwise. So what a batch takes out and puts in is gathered, and written in order at its end.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _};

use crate::index::{Grams, Place, folded, marked};

/// Segments of about one size that are brought together.
const SEGMENTS_MIN: u32 = 2;
/// Pages of 4 KiB that are written for that at a time: some fifty milliseconds of the writer.
const MERGE_PAGES: u32 = 1280;

/// What a batch does to names.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    out: BTreeSet<Place>,
    put: BTreeMap<Place, String>,
}

impl Pieces {
    /// A name stands at a place from now on.
    pub(super) fn put(&mut self, place: Place, name: &str) {
        // whatever was there before had the same number, so it is the same entry
        if !self.out.remove(&place) {
            self.put.insert(place, name.to_owned());
        }
    }

    /// Nothing stands at a place any more.
    pub(super) fn take_out(&mut self, place: Place) {
        if self.put.remove(&place).is_none() {
            self.out.insert(place);
        }
    }

    /// Writes it all.
    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let mut delete = connection.prepare_cached("DELETE FROM names WHERE rowid = ?")?;
        let sql = "DELETE FROM labels WHERE place = ? RETURNING name";
        let mut remove = connection.prepare_cached(sql)?;
        let sql = "DELETE FROM starts WHERE folded = ? AND place = ?";
        let mut unstart = connection.prepare_cached(sql)?;
        for place in self.out {
            delete.execute([signed(place)])?;
            let name: Option<String> = remove
                .query_row([signed(place)], |row| row.get(0))
                .optional()?;
            if let Some(name) = name {
                unstart.execute((folded(&name), signed(place)))?;
            }
        }
        let sql = "INSERT INTO names (rowid, text) VALUES (?, ?)";
        let mut insert = connection.prepare_cached(sql)?;
        let mut label = connection.prepare_cached("INSERT INTO labels VALUES (?, ?)")?;
        let mut start = connection.prepare_cached("INSERT INTO starts VALUES (?, ?)")?;
        for (place, name) in self.put {
            let folded = folded(&name);
            insert.execute((signed(place), marked(&folded)))?;
            start.execute((folded, signed(place)))?;
            label.execute((signed(place), name))?;
        }
        Ok(())
    }
}

/// Brings together a little of what many small transactions have written: a search looks at each of
/// their segments, and there would be dozens.
pub(super) fn tidy_up(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO names (names, rank) VALUES (?, ?)";
    let mut command = connection.prepare_cached(sql)?;
    command.execute(("usermerge", SEGMENTS_MIN))?;
    command.execute(("merge", MERGE_PAGES))?;
    Ok(())
}

/// A place as a row's number.
pub(super) fn signed(place: Place) -> i64 {
    i64::try_from(place.number()).unwrap_or(i64::MAX)
}

/// A demand in the language of FTS5. A demand for nothing has none.
pub(super) fn expression(demand: &Grams) -> String {
    let joined = |parts: &[Grams], word: &str| {
        let all: Vec<String> = parts.iter().map(expression).collect();
        format!("({})", all.join(word))
    };
    match demand {
        Grams::Anything => String::new(),
        Grams::Piece(piece) => format!("\"{}\"", piece.replace('"', "\"\"")),
        Grams::All(parts) => joined(parts, " AND "),
        Grams::Any(parts) => joined(parts, " OR "),
    }
}
