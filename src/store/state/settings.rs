//! What the user has set for good.

use std::collections::BTreeMap;

use super::{State, StateError};

impl State {
    /// All settings, by name. Blocks.
    pub fn settings(&self) -> Result<BTreeMap<String, String>, StateError> {
        self.read(|connection| {
            let mut all = connection.prepare("SELECT name, value FROM settings")?;
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    /// Sets one, or takes it back. Blocks.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<(), StateError> {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        self.write(move |connection| {
            match value {
                Some(value) => connection.execute(
                    "INSERT OR REPLACE INTO settings VALUES (?, ?)",
                    [name, value],
                )?,
                None => connection.execute("DELETE FROM settings WHERE name = ?", [name])?,
            };
            Ok(())
        })
    }
}
