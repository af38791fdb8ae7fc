//! Bringing a SQLite file to the version that this program knows. The version is SQLite's `user_version`: the
//! number of steps that were taken. A step that has shipped is never changed.

use rusqlite::{Connection, TransactionBehavior};

/// The version of a file.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that a file lacks, one transaction for each. Another process may be doing the same.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    loop {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let at = version(&step)?;
        let next = usize::try_from(at).ok().and_then(|at| steps.get(at));
        let Some(sql) = next else {
            return Ok(());
        };
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", at + 1)?;
        step.commit()?;
    }
}
