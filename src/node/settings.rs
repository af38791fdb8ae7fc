//! What the user has set for good in a home. Options win over it.

use std::path::Path;

use super::memory;
use crate::store::{State, StateError};

/// What a switch is that is on.
pub const ON: &str = "on";

/// The setting that names the SwarmMasters, with commas between them.
pub const MASTERS: &str = "master";

/// The switch that keeps a node from being reached, and from reaching others, through SwarmMasters.
pub const NO_RELAY: &str = "no-relay";

/// The settings of a home.
#[derive(Debug)]
pub struct Settings {
    state: State,
}

impl Settings {
    /// Opens them. Blocks on the disk, as all calls do.
    pub fn open(home: &Path) -> Self {
        let state = memory::open(home);
        Self { state }
    }

    /// What is set.
    pub fn value(&self, name: &str) -> Result<Option<String>, StateError> {
        Ok(self.state.settings()?.remove(name))
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> Result<bool, StateError> {
        Ok(self.value(name)?.as_deref() == Some(ON))
    }

    /// Sets something, or takes it back. An error says that it does not last.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<(), StateError> {
        self.state.kept()?;
        self.state.set(name, value)
    }
}
