//! Downloads that are not done: what was asked for, so that it can be gone on with.

use std::path::PathBuf;

use rusqlite::{Row, params};

use super::values::{digest, int, path_bytes, path_of, uint};
use super::{State, StateError};
use crate::digest::Digest;

/// Downloads that are remembered; those that were begun first go first.
const JOBS_MAX: u32 = 1024;

/// One download. What is text here is the node's to write and to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Which: of one container to one place there is one.
    pub id: Digest,
    /// What is fetched.
    pub link: String,
    /// Where to; without it into the node's own folder.
    pub output: Option<PathBuf>,
    /// More peers to ask.
    pub peers: String,
    /// In which order to ask for chunks.
    pub chunk_order: String,
    /// Upload limit in bytes per second.
    pub up: Option<u64>,
    /// Download limit in bytes per second.
    pub down: Option<u64>,
    /// How long to go on while no peer is of any use, in seconds.
    pub patience_s: u64,
    /// Whether it is kept in the vault.
    pub sealed: bool,
    /// When it was asked for first, in seconds since 1970.
    pub begun: u64,
    /// Why it waits, or ended without being done.
    pub why: Option<String>,
}

impl State {
    /// Remembers a download that begins, or goes on. Does not wait.
    pub fn keep_job(&self, row: JobRow) {
        self.post(move |connection| {
            let sql = "
                INSERT INTO jobs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL,
                    (SELECT ifnull(max(turn), 0) + 1 FROM jobs))
                ON CONFLICT (id) DO UPDATE SET link = ?2, output = ?3, peers = ?4, chunk_order = ?5,
                    up = ?6, down = ?7, patience_s = ?8, sealed = ?9, why = NULL";
            connection.execute(
                sql,
                params![
                    row.id.as_bytes(),
                    row.link,
                    row.output.as_deref().map(path_bytes),
                    row.peers,
                    row.chunk_order,
                    row.up.map(int),
                    row.down.map(int),
                    int(row.patience_s),
                    i64::from(row.sealed),
                    int(row.begun),
                ],
            )?;
            let sql = "DELETE FROM jobs WHERE id IN (
                SELECT id FROM jobs ORDER BY turn DESC, begun DESC LIMIT -1 OFFSET ?)";
            connection.execute(sql, [JOBS_MAX])?;
            Ok(())
        });
    }

    /// Says why a download waits, or ended without being done. Does not wait.
    pub fn note_job(&self, id: Digest, why: Option<String>) {
        self.post(move |connection| {
            let sql = "UPDATE jobs SET why = ? WHERE id = ?";
            connection.execute(sql, params![why, id.as_bytes()])?;
            Ok(())
        });
    }

    /// A download is done, or given up for good. Does not wait.
    pub fn drop_job(&self, id: Digest) {
        self.post(move |connection| {
            connection.execute("DELETE FROM jobs WHERE id = ?", [id.as_bytes()])?;
            Ok(())
        });
    }

    /// All downloads that are not done, the one that was begun first first. Blocks.
    pub fn jobs(&self) -> Result<Vec<JobRow>, StateError> {
        self.read(|connection| {
            let mut all = connection.prepare("SELECT * FROM jobs ORDER BY turn, begun")?;
            let rows = all.query_map([], job)?;
            rows.collect()
        })
    }
}

fn job(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    let limit = |column: &str| -> rusqlite::Result<Option<u64>> {
        let value: Option<i64> = row.get(column)?;
        Ok(value.map(|value| u64::try_from(value).unwrap_or(0)))
    };
    let output: Option<Vec<u8>> = row.get("output")?;
    let sealed: i64 = row.get("sealed")?;
    Ok(JobRow {
        id: digest(row, "id")?,
        link: row.get("link")?,
        output: output.map(path_of),
        peers: row.get("peers")?,
        chunk_order: row.get("chunk_order")?,
        up: limit("up")?,
        down: limit("down")?,
        patience_s: uint(row, "patience_s")?,
        sealed: sealed != 0,
        begun: uint(row, "begun")?,
        why: row.get("why")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(of: u32, begun: u64) -> JobRow {
        JobRow {
            id: Digest::of(&of.to_le_bytes()),
            link: format!("swarmhold:{of}"),
            output: Some(PathBuf::from("/a/\u{fffd}.tar")),
            peers: "198.51.100.7:7922".to_owned(),
            chunk_order: "rarest".to_owned(),
            up: None,
            down: Some(4 << 20),
            patience_s: 30,
            sealed: of == 2,
            begun,
            why: None,
        }
    }

    #[test]
    fn a_job_is_what_was_asked_last_since_it_was_asked_first() {
        let state = State::in_memory();
        // in the order of asking, also where the clock was set back
        let (one, two) = (row(1, 20), row(2, 10));
        state.keep_job(one.clone());
        state.keep_job(two.clone());
        state.note_job(one.id, Some("full".to_owned()));
        let full = JobRow {
            why: Some("full".to_owned()),
            ..one.clone()
        };
        assert_eq!(state.jobs().unwrap(), [full, two.clone()]);
        let again = JobRow {
            output: None,
            up: Some(1),
            ..row(1, 99)
        };
        state.keep_job(again.clone());
        let again = JobRow { begun: 20, ..again };
        assert_eq!(state.jobs().unwrap(), [again, two.clone()]);
        state.drop_job(one.id);
        state.note_job(one.id, None);
        assert_eq!(state.jobs().unwrap(), [two]);
        assert_eq!(state.troubles(), []);
    }

    #[test]
    fn those_of_one_second_are_in_the_order_of_asking() {
        let state = State::in_memory();
        let rows: Vec<_> = (0..20).map(|of| row(of, 100)).collect();
        for row in &rows {
            state.keep_job(row.clone());
        }
        assert_eq!(state.jobs().unwrap(), rows);
    }

    #[test]
    fn there_are_not_more_than_so_many() {
        let state = State::in_memory();
        for number in 0..JOBS_MAX + 3 {
            state.keep_job(row(number, 100 + u64::from(number)));
        }
        let begun: Vec<u64> = state.jobs().unwrap().iter().map(|it| it.begun).collect();
        assert_eq!((begun.len(), begun[0]), (JOBS_MAX as usize, 103));
    }
}
